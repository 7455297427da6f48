# mypy: ignore-errors
"""Sums of buckets, a lane to each: the points of a bucket are added one after another.

A *run* is a piece of at most `longest` entries of one bucket. A block of runs is summed in rounds:
round k adds the k-th point of every run that has one, in one batch with one inversion,

    S_j ← S_j + P,   λ = (y_P − y_S)/(x_P − x_S),

where the sums S_j stay in lanes, ready for the next round, and only P comes from memory: of a pair
of a tree (pair_sums.py) both points do, and their sum goes back. Runs are ranked by length, so the
runs of a round are the first ones. When a run ends its sum is copied out; its lane goes on with
whatever is there, as long as the group has a run that has not ended.

What is left, one record a run, is for the tree: the runs of a long bucket, and the table's sums.
"""

import numpy as np

from zkcmp.bn254 import aligned
from zkcmp.bn254.curve.group_law import invert
from zkcmp.bn254.lanes.arithmetic import (
    any_lane,
    double,
    is_exact_zero,
    is_zero,
    mask_or,
    mul,
    reduce,
    same_field_one,
    sqr,
    sub,
    sub_both,
    sub_reduced,
)
from zkcmp.bn254.lanes.body import LANES, LIMBS
from zkcmp.bn254.lanes.jit import inlined, kernel
from zkcmp.bn254.lanes.memory import keep, kept, load_scratch, store_scratch
from zkcmp.bn254.lanes.points import copy_record, load_entries, prefetch_entries, store_points
from zkcmp.bn254.msm.bucket_tree import SLACK, TreeBuffers, add_bucket_sums
from zkcmp.bn254.msm.pair_sums import AHEAD, any_denominator, any_sum

# runs of a block, in bytes of points: their sums and what is kept of them on the way to the
# inversion must stay in the second-level cache
BLOCK_BYTES = 1 << 17
# entries of a run at most, and what a block should have of them to be worth its inversions
LONGEST_RUN = 64
FEWEST_ENTRIES = 1 << 12
# values kept for the way back
_KEPT = 3
# entries between the rounds of a schedule: rounds a power of two apart share the sets of the cache
_GAP = 16


class RunBuffers:
    """What `add` works in: one thread's, for up to `entries` entries."""

    def __init__(self, point_shape: tuple[int, ...], entries: int):
        coordinates = len(point_shape) - 1
        runs = BLOCK_BYTES // (64 * coordinates)
        groups = runs // LANES
        limbs = LIMBS * coordinates
        self.tree = TreeBuffers(point_shape, entries)
        self.worthwhile = entries >= FEWEST_ENTRIES
        if not self.worthwhile:
            runs = groups = 0
        self.begins = np.empty((4, runs), np.int64)
        self.run_starts = np.empty(2 * runs + 2, np.int64)
        self.ranks = aligned.empty((runs + SLACK,), np.uint32)
        self.rounds = np.empty((2, LONGEST_RUN + 2), np.int64)
        self.schedule = aligned.empty((LONGEST_RUN * (runs + LANES + _GAP) + SLACK,), np.uint32)
        self.sums = aligned.empty((2 * groups, limbs, LANES))
        self.scratch = aligned.empty(((groups + 1) * _KEPT, limbs, LANES))
        self.records = aligned.empty((runs + LANES, *point_shape))

    def add(
        self,
        points: np.ndarray,
        bucket_start: np.ndarray,
        entries: np.ndarray,
        table: np.ndarray,
        occupied: np.ndarray,
    ) -> None:
        """Add to table[b − 1] the points of bucket b, for all buckets of a counting sort.

        No entry may negate infinity. `entries` are overwritten. A place that is not occupied is
        written, not added to, and is occupied afterwards.
        """
        total, buckets = int(bucket_start[-1]), len(bucket_start) - 2
        longest = longest_run(total, buckets)
        if longest < 3 or not self.worthwhile:
            self.tree.add(points, bucket_start, entries, table, occupied)
            return
        tree = self.tree
        add_bucket_runs(
            points,
            bucket_start,
            entries,
            longest,
            table,
            occupied,
            self.begins,
            self.run_starts,
            self.ranks,
            self.rounds,
            self.schedule,
            self.sums,
            self.scratch,
            self.records,
            tree.starts,
            tree.indices,
            tree.levels,
            tree.scratch,
        )


