"""Many multi-scalar products over the same points: C_i = Σ_j s_ij·P_j for every row i of a matrix.

The points are known beforehand, so their multiples 2^(c·w)·P_j are kept, and all windows of a
row fall into one set of buckets: with |s| = Σ_w d_w·2^(c·w), |d_w| ≤ 2^(c−1) (bucket_plan.py),

    Σ_j s_j·P_j = Σ_b b·B_b,     B_b = Σ_{|d_jw| = b} ± 2^(c·w)·P_j.

A row costs one addition for each digit that is not zero, so a row of small values costs what its
bits cost, and only as many buckets as its largest digit. Rows are dealt to the threads; a row is
cut in pieces where there are more threads than rows.
"""

import threading
from typing import Any

import numpy as np

from zkcmp.bn254 import aligned
from zkcmp.bn254.curve.group_law import double_projective, invert, lift
from zkcmp.bn254.curve.point_arrays import from_kernel_form, is_infinity, to_kernel_form
from zkcmp.bn254.field.fr import FrVector, padded
from zkcmp.bn254.lanes.arithmetic import mul, reduce, same_field_one
from zkcmp.bn254.lanes.body import LANES, LIMBS
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import load_scratch, store_scratch
from zkcmp.bn254.lanes.points import load_points, store_points
from zkcmp.bn254.msm import bucket_plan, bucket_sums
from zkcmp.bn254.msm.bucket_tree import SLACK
from zkcmp.bn254.msm.pair_sums import add_pairs, new_scratch
from zkcmp.bn254.msm.run_sums import RunBuffers
from zkcmp.bn254.threads import parallel_map, parallel_ranges, thread_count

_SCALAR_BITS = 253
# columns below which cutting a row in pieces costs more than it saves
_PIECE_MINIMUM = 256


@kernel
def _window_multiples(
    points: Any, windows: int, doublings: int, scratch: Any, out: Any, start: int, stop: int
) -> None:
    """out[w·n + j] = 2^(doublings·w)·points[j], n points, none infinite; one inversion a group.

    scratch: (4·windows, LIMBS, LANES) uint64.
    """
    groups = points.shape[0] // LANES
    for i in range(start, stop):
        x, y = load_points(points, i)
        store_points(out, i, x, y)
        p = lift((x, y))
        running = reduce(same_field_one(x))
        for w in range(1, windows):
            for _ in range(doublings):
                p = double_projective(p)
            for k in range(3):
                store_scratch(scratch, 4 * w + k, p[k])
            store_scratch(scratch, 4 * w + 3, running)
            running = reduce(mul(running, p[2]))
        running = reduce(invert(running))
        for w in range(windows - 1, 0, -1):
            inverse = mul(running, load_scratch(scratch, 4 * w + 3, x))
            running = reduce(mul(running, load_scratch(scratch, 4 * w + 2, x)))
            x3 = mul(load_scratch(scratch, 4 * w, x), inverse)
            y3 = mul(load_scratch(scratch, 4 * w + 1, x), inverse)
            store_points(out, w * groups + i, x3, y3)


def window_bits(n: int) -> int:
    """The c that minimises n additions a window and two or three for each of 2^(c−1) buckets."""
    return min(
        range(3, 15),
        key=lambda c: n * bucket_plan.window_count(_SCALAR_BITS, c) + 3 * 2 ** (c - 1),
    )


