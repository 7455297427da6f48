"""Point arrays against the plain-Python twin: form at rest, membership, fixed-base multiples."""

import random

import numpy as np
import pytest

from zkcmp.bn254 import reference
from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS

GROUPS = [(g1, reference.G1, "g1"), (g2, reference.G2, "g2")]
IDS = ["G1", "G2"]


def twist_point_outside_g2():
    """A point of the twist whose order does not divide r."""
    for x0 in range(1, 100):
        x = (x0, 1)
        square = reference.fq2_mul(reference.fq2_mul(x, x), x)
        y = reference.fq2_sqrt(reference.fq2_add(square, reference.G2.b))
        if y is not None and not reference.G2.in_subgroup((x, y)):
            return x, y
    raise AssertionError("no such point among a hundred abscissas")


@pytest.mark.parametrize(("module", "curve", "name"), GROUPS, ids=IDS)
def test_integers_survive_the_form_at_rest(module, curve, name):
    points = [
        None,
        curve.generator,
        curve.neg(curve.generator),
        curve.mul(curve.generator, 7),
        None,
    ]
    assert module.to_affine_ints(module.from_affine_ints(points)) == points


@pytest.mark.parametrize(("module", "curve", "name"), GROUPS, ids=IDS)
def test_membership_of_each_point_is_its_own(module, curve, name):
    good = [curve.mul(curve.generator, k) for k in (1, 2, FR_MODULUS - 1, 12345)] + [None]
    array = module.from_affine_ints(good * 4)
    assert module.is_on_curve(array).all()
    for where in (0, 7, 8, 15, 19):
        bad = array.copy()
        bad.reshape(len(bad), -1)[where, 0] ^= np.uint64(1)
        assert np.flatnonzero(~module.is_on_curve(bad)).tolist() == [where]


@pytest.mark.parametrize(("module", "curve", "name"), GROUPS, ids=IDS)
def test_only_the_all_zero_record_is_infinity(module, curve, name):
    """x = 0 with any y but zero is no point, although arithmetic marks infinity by x = 0."""
    array = module.from_affine_ints([curve.generator, None] * 5)
    flat = array.reshape(len(array), -1)
    width = flat.shape[1]
    flat[3, width // 2] = 5
    flat[7, width - 1] = 1
    expected = [j not in (3, 7) for j in range(10)]
    assert module.is_on_curve(array).tolist() == expected
    if module is g2:
        assert g2.in_subgroup(array).tolist() == expected


def test_twist_points_of_another_order_are_not_in_g2():
    """A random one, one of order 10069, and members of G2 shifted by that one."""
    outsider = twist_point_outside_g2()
    cofactor = 2 * FQ_MODULUS - FR_MODULUS
    assert cofactor % 10069 == 0
    multiply = reference.G2._mul_jacobian
    small = reference.G2._affine(multiply(outsider, FR_MODULUS * (cofactor // 10069)))
    assert small is not None
    generator = reference.G2.generator
    shifted = reference.G2.add(generator, small)
    array = g2.from_affine_ints([generator, outsider, None, small, shifted] * 3)
    assert g2.is_on_curve(array).all()
    assert g2.in_subgroup(array).tolist() == [True, False, True, False, False] * 3
    members = fixed_base_mul("g2", FrVector.random(50))
    assert g2.in_subgroup(members).all()


@pytest.mark.parametrize(("module", "curve", "name"), GROUPS, ids=IDS)
def test_fixed_base_multiples(module, curve, name):
    rng = random.Random(1)
    window = 1 << 10
    scalars = [0, 1, 2, window - 1, window, window + 1, FR_MODULUS - 1, FR_MODULUS - 2]
    scalars += [sum(window**k for k in range(26)) % FR_MODULUS, FR_MODULUS // 2, FQ_MODULUS >> 1]
    scalars += [rng.randrange(FR_MODULUS) for _ in range(12)]
    got = module.to_affine_ints(fixed_base_mul(name, FrVector.from_ints(scalars)))
    assert got == [curve.mul(curve.generator, s) for s in scalars]
