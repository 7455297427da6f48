"""Multi-scalar multiplication Σ_j s_j·P_j in G1 and G2 (Pippenger's buckets).

Scalars are partitioned by the bit length of min(s, r − s): zeros cost nothing, a bit costs a bit.
In each class, windows of c bits; in each window, a counting sort (bucket_plan.py) brings the points
of a bucket together, and batch-affine additions, independent of each other, sum them up
(run_sums.py, bucket_tree.py); then Σ_b b·B_b and Horner (bucket_sums.py). Several tables of points
can share one vector of scalars: its digits are cut and sorted once.

Points go chunk by chunk, which bounds the memory, copied side by side, because a mapped key file
lies on small pages, and a point across two cache lines costs two; windows are spread over the
threads, several to a task when the points are few, because the additions of a round share their
inversion; c comes from a cost model in which an addition is the unit, a bucket costs about three
and a window some more.
"""

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zkcmp.bn254 import aligned
from zkcmp.bn254.curve.point_arrays import from_kernel_form, to_kernel_form
from zkcmp.bn254.field.fr import FrVector, padded
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.msm import bucket_plan, bucket_sums
from zkcmp.bn254.msm.bucket_tree import SLACK
from zkcmp.bn254.msm.run_sums import RunBuffers
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
# buckets of a window from which on they are summed as rows and columns first
_WIDE = 1 << 11


def window_bits(n: int, bits: int) -> int:
    """The c that minimises windows·(n + buckets + fixed cost)."""

    def cost(c: int) -> float:
        windows = bucket_plan.window_count(bits, c)
        return windows * (n + _BUCKET_COST * 2 ** (c - 1) + _WINDOW_COST)

    return min(range(2, 17), key=cost)


@dataclass
class _Target:
    """Points, and the table of bucket sums that some of their windows add to.

    table and occupied have `width` places for each window, one after another.
    """

    points: np.ndarray
    table: np.ndarray
    occupied: np.ndarray


@dataclass
class _Task:
    """Some windows of one chunk of a class: digits (windows, n), those of the targets' n points."""

    digits: np.ndarray
    targets: list[_Target]


class _Workspace:
    """One thread's buffers, for tasks of up to `entries` entries."""

    def __init__(self, entries: int):
        self.size = entries
        self.entries = aligned.empty((entries + SLACK,), np.uint32)
        self.places = np.arange(entries, dtype=np.uint32)
        self._runs: dict[tuple[int, ...], RunBuffers] = {}

    def runs(self, point_shape: tuple[int, ...]) -> RunBuffers:
        if point_shape not in self._runs:
            self._runs[point_shape] = RunBuffers(point_shape, self.size)
        return self._runs[point_shape]


def _add_windows(task: _Task, space: _Workspace) -> None:
    """Add the sum of every bucket's points to its record in the tables, in kernel form.

    All windows are sorted as if they were one with so many more buckets.
    """
    windows, n = task.digits.shape
    width = len(task.targets[0].occupied) // windows
    bucket_start = np.zeros(windows * width + 2, np.int64)
    local = np.empty(width + 2, np.int64)
    total = 0
    for w in range(windows):
        found = bucket_plan.sort_into_buckets(
            task.digits[w], space.places[:n], local, space.entries[total:]
        )
        bucket_start[1 + w * width : 1 + (w + 1) * width] = local[1:-1] + total
        total += found
    bucket_start[-1] = total
    for k, target in enumerate(task.targets):
        last = k == len(task.targets) - 1
        # a sum may overwrite its entries
        entries = space.entries if last else space.entries.copy()
        runs = space.runs(target.points.shape[1:])
        runs.add(target.points, bucket_start, entries, target.table, target.occupied)


class _Buckets:
    """The bucket sums of one table of points in a class, and the chunk of points at work.

    With several slices, every slice has bucket sums of its own for all windows.
    """

    def __init__(self, bases: np.ndarray, slices: int, windows: int, width: int, chunk: int):
        shape = bases.shape[1:]
        self.bases = bases
        self.windows = windows
        self.tables = aligned.zeros((padded(slices * windows), width, *shape))
        self.occupied = np.zeros((slices * windows, width), np.bool_)
        # one more than are used: what reads beyond the last point reads a point
        self.copies = aligned.empty((slices, chunk + 1, *shape))
        self.infinite = np.empty((slices, chunk), np.bool_)

    def copy(self, k: int, index: np.ndarray) -> np.ndarray:
        """Bring a slice's next points side by side; which of them are infinity."""
        points, infinite = self.copies[k], self.infinite[k]
        parallel_ranges(
            lambda i, j: bucket_sums.gather(self.bases, index[i:j], points[i:j], infinite[i:j]),
            len(index),
            grain=4096,
        )
        return infinite[: len(index)]

    def target(self, k: int, first: int, stop: int) -> _Target:
        part = slice(k * self.windows + first, k * self.windows + stop)
        shape = self.bases.shape[1:]
        return _Target(
            self.copies[k], self.tables[part].reshape(-1, *shape), self.occupied[part].reshape(-1)
        )

    def sums(self, c: int) -> list[np.ndarray]:
        """Every slice's Σ_w 2^(c·w)·Σ_b b·(record of bucket b of window w), affine records."""
        found = _window_sums(self.tables, len(self.occupied))
        return [_horner(found[k : k + self.windows], c) for k in range(0, len(found), self.windows)]


