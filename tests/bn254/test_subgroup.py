"""Membership of G2: the equation holds for the points of order r alone, and the kernel decides it.

The twin is r·P = O in plain Python (reference.py).
"""

import itertools
import math
import random
from functools import cache

import numpy as np
import pytest

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.subgroup_kernels import OMEGA, SQRT_MINUS_3, X_DIGITS, check_subgroup
from zkcmp.bn254.params import BN_X, FQ_MODULUS, FR_MODULUS, FROBENIUS_X, FROBENIUS_Y
from zkcmp.bn254.reference import G2, fq2_add, fq2_mul, fq2_sqrt, fq2_sub

TRACE = 6 * BN_X**2 + 1
COFACTOR = 2 * FQ_MODULUS - FR_MODULUS
FACTORS = (10069, 5864401, 1875725156269, 197620364512881247228717050342013327560683201906968909)
DIVISORS = [math.prod(f) for n in range(1, 5) for f in itertools.combinations(FACTORS, n)]


def multiple(point, scalar):
    """scalar·P for any point of the twist; a negative scalar is allowed."""
    found = G2._affine(G2._mul_jacobian(point, abs(scalar)))
    return G2.neg(found) if scalar < 0 else found


def psi(point):
    if point is None:
        return None
    (x0, x1), (y0, y1) = point
    return fq2_mul((x0, -x1 % FQ_MODULUS), FROBENIUS_X), fq2_mul(
        (y0, -y1 % FQ_MODULUS), FROBENIUS_Y
    )


@cache
def twist_points():
    """Some points of the twist, by their abscissas; hardly one of them is in G2."""
    points = []
    for x0 in range(1, 12):
        x = (x0, 1)
        y = fq2_sqrt(fq2_add(fq2_mul(fq2_mul(x, x), x), G2.b))
        if y is not None:
            points.append((x, y))
    return points


