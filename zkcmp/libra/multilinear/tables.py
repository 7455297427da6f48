"""Multilinear extensions as tables of their 2^n values over the hypercube.

    V~(x) = Σ_b V[b]·Π_k (b_k x_k + (1 − b_k)(1 − x_k))

b_1 … b_n are the bits of an index, most significant first, and point[0] belongs to b_1. Binding the
first variable to r halves a table:  fold(V, r)[i] = V[i] + r·(V[i + 2^(n−1)] − V[i]).
"""

from collections.abc import Sequence

import numpy as np

from zkcmp.bn254.field import fr_kernels
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.sumcheck import table_kernels as kernels
from zkcmp.bn254.threads import parallel_ranges

Point = list[int]

SMALL = 8  # tables of fewer entries are not whole groups of lanes
_LAST = 3  # variables of such a table
_EXPANDED_ALONE = 10
_GRAIN = 1024


def halves(table: FrVector) -> tuple[FrVector, FrVector]:
    """The table at first variable 0, and at 1."""
    middle = len(table) // 2
    return table.slice(0, middle), table.slice(middle, 2 * middle)


def fold(table: FrVector, r: int) -> FrVector:
    """The table with its first variable bound to r."""
    half = len(table) // 2
    if half < SMALL:
        low, high = halves(table)
        return low + (high - low) * r
    out, groups = FrVector.zeros(half), half // LANES
    factor = FrVector.from_ints([r])
    parallel_ranges(
        lambda i, j: kernels.fold_halves(table.data, factor.data, out.data, groups, i, j),
        groups,
        _GRAIN,
    )
    return out


def eq_table(point: Sequence[int]) -> FrVector:
    """eq(point, b) for all b, of length 2^n."""
    last = [1]
    n_first = max(len(point) - _LAST, 0)  # the variables that kernels expand
    for x in reversed(point[n_first:]):
        last = [v * (1 - x) for v in last] + [v * x for v in last]
    if n_first == 0:
        return FrVector.from_ints(last)
    table, factors = FrVector.zeros(1 << len(point)), FrVector.from_ints(point[:n_first])
    table.assign(0, FrVector.from_ints(last))
    alone = max(0, n_first - _EXPANDED_ALONE)  # down to this variable one thread is enough
    kernels.expand_eq_often(table.data, factors.data, n_first - 1, alone, SMALL // LANES)
    for k in range(alone - 1, -1, -1):
        _expand(table, factors, k, len(table) // LANES >> (k + 1))
    return table


def _expand(table: FrVector, point: FrVector, k: int, groups: int) -> None:
    parallel_ranges(
        lambda i, j: kernels.expand_eq(table.data, point.data, k, groups, i, j), groups, _GRAIN
    )


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
    if n % SMALL:
        index = np.arange(m * n)
        return rows.take(index // n) * columns.take(index % n)
    out = FrVector.zeros(m * n)
    parallel_ranges(
        lambda i, j: fr_kernels.outer_powers(columns.data, rows.data, out.data, i, j),
        m * n // LANES,
        _GRAIN,
    )
    return out