def longest_run(total: int, buckets: int) -> int:
    """So that few runs are much longer than the others, and there are enough of them."""
    mean = -(-total // max(buckets, 1))
    return min(LONGEST_RUN, mean + mean // 4 + 2, total // (FEWEST_ENTRIES // 4))


@inlined
def _cut(bucket_start, bucket, first, longest, begins, lengths, run_starts):
    """Runs of entries `first` … of `bucket` and of those behind it, as many as there is room for.

    run_starts[1 + k] is the first run of bucket + k. Returns how many runs, how many buckets, and
    where to go on.
    """
    runs, k = 0, 0
    run_starts[1] = 0
    while bucket < len(bucket_start) - 1 and k < len(run_starts) - 2 and runs < len(begins):
        rest = bucket_start[bucket + 1] - first
        pieces = (rest + longest - 1) // longest
        while pieces > 0 and runs < len(begins):
            length = (rest + pieces - 1) // pieces
            begins[runs], lengths[runs] = first, length
            first += length
            rest -= length
            pieces -= 1
            runs += 1
        k += 1
        run_starts[k + 1] = runs
        if rest == 0:
            bucket += 1
    return runs, k, bucket, first


@kernel
def _plan(entries, begins, lengths, order, ranks, runs, active, row_start, schedule, lanes):
    """Rank runs by length, longest first; the entries of a round side by side in the schedule.

    Round r is for the runs of rank below active[r]; its entries are schedule[row_start[r] …], and
    valid ones follow, to whole groups and, behind the last round, for AHEAD groups more. Returns
    the number of rounds.
    """
    active[:] = 0
    for k in range(runs):
        active[lengths[k]] += 1
    longer = 0
    for length in range(len(active) - 1, -1, -1):
        longer, active[length] = longer + active[length], longer
    for r in range(len(active)):
        row_start[r] = active[r]
    for k in range(runs):
        rank = row_start[lengths[k]]
        row_start[lengths[k]] = rank + 1
        ranks[k] = rank
        order[rank] = k
    rounds, row = 0, 0
    while active[rounds]:
        row_start[rounds] = row
        row += (active[rounds] + lanes - 1) // lanes * lanes + _GAP
        rounds += 1
    row_start[rounds] = row
    for rank in range(runs):
        k = order[rank]
        for r in range(lengths[k]):
            schedule[row_start[r] + rank] = entries[begins[k] + r]
    for r in range(rounds):
        last = row_start[r] + active[r] - 1
        for j in range(last + 1, row_start[r + 1]):
            schedule[j] = schedule[last]
    schedule[row : row + (AHEAD + 1) * lanes] = schedule[row - 1]
    return rounds


@inlined
def _keep_pair(points, schedule, place, sums, group, running, infinite, scratch, slot):
    """What the way back needs of a group goes to the slot; the product and the mask so far."""
    q = load_entries(points, schedule, place)
    x = kept(sums, 2 * group, running)
    denominator = sub(q[0], x)
    keep(scratch, _KEPT * slot, running)
    keep(scratch, _KEPT * slot + 1, denominator)
    keep(scratch, _KEPT * slot + 2, sub(q[1], kept(sums, 2 * group + 1, running)))
    infinite = mask_or(infinite, mask_or(is_exact_zero(x), is_exact_zero(q[0])))
    return reduce(mul(running, denominator)), infinite


@kernel
def _add_round(points, schedule, first, groups, after, stop, sums, scratch):
    """Add the scheduled points to the first sums; False, nothing written, if a pair is special.

    The round's entries begin at `first`; the next one's, `after` … stop, are prefetched on the way
    back, where there is time. Two chains of running products, as in pair_sums.py.
    """
    x = kept(sums, 0, load_entries(points, schedule, first)[0])
    even = reduce(same_field_one(x))
    odd, difference = even, sub(x, x)
    infinite = is_exact_zero(even)
    steps = (groups + 1) // 2
    for k in range(steps):
        i = 2 * k
        j = min(i + 1, groups - 1)
        even, infinite = _keep_pair(
            points, schedule, first + i * LANES, sums, i, even, infinite, scratch, i
        )
        odd, infinite = _keep_pair(
            points, schedule, first + j * LANES, sums, j, odd, infinite, scratch, i + 1
        )
    product = reduce(mul(even, odd))
    if any_lane(mask_or(infinite, is_zero(product))):
        return False
    inverse = invert(product)
    even, odd = reduce(mul(inverse, odd)), reduce(mul(inverse, even))
    for k in range(steps - 1, -1, -1):
        i = 2 * k
        j = min(i + 1, groups - 1)
        prefetch_entries(points, schedule, after)
        prefetch_entries(points, schedule, min(after + LANES, stop))
        after = min(after + 2 * LANES, stop)
        a, b = _KEPT * i, _KEPT * (i + 1)
        inverse0 = mul(even, kept(scratch, a, even))
        inverse1 = mul(odd, kept(scratch, b, odd))
        even = reduce(mul(even, kept(scratch, a + 1, difference)))
        odd = reduce(mul(odd, kept(scratch, b + 1, difference)))
        slope0 = mul(kept(scratch, a + 2, difference), inverse0)
        slope1 = mul(kept(scratch, b + 2, difference), inverse1)
        square0, square1 = sqr(slope0), sqr(slope1)
        x0, x1 = kept(sums, 2 * i, even), kept(sums, 2 * j, odd)
        # x of the point is that of the sum plus the difference
        sum0 = sub_both(square0, double(x0), kept(scratch, a + 1, difference))
        sum1 = sub_both(square1, double(x1), kept(scratch, b + 1, difference))
        y0 = sub_reduced(mul(slope0, sub(x0, sum0)), kept(sums, 2 * i + 1, even))
        y1 = sub_reduced(mul(slope1, sub(x1, sum1)), kept(sums, 2 * j + 1, odd))
        keep(sums, 2 * i, sum0)
        keep(sums, 2 * i + 1, y0)
        keep(sums, 2 * j, sum1)
        keep(sums, 2 * j + 1, y1)
    return True


@kernel
def _add_any_round(points, schedule, first, groups, sums, scratch):
    """The same where every kind of pair may occur."""
    q = load_entries(points, schedule, first)
    running = reduce(same_field_one(q[0]))
    for i in range(groups):
        p = kept(sums, 2 * i, q[0]), kept(sums, 2 * i + 1, q[1])
        q = load_entries(points, schedule, first + i * LANES)
        store_scratch(scratch, i, running)
        running = reduce(mul(running, any_denominator(p, q)))
    running = reduce(invert(running))
    for i in range(groups - 1, -1, -1):
        p = kept(sums, 2 * i, q[0]), kept(sums, 2 * i + 1, q[1])
        q = load_entries(points, schedule, first + i * LANES)
        inverse = reduce(mul(running, load_scratch(scratch, i, running)))
        running = reduce(mul(running, any_denominator(p, q)))
        x3, y3 = any_sum(p, q, inverse)
        keep(sums, 2 * i, x3)
        keep(sums, 2 * i + 1, y3)


@kernel
def _copy_out(sums, points, schedule, start, stop, records):
    """records[k] = sum k, for start ≤ k < stop; the last LANES records are scratch."""
    like = load_entries(points, schedule, 0)[0]
    spare = records.shape[0] // LANES - 1
    k = start
    while k < stop:
        group = k // LANES
        x, y = kept(sums, 2 * group, like), kept(sums, 2 * group + 1, like)
        store_points(records, spare, x, y)
        while k < stop and k // LANES == group:
            copy_record(records, spare * LANES + k % LANES, records, k)
            k += 1


@kernel
def _sum_runs(points, schedule, rounds, active, row_start, sums, scratch, records):
    """records[rank] = sum of the run of that rank."""
    groups = (active[0] + LANES - 1) // LANES
    for i in range(groups):
        prefetch_entries(points, schedule, (i + AHEAD) * LANES)
        if rounds > 1:
            prefetch_entries(points, schedule, min(row_start[1] + i * LANES, row_start[rounds]))
        x, y = load_entries(points, schedule, i * LANES)
        keep(sums, 2 * i, x)
        keep(sums, 2 * i + 1, y)
    for r in range(1, rounds):
        _copy_out(sums, points, schedule, active[r], active[r - 1], records)
        first, after, groups = row_start[r], row_start[r + 1], (active[r] + LANES - 1) // LANES
        stop = row_start[min(r + 2, rounds)]
        if not _add_round(points, schedule, first, groups, after, stop, sums, scratch):
            _add_any_round(points, schedule, first, groups, sums, scratch)
    _copy_out(sums, points, schedule, 0, active[rounds - 1], records)


@kernel
def add_bucket_runs(
    points,
    bucket_start,
    entries,
    longest,
    table,
    occupied,
    cuts,
    run_starts,
    ranks,
    rows,
    schedule,
    sums,
    scratch,
    records,
    starts,
    indices,
    levels,
    tree_scratch,
):
    """`RunBuffers.add`."""
    begins, lengths, order = cuts[0], cuts[1], cuts[2]
    active, row_start = rows[0], rows[1]
    bucket, first = 1, bucket_start[1]
    while bucket < len(bucket_start) - 1:
        start = bucket
        runs, buckets, bucket, first = _cut(
            bucket_start, bucket, first, longest, begins, lengths, run_starts
        )
        if runs == 0:
            continue
        rounds = _plan(
            entries, begins, lengths, order, ranks, runs, active, row_start, schedule, LANES
        )
        _sum_runs(points, schedule, rounds, active, row_start, sums, scratch, records)
        add_bucket_sums(
            records,
            run_starts[: buckets + 2],
            ranks,
            table[start - 1 : start - 1 + buckets],
            occupied[start - 1 : start - 1 + buckets],
            starts,
            indices,
            levels,
            tree_scratch,
        )
