"""How a tensor of weights lies in the committed vector: each axis padded to a power of two.

Public weights over its entries, or over its padding, are evaluated at a point axis by axis: padding
takes up to twice the room in each axis, and a verifier must not need it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.libra.multilinear.tables import Point, eq, eq_table, log_size, outer


@dataclass(frozen=True)
class SealedTensor:
    """A tensor of weights as it is committed to: each axis of its shape padded."""

    name: str
    shape: tuple[int, ...]
    bits: int

    @property
    def n_vars(self) -> int:
        return sum(log_size(axis) for axis in self.shape)

    def places(self) -> np.ndarray:
        """The entry of the block for each element, row-major."""
        index = np.zeros(prod(self.shape), np.int64)
        positions = np.unravel_index(np.arange(len(index)), self.shape)
        for axis, position in zip(self.shape, positions, strict=True):
            index = (index << log_size(axis)) | position
        return index

    def block(self, values: np.ndarray) -> np.ndarray:
        """int64 (2^n_vars,), zeros in the padding."""
        out = np.zeros(1 << self.n_vars, np.int64)
        out[self.places()] = values.reshape(-1)
        return out

    def table(self, values: FrVector) -> FrVector:
        """The same for field elements."""
        out = FrVector.zeros(1 << self.n_vars)
        out.data[:, self.places()] = values.data[:, : len(values)]
        return out

    def eq_axes(self, point: Sequence[int]) -> list[FrVector]:
        """eq of a point's part for each axis, at the real positions."""
        parts, at = [], 0
        for axis in self.shape:
            n = log_size(axis)
            parts.append(eq_table(point[at : at + n]).slice(0, axis))
            at += n
        return parts


@dataclass(frozen=True, eq=False)
class EntryWeights:
    """A weight for each element, row-major, and 0 for the padding."""

    tensor: SealedTensor
    values: FrVector

    def table(self) -> FrVector:
        return self.tensor.table(self.values)

    def evaluate(self, point: Sequence[int]) -> int:
        entries = FrVector.from_ints([1])
        for axis in self.tensor.eq_axes(point):
            entries = outer(entries, axis)
        return (self.values * entries).sum()


@dataclass(frozen=True)
class PaddingWeights:
    """eq(point, ·) for the padding, and 0 for the elements."""

    tensor: SealedTensor
    point: Point

    def table(self) -> FrVector:
        outside = np.ones(1 << self.tensor.n_vars, np.int64)
        outside[self.tensor.places()] = 0
        return eq_table(self.point) * FrVector.from_int64(outside)

    def evaluate(self, point: Sequence[int]) -> int:
        inside = 1
        pairs = zip(self.tensor.eq_axes(self.point), self.tensor.eq_axes(point), strict=True)
        for ours, theirs in pairs:
            inside = inside * (ours * theirs).sum() % FR_MODULUS
        return (eq(self.point, point) - inside) % FR_MODULUS
