"""Multiples and transforms of points equal those of their discrete logarithms."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from zkcmp.bn254.curve.point_arrays import from_kernel_form, is_infinity, to_kernel_form
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import COSET_SHIFT, bit_reversed, coset_ntt, intt, ntt
from zkcmp.bn254.msm import point_multiples
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.point_multiples import multiples, sums, transform
from zkcmp.bn254.params import FR_MODULUS

EDGES = [0, 1, 2, 15, 16, 17, FR_MODULUS - 1, FR_MODULUS - 16, 1 << 253, 7**90]


@pytest.mark.parametrize("group", ["g1", "g2"])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 100])
def test_multiples(group: Literal["g1", "g2"], n: int) -> None:
    logs = FrVector.from_ints([EDGES[j % 10] for j in range(n)])
    factors = FrVector.from_ints([EDGES[(j // 10) % 10] for j in range(n)])
    points = fixed_base_mul(group, logs)
    assert np.array_equal(multiples(points, factors), fixed_base_mul(group, logs * factors))


@pytest.mark.parametrize("group", ["g1", "g2"])
def test_sums(group: Literal["g1", "g2"]) -> None:
    """Ordinary pairs, doublings, opposites and infinity."""
    left = FrVector.from_ints([1, 2, 5, 0, 7, 0, -3])
    right = FrVector.from_ints([2, 2, -5, 9, 0, 0, 4])
    points = [fixed_base_mul(group, logs) for logs in (left, right)]
    assert np.array_equal(sums(*points), fixed_base_mul(group, left + right))
    assert len(sums(points[0][:0], points[1][:0])) == 0
    with pytest.raises(ValueError, match="7 and 6 points"):
        sums(points[0], points[1][:6])


@pytest.mark.parametrize("group", ["g1", "g2"])
def test_differences_leave_infinity_all_zero(group: Literal["g1", "g2"]) -> None:
    """Its negative would have y = 2p, and would count as a finite point in the next level."""
    left, right = FrVector.from_ints([0, 0, 3, 5]), FrVector.from_ints([0, 2, 0, 5])
    ours, theirs = (to_kernel_form(fixed_base_mul(group, logs)) for logs in (left, right))
    found = point_multiples._sums(ours, theirs, negate=True)
    assert is_infinity(found).tolist() == [True, False, False, True]
    assert np.array_equal(from_kernel_form(found), fixed_base_mul(group, left - right))


def test_more_than_a_block() -> None:
    logs, factors = FrVector.powers(3, 1500), FrVector.powers(5, 1500)
    points = fixed_base_mul("g1", logs)
    assert np.array_equal(multiples(points, factors), fixed_base_mul("g1", logs * factors))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="3 points and 2 scalars"):
        multiples(fixed_base_mul("g1", FrVector.zeros(3)), FrVector.zeros(2))


@pytest.mark.parametrize("logs", [[0, 0], [1] * 8, [1, -1] * 4, [0] * 7 + [1], [1, 0] * 16])
def test_transforms_that_meet_infinity(logs: list[int]) -> None:
    """In every place of some level: P + P, P − P, O ± O and O ± P."""
    points = fixed_base_mul("g1", FrVector.from_ints(logs))
    assert np.array_equal(transform(points), fixed_base_mul("g1", ntt(FrVector.from_ints(logs))))


@pytest.mark.parametrize("n", [1, 2, 4, 8, 64])
def test_transforms(n: int) -> None:
    logs = FrVector.powers(7, n).scale(12345)
    if n > 2:
        logs.assign(1, FrVector.zeros(1))
    points = fixed_base_mul("g1", logs)
    assert np.array_equal(transform(points), fixed_base_mul("g1", ntt(logs.copy())))
    on_coset = fixed_base_mul("g1", coset_ntt(logs.copy()))
    assert np.array_equal(transform(points, COSET_SHIFT), on_coset)
    shuffled = points[bit_reversed(n)]
    assert np.array_equal(transform(shuffled, COSET_SHIFT, reversed_order=True), on_coset)
    back = fixed_base_mul("g1", intt(logs.copy()).scale(n))
    assert np.array_equal(transform(points, inverse=True), back)


def test_the_portable_body_agrees() -> None:
    """The same test in a process with the other lane body."""
    here = Path(__file__)
    chosen = "test_multiples and g1 or test_transforms"
    options = ["-p", "no:cacheprovider", "-o", "addopts=", "-k", chosen]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(here), *options],
        env={**os.environ, "ZKCMP_LANES": "portable"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-2000:]
    assert "15 passed" in run.stdout
