"""Multi-scalar multiplication against known discrete logarithms.

With bases a_j·G, Σ s_j·(a_j·G) = (Σ s_j·a_j)·G, and the right side is one product of the
plain-Python twin. Bases are drawn from few points so that equal, opposite and infinite operands
meet in every bucket tree.
"""

import random

import numpy as np
import pytest

from zkcmp.bn254 import reference
from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.point_arrays import from_kernel_form, to_kernel_form
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm import bucket_plan
from zkcmp.bn254.msm import pippenger as engine
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.pippenger import msm, msm_tables, window_bits
from zkcmp.bn254.params import FR_MODULUS

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


def signed_words(values):
    """Two's complement, four words."""
    return np.array([[(v >> (64 * k)) & (2**64 - 1) for k in range(4)] for v in values], np.uint64)


@pytest.mark.parametrize("c", [2, 3, 5, 8, 13, 15, 16])
@pytest.mark.parametrize("bits", [1, 8, 14, 15, 62, 64, 126, 127, 128, 253])
def test_signed_digits_recompose(c, bits):
    rng = random.Random(c)
    top = (1 << bits) - 1
    values = [0, 1, top, 1 << (bits - 1), (1 << c) - 1, 1 << (c - 1), (1 << (c - 1)) + 1]
    values += [rng.randrange(top + 1) for _ in range(300)]
    values = [sign * min(v, top) for v in values for sign in (1, -1)]
    windows = bucket_plan.window_count(bits, c)
    digits = np.empty((windows, len(values)), np.int16)
    index = np.array(rng.sample(range(len(values)), len(values)), np.uint32)
    idle = np.array([rng.randrange(5) == 0 for _ in values])
    offset = bucket_plan.digit_offset(windows, c)
    bucket_plan.signed_digits(signed_words(values), index, idle, c, offset, digits)
    assert np.abs(digits.astype(int)).max() <= 1 << (c - 1)
    for j, place in enumerate(index):
        want = 0 if idle[j] else values[place]
        assert sum(int(digits[w, j]) << (c * w) for w in range(windows)) == want


def test_scalars_become_signed():
    values = [0, 1, R - 1, R // 2, R // 2 + 1, 2**64 - 1, 2**64, R - 2**64, R - 2**128, R - 2**192]
    signed = [v if v <= R // 2 else v - R for v in values]
    words, lengths = signed_words(values), np.empty(len(values), np.uint8)
    counts = np.zeros(256, np.int64)
    bucket_plan.to_signed(words, lengths, counts)
    assert np.array_equal(counts, np.bincount(lengths, minlength=256))
    assert np.array_equal(words, signed_words(signed))
    assert lengths.tolist() == [abs(v).bit_length() for v in signed]


@pytest.mark.parametrize("width", [8, 32, 64])
@pytest.mark.parametrize("windows", [1, 7, 8, 9, 17])
def test_sums_of_windows(windows, width, monkeypatch: pytest.MonkeyPatch):
    """A lane for each window, or all lanes in each, or by rows and columns: Σ_b (b + 1)·B_b."""
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
    for fold_cost, wide in ((-(10**6), 1 << 11), (10**6, 1 << 11), (0, 64)):
        monkeypatch.setattr(engine, "_FOLD_COST", fold_cost)
        monkeypatch.setattr(engine, "_WIDE", wide)
        found = from_kernel_form(engine._window_sums(tables, windows))
        assert g1.to_affine_ints(found) == want


def test_window_grows_with_the_work():
    assert window_bits(1 << 20, 253) == 16
    assert window_bits(100, 253) < 8
    assert window_bits(1 << 20, 1) == 3


@pytest.mark.parametrize("columns", [8, 16])
def test_rows_and_columns_leave_out_infinity(columns):
    rng = random.Random(columns)
    finite = [rng.randrange(3) > 0 for _ in range(64)]
    table = np.zeros((64, 2, 4), np.uint64)
    table[finite, 1, 3] = 1
    row_start, column_start = np.zeros(64 // columns + 1, np.int64), np.zeros(columns + 2, np.int64)
    entries = np.zeros((2, 64), np.uint32)
    bucket_plan.rows_and_columns(table, columns, row_start, entries[0], column_start, entries[1])
    for row in range(1, 64 // columns):
        found = entries[0, row_start[row] : row_start[row + 1]]
        assert found.tolist() == [i for i in range(64) if finite[i] and i // columns == row]
    for column in range(columns):
        found = entries[1, column_start[column + 1] : column_start[column + 2]]
        assert found.tolist() == [i for i in range(64) if finite[i] and i % columns == column]


@pytest.mark.parametrize("kind", ["few", "many"])
def test_tables_share_scalars(kind):
    """Of both groups, with points at infinity in the same places and in others."""
    n = 40 if kind == "few" else 3000
    rng = random.Random(n)
    logs = [[rng.choice([0, 1, R - 1, rng.randrange(R)]) for _ in range(n)] for _ in range(3)]
    logs[1] = [0 if a == 0 else b or 1 for a, b in zip(logs[0], logs[1], strict=True)]
    scalars = [rng.randrange(R) >> rng.choice([0, 0, 250]) for _ in range(n)]
    groups = [GROUPS[0], GROUPS[1], GROUPS[0]]
    tables = [
        fixed_base_mul(name, FrVector.from_ints(row))
        for (_, _, name), row in zip(groups, logs, strict=True)
    ]
    found = msm_tables(tables, FrVector.from_ints(scalars))
    for (module, curve, _), row, point in zip(groups, logs, found, strict=True):
        assert module.to_affine_ints(point) == [expected(module, curve, row, scalars)]
    assert msm_tables([], FrVector.from_ints(scalars)) == []


@pytest.mark.parametrize(("module", "curve", "name"), GROUPS, ids=IDS)
@pytest.mark.parametrize("step", [0, 1, -2])
def test_long_runs_of_equal_and_opposite_points(module, curve, name, step):
    """Every round of a block has a doubling, or a sum that is infinity and goes on from there."""
    n = 5000
    rng = random.Random(step)
    logs = [1 + step * rng.randrange(2) for _ in range(n)]
    bases = fixed_base_mul(name, FrVector.from_ints(logs))
    scalars = [rng.choice([1, 2, R - 1]) for _ in range(n)]
    got = module.to_affine_ints(msm(bases, FrVector.from_ints(scalars)))
    assert got == [expected(module, curve, logs, scalars)]
