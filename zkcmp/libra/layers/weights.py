"""Public weights of openings that are products of smaller ones, so that evaluating them is cheap.

(w_1 ⊗ w_2 ⊗ …)(i_1, i_2, …) = w_1[i_1]·w_2[i_2]·…
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.libra.multilinear.tables import Point, eq, eq_table, evaluate, log_size, outer


@dataclass(frozen=True, eq=False)
class EqOuterWeights:
    """eq(point, ·) ⊗ columns_1 ⊗ columns_2 ⊗ …, each of a power of two of entries."""

    point: Point
    columns: tuple[FrVector, ...]

    def table(self) -> FrVector:
        out = eq_table(self.point)
        for columns in self.columns:
            out = outer(out, columns)
        return out

    def evaluate(self, point: Sequence[int]) -> int:
        n = len(self.point)
        value = eq(self.point, point[:n])
        for columns in self.columns:
            size = log_size(len(columns))
            value = value * evaluate(columns, point[n : n + size]) % FR_MODULUS
            n += size
        return value
