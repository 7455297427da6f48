"""Batches of linear combinations: row i of a batch is Σ_e coefficient_e · z[wire_e], e in row i.

A batch is three flat arrays (row, wire, coefficient id) in any order, repeated (row, wire) pairs
meaning their sum. Coefficients are ids into one table per constraint system, so an entry costs
three machine words however large the coefficient, and arithmetic on coefficients is done once for
each distinct value. Wires are plain int64 arrays of wire numbers, of any shape.
"""

from collections.abc import Callable, Iterable
from typing import Union

import numpy as np
import numpy.typing as npt

from zkcmp.bn254.params import FR_MODULUS

IntArray = npt.NDArray[np.int64]
Scalars = int | IntArray | list[int]

ZERO_ID, ONE_ID = 0, 1


class CoefficientTable:
    """Distinct field elements in order of first use; 0 and 1 are always entries 0 and 1."""

    def __init__(self) -> None:
        self.values: list[int] = [0, 1]
        self._ids: dict[int, int] = {0: ZERO_ID, 1: ONE_ID}

    def id_of(self, value: int) -> int:
        """The entry of an integer of any size and sign, reduced mod r."""
        value %= FR_MODULUS
        found = self._ids.get(value)
        if found is None:
            found = self._ids[value] = len(self.values)
            self.values.append(value)
        return found

    def ids_of(self, values: Iterable[int] | IntArray) -> IntArray:
        """Entries of many integers; an int64 array is looked up once per distinct value."""
        if isinstance(values, np.ndarray) and values.dtype == np.int64:
            distinct, inverse = np.unique(values.reshape(-1), return_inverse=True)
            return np.array([self.id_of(int(v)) for v in distinct], np.int64)[inverse]
        return np.array([self.id_of(int(v)) for v in values], np.int64)

    def map(self, ids: IntArray, function: Callable[[int], int]) -> IntArray:
        """The entries of function(value) for the values behind `ids`."""
        present = np.flatnonzero(np.bincount(ids, minlength=len(self.values)))
        mapped = np.zeros(len(self.values), np.int64)
        mapped[present] = [self.id_of(function(self.values[i])) for i in present]
        return mapped[ids]

    def combine(self, x: IntArray, y: IntArray, function: Callable[[int, int], int]) -> IntArray:
        """The entries of function(value of x, value of y), pair by pair."""
        distinct, inverse = np.unique((x << 32) | y, return_inverse=True)
        pairs = [(self.values[int(p) >> 32], self.values[int(p) & 0xFFFFFFFF]) for p in distinct]
        return np.array([self.id_of(function(u, v)) for u, v in pairs], np.int64)[inverse]


class LinearCombination:
    """`n` linear combinations over one system's wires; immutable."""

    __slots__ = ("ids", "n", "rows", "table", "wires")

    def __init__(
        self, table: CoefficientTable, n: int, rows: IntArray, wires: IntArray, ids: IntArray
    ):
        self.table, self.n, self.rows, self.wires, self.ids = table, n, rows, wires, ids

    def __len__(self) -> int:
        return self.n

    def _like(self, rows: IntArray, wires: IntArray, ids: IntArray) -> "LinearCombination":
        return LinearCombination(self.table, self.n, rows, wires, ids)

    def __add__(self, other: Union["LinearCombination", Scalars]) -> "LinearCombination":
        if not isinstance(other, LinearCombination):
            other = constants(self.table, other, self.n)
        if other.n != self.n or other.table is not self.table:
            raise ValueError(f"batches of {self.n} and {other.n} rows, or of different systems")
        return self._like(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.wires, other.wires]),
            np.concatenate([self.ids, other.ids]),
        )

    def __mul__(self, factor: Scalars) -> "LinearCombination":
        """Times one integer, or times one integer a row."""
        if isinstance(factor, int):
            return self._like(self.rows, self.wires, self.table.map(self.ids, lambda v: v * factor))
        by_row = self.table.ids_of(factor)
        if len(by_row) != self.n:
            raise ValueError(f"{len(by_row)} factors for {self.n} rows")
        ids = self.table.combine(self.ids, by_row[self.rows], lambda u, v: u * v)
        return self._like(self.rows, self.wires, ids)

    def __neg__(self) -> "LinearCombination":
        return self * -1

    def __sub__(self, other: Union["LinearCombination", Scalars]) -> "LinearCombination":
        if isinstance(other, LinearCombination):
            return self + (-other)
        return self + (-constants(self.table, other, self.n))

    def take(self, index: IntArray) -> "LinearCombination":
        """The chosen rows, in the order given; a row may be chosen several times."""
        order = np.argsort(self.rows, kind="stable")
        starts = np.searchsorted(self.rows[order], np.arange(self.n + 1))
        counts = np.diff(starts)[index]
        rows = np.repeat(np.arange(len(index)), counts)
        offset = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        entries = order[np.repeat(starts[index], counts) + offset]
        return LinearCombination(
            self.table, len(index), rows, self.wires[entries], self.ids[entries]
        )

    def sum_groups(self, group: IntArray, n_groups: int) -> "LinearCombination":
        """Row g of the result is the sum of the rows i with group[i] = g."""
        return LinearCombination(
            self.table, n_groups, np.asarray(group)[self.rows], self.wires, self.ids
        )

    def total(self) -> "LinearCombination":
        """One row: the sum of all."""
        return self.sum_groups(np.zeros(self.n, np.int64), 1)

    def canonical(self) -> "LinearCombination":
        """Sorted by row, then wire; equal pairs merged; zero coefficients dropped."""
        rows, wires, ids = self.rows, self.wires, self.ids
        key = (rows << 32) | wires
        if not (np.diff(key) > 0).all():
            order = np.argsort(key, kind="stable")
            key, ids = key[order], ids[order]
            while True:
                first = np.concatenate([[True], np.diff(key) != 0])
                if first.all():
                    break
                starts = np.flatnonzero(first)
                place = np.arange(len(key)) - starts[np.cumsum(first) - 1]
                odd = np.flatnonzero(place % 2 == 1)
                ids = ids.copy()
                ids[odd - 1] = self.table.combine(ids[odd - 1], ids[odd], lambda u, v: u + v)
                keep = np.ones(len(key), bool)
                keep[odd] = False
                key, ids = key[keep], ids[keep]
            rows, wires = key >> 32, key & 0xFFFFFFFF
        if (ids == ZERO_ID).any():
            keep = ids != ZERO_ID
            rows, wires, ids = rows[keep], wires[keep], ids[keep]
        return self._like(rows, wires, ids)


def constants(table: CoefficientTable, values: Scalars, n: int) -> LinearCombination:
    """n constant rows (entries on wire 0); one integer stands for all rows."""
    if isinstance(values, int):
        ids = np.full(n, table.id_of(values), np.int64)
    else:
        ids = table.ids_of(values)
    if len(ids) != n:
        raise ValueError(f"{len(ids)} constants for {n} rows")
    return LinearCombination(table, n, np.arange(n), np.zeros(n, np.int64), ids)
