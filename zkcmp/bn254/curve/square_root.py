"""Points of G1 from their x coordinates, in lanes: y = (x³ + 3)^((p+1)/4), as p ≡ 3 (mod 4).

One lane exponentiation decides whether x is on the curve and gives both roots, y and p − y; which
one is wanted is said by *larger*, the flag of the compressed encoding (encoding.py): y > (p − 1)/2.
"""

from typing import Any

import numpy as np

from zkcmp.bn254.curve.group_law import times_b
from zkcmp.bn254.curve.point_arrays import REST_RADIX
from zkcmp.bn254.field.fr import below_modulus, padded
from zkcmp.bn254.lanes.arithmetic import (
    add,
    integer_constant,
    is_zero,
    mask_to_bits,
    mul,
    neg,
    same_field_one,
    sqr,
    sub,
)
from zkcmp.bn254.lanes.body import BODY, LANES
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import load_words_fq, store_words
from zkcmp.bn254.lanes.power import exponent_bits, power
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.bn254.threads import parallel_ranges

# times R²/R: into Montgomery form; times 1/R: out of it; times 2^260/R: to the form at rest
_into = integer_constant("Fq", pow(1 << BODY.radix_bits, 2, FQ_MODULUS))
_out_of = integer_constant("Fq", 1)
_to_rest = integer_constant("Fq", REST_RADIX % FQ_MODULUS)
_EXPONENT = exponent_bits((FQ_MODULUS + 1) // 4)


def _words(x: int) -> np.ndarray:
    return np.array([(x >> (64 * k)) & (2**64 - 1) for k in range(4)], np.uint64)


_MODULUS = _words(FQ_MODULUS)
_HALF = _words((FQ_MODULUS - 1) // 2)


@kernel
def _lift(xs: Any, larger: Any, points: Any, good: Any, start: int, stop: int) -> None:
    """points[j] = (xs[j], the wanted root) at rest, good[j] = 1 where there is one."""
    integers = np.empty((LANES, 4), np.uint64)
    roots = np.empty((2, LANES, 4), np.uint64)
    abscissas = np.empty((LANES, 4), np.uint64)
    for i in range(start, stop):
        x = mul(load_words_fq(xs, i), _into())
        square = add(mul(sqr(x), x), times_b(same_field_one(x)))
        y = power(square, _EXPONENT)
        bits = mask_to_bits(is_zero(sub(sqr(y), square)))
        store_words(integers, 0, mul(y, _out_of()))
        store_words(abscissas, 0, mul(x, _to_rest()))
        store_words(roots[0], 0, mul(y, _to_rest()))
        store_words(roots[1], 0, mul(neg(y), _to_rest()))
        for lane in range(LANES):
            j = i * LANES + lane
            above = 0
            for k in range(3, -1, -1):
                if integers[lane, k] != _HALF[k]:
                    above = 1 if integers[lane, k] > _HALF[k] else 0
                    break
            which = 0 if above == larger[j] else 1
            for k in range(4):
                points[j, 0, k] = abscissas[lane, k]
                points[j, 1, k] = roots[which, lane, k]
            good[j] = (bits >> lane) & 1


def points_from_x(xs: np.ndarray, larger: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2, 4) at rest with these x, and which of them exist.

    Args:
        xs: (n, 4) uint64 little-endian integers; one that is not below p gives no point.
        larger: (n,) bool or 0/1: which root.

    Returns:
        The points, all-zero records where there is none, and a bool array (n,).
    """
    n = len(xs)
    whole = np.zeros((padded(n), 4), np.uint64)
    whole[:n] = xs
    wanted = np.zeros(len(whole), np.uint8)
    wanted[:n] = larger
    points = np.empty((len(whole), 2, 4), np.uint64)
    good = np.empty(len(whole), np.uint8)
    groups = len(whole) // LANES
    parallel_ranges(lambda i, j: _lift(whole, wanted, points, good, i, j), groups, grain=16)
    found = good[:n].astype(bool) & below_modulus(xs, _MODULUS)
    points = points[:n]
    points[~found] = 0
    return points, found
