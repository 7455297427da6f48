"""Products of many rows over fixed points, against known discrete logarithms and the plain twin.

Points are drawn from few, so that equal and opposite operands meet in every bucket tree.
"""

import random

import numpy as np
import pytest

from zkcmp.bn254.curve import g1
from zkcmp.bn254.curve.point_arrays import from_kernel_form
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm import bucket_tree
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.msm.row_msm import FixedBases, add_points, msm_rows
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.bn254.reference import G1

EDGES = [0, 1, R - 1, R // 2, R // 2 + 1, 2**64 - 1, 2**64, 2**128, 2**192 - 1, 2**252]


def bases_with_logarithms(n: int, seed: int) -> tuple[FixedBases, list[int]]:
    rng = random.Random(seed)
    pool = [1, R - 1, 2, R - 2, *(rng.randrange(1, R) for _ in range(4))]
    logarithms = [rng.choice(pool) for _ in range(n)]
    return FixedBases(fixed_base_mul("g1", FrVector.from_ints(logarithms))), logarithms


def rows_of_every_kind(n: int, seed: int) -> list[list[int]]:
    rng = random.Random(seed)
    return [
        [rng.randrange(R) for _ in range(n)],
        [0] * n,
        [1] * n,
        [rng.randrange(2) for _ in range(n)],
        [rng.randrange(-128, 128) % R for _ in range(n)],
        [0x1234567] * n,
        [rng.choice(EDGES) for _ in range(n)],
        [pow(2, j % 254) for j in range(n)],
        [rng.randrange(R) >> rng.randrange(254) for _ in range(n)],
        [0] * (n - 1) + [R - 1],
    ]


def expected(logarithms: list[int], rows: list[list[int]]) -> list[g1.Point]:
    sums = [sum(a * s for a, s in zip(logarithms, row, strict=True)) % R for row in rows]
    return [G1.mul(G1.generator, s) for s in sums]


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 130])
def test_rows_against_discrete_logarithms(n: int) -> None:
    bases, logarithms = bases_with_logarithms(n, n)
    rows = rows_of_every_kind(n, n + 1)
    got = msm_rows(bases, FrVector.from_ints([s for row in rows for s in row]), len(rows))
    assert g1.to_affine_ints(got) == expected(logarithms, rows)


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_a_row_in_pieces_and_bases_from_an_offset(
    threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZKCMP_THREADS", threads)
    bases, logarithms = bases_with_logarithms(1400, 3)
    for row in rows_of_every_kind(1300, 4):
        got = msm_rows(bases, FrVector.from_ints(row), 1, first=77)
        assert g1.to_affine_ints(got) == expected(logarithms[77:1377], [row])


def test_long_rows_in_several_ranges_of_buckets() -> None:
    """More entries than are summed together, as in a row of 2^13 scalars."""
    n = 6000
    a, s = FrVector.powers(0xABCDEF, n), FrVector.powers(0x123456789ABCDEF, 2 * n)
    bases = FixedBases(fixed_base_mul("g1", a))
    assert bases.windows * n > bucket_tree.RANGE_BYTES // 64
    sums = [(a * s.slice(0, n)).sum(), (a * s.slice(n, 2 * n)).sum()]
    got = g1.to_affine_ints(msm_rows(bases, s, 2))
    assert got == [G1.mul(G1.generator, k) for k in sums]


def test_it_agrees_with_the_plain_product() -> None:
    points = fixed_base_mul("g1", FrVector.powers(3, 40))
    scalars = FrVector.powers(5, 80)
    got = msm_rows(FixedBases(points), scalars, 2)
    want = [msm(points, scalars.slice(i, i + 40)) for i in (0, 40)]
    assert np.array_equal(got, np.concatenate(want))


@pytest.mark.parametrize("n", [1, 20])
def test_the_table_holds_the_multiples(n: int) -> None:
    bases, logarithms = bases_with_logarithms(n, 8)
    table = from_kernel_form(bases.table).reshape(bases.windows, bases.stride, 2, 4)
    assert bases.windows * bases.window_bits >= 254
    for w in (0, 1, bases.windows - 1):
        want = [G1.mul(G1.generator, (k << (bases.window_bits * w)) % R) for k in logarithms]
        assert g1.to_affine_ints(table[w, :n]) == want


def test_no_scalars_and_no_columns() -> None:
    bases, _ = bases_with_logarithms(3, 1)
    assert not msm_rows(bases, FrVector.zeros(0), 1).any()
    assert msm_rows(bases, FrVector.zeros(0), 4).shape == (4, 2, 4)


def test_sizes_must_fit() -> None:
    bases, _ = bases_with_logarithms(3, 1)
    for scalars, rows, first in ((4, 1, 0), (3, 1, 1), (3, 2, 0), (3, 0, 0), (1, 1, -1), (0, 1, 4)):
        with pytest.raises(ValueError, match=f"{scalars} scalars in {rows} rows over 3 bases"):
            msm_rows(bases, FrVector.zeros(scalars), rows, first)
    with pytest.raises(ValueError, match="infinity"):
        FixedBases(g1.from_affine_ints([G1.generator, None]))
    for shape in ((0, 2, 4), (2, 2, 2, 4), (3, 8)):
        with pytest.raises(ValueError, match="fixed bases"):
            FixedBases(np.ones(shape, np.uint64))


@pytest.mark.parametrize("n", [1, 9, 40])
def test_sums_of_points(n: int) -> None:
    rng = random.Random(n)
    pool: list[g1.Point] = [None, *(G1.mul(G1.generator, k) for k in (1, R - 1, 2, 5, 77))]
    left, right = ([rng.choice(pool) for _ in range(n)] for _ in range(2))
    got = add_points(g1.from_affine_ints(left), g1.from_affine_ints(right))
    want = [G1.add(p, q) for p, q in zip(left, right, strict=True)]
    assert g1.to_affine_ints(got) == want
    with pytest.raises(ValueError, match="shapes"):
        add_points(got, got[:-1])
