"""Multi-scalar multiplication Σ_j s_j·P_j in G1 and G2 (Pippenger's buckets).

Scalars are partitioned by the bit length of min(s, r − s): zeros cost nothing, a bit costs a bit.
In each class, windows of c bits; in each window, the points of a bucket are summed by a tree of
batch-affine additions (bucket_tree.py, pair_sums.py) whose pairs come from a counting sort
(bucket_plan.py), so they are independent and no lane waits for another; then Σ_b b·B_b and Horner
(bucket_sums.py). Points go chunk by chunk, which bounds the memory, copied side by side, because a
mapped key file lies on small pages, and a point across two cache lines costs two; windows are
spread over the threads, several to a task when the points are few, because the additions of a level
share their inversions; c comes from a cost model in which an addition in a tree is the unit, a
bucket costs about three and a window some more.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zkcmp.bn254 import aligned, bucket_plan, bucket_sums
from zkcmp.bn254.body import LANES
from zkcmp.bn254.bucket_tree import SLACK
from zkcmp.bn254.fr import FrVector, padded
from zkcmp.bn254.point_arrays import from_kernel_form, is_infinity, to_kernel_form
from zkcmp.bn254.run_sums import RunBuffers
from zkcmp.bn254.threads import parallel_map, parallel_ranges, thread_count

# bit lengths at which scalars are parted, and the fewest scalars worth a class of their own
_CLASS_BITS = (1, 4, 8, 16, 32, 64, 128, 253)
_CLASS_MINIMUM = 1024
# points that are sorted at once: it bounds the buffers
_CHUNK_BYTES = 1 << 26
_BUCKET_COST, _WINDOW_COST = 3.0, 150.0
# digits that a task sorts when it takes several windows
_TASK_ENTRIES = 1 << 16
# what a window costs besides when its sum is folded over the lanes, in additions of lanes
_FOLD_COST = 40


def window_bits(n: int, bits: int) -> int:
    """The c that minimises ⌈(bits + 1)/c⌉·(n + buckets + fixed cost)."""

    def cost(c: int) -> float:
        return -(-(bits + 1) // c) * (n + _BUCKET_COST * 2 ** (c - 1) + _WINDOW_COST)

    return min(range(2, 17), key=cost)


class _Workspace:
    """One thread's buffers, for tasks of up to `entries` entries."""

    def __init__(self, point_shape: tuple[int, ...], entries: int):
        self.entries = aligned.empty((entries + SLACK,), np.uint32)
        self.runs = RunBuffers(point_shape, entries)


@dataclass
class _Task:
    """Some windows of one chunk of a class, and the table of bucket sums that they add to.

    digits: (windows, n), those of n `points`, with signs of their own in `negative`. table and
    occupied have `width` places for each window, one after another.
    """

    points: np.ndarray
    negative: np.ndarray
    digits: np.ndarray
    table: np.ndarray
    occupied: np.ndarray


def _add_windows(task: _Task, space: _Workspace) -> None:
    """Add the sum of every bucket's points to its record in the table, in kernel form.

    All windows are sorted as if they were one with so many more buckets.
    """
    windows, n = task.digits.shape
    width = len(task.occupied) // windows
    bucket_start = np.zeros(windows * width + 2, np.int64)
    local = np.empty(width + 2, np.int64)
    places = np.arange(n, dtype=np.uint32)
    total = 0
    for w in range(windows):
        found = bucket_plan.sort_into_buckets(
            task.digits[w], places, 0, task.negative, local, space.entries[total:]
        )
        bucket_start[1 + w * width : 1 + (w + 1) * width] = local[1:-1] + total
        total += found
    bucket_start[-1] = total
    space.runs.add(task.points, bucket_start, space.entries, task.table, task.occupied)


