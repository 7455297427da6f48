"""The pairing: py_ecc's value, bilinear, not degenerate; products, negatives, infinity."""

import random
from itertools import pairwise

import numpy as np
import py_ecc.optimized_bn128 as ecc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.bn254 import reference
from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.pairing import ate as pairing
from zkcmp.bn254.pairing.fq2_program import from_lane, to_lanes
from zkcmp.bn254.params import BN_X
from zkcmp.bn254.params import FQ_MODULUS as P
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.bn254.reference import G1, G2

SOURCE = random.Random(6)
ONE = [1] + [0] * 11


def on_g1(k: int) -> np.ndarray:
    return g1.from_affine_ints([G1.mul(G1.generator, k)])


def on_g2(k: int) -> np.ndarray:
    return g2.from_affine_ints([G2.mul(G2.generator, k)])


@pytest.mark.parametrize(("j", "k"), [(1, 1), (2, R - 1), (1 << 253, 1 << 52), (R - 2, 3)], ids=str)
def test_value_is_that_of_py_ecc(j: int, k: int) -> None:
    expected = ecc.pairing(ecc.multiply(ecc.G2, k), ecc.multiply(ecc.G1, j))
    assert pairing.pairing(on_g1(j), on_g2(k)) == [int(c) for c in expected.coeffs]


def test_value_is_that_of_the_reference() -> None:
    for _ in range(3):
        j, k = SOURCE.randrange(R), SOURCE.randrange(R)
        expected = reference.pairing(G1.mul(G1.generator, j), G2.mul(G2.generator, k))
        assert pairing.pairing(on_g1(j), on_g2(k)) == list(expected)


def test_not_degenerate_and_of_order_r() -> None:
    value = tuple(pairing.pairing(on_g1(1), on_g2(1)))
    assert value != reference.FQ12_ONE
    assert reference.fq12_pow(value, R) == reference.FQ12_ONE


scalars = st.integers(0, R - 1)


@settings(max_examples=15, deadline=None)
@given(scalars, scalars)
def test_bilinear(j: int, k: int) -> None:
    generator = tuple(pairing.pairing(on_g1(1), on_g2(1)))
    expected = list(reference.fq12_pow(generator, j * k % R))
    assert pairing.pairing(on_g1(j), on_g2(k)) == expected
    assert pairing.pairing(on_g1(k), on_g2(j)) == expected
    assert pairing.pairing(on_g1(j * k), on_g2(1)) == expected


def test_additive_in_both_arguments() -> None:
    a, b, c = (SOURCE.randrange(R) for _ in range(3))
    product = pairing.pairing_product([(on_g1(a), on_g2(c)), (on_g1(b), on_g2(c))])
    assert pairing.pairing(on_g1(a + b), on_g2(c)) == product
    product = pairing.pairing_product([(on_g1(c), on_g2(a)), (on_g1(c), on_g2(b))])
    assert pairing.pairing(on_g1(c), on_g2(a + b)) == product


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 9, 17])
def test_products_of_any_length(n: int) -> None:
    """n random pairs and one that balances them; any one change unbalances the product."""
    exponents = [(SOURCE.randrange(R), SOURCE.randrange(R)) for _ in range(n)]
    pairs = [(on_g1(j), on_g2(k)) for j, k in exponents]
    total = sum(j * k for j, k in exponents)
    assert not pairing.pairing_product_is_one(pairs)
    pairs.append((on_g1(-total), on_g2(1)))
    assert pairing.pairing_product_is_one(pairs)
    assert pairing.pairing_product_is_one(pairs[::-1])
    for i in range(len(pairs)):
        changed = list(pairs)
        changed[i] = (pairs[i][0], on_g2(12345))
        assert not pairing.pairing_product_is_one(changed)


def test_product_has_the_value_of_the_reference() -> None:
    exponents = [(SOURCE.randrange(R), SOURCE.randrange(R)) for _ in range(3)]
    ours = pairing.pairing_product([(on_g1(j), on_g2(k)) for j, k in exponents])
    points = [(G1.mul(G1.generator, j), G2.mul(G2.generator, k)) for j, k in exponents]
    assert ours == list(reference.pairing_product(points))


def test_negatives_and_opposites() -> None:
    p, q = on_g1(77), on_g2(99)
    for opposite in [(on_g1(-77), q), (p, on_g2(-99))]:
        assert pairing.pairing_product_is_one([(p, q), opposite])
    assert not pairing.pairing_product_is_one([(p, q), (on_g1(-77), on_g2(-99))])
    assert not pairing.pairing_product_is_one([(p, q), (p, q)])


def test_infinity_contributes_one() -> None:
    p, q = on_g1(5), on_g2(6)
    nothing = [(on_g1(0), q), (p, on_g2(0)), (on_g1(0), on_g2(0))]
    for pair in nothing:
        assert pairing.pairing(*pair) == ONE
        assert pairing.pairing_product_is_one([pair])
        assert not pairing.pairing_product_is_one([pair, (p, q)])
        assert pairing.pairing_product_is_one([(on_g1(-5), q), pair, (p, q)])
    assert pairing.pairing_product_is_one(nothing * 5)
    assert pairing.pairing_product_is_one([])
    assert pairing.pairing_product([]) == ONE


def test_points_without_a_leading_axis() -> None:
    p, q = on_g1(5), on_g2(6)
    assert pairing.pairing(p[0], q[0]) == pairing.pairing(p, q)


@pytest.mark.parametrize(
    "pair",
    [
        (on_g2(1), on_g1(1)),
        (np.concatenate([on_g1(1)] * 2), on_g2(1)),
        (on_g1(1), np.concatenate([on_g2(1)] * 2)),
        (on_g1(1)[:0], on_g2(1)),
        (on_g1(1).astype(np.int64), on_g2(1)),
    ],
    ids=["swapped", "two in G1", "two in G2", "none", "signed"],
)
def test_wrong_shapes(pair) -> None:
    with pytest.raises(ValueError, match="need one uint64 point"):
        pairing.pairing_product_is_one([pair])


# --- the parts --------------------------------------------------------------------------------


def test_signed_digits() -> None:
    for n in (1, 2, 3, 7, 255, BN_X, 6 * BN_X + 2):
        digits = pairing._signed_digits(n)
        assert sum(d << k for k, d in enumerate(reversed(digits))) == n
        assert digits[0] == 1
        assert not any(a and b for a, b in pairwise(digits))


def test_final_exponent_is_the_literal_one() -> None:
    """f^((p¹² − 1)/r) for elements that are no Miller values, a different one in every lane."""
    rows = [[(SOURCE.randrange(P), SOURCE.randrange(P)) for _ in range(6)] for _ in range(LANES)]
    rows[0] = [(P - 1, 0), (0, 0), (0, 1), (0, 0), (0, 0), (P - 1, P - 1)]
    out = pairing._final_program().run(to_lanes(rows))
    for lane, row in enumerate(rows[:3]):
        got = reference.fq12_from_fq2(from_lane(out, lane))
        assert got == reference.fq12_pow(reference.fq12_from_fq2(row), (P**12 - 1) // R)


def test_hard_part_polynomial() -> None:
    x = BN_X
    digits = [
        -36 * x**3 - 30 * x**2 - 18 * x - 2,
        -36 * x**3 - 18 * x**2 - 12 * x + 1,
        6 * x**2 + 1,
        1,
    ]
    assert sum(d * P**k for k, d in enumerate(digits)) * R == P**4 - P**2 + 1
