"""Batches of linear combinations against dictionaries of Python integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.linear_combination import CoefficientTable, LinearCombination
from zkcmp.r1cs_builder import ConstraintSystem

Rows = list[dict[int, int]]
SCALARS = [0, 1, -1, 2, 7, FR_MODULUS - 1, FR_MODULUS, 1 << 63, -(1 << 64), 1 << 253]


def batch(table: CoefficientTable, entries: list[tuple[int, int, int]], n: int):
    rows, wires, values = (list(x) for x in zip(*entries, strict=True)) if entries else ([],) * 3
    return LinearCombination(
        table, n, np.array(rows, np.int64), np.array(wires, np.int64), table.ids_of(values)
    )


def as_rows(lc: LinearCombination) -> Rows:
    rows: Rows = [{} for _ in range(lc.n)]
    for row, wire, i in zip(lc.rows, lc.wires, lc.ids, strict=True):
        old = rows[row].get(int(wire), 0)
        rows[row][int(wire)] = (old + lc.table.values[i]) % FR_MODULUS
    return [{w: c for w, c in row.items() if c} for row in rows]


def combine(x: Rows, y: Rows, fx: list[int], fy: list[int]) -> Rows:
    out: Rows = []
    for a, b, s, t in zip(x, y, fx, fy, strict=True):
        wires = set(a) | set(b)
        row = {w: (a.get(w, 0) * s + b.get(w, 0) * t) % FR_MODULUS for w in wires}
        out.append({w: c for w, c in row.items() if c})
    return out


N = 4
entries = st.lists(
    st.tuples(st.integers(0, N - 1), st.integers(0, 5), st.sampled_from(SCALARS)), max_size=30
)
scalar = st.sampled_from(SCALARS)


@settings(max_examples=60, deadline=None)
@given(entries, entries, scalar, st.lists(scalar, min_size=N, max_size=N))
def test_arithmetic_equals_dictionaries(first, second, k, by_row):
    table = CoefficientTable()
    x, y = batch(table, first, N), batch(table, second, N)
    px, py = as_rows(x), as_rows(y)
    one, minus = [1] * N, [-1] * N
    assert as_rows(x + y) == combine(px, py, one, one)
    assert as_rows(x - y) == combine(px, py, one, minus)
    assert as_rows(x * k) == combine(px, py, [k] * N, [0] * N)
    assert as_rows(x * by_row) == combine(px, py, by_row, [0] * N)
    assert as_rows(-x) == combine(px, py, minus, [0] * N)
    assert as_rows(x + k) == combine(px, [{0: k}] * N, one, one)
    assert as_rows(x - by_row) == combine(px, [{0: v} for v in by_row], one, minus)


@settings(max_examples=60, deadline=None)
@given(entries, st.lists(st.integers(0, N - 1), max_size=7))
def test_rows_are_taken_and_summed(first, index):
    table = CoefficientTable()
    x = batch(table, first, N)
    px = as_rows(x)
    assert as_rows(x.take(np.array(index, np.int64))) == [px[i] for i in index]
    groups = np.array([1, 0, 1, 2])
    expected = combine(px[0:1], px[2:3], [1], [1])[0]
    assert as_rows(x.sum_groups(groups, 3)) == [px[1], expected, px[3]]
    total = combine(combine(px[0:1], px[1:2], [1], [1]), [expected], [0], [1])
    total = combine(combine(px[1:2], px[3:4], [1], [1]), total, [1], [1])
    assert as_rows(x.total()) == total


@settings(max_examples=60, deadline=None)
@given(entries)
def test_canonical_is_sorted_merged_and_the_same(first):
    table = CoefficientTable()
    x = batch(table, first, N)
    y = x.canonical()
    assert as_rows(y) == as_rows(x)
    keys = list(zip(y.rows.tolist(), y.wires.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert all(table.values[i] for i in y.ids)


def test_coefficients_are_stored_once():
    table = CoefficientTable()
    ids = table.ids_of(np.array([5, -3, 5, 0, 1], np.int64))
    assert [table.values[i] for i in ids] == [5, FR_MODULUS - 3, 5, 0, 1]
    assert table.id_of(5 + FR_MODULUS) == ids[0]
    assert len(table.values) == 4


def test_mismatched_batches_are_refused():
    table, other = CoefficientTable(), CoefficientTable()
    with pytest.raises(ValueError, match="rows"):
        batch(table, [], 3) + batch(table, [], 4)
    with pytest.raises(ValueError, match="systems"):
        batch(table, [], 3) + batch(other, [], 3)
    with pytest.raises(ValueError, match="factors"):
        batch(table, [], 3) * [1, 2]


def test_public_wires_come_first():
    system = ConstraintSystem()
    assert system.public(2, "p", list).tolist() == [1, 2]
    assert system.private(1, "w", list).tolist() == [3]
    with pytest.raises(ValueError, match="before challenges and private wires"):
        system.public(1, "late", list)


def test_values_must_match_their_wires():
    system = ConstraintSystem(with_values=True)
    with pytest.raises(ValueError, match="2 values for 3 wires"):
        system.private(3, "w", lambda: [1, 2])
