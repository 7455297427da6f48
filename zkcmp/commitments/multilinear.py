"""Tables of multilinear polynomials.

    V~(p) = Σ_i V[i]·eq(p, i),   eq(p, i) = Π_k (bit_k(i) ? p_k : 1 − p_k)

Index bits are most significant first: p[0] belongs to the top bit of i.
"""

from collections.abc import Sequence

from zkcmp.bn254.field.fr import FrVector


def eq_table(point: Sequence[int]) -> FrVector:
    """eq(point, i) for every i of len(point) bits."""
    return suffix_eq_tables(point)[-1]


def suffix_eq_tables(point: Sequence[int]) -> list[FrVector]:
    """The tables of the last 0, 1, …, len(point) entries of the point."""
    tables = [FrVector.from_ints([1])]
    for p in reversed(point):
        high = tables[-1] * p
        tables.append(FrVector.concat([tables[-1] - high, high]))
    return tables