@cache
def point_of_order(divisor):
    """A point whose order is the divisor of the cofactor exactly."""
    for candidate in twist_points():
        point = multiple(candidate, FR_MODULUS * COFACTOR // divisor)
        if all(multiple(point, divisor // f) for f in FACTORS if divisor % f == 0):
            return point
    raise AssertionError("no such point")


# --- the equation -----------------------------------------------------------------------------


def resultant(coefficients):
    """N with N·P = O where Σ c_k·ψᵏ(P) = O: the norm of the sum modulo ψ² − tψ + p."""
    c = list(coefficients)
    while len(c) > 2:
        top = c.pop()
        c[-1] += TRACE * top
        c[-2] -= FQ_MODULUS * top
    a, b = c
    return a * a + a * b * TRACE + b * b * FQ_MODULUS


def test_only_points_of_order_r_fulfil_the_equation():
    equation = [BN_X + 1, BN_X, BN_X, -2 * BN_X]
    assert sum(c * FQ_MODULUS**k for k, c in enumerate(equation)) % FR_MODULUS == 0
    assert math.gcd(resultant(equation), FR_MODULUS * COFACTOR) == FR_MODULUS
    assert COFACTOR % FR_MODULUS


def test_orders_of_the_twist():
    """r(2p − r) points, no 2 and no 3 in it, cyclic because every prime occurs once."""
    assert math.prod(FACTORS) == COFACTOR
    assert math.gcd(COFACTOR, 6) == 1
    assert TRACE == FQ_MODULUS + 1 - FR_MODULUS
    for point in twist_points():
        assert multiple(point, FR_MODULUS * COFACTOR) is None


def test_frobenius_on_the_twist():
    for point in twist_points()[:2]:
        square = psi(psi(point))
        assert G2.is_on_curve(square)
        assert G2.add(square, multiple(point, FQ_MODULUS)) == multiple(psi(point), TRACE)
        # ζ = ψ² : (x, y) → (wx, −y), ζ² − ζ + 1 = 0
        (x0, x1), y = point
        assert square == ((x0 * OMEGA % FQ_MODULUS, x1 * OMEGA % FQ_MODULUS), G2.neg(point)[1])
        assert y != point
        assert G2.add(psi(psi(square)), point) == square
    assert OMEGA != 1
    assert pow(OMEGA, 3, FQ_MODULUS) == 1
    assert SQRT_MINUS_3**2 % FQ_MODULUS == FQ_MODULUS - 3


def test_the_form_that_is_computed():
    """1 + (ψ + ψ⁴)(1 − 2ψ²)x is the equation modulo ψ⁴ − ψ² + 1."""
    product = [0] * 7
    for i, j in itertools.product((1, 4), (0, 2)):
        product[i + j] += BN_X * (1 if j == 0 else -2)
    product[0] += 1
    while len(product) > 4:
        top = product.pop()
        product[-2] += top
        product[-4] -= top
    assert product == [BN_X + 1, BN_X, BN_X, -2 * BN_X]


def test_one_minus_two_zeta():
    """(x, y) → (4y² − 3x³ : y(8y² − 9x³) : √−3·x)."""
    for point in twist_points()[:2]:
        x, y = point
        xxx, yy = fq2_mul(fq2_mul(x, x), x), fq2_mul(y, y)
        x3 = fq2_sub(fq2_mul((4, 0), yy), fq2_mul((3, 0), xxx))
        y3 = fq2_mul(y, fq2_sub(fq2_mul((8, 0), yy), fq2_mul((9, 0), xxx)))
        image = x3, y3, fq2_mul((SQRT_MINUS_3, 0), x)
        assert G2._affine(image) == G2.add(point, multiple(psi(psi(point)), -2))


def test_members_meet_no_exception():
    digits = [int(d) for d in X_DIGITS]
    assert digits[0] == 17
    assert set(digits) == {0, 15, -15, 17, -17}
    prefix = digits[0]
    for digit in digits[1:]:
        prefix *= 2
        if digit:
            # P + Q of k·P and k′·P with k ≢ ±k′, neither of them 0 mod r
            assert abs(digit) < prefix < 1 << 64
        prefix += digit
    assert prefix == BN_X
    image = FQ_MODULUS * (1 - 2 * FQ_MODULUS**2) * BN_X % FR_MODULUS
    assert image not in (0, 1, FR_MODULUS - 1)


# --- the kernel -------------------------------------------------------------------------------


def test_every_point_of_order_10069():
    """All of them, and each with a member of G2 added."""
    generator = point_of_order(10069)
    half = list(itertools.accumulate([generator] * 5034, G2.add))
    multiples = half + [G2.neg(point) for point in half]
    assert len(set(multiples)) == 10068
    assert not g2.in_subgroup(g2.from_affine_ints(multiples)).any()
    sums = [G2.add(p, G2.generator) for p in multiples]
    array = g2.from_affine_ints([*sums, G2.generator])
    assert g2.is_on_curve(array).all()
    assert np.flatnonzero(g2.in_subgroup(array)).tolist() == [10068]


def test_a_component_of_any_other_order():
    rng = random.Random(1)
    outsiders = []
    for divisor in DIVISORS:
        point = point_of_order(divisor)
        assert not G2.in_subgroup(point)
        member = G2.mul(G2.generator, rng.randrange(1, FR_MODULUS))
        scalar = rng.randrange(1, 10069)
        outsiders += [point, G2.neg(point), multiple(point, scalar), G2.add(point, member)]
    array = g2.from_affine_ints([*outsiders, *twist_points()])
    assert g2.is_on_curve(array).all()
    assert not g2.in_subgroup(array).any()


def test_members_and_infinity():
    rng = random.Random(2)
    scalars = [1, 2, 3, 15, 16, 17, BN_X, BN_X + 1, FR_MODULUS - 1, FR_MODULUS - BN_X]
    scalars += [rng.randrange(1, FR_MODULUS) for _ in range(6)]
    scalars += [(1 - 2 * FQ_MODULUS**2) * k for k in (1, BN_X, FQ_MODULUS * BN_X)]
    members = [G2.mul(G2.generator, k) for k in scalars]
    assert all(G2.in_subgroup(p) for p in members)
    array = g2.from_affine_ints([*members, None, *twist_points()])
    assert g2.in_subgroup(array).tolist() == [True] * (len(scalars) + 1) + [
        G2.in_subgroup(p) for p in twist_points()
    ]


def digits_of_a_multiple_of(n):
    rng = random.Random(3)
    while True:
        digits = [17] + [rng.choice((0, 0, 0, 15, -15, 17, -17)) for _ in range(30)]
        value = 0
        for digit in digits:
            value = 2 * value + digit
        if value % n == 0:
            return digits


def power_of_two_that_is_minus_one(n):
    exponent, power = 0, 1
    while power != n - 1:
        exponent, power = exponent + 1, 2 * power % n
    return exponent


@pytest.mark.parametrize("last", [17, -17])
def test_a_sum_that_the_formulas_do_not_cover(last):
    """17·2^e·P = −17·P is followed by ±17·P: opposite points, equal points. Both are refused."""
    exponent = power_of_two_that_is_minus_one(10069)
    digits = [17] + [0] * (exponent - 1) + [last]
    assert_refused(digits)


def test_a_multiple_that_is_infinity():
    assert_refused(digits_of_a_multiple_of(10069))
    assert_refused([17] + [0] * 20 + [15])


def assert_refused(digits):
    points = g2.from_affine_ints([point_of_order(10069), G2.neg(point_of_order(10069)), None])
    found = g1.membership(points, check_subgroup, np.array(digits, np.int8))
    assert found.tolist() == [False, False, True]
