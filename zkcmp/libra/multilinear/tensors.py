"""Tensors with real shapes, and their multilinear extensions.

    V~(x) = Σ_i V[i]·eq(x, i),   i = (i_0, i_1, …) with the bits of i_0 first

Each axis is padded to a power of two on its own; entries outside the real shape are 0. The first
axis counts images. Only real entries are stored: an image's other axes are one row, and the padding
appears where an extension over them is asked for. Small integers stay int64 (bn254/field/rows.py).
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.rows import Rows
from zkcmp.libra.multilinear.tables import Point, eq_table, evaluate, log_size

Shape = tuple[int, ...]


def log_shape(shape: Sequence[int]) -> list[int]:
    """Variables of each axis."""
    return [log_size(axis) for axis in shape]


def places(shape: Sequence[int]) -> np.ndarray:
    """The index in the padded table of each entry, row-major; int64."""
    index = np.zeros(1, np.int64)
    for axis in shape:
        index = ((index << log_size(axis))[:, None] | np.arange(axis)).reshape(-1)
    return index


def pad_axes(values: FrVector, shape: Sequence[int]) -> FrVector:
    """The table over the padded axes from the entries of `shape`, row-major."""
    out = FrVector.zeros(1 << sum(log_shape(shape)))
    out.data[:, places(shape)] = values.data[:, : prod(shape)]
    return out


class Tensor:
    """shape: (n, …) with n ≥ 1 images; `rows`: an image each, its other axes row-major."""

    def __init__(self, shape: Shape, rows: Rows):
        self.shape, self.rows = tuple(shape), rows

    def __repr__(self) -> str:
        return f"Tensor{self.shape}"  # activations are secret

    @classmethod
    def from_ints(cls, values: np.ndarray) -> "Tensor":
        """Integers (n, …) of any integer dtype, or objects of any size."""
        shape = values.shape
        if values.dtype == object:
            return cls.from_field(FrVector.from_ints(values.reshape(-1)), shape)
        flat = values.astype(np.int64, copy=False).reshape(shape[0], prod(shape[1:]))
        return cls(shape, Rows.from_int64(flat))

    @classmethod
    def from_field(cls, values: FrVector, shape: Shape) -> "Tensor":
        """Field elements, row-major."""
        if len(values) != prod(shape):
            raise ValueError(f"{len(values)} values for a tensor of shape {tuple(shape)}")
        return cls(shape, Rows.from_field(values, shape[0]))

    @property
    def log_shape(self) -> list[int]:
        """Variables of each axis."""
        return log_shape(self.shape)

    @property
    def n_vars(self) -> int:
        return sum(self.log_shape)

    def pad_row(self, row: FrVector) -> FrVector:
        """An image, or what a row became, as a table over the padded axes after the first."""
        return pad_axes(row, self.shape[1:])

    def bind_first_axis(self, weights: FrVector) -> FrVector:
        """Σ_j weights[j]·V[j, …] as a table over the other axes; at least n weights."""
        return self.pad_row(self.rows.bind(weights))

    def row_weights(self, table: FrVector) -> FrVector:
        """A table over the axes after the first, as weights of the stored entries of a row."""
        out = FrVector.zeros(self.rows.width)
        out.assign(0, table.take(places(self.shape[1:])))
        return out

    def evaluate(self, point: Point) -> int:
        """The extension at a point."""
        n = log_size(self.shape[0])
        return evaluate(self.bind_first_axis(eq_table(point[:n])), point[n:])

    def to_field(self) -> FrVector:
        """The entries, row-major, without padding."""
        width = prod(self.shape[1:])
        rows = self.rows.to_field()
        if width == self.rows.width:
            return rows
        out = FrVector.zeros(prod(self.shape))
        entries = rows.data[:, : self.shape[0] * self.rows.width]
        entries = entries.reshape(len(entries), -1, self.rows.width)[:, :, :width]
        out.data[:, : len(out)] = entries.reshape(len(entries), -1)
        return out

    def table(self) -> FrVector:
        """All padded entries."""
        return pad_axes(self.to_field(), self.shape)
