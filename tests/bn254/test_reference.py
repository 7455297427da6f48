"""The plain-Python curve is py_ecc's, and the parameters are what their derivations say."""

import random

import py_ecc.bn128 as ecc
import py_ecc.optimized_bn128 as optimized
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.bn254 import params, reference
from zkcmp.bn254.params import BN_X, FQ_MODULUS, FR_MODULUS
from zkcmp.bn254.reference import FQ12_ONE, G1, G2, P, R

GROUPS = [(G1, ecc.G1, ecc.b), (G2, ecc.G2, ecc.b2)]
SOURCE = random.Random(4)
SCALARS = [
    0,
    1,
    2,
    3,
    R - 1,
    R - 2,
    R,
    R + 1,
    -1,
    1 << 253,
    *(SOURCE.randrange(R) for _ in range(3)),
]


def _ours(point):
    """A py_ecc point as ours."""
    if point is None:
        return None
    return tuple(
        int(c) if isinstance(c, ecc.FQ) else tuple(int(k) for k in c.coeffs) for c in point
    )


def _theirs(point, field):
    return None if point is None else tuple(field(c) for c in point)


def test_parameters() -> None:
    x = BN_X
    assert 36 * x**4 + 36 * x**3 + 24 * x**2 + 6 * x + 1 == FQ_MODULUS == ecc.field_modulus
    assert 36 * x**4 + 36 * x**3 + 18 * x**2 + 6 * x + 1 == FR_MODULUS == ecc.curve_order
    assert _theirs(params.G1_GENERATOR, ecc.FQ) == ecc.G1
    assert _theirs(params.G2_GENERATOR, ecc.FQ2) == ecc.G2
    assert reference.fq2_mul(params.TWIST_B, (9, 1)) == (params.CURVE_B, 0)
    assert (R - 1) % 2**params.FR_TWO_ADICITY == 0
    assert (R - 1) // 2**params.FR_TWO_ADICITY % 2 == 1
    # 5 is no square, so its (r − 1)/2^28-th power has order 2^28
    assert pow(params.FR_GENERATOR, (R - 1) // 2, R) == R - 1


@pytest.mark.parametrize(("group", "generator", "b"), GROUPS, ids=["G1", "G2"])
def test_multiples_are_those_of_py_ecc(group, generator, b) -> None:
    for k in SCALARS:
        point = group.mul(group.generator, k)
        assert point == _ours(ecc.multiply(generator, k % R)), k
        assert group.is_on_curve(point)
        assert group.in_subgroup(point)
        assert group.neg(point) == group.mul(group.generator, -k)


@pytest.mark.parametrize(("group", "generator", "b"), GROUPS, ids=["G1", "G2"])
def test_sums_are_those_of_py_ecc(group, generator, b) -> None:
    points = [ecc.multiply(generator, k % R) for k in (0, 1, 2, R - 1, SOURCE.randrange(R))]
    for p in points:
        for q in points:
            assert group.add(_ours(p), _ours(q)) == _ours(ecc.add(p, q))
        assert group.double(_ours(p)) == _ours(ecc.double(p) if p else None)
        assert group.add(_ours(p), group.neg(_ours(p))) is None
    ours = [_ours(p) for p in points]
    scalars = [SOURCE.randrange(R) for _ in ours]
    plain, weighted = None, None
    for p, k in zip(points, scalars, strict=True):
        plain, weighted = ecc.add(plain, p), ecc.add(weighted, ecc.multiply(p, k))
    assert group.sum(ours) == _ours(plain)
    assert group.msm(ours, scalars) == _ours(weighted)
    assert group.msm([], []) is None


def test_points_off_the_curve_and_off_the_subgroup() -> None:
    assert not G1.is_on_curve((1, 1))
    assert not G1.is_on_curve((0, 0))
    assert not G2.is_on_curve(((0, 0), (0, 0)))
    x0, y0 = G2.generator
    assert not G2.is_on_curve((x0, reference.fq2_conjugate(y0)))
    point = off_subgroup()
    assert G2.is_on_curve(point)
    assert not G2.in_subgroup(point)


def off_subgroup():
    """A point of the twist outside G2."""
    for c in range(1, 100):
        x = (c, 1)
        y = reference.fq2_sqrt(
            reference.fq2_add(reference.fq2_mul(reference.fq2_mul(x, x), x), params.TWIST_B)
        )
        if y is not None:
            return x, y
    raise LookupError("no small x on the twist")


def test_square_roots() -> None:
    for x in (0, 1, 2, P - 1, P - 2, *(SOURCE.randrange(P) for _ in range(20))):
        root = reference.fq_sqrt(x * x % P)
        assert root in (x, P - x) or x == root == 0
        assert (reference.fq_sqrt(x) is not None) == (pow(x, (P - 1) // 2, P) in (0, 1))
    cases = [(0, 0), (1, 0), (P - 1, 0), (0, 1), (5, 0), (P - 5, 0), (0, P - 3)]
    cases += [(SOURCE.randrange(P), SOURCE.randrange(P)) for _ in range(30)]
    found = 0
    for x in cases:
        square = reference.fq2_mul(x, x)
        assert reference.fq2_sqrt(square) in (x, reference.fq2_neg(x))
        is_square = reference.fq2_pow(x, (P * P - 1) // 2) in ((1, 0), (0, 0))
        assert (reference.fq2_sqrt(x) is not None) == is_square
        found += is_square
    assert 0 < found < len(cases)


def test_fq2_is_py_eccs() -> None:
    for _ in range(10):
        x, y = ((SOURCE.randrange(P), SOURCE.randrange(P)) for _ in range(2))
        a, b = ecc.FQ2(x), ecc.FQ2(y)
        assert reference.fq2_mul(x, y) == tuple((a * b).coeffs)
        assert reference.fq2_mul(reference.fq2_inverse(x), x) == (1, 0)
        assert reference.fq2_conjugate(x) == reference.fq2_pow(x, P) == tuple((a**P).coeffs)
    assert reference.fq2_inverse((0, 0)) == (0, 0)


def test_fq12_is_py_eccs() -> None:
    x, y = (tuple(SOURCE.randrange(P) for _ in range(12)) for _ in range(2))
    a, b = ecc.FQ12(x), ecc.FQ12(y)
    assert reference.fq12_mul(x, y) == tuple((a * b).coeffs)
    assert reference.fq12_pow(x, 1001) == tuple((a**1001).coeffs)
    assert reference.fq12_from_fq2(reference.fq12_to_fq2(x)) == x
    # w⁶ = 9 + u
    w6 = reference.fq12_pow((0, 1, *[0] * 10), 6)
    assert reference.fq12_to_fq2(w6) == [(9, 1), *[(0, 0)] * 5]


@pytest.mark.parametrize(("j", "k"), [(1, 1), (R - 1, 5), (1 << 200, 987654321)], ids=str)
def test_pairing_is_that_of_py_ecc(j: int, k: int) -> None:
    p, q = optimized.multiply(optimized.G1, j), optimized.multiply(optimized.G2, k)
    expected = optimized.pairing(q, p)
    ours = reference.pairing(G1.mul(G1.generator, j), G2.mul(G2.generator, k))
    assert ours == tuple(int(c) for c in expected.coeffs)
    assert ours != FQ12_ONE
    assert reference.fq12_pow(ours, R) == FQ12_ONE


def test_pairing_with_infinity() -> None:
    assert reference.pairing(None, G2.generator) == FQ12_ONE
    assert reference.pairing(G1.generator, None) == FQ12_ONE


@pytest.mark.parametrize("log", range(5))
@pytest.mark.parametrize("shift", [1, 5, R - 1])
def test_ntt_evaluates(log: int, shift: int) -> None:
    n = 1 << log
    root = reference.root_of_unity(n)
    assert pow(root, n, R) == 1
    assert n == 1 or pow(root, n // 2, R) == R - 1
    coefficients = [SOURCE.randrange(R) for _ in range(n)]
    values = reference.ntt(coefficients, shift)
    for k, v in enumerate(values):
        x, total = shift * pow(root, k, R) % R, 0
        for c in reversed(coefficients):
            total = (total * x + c) % R
        assert v == total
    assert reference.intt(values, shift) == coefficients


@settings(max_examples=15, deadline=None)
@given(st.integers(), st.integers())
def test_group_law(j: int, k: int) -> None:
    for group in (G1, G2):
        p, q = group.mul(group.generator, j), group.mul(group.generator, k)
        assert group.add(p, q) == group.mul(group.generator, j + k)
        assert group.mul(p, k) == group.mul(q, j)
