"""The linear maps between an image's axis and the positions and offsets of a sliding window.

Output position p and offset a read input position i = s·p + d·a − t (s the stride, d the dilation,
t the padding before), where 0 ≤ i < size. A claim at a point binds the positions with e = eq(r, ·):

    by offset:  V ↦ Σ_p e[p]·V[s·p + d·a − t]       for every offset a      (images → kernels)
    by input:   V ↦ Σ_p e[p]·V[(i + t − s·p) / d]   for every input i       (kernels → images)

The two are transposes of each other.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.rows import Rows
from zkcmp.libra.multilinear.tables import Point, eq_table


@dataclass(frozen=True)
class Windows:
    """Windows along one axis: all sizes at least 1."""

    size: int  # of the input
    kernel: int
    stride: int
    before: int  # padding
    n_positions: int
    dilation: int = 1

    def weights(self, point: Point) -> FrVector:
        """e, for the real positions."""
        return eq_table(point).slice(0, self.n_positions)

    def by_offset(self) -> np.ndarray:
        """(kernel, positions): the input that each reads, −1 for the padding."""
        offsets, positions = np.arange(self.kernel)[:, None], np.arange(self.n_positions)
        index = self.stride * positions + self.dilation * offsets - self.before
        return _inside(index, self.size)

    def by_input(self) -> np.ndarray:
        """(size, positions): the offset at which a window reads an input, −1 where it does not."""
        inputs, positions = np.arange(self.size)[:, None], np.arange(self.n_positions)
        offset, rest = np.divmod(inputs + self.before - self.stride * positions, self.dilation)
        return np.where(rest == 0, _inside(offset, self.kernel), -1)


def _inside(index: np.ndarray, size: int) -> np.ndarray:
    return np.where((index >= 0) & (index < size), index, -1)


def map_axis(
    values: FrVector, shape: tuple[int, ...], axis: int, index: np.ndarray, weights: FrVector
) -> tuple[FrVector, tuple[int, ...]]:
    """Σ_p weights[p]·V[…, index[m, p], …] for every m in place of the axis; and the new shape.

    `values` has the entries of `shape` first, row-major.
    """
    outer, size, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
    place = np.arange(outer)[:, None, None, None] * size + index[None, :, None, :]
    place = place * inner + np.arange(inner)[None, None, :, None]
    nothing = prod(shape)
    place = np.where(np.broadcast_to(index[None, :, None, :] < 0, place.shape), nothing, place)
    entries = FrVector.zeros(nothing + 1)
    entries.assign(0, values.slice(0, nothing))
    rows = Rows.from_field(entries.take(place.reshape(-1)), place.size // len(weights))
    wide = FrVector.zeros(rows.width)
    wide.assign(0, weights)
    return rows.dot(wide), (*shape[:axis], len(index), *shape[axis + 1 :])
