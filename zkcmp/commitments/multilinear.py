"""Tables of multilinear polynomials.

    V~(p) = Σ_i V[i]·eq(p, i),   eq(p, i) = Π_k (bit_k(i) ? p_k : 1 − p_k)

Index bits are most significant first: p[0] belongs to the top bit of i.
"""

from collections.abc import Sequence

from zkcmp.bn254.fr import FrVector


def eq_table(point: Sequence[int]) -> FrVector:
    """eq(point, i) for every i of len(point) bits."""
    table = FrVector.from_ints([1])
    for p in reversed(point):
        high = table * p
        table = FrVector.concat([table - high, high])
    return table
