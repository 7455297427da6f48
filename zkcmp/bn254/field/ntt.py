"""Number-theoretic transform: values of a polynomial on the 2^k-th roots of unity of Fr, and back.

    ntt    a_i  ->  A_j = Σ_i a_i·w^(ij)              w = root_of_unity(n), j = 0 … n − 1
    intt   A_j  ->  a_i = 1/n · Σ_j A_j·w^(−ij)
    coset_ntt, coset_intt: the same on the points g·w^j, g = COSET_SHIFT (Groth16's quotient lives
    there, because the vanishing polynomial X^n − 1 is the nonzero constant g^n − 1 on that coset)

Source: Cooley–Tukey and Gentleman–Sande with the twiddles in bit-reversed order, as in Pöppelmann,
Oder, Güneysu 2015 for lattice rings. The transforms work in place. The four functions above keep
natural order; a caller that goes there and back saves the permutations with

    to_reversed(v, inverse)      natural -> bit-reversed, with w or 1/w, unscaled
    from_reversed(v, inverse)    bit-reversed -> natural, with w or 1/w, unscaled
    scale_reversed(v, base, factor)   v_i *= factor·base^bitrev(i)

Memory beside v: one table of n/2 roots a direction for the largest n used so far, and a strip a
thread. Lengths are 2^0 … 2^26.
"""

import threading
from collections.abc import Callable

import numpy as np

from zkcmp.bn254.field import ntt_kernels as kernels
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.params import FR_GENERATOR, FR_MODULUS, FR_TWO_ADICITY
from zkcmp.bn254.threads import parallel_ranges

MAX_LOG = 26
COSET_SHIFT = FR_GENERATOR

# below this the transform is done on Python integers
_SMALL_LOG = 3
# contiguous elements whose stages all run in a core's second-level cache
_BLOCK_LOG = 13
# stages of large stride done per pass over the vector
_STRIDED_LOG = 7