def _window_sums(tables: np.ndarray, windows: int) -> np.ndarray:
    """Σ_b (b + 1)·(record b) of the first windows, affine records; tables: (padded, width, …).

    Many narrow windows have a lane each; in a wide one all lanes work, and are folded in the end.
    """
    width, groups = tables.shape[1], -(-windows // LANES)
    if groups * 2 * width > windows * (2 * width // LANES + _FOLD_COST):
        return np.concatenate(parallel_map(_weighted, tables[:windows]))
    flat = tables.reshape(-1, *tables.shape[2:])
    out = np.empty((groups * LANES, *tables.shape[2:]), np.uint64)
    parallel_ranges(
        lambda i, j: bucket_sums.weighted_bucket_sums(flat, width, i, j, out), groups, grain=1
    )
    return out[:windows]


def _weighted(table: np.ndarray) -> np.ndarray:
    """Σ_b b·(record of bucket b), an affine record."""
    out = np.zeros((LANES, *table.shape[1:]), np.uint64)
    bucket_sums.weighted_bucket_sum(table, out)
    return out[:1]


def _horner(points: np.ndarray, doublings: int) -> np.ndarray:
    out = np.zeros((LANES, *points.shape[1:]), np.uint64)
    bucket_sums.horner(np.ascontiguousarray(points), len(points), doublings, out)
    return out[:1]


def _classes(lengths: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(bits, indices) of the classes; a class too small to pay joins the next longer one."""
    out: list[tuple[int, np.ndarray]] = []
    low, top = 0, int(lengths.max(initial=0))
    for bits in _CLASS_BITS:
        members = np.flatnonzero((lengths > low) & (lengths <= bits)).astype(np.uint32)
        if len(members) == 0 or (len(members) < _CLASS_MINIMUM and bits < top):
            continue
        out.append((min(bits, top), members))
        low = bits
    return out


def msm(bases: np.ndarray, scalars: FrVector) -> np.ndarray:
    """Σ_j scalars[j]·bases[j].

    Args:
        bases: affine points at rest, (n, 2, 4) for G1 or (n, 2, 2, 4) for G2; infinity is allowed.
            Membership in the group is the caller's to check.
        scalars: n elements of Fr.

    Returns:
        The sum as an array of one point, (1, 2, 4) or (1, 2, 2, 4).

    Raises:
        ValueError: when the lengths differ or bases has another shape.
    """
    bases = np.asarray(bases)
    shape = bases.shape[1:]
    if shape not in ((2, 4), (2, 2, 4)) or bases.dtype != np.uint64:
        raise ValueError(f"bases must be (n, 2, 4) or (n, 2, 2, 4) uint64, not {bases.shape}")
    if len(bases) != scalars.n:
        raise ValueError(f"{len(bases)} bases and {scalars.n} scalars")
    if len(bases) == 0:
        return np.zeros((1, *shape), np.uint64)
    words = np.ascontiguousarray(scalars.to_words())
    negative = np.empty(len(words), np.bool_)
    lengths = np.empty(len(words), np.uint8)
    parallel_ranges(
        lambda i, j: bucket_plan.to_sign_magnitude(words[i:j], negative[i:j], lengths[i:j]),
        len(words),
    )
    lengths[is_infinity(bases)] = 0
    bases = to_kernel_form(np.ascontiguousarray(bases))
    chunk = _CHUNK_BYTES // bases[0].nbytes
    partial = []
    for bits, index in _classes(lengths):
        c = window_bits(len(index), bits)
        windows = -(-(bits + 1) // c)
        width = max(1 << (c - 1), LANES)
        # with fewer windows than threads, the points are dealt out in slices, each with its tables
        slices = -(-thread_count() // windows) if len(index) > _CLASS_MINIMUM else 1
        tables = aligned.zeros((padded(slices * windows), width, *shape))
        occupied = np.zeros((slices * windows, width), np.bool_)
        copies = aligned.empty((slices, min(chunk, -(-len(index) // slices)) + 1, *shape))
        for chunks in _rounds(len(index), slices, chunk):
            tasks = []
            for k, (start, stop) in enumerate(chunks):
                _copy_points(bases, index[start:stop], copies[k])
                digits = np.empty((windows, stop - start), np.int16)
                _fill_digits(words, index, start, stop, c, digits)
                many = _windows_in_task(stop - start, windows)
                for w in range(0, windows, many):
                    part = slice(k * windows + w, k * windows + min(w + many, windows))
                    tasks.append(
                        _Task(
                            copies[k],
                            negative[index[start:stop]],
                            digits[w : w + many],
                            tables[part].reshape(-1, *shape),
                            occupied[part].reshape(-1),
                        )
                    )
            _run_tasks(tasks)
        sums = _window_sums(tables, slices * windows)
        partial += [_horner(sums[k * windows : (k + 1) * windows], c) for k in range(slices)]
    if not partial:
        return np.zeros((1, *shape), np.uint64)
    return from_kernel_form(_horner(np.concatenate(partial), 0))


def _run_tasks(tasks: list[_Task]) -> None:
    longest = max(task.digits.size for task in tasks)
    spaces: dict[int, _Workspace] = {}

    def run(task: _Task) -> None:
        key = threading.get_ident()
        if key not in spaces:
            spaces[key] = _Workspace(task.points.shape[1:], longest)
        _add_windows(task, spaces[key])

    parallel_map(run, tasks)


def _windows_in_task(n: int, windows: int) -> int:
    """As many as leave a task for every thread, and not more than keep its buffers small."""
    return max(1, min(-(-windows // thread_count()), _TASK_ENTRIES // max(n, 1)))


def _rounds(n: int, slices: int, chunk: int) -> Iterator[list[tuple[int, int]]]:
    """Ranges of a class's points, a chunk of each slice at a time."""
    parts = max(-(-n // (slices * chunk)), 1)
    edges = [n * k // (slices * parts) for k in range(slices * parts + 1)]
    for part in range(parts):
        first = [k * parts + part for k in range(slices)]
        yield [(edges[k], edges[k + 1]) for k in first]


def _copy_points(bases: np.ndarray, index: np.ndarray, out: np.ndarray) -> None:
    """The points of a chunk side by side: a table on huge pages, with nothing else in it."""
    parallel_ranges(
        lambda i, j: bucket_sums.gather(bases, index[i:j], out[i:j]), len(index), grain=4096
    )


def _fill_digits(
    words: np.ndarray, index: np.ndarray, start: int, stop: int, c: int, digits: np.ndarray
) -> None:
    def fill(i: int, j: int) -> None:
        bucket_plan.signed_digits(words, index, start + i, start + j, c, digits[:, i:j])

    parallel_ranges(fill, stop - start)
