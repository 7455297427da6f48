"""s_j·P_j for many points at once, and the number-theoretic transform of a vector of points.

    multiples(P, s)_j      = s_j·P_j
    sums(P, Q)_j           = P_j + Q_j
    transform(P, shift)_i  = Σ_j (shift·w^i)^j·P_j,  w = root_of_unity(n) or its inverse

The transform is Cooley and Tukey's on points: with E, O the even and odd places and x = shift·w^i,
P(x) = E(x²) + x·O(x²) and P(−x) = E(x²) − x·O(x²), a multiple of one point for two results. It
changes the basis of a key's query that is known in the group only.

Multiples take fixed windows of 4 bits with digits 1 … 16: with s' = s − Σ_w 16^w mod r and
s' = Σ_w d_w·16^w, s·P = Σ_w 16^w·((d_w + 1)·P), so no digit is a special case. Points are arrays at
rest, (n, 2, 4) or (n, 2, 2, 4); infinity is allowed.
"""

from collections.abc import Callable

import numpy as np

from zkcmp.bn254.curve.point_arrays import from_kernel_form, is_infinity, to_kernel_form
from zkcmp.bn254.field.fr import FrVector, padded
from zkcmp.bn254.field.ntt import bit_reversed, root_of_unity
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.msm.bucket_plan import PAD_GROUPS
from zkcmp.bn254.msm.multiple_kernels import WINDOW_BITS, multiply_points
from zkcmp.bn254.msm.pair_sums import add_pairs, new_scratch
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.threads import parallel_map
from zkcmp.progress import Progress, silent

_WINDOWS = -(-254 // WINDOW_BITS)
_DIGITS = 1 << WINDOW_BITS
_OFFSET = sum(1 << (WINDOW_BITS * w) for w in range(_WINDOWS)) % FR_MODULUS
_SLACK = (PAD_GROUPS + 2) * LANES
# points whose tables a thread keeps at a time
_BLOCK = 1024
_NEGATED = np.uint32(1 << 31)


def multiples(points: np.ndarray, scalars: FrVector) -> np.ndarray:
    """s_j·P_j for every j, at rest."""
    if len(points) != len(scalars):
        raise ValueError(f"{len(points)} points and {len(scalars)} scalars")
    return from_kernel_form(_multiples(to_kernel_form(np.ascontiguousarray(points)), scalars))


def sums(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """P_j + Q_j for every j, at rest."""
    if len(left) != len(right):
        raise ValueError(f"{len(left)} and {len(right)} points")
    ours, theirs = (to_kernel_form(np.ascontiguousarray(points)) for points in (left, right))
    return from_kernel_form(_sums(ours, theirs, negate=False))


def transform(
    points: np.ndarray,
    shift: int = 1,
    inverse: bool = False,
    reversed_order: bool = False,
    progress: Progress = silent,
) -> np.ndarray:
    """Σ_j (shift·w^i)^j·P_j for every i, in natural order, at rest; n a power of two.

    `inverse` takes 1/w for w; `reversed_order` says that P_j is at position bitrev(j). Costs about
    n/2·log n multiples.
    """
    n = len(points)
    root = root_of_unity(n)
    if inverse:
        root = pow(root, -1, FR_MODULUS)
    if not reversed_order:
        points = points[bit_reversed(n)]
    values = to_kernel_form(np.ascontiguousarray(points))
    half, level, levels = 1, 0, n.bit_length() - 1
    while half < n:
        step = n // (2 * half)
        twiddles = FrVector.powers(pow(root, step, FR_MODULUS), half)
        twiddles = twiddles.scale(pow(shift, step, FR_MODULUS))
        low = (2 * half * np.arange(step)[:, None] + np.arange(half)[None, :]).reshape(-1)
        odd = values[low + half]
        if half > 1 or twiddles[0] != 1:
            odd = _multiples(odd, twiddles.take(np.tile(np.arange(half), step)))
        even, values = values[low], np.empty_like(values)
        values[low] = _sums(even, odd, negate=False)
        values[low + half] = _sums(even, odd, negate=True)
        half, level = 2 * half, level + 1
        progress("changing the basis of a query", level, levels)
    return from_kernel_form(values)


def _blocks(n: int, function: Callable[[int, int], np.ndarray]) -> np.ndarray:
    """The pieces function(start, stop) over range(n), joined."""
    starts = range(0, n, _BLOCK)
    parts = parallel_map(lambda start: function(start, min(start + _BLOCK, n)), starts)
    return np.concatenate(parts)


def _sums(left: np.ndarray, right: np.ndarray, negate: bool) -> np.ndarray:
    """left ± right, point by point, in kernel form."""
    if len(left) == 0:
        return left
    return _blocks(len(left), lambda i, j: _block_sums(left[i:j], right[i:j], negate))


def _block_sums(left: np.ndarray, right: np.ndarray, negate: bool) -> np.ndarray:
    n = len(left)
    ours = np.zeros(padded(n) + _SLACK, np.uint32)
    ours[:n] = np.arange(n)
    theirs = ours.copy()
    if negate:
        # no entry may negate infinity
        theirs[:n][~is_infinity(right)] |= _NEGATED
    out = np.empty((padded(n), *left.shape[1:]), np.uint64)
    scratch = new_scratch(left.shape[1:])
    add_pairs(left, ours, right, theirs, 0, padded(n) // LANES, out, scratch)
    return out[:n]


def _multiples(points: np.ndarray, scalars: FrVector) -> np.ndarray:
    if len(points) == 0:
        return points
    words = (scalars - _OFFSET).to_words()
    return _blocks(len(points), lambda i, j: _block_multiples(points[i:j], words[i:j]))


def _block_multiples(points: np.ndarray, words: np.ndarray) -> np.ndarray:
    n, stride = len(points), padded(len(points))
    table = np.empty((_DIGITS, stride, *points.shape[1:]), np.uint64)
    infinite = is_infinity(points)
    finite = np.flatnonzero(~infinite)
    if len(finite) == 0:
        return np.zeros_like(points)
    table[0, :n] = points
    # infinity and the padding are computed as some other point and overwritten at the end
    table[0, :n][infinite] = points[finite[0]]
    table[0, n:] = points[finite[0]]
    for digit in range(1, _DIGITS):
        table[digit] = _block_sums(table[digit - 1], table[0], negate=False)
    per_word = 64 // WINDOW_BITS
    shifts = np.arange(per_word, dtype=np.uint64) * np.uint64(WINDOW_BITS)
    digits = (words[:, :, None] >> shifts) & np.uint64(_DIGITS - 1)
    entries = np.empty((_WINDOWS, stride), np.uint32)
    entries[:] = np.arange(stride)
    entries[:, :n] += digits.reshape(n, -1).T[:_WINDOWS].astype(np.uint32) * np.uint32(stride)
    out = np.empty((stride, *points.shape[1:]), np.uint64)
    flat = table.reshape(-1, *points.shape[1:])
    multiply_points(flat, entries.reshape(-1), _WINDOWS, stride, out, 0, stride // LANES)
    out = out[:n]
    out[infinite] = 0
    return out
