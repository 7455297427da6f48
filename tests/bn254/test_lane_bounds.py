"""Every operation at the largest operands its bounds admit, limbs all ones wherever they fit.

test_lanes.py reaches large bounds through additions; here the integers are put in memory as they
are, so that each limb takes its extreme values.
"""

import random
from itertools import product

import numba
import numpy as np
import pytest

from zkcmp.bn254.lanes import arithmetic as lanes
from zkcmp.bn254.lanes import memory as lane_memory
from zkcmp.bn254.lanes.arithmetic import (
    add,
    canonical,
    is_zero,
    mul,
    neg,
    reduce,
    select,
    sqr,
    sub,
    sub_both,
    sub_reduced,
)
from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.lanes.memory import store_fr
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS

BITS, MASK = BODY.bits, (1 << BODY.bits) - 1
R_INVERSE = {p: pow(1 << BODY.radix_bits, -1, p) for p in (FQ_MODULUS, FR_MODULUS)}
LIMIT = BODY.product_bound
# bounds of the two factors: their product is the largest that is allowed
FACTORS = [(LIMIT // k, k) for k in ((1, 2, 7, 9) if LANES > 1 else (1, 2))]
FACTORS += [(b, a) for a, b in FACTORS if a != b]
OPERATIONS = 10


def extremes(p: int, bound: int) -> list[int]:
    """Integers below bound·p: multiples of p and their neighbours, and runs of full limbs."""
    top = bound * p
    out = {0, 1, top - 1, top - 2}
    for k in range(1, bound + 1):
        out |= {k * p - 1, k * p, k * p + 1}
    for low, high in product(range(LIMBS), repeat=2):
        if low <= high:
            # limbs low … high all ones, alone and below the largest top limbs
            run = ((1 << (BITS * (high - low + 1))) - 1) << (BITS * low)
            out |= {run, run - 1, run + 1, (top >> BITS * (high + 1) << BITS * (high + 1)) + run}
            out.add(((top >> BITS * (high + 1)) - 1 << BITS * (high + 1)) + run)
    return sorted(v for v in out if 0 <= v < top)


def to_memory(raw: list[int]) -> np.ndarray:
    return np.array([[(x >> (BITS * k)) & MASK for x in raw] for k in range(LIMBS)], np.uint64)


def from_memory(data: np.ndarray) -> list[int]:
    rows = zip(*data.tolist(), strict=True)
    return [sum(x << (BITS * k) for k, x in enumerate(limbs)) for limbs in rows]


def operations(field: str, bounds: tuple[int, int]):
    """A kernel for operands below the two bounds; not cached, its loads are made here."""
    load_x, load_y = (lanes.intrinsic(lane_memory._load_soa(field, bound)) for bound in bounds)

    @numba.njit(error_model="numpy")
    def run(a, b, out):
        for i in range(a.shape[1] // LANES):
            x, y = load_x(a, i), load_y(b, i)
            store_fr(out[0], i, mul(x, y))
            store_fr(out[1], i, add(x, y))
            store_fr(out[2], i, sub(x, y))
            store_fr(out[3], i, neg(x))
            store_fr(out[4], i, sqr(x))
            store_fr(out[5], i, reduce(x))
            store_fr(out[6], i, canonical(x))
            store_fr(out[7], i, select(is_zero(sub(x, y)), mul(x, x), y))
            store_fr(out[8], i, sub_both(x, y, y))
            store_fr(out[9], i, sub_reduced(x, y))

    return run


@pytest.mark.parametrize("bounds", FACTORS, ids=str)
@pytest.mark.parametrize("field", ["Fr", "Fq"])
def test_operations_at_their_largest_operands(field: str, bounds: tuple[int, int]) -> None:
    p = lanes.MODULUS[field]
    rng = random.Random(bounds[0])
    xs, ys = (extremes(p, bound) for bound in bounds)
    pairs = list(product(xs, ys))
    pairs = rng.sample(pairs, min(len(pairs), 4000))
    pairs += [(xs[-1], ys[-1]), (0, ys[-1]), (xs[-1], 0)]
    pairs += [(x, x % p) for x in xs] + [(rng.randrange(bounds[0] * p), ys[-1]) for _ in range(200)]
    pairs += [(0, 0)] * (-len(pairs) % 8)
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    out = np.zeros((OPERATIONS, LIMBS, len(pairs)), np.uint64)
    operations(field, bounds)(to_memory(a), to_memory(b), out)
    assert int(out.max()) <= MASK
    inverse = R_INVERSE[p]
    for k in range(OPERATIONS):
        for x, y, got in zip(a, b, from_memory(out[k]), strict=True):
            expected = (
                x * y * inverse,
                x + y,
                x - y,
                -x,
                x * x * inverse,
                x,
                x,
                y if (x - y) % p else x * x * inverse,
                x - 2 * y,
                x - y,
            )[k]
            assert (got - expected) % p == 0, (k, x, y)
            assert got < (p if k == 6 else 2 * p), (k, x, y)