def root_of_unity(n: int) -> int:
    """The n-th root of unity 5^((r − 1)/n) that the transforms of length n = 2^k use."""
    if n < 1 or n & (n - 1) or n > 1 << FR_TWO_ADICITY:
        raise ValueError(f"Fr has no root of unity of order {n}; use a power of two up to 2^28")
    return pow(FR_GENERATOR, (FR_MODULUS - 1) // n, FR_MODULUS)


def bit_reversed(n: int) -> np.ndarray:
    """The permutation bitrev of range(n), n = 2^k, as int64 indices."""
    index = np.zeros(1, np.int64)
    while len(index) < n:
        index = np.concatenate([2 * index, 2 * index + 1])
    return index


def ntt(v: FrVector) -> FrVector:
    """Coefficients to values on the roots of unity, in place; returns v."""
    return permute(to_reversed(v))


def intt(v: FrVector) -> FrVector:
    """Values on the roots of unity to coefficients, in place; returns v."""
    to_reversed(v, inverse=True)
    return permute(scale_reversed(v, 1, pow(v.n, -1, FR_MODULUS)))


def coset_ntt(v: FrVector) -> FrVector:
    """Coefficients to values on g·w^j, in place; returns v."""
    return permute(to_reversed(_scale_natural(v, COSET_SHIFT)))


def coset_intt(v: FrVector) -> FrVector:
    """Values on g·w^j to coefficients, in place; returns v."""
    to_reversed(v, inverse=True)
    shift = pow(COSET_SHIFT, -1, FR_MODULUS)
    return permute(scale_reversed(v, shift, pow(v.n, -1, FR_MODULUS)))


def to_reversed(v: FrVector, inverse: bool = False) -> FrVector:
    """V_bitrev(i) = Σ_j v_j·w^(ij) at position i, with 1/w for w when `inverse`; in place."""
    log = _log(v)
    if log <= _SMALL_LOG:
        return _small(v, inverse, from_reversed_order=False)
    table = _table(log, inverse)
    size, phases = _plan(log)
    for block, rows in phases:
        _strided(v, block, rows, False, table)
    blocks = v.n // size
    _parallel(
        lambda i, j: kernels.forward_blocks(v.data, size, i, j, table), blocks, _grain(blocks, v.n)
    )
    return v


def from_reversed(v: FrVector, inverse: bool = False) -> FrVector:
    """The same sum from input in bit-reversed order to output in natural order; in place."""
    log = _log(v)
    if log <= _SMALL_LOG:
        return _small(v, inverse, from_reversed_order=True)
    table = _table(log, inverse)
    size, phases = _plan(log)
    blocks = v.n // size
    _parallel(
        lambda i, j: kernels.backward_blocks(v.data, size, i, j, table), blocks, _grain(blocks, v.n)
    )
    for block, rows in reversed(phases):
        _strided(v, block, rows, True, table)
    return _settle(v)


def permute(v: FrVector) -> FrVector:
    """Exchange elements i and bitrev(i), in place; returns v."""
    log = _log(v)
    if log < 2 * kernels.TILE_LOG:
        kernels.bit_reverse_small(v.data, log)
    else:
        tiles = 1 << (log - 2 * kernels.TILE_LOG)
        _parallel(lambda i, j: kernels.bit_reverse_tiles(v.data, log, i, j), tiles, 16)
    return v


def scale_reversed(v: FrVector, base: int, factor: int = 1) -> FrVector:
    """v_i *= factor·base^bitrev(i), in place; returns v.

    With i = w·s + j, bitrev(i) = (n/w)·bitrev(j) + bitrev(s): an outer product of two short tables.
    """
    width, steps = _outer_sizes(v.n)
    block = FrVector.powers(pow(base, steps, FR_MODULUS), width).take(bit_reversed(width))
    scales = FrVector.powers(base, steps).take(bit_reversed(steps)) * factor
    return _scale(v, block, scales)


def _scale_natural(v: FrVector, base: int) -> FrVector:
    """v_i *= base^i, in place."""
    _log(v)
    width, steps = _outer_sizes(v.n)
    block = FrVector.powers(base, width)
    return _scale(v, block, FrVector.powers(pow(base, width, FR_MODULUS), steps))


def _outer_sizes(n: int) -> tuple[int, int]:
    width = min(n, 1024)
    return width, n // width


def _scale(v: FrVector, block: FrVector, scales: FrVector) -> FrVector:
    groups = max(1, v.n // LANES)
    _parallel(lambda i, j: kernels.scale_outer(v.data, block.data, scales.data, i, j), groups, 1024)
    return v


def _settle(v: FrVector) -> FrVector:
    if kernels.LAZY > 2:
        _parallel(lambda i, j: kernels.settle(v.data, i, j), v.n // LANES, 1024)
    return v


def _log(v: FrVector) -> int:
    n = v.n
    if n < 1 or n & (n - 1) or n > 1 << MAX_LOG:
        raise ValueError(f"a transform of {n} scalars; the length must be 2^0 … 2^{MAX_LOG}")
    return n.bit_length() - 1


def _plan(log: int) -> tuple[int, list[tuple[int, int]]]:
    """The contiguous block size, and (block size, rows) of each strided phase, largest first."""
    size_log = min(log, _BLOCK_LOG)
    left = log - size_log
    phases, block_log = [], log
    count = -(-left // _STRIDED_LOG)
    for k in range(count):
        stages = left * (k + 1) // count - left * k // count
        phases.append((1 << block_log, 1 << stages))
        block_log -= stages
    return 1 << size_log, phases


def _strided(v: FrVector, block: int, rows: int, backward: bool, table: np.ndarray) -> None:
    units = v.n // (rows * kernels.STRIP)
    _parallel(
        lambda i, j: kernels.strided_stages(v.data, block, rows, i, j, backward, table), units, 1
    )


def _grain(units: int, n: int) -> int:
    """Units a thread, so that a thread has at least a few thousand elements."""
    return max(1, 4096 * units // n)


def _parallel(function: Callable[[int, int], None], units: int, grain: int) -> None:
    parallel_ranges(function, units, grain)


_tables: dict[bool, np.ndarray] = {}
_tables_lock = threading.Lock()


def _table(log: int, inverse: bool) -> np.ndarray:
    """t[j] = w^bitrev(j), canonical Montgomery form, at least 2^(log − 1) entries.

    The table of a length is a prefix of that of every longer one: t[2^k + j] = t[2^k]·t[j], where
    t[2^k] is the root of unity of order 2^(k + 2).
    """
    need = 1 << (log - 1)
    with _tables_lock:
        if inverse not in _tables or _tables[inverse].shape[1] < need:
            roots = [root_of_unity(1 << (k + 2)) for k in range(log - 1)]
            if inverse:
                roots = [pow(root, -1, FR_MODULUS) for root in roots]
            first = [1]
            for root in roots[:3]:
                first += [root * x % FR_MODULUS for x in first]
            table = FrVector.zeros(need)
            table.assign(0, FrVector.from_ints(first))
            one = FrVector.from_ints([1] * 8)
            kernels.extend_table(table.data, 0, one.data, 0, 8 // LANES)
            for k in range(3, log - 1):
                factor = FrVector.from_ints([roots[k]] * 8)
                _extend(table.data, 1 << k, factor.data)
            _tables[inverse] = table.data
        return _tables[inverse]


def _extend(table: np.ndarray, width: int, factor: np.ndarray) -> None:
    _parallel(lambda i, j: kernels.extend_table(table, width, factor, i, j), width // LANES, 1024)


def _small(v: FrVector, inverse: bool, from_reversed_order: bool) -> FrVector:
    """The definition, for at most 2^_SMALL_LOG scalars."""
    n, w = v.n, root_of_unity(v.n)
    if inverse:
        w = pow(w, -1, FR_MODULUS)
    order = [int(i) for i in bit_reversed(n)]
    x = v.to_ints()
    if from_reversed_order:
        x = [x[i] for i in order]
    sums = [sum(a * pow(w, i * j, FR_MODULUS) for j, a in enumerate(x)) for i in range(n)]
    if not from_reversed_order:
        sums = [sums[i] for i in order]
    v.assign(0, FrVector.from_ints(sums))
    return v