class FixedBases:
    """Points of G1 with their multiples 2^(c·w)·P; memory is 64 bytes a point and window."""

    def __init__(self, points: np.ndarray):
        """points: (n, 2, 4) at rest, n > 0, none infinite; in the group, by the caller's check."""
        if points.ndim != 3 or points.shape[1:] != (2, 4) or len(points) == 0:
            raise ValueError(f"fixed bases must be (n, 2, 4) points, not {points.shape}")
        if is_infinity(points).any():
            raise ValueError("a fixed base is infinity")
        self.n, self.stride = len(points), padded(len(points))
        self.window_bits = window_bits(self.n)
        self.windows = bucket_plan.window_count(_SCALAR_BITS, self.window_bits)
        whole = np.empty((self.stride, 2, 4), np.uint64)
        whole[: self.n], whole[self.n :] = points, points[0]
        whole = to_kernel_form(whole)
        self.table = aligned.empty((self.windows * self.stride, 2, 4))

        def fill(start: int, stop: int) -> None:
            scratch = np.empty((4 * self.windows, LIMBS, LANES), np.uint64)
            _window_multiples(
                whole, self.windows, self.window_bits, scratch, self.table, start, stop
            )

        parallel_ranges(fill, self.stride // LANES, grain=4)


class _Space:
    """One thread's buffers for a piece of up to `columns` scalars."""

    def __init__(self, bases: FixedBases, columns: int):
        self.bases = bases
        entries, buckets = bases.windows * columns, 1 << (bases.window_bits - 1)
        self.idle = np.zeros(columns, np.bool_)
        self.bit_lengths = np.empty(columns, np.uint8)
        self.digits = np.empty(entries, np.int16)
        self.places = np.empty(entries, np.uint32)
        self.entries = np.empty(entries + SLACK, np.uint32)
        self.buckets = aligned.empty((max(buckets, LANES), 2, 4))
        self.runs = RunBuffers((2, 4), entries)

    def weighted_sum(self, words: np.ndarray, first: int) -> np.ndarray:
        """Σ_j words[j]·P_(first+j), (2, 4) in kernel form; `words` is overwritten."""
        bases, n = self.bases, len(words)
        counts = np.zeros(256, np.int64)
        bucket_plan.to_signed(words, self.bit_lengths[:n], counts)
        bits = int(np.flatnonzero(counts).max(initial=0))
        if bits == 0:
            return np.zeros((2, 4), np.uint64)
        c = bases.window_bits
        windows = bucket_plan.window_count(bits, c)
        digits = self.digits[: windows * n]
        columns = np.arange(n, dtype=np.uint32)
        offset = bucket_plan.digit_offset(windows, c)
        bucket_plan.signed_digits(
            words, columns, self.idle[:n], c, offset, digits.reshape(windows, n)
        )
        starts = np.arange(windows, dtype=np.uint32) * np.uint32(bases.stride)
        places = self.places[: windows * n]
        places.reshape(windows, n)[:] = starts[:, None] + (columns + np.uint32(first))
        buckets = 1 << (min(bits + 1, c) - 1)
        bucket_start = np.empty(buckets + 2, np.int64)
        bucket_plan.sort_into_buckets(digits, places, bucket_start, self.entries)
        table = self.buckets[: max(buckets, LANES)]
        table[:] = 0
        occupied = np.zeros(buckets, np.bool_)
        self.runs.add(bases.table, bucket_start, self.entries, table, occupied)
        out = np.zeros((LANES, 2, 4), np.uint64)
        bucket_sums.weighted_bucket_sum(table, out)
        return out[0]


def msm_rows(bases: FixedBases, scalars: FrVector, n_rows: int, first: int = 0) -> np.ndarray:
    """Σ_j scalars[i·k + j]·P_(first+j) for the rows i of k = len(scalars)/n_rows scalars.

    Returns:
        (n_rows, 2, 4) points at rest.

    Raises:
        ValueError: when the rows are not whole, or longer than the bases from `first` on.
    """
    columns, rest = divmod(len(scalars), max(n_rows, 1))
    if n_rows < 1 or rest or not 0 <= first <= first + columns <= bases.n:
        raise ValueError(f"{len(scalars)} scalars in {n_rows} rows over {bases.n} bases")
    words = scalars.to_words().reshape(n_rows, columns, 4)
    pieces = min(-(-thread_count() // n_rows), max(columns // _PIECE_MINIMUM, 1))
    edges = [columns * k // pieces for k in range(pieces + 1)]
    longest = -(-columns // pieces)
    spaces: dict[int, _Space] = {}

    def run(task: int) -> np.ndarray:
        key = threading.get_ident()
        if key not in spaces:
            spaces[key] = _Space(bases, longest)
        row, piece = divmod(task, pieces)
        start, stop = edges[piece], edges[piece + 1]
        return spaces[key].weighted_sum(words[row, start:stop], first + start)

    parts = np.stack(parallel_map(run, range(n_rows * pieces))).reshape(n_rows, pieces, 2, 4)
    total = parts[:, 0]
    for k in range(1, pieces):
        total = _add(total, parts[:, k])
    return from_kernel_form(np.ascontiguousarray(total))


def add_points(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """P_j + Q_j for (n, 2, 4) arrays at rest; infinity is allowed."""
    if left.shape != right.shape:
        raise ValueError(f"points of shapes {left.shape} and {right.shape}")
    ours, theirs = (to_kernel_form(np.ascontiguousarray(points)) for points in (left, right))
    return from_kernel_form(_add(ours, theirs))


def _add(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    n = len(left)
    numbers = np.zeros(padded(n) + SLACK, np.uint32)
    numbers[:n] = np.arange(n)
    out = np.empty((padded(n), 2, 4), np.uint64)
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    add_pairs(left, numbers, right, numbers, 0, padded(n) // LANES, out, new_scratch((2, 4)))
    return out[:n]