def _window_sums(tables: np.ndarray, windows: int) -> np.ndarray:
    """Σ_b (b + 1)·(record b) of the first windows, affine records; tables: (padded, width, …).

    Many narrow windows have a lane each; in a wide one all lanes work, and are folded in the end.
    The widest are summed as rows and as columns before.
    """
    width, groups = tables.shape[1], -(-windows // LANES)
    if width >= _WIDE:
        spaces: dict[int, _Crossing] = {}
        return np.concatenate(parallel_map(lambda t: _crossing(t, spaces), tables[:windows]))
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


class _Crossing:
    """Σ_i (i + 1)·(record i) with i = row·columns + column, by sums of rows and of columns:

        columns·Σ_row row·(sum of the row) + Σ_column (column + 1)·(sum of the column).

    Two additions a record, as in any way, but in batches that share an inversion.
    """

    def __init__(self, width: int, point_shape: tuple[int, ...]):
        self.bits = width.bit_length() // 2
        columns = 1 << self.bits
        self.starts = np.zeros(width // columns + 1, np.int64), np.zeros(columns + 2, np.int64)
        self.entries = aligned.empty((2, width + SLACK), np.uint32)
        self.runs = RunBuffers(point_shape, width)

    def sum(self, table: np.ndarray) -> np.ndarray:
        columns = 1 << self.bits
        (row_start, column_start), (row_entries, column_entries) = self.starts, self.entries
        bucket_plan.rows_and_columns(
            table, columns, row_start, row_entries, column_start, column_entries
        )
        parts = []
        for start, entries in (self.starts[1], self.entries[1]), (self.starts[0], self.entries[0]):
            sums = aligned.zeros((columns, *table.shape[1:]))
            occupied = np.zeros(columns, np.bool_)
            self.runs.add(table, start, entries, sums, occupied)
            parts.append(_weighted(sums))
        return _horner(np.concatenate(parts), self.bits)


def _crossing(table: np.ndarray, spaces: dict[int, _Crossing]) -> np.ndarray:
    key = threading.get_ident()
    if key not in spaces:
        spaces[key] = _Crossing(len(table), table.shape[1:])
    return spaces[key].sum(table)


def _horner(points: np.ndarray, doublings: int) -> np.ndarray:
    out = np.zeros((LANES, *points.shape[1:]), np.uint64)
    bucket_sums.horner(np.ascontiguousarray(points), len(points), doublings, out)
    return out[:1]


def _classes(scalars: FrVector) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """Scalars as signed integers (n, 4); bits and indices of their classes.

    A class too small to pay joins the next longer one.
    """
    words = np.ascontiguousarray(scalars.to_words())
    lengths = np.empty(len(words), np.uint8)
    parts = max(1, min(thread_count(), len(words) // _CLASS_MINIMUM))
    edges = [len(words) * k // parts for k in range(parts + 1)]
    ranges = [slice(i, j) for i, j in itertools.pairwise(edges)]
    # by part and length
    counts = np.zeros((parts, 256), np.int64)
    parallel_map(
        lambda k: bucket_plan.to_signed(words[ranges[k]], lengths[ranges[k]], counts[k]),
        range(parts),
    )
    class_of_length, bounds = _class_bounds(counts.sum(axis=0))
    # places in the order of class, then part
    sizes = np.stack([counts[:, class_of_length == k].sum(axis=1) for k in range(len(bounds) + 1)])
    ends = np.cumsum(sizes[1:]).reshape(len(bounds), parts)
    cursors = np.ascontiguousarray(np.vstack([sizes[:1], ends - sizes[1:]]).T)
    index = np.empty(sizes[1:].sum(), np.uint32)
    parallel_map(
        lambda k: bucket_plan.part_by_length(
            lengths[ranges[k]], class_of_length, cursors[k], index, edges[k]
        ),
        range(parts),
    )
    starts = [0, *ends[:, -1]]
    return words, [(bits, index[starts[k] : starts[k + 1]]) for k, bits in enumerate(bounds)]


def _class_bounds(counts: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """From the scalars of every bit length: its class, 0 for zeros, and the bits of classes 1, …"""
    top = int(np.flatnonzero(counts).max(initial=0))
    class_of_length, low = np.zeros(256, np.int64), 0
    bounds: list[int] = []
    for bits in _CLASS_BITS:
        size = int(counts[low + 1 : bits + 1].sum())
        if size == 0 or (size < _CLASS_MINIMUM and bits < top):
            continue
        bounds.append(min(bits, top))
        class_of_length[low + 1 : bits + 1] = len(bounds)
        low = bits
    return class_of_length, bounds


def msm(bases: np.ndarray, scalars: FrVector) -> np.ndarray:
    """Σ_j scalars[j]·bases[j].

    Args:
        bases: affine points at rest, (n, 2, 4) for G1 or (n, 2, 2, 4) for G2; infinity is allowed.
            Membership in the group is the caller's to check: s > r/2 counts as s − r.
        scalars: n elements of Fr.

    Returns:
        The sum as an array of one point, (1, 2, 4) or (1, 2, 2, 4).

    Raises:
        ValueError: when the lengths differ or bases has another shape.
    """
    return msm_tables([bases], scalars)[0]


def msm_tables(tables: Sequence[np.ndarray], scalars: FrVector) -> list[np.ndarray]:
    """`msm` of every table with the same scalars, whose digits are cut and sorted once.

    The tables may be of different groups.
    """
    tables = [np.asarray(bases) for bases in tables]
    for bases in tables:
        if bases.shape[1:] not in ((2, 4), (2, 2, 4)) or bases.dtype != np.uint64:
            raise ValueError(f"bases must be (n, 2, 4) or (n, 2, 2, 4) uint64, not {bases.shape}")
        if len(bases) != scalars.n:
            raise ValueError(f"{len(bases)} bases and {scalars.n} scalars")
    if scalars.n == 0 or not tables:
        return [np.zeros((1, *bases.shape[1:]), np.uint64) for bases in tables]
    words, classes = _classes(scalars)
    kernel_form = [to_kernel_form(np.ascontiguousarray(bases)) for bases in tables]
    partial: list[list[np.ndarray]] = [[] for _ in tables]
    for bits, index in classes:
        for sums, more in zip(partial, _class_sums(kernel_form, words, index, bits), strict=True):
            sums += more
    return [
        from_kernel_form(_horner(np.concatenate(sums), 0))
        if sums
        else np.zeros((1, *bases.shape[1:]), np.uint64)
        for bases, sums in zip(tables, partial, strict=True)
    ]


def _class_sums(
    tables: list[np.ndarray], words: np.ndarray, index: np.ndarray, bits: int
) -> list[list[np.ndarray]]:
    """For every table, terms of its sum over the scalars of a class."""
    c = window_bits(len(index), bits)
    windows = bucket_plan.window_count(bits, c)
    width = max(1 << (c - 1), LANES)
    # with fewer windows than threads, the points are dealt out in slices, each with its tables
    slices = -(-thread_count() // windows) if len(index) > _CLASS_MINIMUM else 1
    chunk = _CHUNK_BYTES // max(bases[0].nbytes for bases in tables)
    longest = min(chunk, -(-len(index) // slices))
    buckets = [_Buckets(bases, slices, windows, width, longest) for bases in tables]
    for chunks in _rounds(len(index), slices, chunk):
        tasks = []
        for k, (start, stop) in enumerate(chunks):
            members = index[start:stop]
            infinite = [part.copy(k, members) for part in buckets]
            many = _windows_in_task(stop - start, windows)
            for same in _alike(infinite):
                digits = _digits(words, members, infinite[same[0]], c, windows)
                for w in range(0, windows, many):
                    part = digits[w : w + many]
                    targets = [buckets[t].target(k, w, w + len(part)) for t in same]
                    tasks.append(_Task(part, targets))
        _run_tasks(tasks)
    return [part.sums(c) for part in buckets]


def _alike(masks: list[np.ndarray]) -> list[list[int]]:
    """Numbers of equal masks side by side: tables whose points at infinity agree share digits."""
    groups: list[list[int]] = []
    for k, mask in enumerate(masks):
        for group in groups:
            if np.array_equal(mask, masks[group[0]]):
                group.append(k)
                break
        else:
            groups.append([k])
    return groups


def _run_tasks(tasks: list[_Task]) -> None:
    longest = max(task.digits.size for task in tasks)
    spaces: dict[int, _Workspace] = {}

    def run(task: _Task) -> None:
        key = threading.get_ident()
        if key not in spaces:
            spaces[key] = _Workspace(longest)
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


def _digits(
    words: np.ndarray, index: np.ndarray, idle: np.ndarray, c: int, windows: int
) -> np.ndarray:
    digits = np.empty((windows, len(index)), np.int16)
    offset = bucket_plan.digit_offset(windows, c)

    def fill(i: int, j: int) -> None:
        bucket_plan.signed_digits(words, index[i:j], idle[i:j], c, offset, digits[:, i:j])

    parallel_ranges(fill, len(index))
    return digits
