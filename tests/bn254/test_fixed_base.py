"""Multiples of the generators: every size of table, and scalars whose last addition is special."""

import random
from typing import Any

import numpy as np
import pytest

from zkcmp.bn254 import reference
from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm import fixed_base
from zkcmp.bn254.msm.bucket_plan import SIGN
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.fixed_base_kernels import half_digits
from zkcmp.bn254.params import FR_MODULUS

GROUPS: dict[str, tuple[Any, Any]] = {"g1": (g1, reference.G1), "g2": (g2, reference.G2)}
CASES = [(group, bits) for group in GROUPS for bits in fixed_base._WINDOW_BITS[group]]  # type: ignore[index]


def half_odd_digits(scalar: int, bits: int) -> list[int]:
    """2·D_w for every window: odd numbers whose sum with weights 2^(bits·w) is 2·scalar mod r."""
    windows = -(-254 // bits)
    shifted = (scalar + ((1 << (bits * windows)) - 1) * pow(2, -1, FR_MODULUS)) % FR_MODULUS
    digits = [(shifted >> (bits * w)) & ((1 << bits) - 1) for w in range(windows)]
    return [2 * d - ((1 << bits) - 1) for d in digits]


def doubled_last(bits: int) -> list[int]:
    """Scalars for which the last addition of the table's entries is of a point to itself."""
    weight = 1 << (bits * (-(-254 // bits) - 1))
    # the numerators of all digits together are −2^(bits·windows) … 2r less than that
    lowest = -(weight << bits) // FR_MODULUS
    found = []
    for multiple in range(lowest - 1, lowest + 4):
        near = multiple * FR_MODULUS // weight
        for numerator in (near - 1, near, near + 1):
            scalar = numerator * weight % FR_MODULUS
            *low, last = half_odd_digits(scalar, bits)
            rest = sum(d << (bits * w) for w, d in enumerate(low))
            if (last * weight - rest) % FR_MODULUS == 0:
                found.append(scalar)
    return found


@pytest.mark.parametrize(("group", "bits"), CASES)
def test_every_table(group: Any, bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one batch with ordinary scalars: infinity and a doubling at the end."""
    monkeypatch.setattr(fixed_base, "_window_bits", lambda *_: bits)
    module, curve = GROUPS[group]
    special = doubled_last(bits)
    assert special
    rng = random.Random(bits)
    scalars = [0, 1, 2, (1 << bits) - 1, 1 << bits, FR_MODULUS - 1, FR_MODULUS // 2, *special]
    scalars += [rng.randrange(FR_MODULUS) for _ in range(5)]
    expected = [curve.mul(curve.generator, s) for s in scalars]
    assert expected[0] is None
    got = fixed_base_mul(group, FrVector.from_ints(scalars))
    assert module.to_affine_ints(got) == expected
    alone = fixed_base_mul(group, FrVector.from_ints(special[:1]))
    assert module.to_affine_ints(alone) == [curve.mul(curve.generator, special[0])]


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 16, 17, 2047, 2048, 2049, 5000])
def test_any_number_of_scalars(n: int) -> None:
    """Batches, groups of lanes and their padding: multiples by 0 … n − 1 are the sums of ones."""
    got = fixed_base_mul("g1", FrVector.from_int64(np.arange(n)))
    assert got.shape == (n, 2, 4)
    point, points = None, []
    for _ in range(n):
        points.append(point)
        point = reference.G1.add(point, reference.G1.generator)
    assert g1.to_affine_ints(got) == points


def test_tables_grow_with_the_work() -> None:
    choices = [fixed_base._window_bits("g1", 10**k) for k in range(8)]
    assert choices == sorted(choices)
    assert choices[0] == 8
    assert choices[-1] == 15
    few = FrVector.from_ints([5, 7])
    assert np.array_equal(fixed_base_mul("g1", few), fixed_base_mul("g1", few, in_all=20_000))


@pytest.mark.parametrize("bits", [8, 11, 12, 14, 15, 16, 17])
def test_digits(bits: int) -> None:
    """Places and signs give the integer back, from every window, also across two words."""
    rng = random.Random(bits)
    values = [0, 1, (1 << 254) - 1, *(rng.randrange(1 << 254) for _ in range(20))]
    words = np.array([[v >> (64 * k) & (2**64 - 1) for v in values] for k in range(4)], np.uint64)
    totals = [0] * len(values)
    size = 1 << (bits - 1)
    for w in range(-(-254 // bits)):
        entries = np.zeros(len(values), np.uint32)
        half_digits(words, 0, len(values), w, bits, w * size, entries)
        for j, entry in enumerate(entries):
            place = int(entry & ~SIGN) - w * size
            assert 0 <= place < size
            odd = 2 * place + 1
            digit = ((-odd if entry & SIGN else odd) + (1 << bits) - 1) // 2
            totals[j] += digit << (bits * w)
    assert totals == values
