"""Multi-scalar multiplication against known discrete logarithms.

With bases a_j·G, Σ s_j·(a_j·G) = (Σ s_j·a_j)·G, and the right side is one product of the
plain-Python twin. Bases are drawn from few points so that equal, opposite and infinite operands
meet in every bucket tree.
"""

import random

import numpy as np
import pytest

from zkcmp.bn254 import bucket_plan, g1, g2, reference
from zkcmp.bn254 import msm as engine
from zkcmp.bn254.fixed_base import fixed_base_mul
from zkcmp.bn254.fr import FrVector
from zkcmp.bn254.msm import msm, window_bits
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.point_arrays import from_kernel_form, to_kernel_form

R = FR_MODULUS
GROUPS = [(g1, reference.G1, "g1"), (g2, reference.G2, "g2")]
IDS = ["G1", "G2"]


def expected(module, curve, logarithms, scalars):
    total = sum(a * s for a, s in zip(logarithms, scalars, strict=True)) % R
    return curve.mul(curve.generator, total)


def scalar_kinds(rng, n):
    return {
        "full": [rng.randrange(R) for _ in range(n)],
        "zero": [0] * n,
        "one": [1] * n,
        "bits": [rng.randrange(2) for _ in range(n)],
        "signed bytes": [rng.randrange(-128, 128) % R for _ in range(n)],
        "same": [0x1234567] * n,
        "around r/2 and word edges": [
            rng.choice([R - 1, 1, R // 2, R // 2 + 1, 2**64 - 1, 2**64, 2**128, 2**192 - 1, 2**252])
            for _ in range(n)
        ],
        "powers of two": [pow(2, j % 254) for j in range(n)],
        "mixed sizes": [rng.randrange(R) >> rng.randrange(254) for _ in range(n)],
    }


@pytest.mark.parametrize(("module", "curve", "name"), GROUPS, ids=IDS)
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 130])
def test_against_discrete_logarithms(module, curve, name, n):
    rng = random.Random(n)
    pool = [0, 1, R - 1, 2, R - 2, *(rng.randrange(R) for _ in range(5))]
    logarithms = [rng.choice(pool) for _ in range(n)]
    bases = fixed_base_mul(name, FrVector.from_ints(logarithms))
    for kind, scalars in scalar_kinds(rng, n).items():
        got = module.to_affine_ints(msm(bases, FrVector.from_ints(scalars)))
        assert got == [expected(module, curve, logarithms, scalars)], kind


@pytest.mark.parametrize("bits", [254, 8, 1])
def test_many_points(bits):
    """Full batches, several levels and, at 254 bits, 13-bit windows."""
    n = 20_000
    rng = np.random.default_rng(bits)
    a = FrVector.powers(0xABCDEF, n)
    if bits == 254:
        s = FrVector.powers(0x123456789ABCDEF, n)
    else:
        s = FrVector.from_int64(rng.integers(0, 1 << bits, n))
    got = g1.to_affine_ints(msm(fixed_base_mul("g1", a), s))
    assert got == [reference.G1.mul(reference.G1.generator, (a * s).sum())]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="3 bases and 2 scalars"):
        msm(np.zeros((3, 2, 4), np.uint64), FrVector.zeros(2))
    with pytest.raises(ValueError, match="uint64"):
        msm(np.zeros((3, 8), np.uint64), FrVector.zeros(3))
    assert not msm(np.zeros((0, 2, 4), np.uint64), FrVector.zeros(0)).any()


@pytest.mark.parametrize("c", [2, 3, 5, 8, 15, 16])
def test_signed_digits_recompose(c):
    rng = random.Random(c)
    values = [0, 1, 2**253 - 1, 2**252, (1 << c) - 1, 1 << (c - 1), (1 << (c - 1)) + 1]
    values += [rng.randrange(2**253) for _ in range(20)]
    words = np.array([[(v >> (64 * k)) & (2**64 - 1) for k in range(4)] for v in values], np.uint64)
    windows = -(-254 // c)
    digits = np.empty((windows, len(values)), np.int16)
    index = np.arange(len(values), dtype=np.uint32)
    bucket_plan.signed_digits(words, index, 0, len(values), c, digits)
    for j, v in enumerate(values):
        assert sum(-int(digits[w, j]) << (c * w) for w in range(windows)) == v


@pytest.mark.parametrize("width", [8, 32])
@pytest.mark.parametrize("windows", [1, 7, 8, 9, 17])
def test_sums_of_windows(windows, width, monkeypatch: pytest.MonkeyPatch):
    """A lane for each window, or all lanes in each, whichever the cost says: Σ_b (b + 1)·B_b."""
    rng = random.Random(windows * width)
    logs = [rng.choice([0, 1, -1, rng.randrange(R)]) for _ in range(windows * width)]
    points = g1.from_affine_ints([reference.G1.mul(reference.G1.generator, k) for k in logs])
    tables = np.zeros((24, width, 2, 4), np.uint64)
    tables[:windows] = to_kernel_form(points).reshape(windows, width, 2, 4)
    want = [
        reference.G1.mul(
            reference.G1.generator, sum((b + 1) * logs[w * width + b] for b in range(width))
        )
        for w in range(windows)
    ]
    for fold_cost in (-(10**6), 10**6):
        monkeypatch.setattr(engine, "_FOLD_COST", fold_cost)
        found = from_kernel_form(engine._window_sums(tables, windows))
        assert g1.to_affine_ints(found) == want


def test_window_grows_with_the_work():
    assert window_bits(1 << 20, 253) == 16
    assert window_bits(100, 253) < 8
    assert window_bits(1 << 20, 1) == 2
