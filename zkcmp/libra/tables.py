"""Multilinear extensions as tables of their 2^n values over the hypercube.

    V~(x) = Σ_b V[b]·Π_k (b_k x_k + (1 − b_k)(1 − x_k))

b_1 … b_n are the bits of an index, most significant first, and point[0] belongs to b_1. Binding the
first variable to r halves a table:  fold(V, r)[i] = V[i] + r·(V[i + 2^(n−1)] − V[i]).
"""

from collections.abc import Sequence

import numpy as np

from zkcmp.bn254.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS

Point = list[int]


def halves(table: FrVector) -> tuple[FrVector, FrVector]:
    """The table at first variable 0, and at 1."""
    middle = len(table) // 2
    return table.slice(0, middle), table.slice(middle, 2 * middle)


def fold(table: FrVector, r: int) -> FrVector:
    """The table with its first variable bound to r."""
    low, high = halves(table)
    return low + (high - low) * r


def eq_table(point: Sequence[int]) -> FrVector:
    """eq(point, b) for all b, of length 2^n."""
    table = FrVector.from_ints([1])
    for x in reversed(point):
        high = table * x
        table = FrVector.concat([table - high, high])
    return table


def eq(point: Sequence[int], other: Sequence[int]) -> int:
    """eq(x, y) = Π_k (x_k y_k + (1 − x_k)(1 − y_k))."""
    product = 1
    for x, y in zip(point, other, strict=True):
        product = product * (1 - x - y + 2 * x * y) % FR_MODULUS
    return product


def evaluate(table: FrVector, point: Sequence[int]) -> int:
    """The extension of the table at a point."""
    if len(table) != 1 << len(point):
        raise ValueError(f"{len(table)} values are not a table of {len(point)} variables")
    return (table * eq_table(point)).sum()


def below(n: int, point: Sequence[int]) -> int:
    """The extension of the indicator of {b : b < n} at a point, 0 ≤ n ≤ 2^len(point)."""
    if n == 1 << len(point):
        return 1
    total, prefix = 0, 1
    for k, x in enumerate(point):
        bit = n >> (len(point) - 1 - k) & 1
        if bit:  # all indices with the prefix of n and a 0 here are below n
            total += prefix * (1 - x)
            prefix = prefix * x % FR_MODULUS
        else:
            prefix = prefix * (1 - x) % FR_MODULUS
    return total % FR_MODULUS


def log_size(n: int) -> int:
    """Variables of the smallest table that holds n ≥ 1 values."""
    return (n - 1).bit_length()


def outer(rows: FrVector, columns: FrVector) -> FrVector:
    """rows[i]·columns[j] at i·len(columns) + j."""
    m, n = len(rows), len(columns)
    index = np.arange(m * n)
    return rows.take(index // n) * columns.take(index % n)
