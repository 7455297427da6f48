"""Sums over rows and over halves of tables, against the same sums of Python integers."""

import numpy as np
import pytest

from zkcmp.bn254.field import integer_row_kernels as integers
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.rows import Rows, sums_of_slots
from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.lanes.wide import MAX_TERMS
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.bn254.sumcheck import table_kernels as kernels

EDGES = [0, 1, -1, 2**63 - 1, -(2**63), 2**52 - 1, -(2**52), 2**32, 255]


def int_matrix(n: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.integers(-(2**63), 2**63 - 1, (n, width))
    flat = values.reshape(-1)
    flat[: min(len(EDGES), len(flat))] = EDGES[: len(flat)]
    return values


def both_kinds(n: int, width: int) -> list[tuple[Rows, list[list[int]]]]:
    values = int_matrix(n, width)
    field = FrVector.random(n * width)
    ints = field.to_ints()
    return [
        (Rows.from_int64(values), values.tolist()),
        (Rows.from_field(field, n), [ints[width * j : width * (j + 1)] for j in range(n)]),
    ]


def padded(weights: FrVector, rows: Rows) -> FrVector:
    out = FrVector.zeros(rows.width)
    out.assign(0, weights)
    return out


SHAPES = [(1, 1), (3, 8), (7, 13), (40, 24), (2100, 9)]


@pytest.mark.parametrize(("n", "width"), SHAPES)
def test_bind_and_dot(n, width):
    for rows, values in both_kinds(n, width):
        weights = FrVector.random(n + 2)
        w = weights.to_ints()
        expected = [sum(w[j] * values[j][i] for j in range(n)) % R for i in range(width)]
        assert rows.bind(weights).to_ints()[:width] == expected
        assert rows.bind(weights).to_ints()[width:] == [0] * (rows.width - width)
        weights = FrVector.random(width)
        w = weights.to_ints()
        expected = [sum(w[i] * row[i] for i in range(width)) % R for row in values]
        assert rows.dot(padded(weights, rows)).to_ints() == expected


@pytest.mark.parametrize(("n", "width"), SHAPES[:4])
@pytest.mark.parametrize("k", [0, 1, 3])
def test_blocks_of_rows(n, width, k):
    """n rows are 2^k blocks, of which the last may be short or missing."""
    block = -(-n // (1 << k)) + 1
    for rows, values in both_kinds(n, width):
        table = [[*row, *[0] * (rows.width - width)] for row in values]
        table += [[0] * rows.width] * (block * (1 << k) - n)
        weights, columns, factors = (FrVector.random(m) for m in (1 << k, rows.width, block))
        w, c, u = weights.to_ints(), columns.to_ints(), factors.to_ints()
        combined = rows.combine(weights, block).to_ints()
        for j in range(min(block, n)):
            for i in range(rows.width):
                total = sum(w[a] * table[a * block + j][i] for a in range(1 << k))
                assert combined[j * rows.width + i] == total % R
        gram = rows.gram(block, 1 << k, columns, factors)
        for a in range(1 << k):
            for b in range(1 << k):
                total = sum(
                    u[j] * c[i] * table[a * block + j][i] * table[b * block + j][i]
                    for j in range(block)
                    for i in range(rows.width)
                )
                assert gram[a][b] == total % R


def test_wide_sums_at_their_limit():
    """Rows of 2^63 − 1 and weights stored as 2r − 1, more terms than one wide sum may have."""
    n, r_inverse = 2 * MAX_TERMS + 1, pow(1 << BODY.radix_bits, -1, R)
    weights = FrVector.zeros(n)
    for k in range(LIMBS):
        weights.data[k, :n] = (2 * R - 1) >> (BODY.bits * k) & ((1 << BODY.bits) - 1)
    for v, u in ((2**63 - 1, 2**64 - 1), (-(2**63), 0), (-1, 2**63 - 1)):
        matrix = np.full((n, 8), v)
        acc = FrVector.zeros(8)
        integers.bind_integers(matrix, 8 // LANES, weights.data, acc.data, 0, 0, n)
        # what is stored is (2r − 1)·u/R each; an element's value is what is stored, over R
        expected = n * (2 * R - 1) * u * r_inverse * r_inverse % R
        assert acc.to_ints() == [expected] * 8
    wide = np.full((2, 8 * MAX_TERMS * LANES + 8), 2**63 - 1)
    columns = FrVector.zeros(wide.shape[1])
    columns.data[:] = weights.data[:, :1]
    value = columns[0]
    rows = Rows.from_int64(wide)
    total = value * (2**63 - 1) * wide.shape[1]
    assert rows.dot(columns).to_ints() == [total % R] * 2
    gram = rows.gram(1, 2, columns, FrVector.from_ints([3]))
    assert gram == [[3 * total * (2**63 - 1) % R] * 2] * 2


def test_too_many_blocks_are_refused():
    rows = Rows.from_int64(np.ones((MAX_TERMS + 1, 8), np.int64))
    assert rows.combine(FrVector.from_ints([1] * 512), 2).to_ints()[:8] == [257] * 8
    with pytest.raises(ValueError, match="blocks"):
        rows.combine(FrVector.zeros(MAX_TERMS + 1), 1)


def test_all_entries_as_field_elements():
    for rows, values in both_kinds(5, 11):
        flat = [v % R for row in values for v in [*row, *[0] * (rows.width - 11)]]
        assert rows.to_field().to_ints() == flat


def halves_of(values: list[int]) -> tuple[list[int], list[int]]:
    return values[: len(values) // 2], values[len(values) // 2 :]


def folded(values: list[int], r: int) -> list[int]:
    return [(x + r * (y - x)) % R for x, y in zip(*halves_of(values), strict=True)]


def product_values(a: list[int], b: list[int]) -> list[int]:
    out = []
    for x in (0, 2):
        pairs = zip(folded(a, x), folded(b, x), strict=True)
        out.append(sum(p * q for p, q in pairs) % R)
    return out


@pytest.mark.parametrize("n", [64, 1 << 15])
def test_rounds_of_products(n):
    a, b, r = FrVector.random(n), FrVector.random(n), 12345678901234567890 << 64
    x, y = a.to_ints(), b.to_ints()
    half = n // 2 // LANES
    sums = sums_of_slots(
        half,
        8,
        2,
        lambda acc, s, i, j: kernels.product_sums(a.data, b.data, half, acc.data, s, i, j),
    )
    assert sums == product_values(x, y)
    factor, quarter = FrVector.from_ints([r]), half // 2
    sums = sums_of_slots(
        quarter,
        8,
        2,
        lambda acc, s, i, j: kernels.fold_product_sums(
            a.data, b.data, factor.data, quarter, a.data, b.data, acc.data, s, i, j
        ),
    )
    assert sums == product_values(folded(x, r), folded(y, r))
    assert a.slice(0, n // 2).to_ints() == folded(x, r)  # in place
    assert b.slice(0, n // 2).to_ints() == folded(y, r)


def square_values(t: list[int], columns: list[int], rows: list[int]) -> list[int]:
    out = []
    for x in (0, 2):
        squares = [v * v for v in folded(t, x)]
        weights = [u * w for u in rows for w in columns]
        out.append(sum(s * w for s, w in zip(squares, weights, strict=True)) % R)
    return out


def test_rounds_of_squares():
    width, n_rows, r = 24, 16, R - 3
    t, columns = FrVector.random(width * n_rows), FrVector.random(width)
    rows = FrVector.random(n_rows // 2)
    x, c, u = t.to_ints(), columns.to_ints(), rows.to_ints()
    groups, half = width // LANES, n_rows // 2
    sums = sums_of_slots(
        half,
        1,
        2,
        lambda acc, s, i, j: kernels.square_sums(
            t.data, groups, half, columns.data, rows.data, acc.data, s, i, j
        ),
    )
    assert sums == square_values(x, c, u)
    factor, out = FrVector.from_ints([r]), FrVector.zeros(width * half)
    sums = sums_of_slots(
        half // 2,
        1,
        2,
        lambda acc, s, i, j: kernels.fold_square_sums(
            t.data,
            factor.data,
            groups,
            half // 2,
            out.data,
            columns.data,
            rows.data,
            acc.data,
            s,
            i,
            j,
        ),
    )
    assert sums == square_values(folded(x, r), c, u[: half // 2])
    assert out.to_ints() == folded(x, r)
