"""Images as constants of a circuit: what a layer reads of them, and sums over them.

    Σ_j u^j · x_ji                 one linear combination of the powers an input i
    Σ_j u^j · x_ji · x_jk          the same for a pair of inputs

An input that is 0 in every image is dead and left out everywhere. One further input, number
n_inputs, is 1 in every image: it stands beside a bias as the others do beside the weights.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from circuits.second_round import FieldSignals, SecondRound
from circuits.signals import INT64_LIMIT, IntValues
from circuits.window_shape import Reads, WindowShape
from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import CoefficientTable, IntArray
from zkcmp.model.layers import Shape, SumPool
from zkcmp.model.network import sum_windows
from zkcmp.r1cs import SparseMatrix

CHUNK = 1 << 22  # (row, image) pairs looked at together
_DENSE_TABLE = 1 << 24  # values below are numbered by a table, others by sorting


def tap_inputs(shape: WindowShape) -> IntArray:
    """(n_positions, taps) numbers of the inputs that are read, −1 in the padding.

    The taps of all groups, in the order of the channels.
    """
    numbers = []
    for axis in (shape.rows, shape.columns):
        starts = axis.stride * np.arange(axis.n_outputs) - axis.before
        index = starts[:, None] + axis.dilation * np.arange(axis.kernel)
        numbers.append(np.where((index >= 0) & (index < axis.n_inputs), index, -1))
    row, column = numbers[0][:, None, None, :, None], numbers[1][None, :, None, None, :]
    height, width = shape.rows.n_inputs, shape.columns.n_inputs
    channel = np.arange(shape.channels)[:, None, None]
    pixel = (channel * height + row) * width + column
    pixel = np.where((row >= 0) & (column >= 0), pixel, -1)
    return pixel.reshape(shape.n_positions, -1).astype(np.int64)


class ConstantImages:
    """n images of flat inputs, (n, n_inputs) non-negative integers."""

    def __init__(self, values: IntValues):
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_inputs(self) -> int:
        n_inputs: int = self.values.shape[1]
        return n_inputs

    def squared(self) -> "ConstantImages":
        """Every input times itself."""
        wide = self.values
        if wide.size and int(wide.max()) ** 2 >= INT64_LIMIT:
            wide = wide.astype(object)
        return ConstantImages(wide * wide)

    def pooled(self, layer: SumPool, input_shape: Shape) -> "ConstantImages":
        """The sums of their windows."""
        wide = self.values.reshape(len(self), *input_shape)
        if wide.size and int(wide.max()) * layer.fan_in >= INT64_LIMIT:
            wide = wide.astype(object)
        return ConstantImages(sum_windows(wide, layer).reshape(len(self), -1))

    @cached_property
    def live(self) -> np.ndarray:
        """Which inputs are not 0 in every image; bool (n_inputs,)."""
        live: np.ndarray = (self.values != 0).any(axis=0)
        return live

    @cached_property
    def columns(self) -> IntValues:
        """(n_inputs + 1, n): the inputs and the 1 beside the bias, an input a row.

        In the narrowest type that holds all products of two values.
        """
        largest = int(self.values.max())
        kind: Any = np.uint32 if largest < 1 << 16 else np.int64 if largest < 1 << 31 else object
        return np.concatenate([self.values.T, np.ones((1, len(self)), np.int64)]).astype(kind)

    def reads(self, shape: WindowShape, with_pairs: bool) -> Reads:
        """What a layer of this shape reads of these images; no pairs unless they are asked for."""
        pixel = tap_inputs(shape)
        per_input = (self.values != 0).sum(axis=0)
        inside = pixel >= 0
        alive = inside & self.live[pixel]
        pairs = moment_pairs(shape, self) if with_pairs else None
        return Reads(
            int(self.live.sum()),
            int(alive.sum()),
            int(alive.any(axis=0).sum()),
            0 if pairs is None else len(pairs.first),
            0 if pairs is None else len(pairs.position),
            int(per_input.sum()),
            int(per_input[pixel[inside]].sum()),
            0 if pairs is None else int(pairs.entries.sum()),
        )

    def sums(
        self,
        second: SecondRound,
        gadget: str,
        powers: FieldSignals,
        first: IntArray,
        other: IntArray | None,
    ) -> FieldSignals:
        """Σ_j u^j·x_j,first, or Σ_j u^j·x_j,first·x_j,other: new wires, a constraint each."""
        system, n = second.system, len(first)
        chunks = [
            slice(i, min(i + step, n))
            for step in [max(1, CHUNK // len(self))]
            for i in range(0, n, step)
        ]
        values = None
        if powers.values is not None:
            parts = [FrVector.zeros(0)]
            for chunk in chunks:
                counts, images, factors = self._entries(first, other, chunk)
                parts.append(_weighted(counts, images, factors, powers.values))
            values = FrVector.concat(parts)
        out = second.private(n, gadget, values)
        if second.system.with_values:
            return out
        for chunk in chunks:
            counts, images, factors = self._entries(first, other, chunk)
            ids = coefficient_ids(system.table, factors)
            rows = np.repeat(np.arange(len(counts)), counts)
            total = system.combination_of_ids(rows, powers.wires[images], ids, len(counts))
            system.enforce(gadget, system.wires(out.wires[chunk]), 1, total)
        return out

    def _entries(
        self, first: IntArray, other: IntArray | None, chunk: slice
    ) -> tuple[IntArray, IntArray, IntValues]:
        """Of a chunk of rows: nonzero values of each, and the image and value of all of them."""
        values = self.columns[first[chunk]]
        if other is not None:
            values = values * self.columns[other[chunk]]
        nonzero = values != 0
        places = np.flatnonzero(nonzero)
        factors = values.reshape(-1)[places]
        if factors.dtype != object:
            factors = factors.astype(np.int64)
        return nonzero.sum(axis=1), places % len(self), factors


@dataclass(frozen=True)
class MomentPairs:
    """Pairs of inputs (the 1 beside the bias among them) that a layer reads at one position.

    first, second: the inputs of each distinct live pair; entries: in how many images neither is 0;
    position, taps, pair: for each live pair of taps of each position, the number of the pair of
    taps (`tap_pairs`) and that of the pair of inputs.
    """

    first: IntArray
    second: IntArray
    entries: IntArray
    position: IntArray
    taps: IntArray
    pair: IntArray


def tap_pairs(shape: WindowShape) -> tuple[IntArray, IntArray]:
    """The pairs a ≤ b of kernel positions, the bias as the last; that with itself comes last."""
    first, second = np.triu_indices(shape.fan_in + 1)
    return first, second


def moment_pairs(shape: WindowShape, images: ConstantImages) -> MomentPairs:
    """All live pairs but that of the bias with itself, ordered by position."""
    pixel = tap_inputs(shape)
    with_one = np.concatenate([pixel, np.full((len(pixel), 1), images.n_inputs)], axis=1)
    first, second = (taps[:-1] for taps in tap_pairs(shape))
    low, high = with_one[:, first], with_one[:, second]
    position, taps = np.nonzero((low >= 0) & (high >= 0))
    base = images.n_inputs + 1
    keys, pair = np.unique(low[position, taps] * base + high[position, taps], return_inverse=True)
    entries = _common(images, keys // base, keys % base)
    alive = entries > 0
    renumbered = np.cumsum(alive) - 1
    kept = alive[pair]
    return MomentPairs(
        keys[alive] // base,
        keys[alive] % base,
        entries[alive],
        position[kept],
        taps[kept],
        renumbered[pair[kept]],
    )


def _common(images: ConstantImages, first: IntArray, second: IntArray) -> IntArray:
    """In how many images neither of two inputs is 0."""
    nonzero = images.columns != 0
    step = max(1, CHUNK // len(images))
    parts = [
        (nonzero[first[i : i + step]] & nonzero[second[i : i + step]]).sum(axis=1)
        for i in range(0, len(first), step)
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def coefficient_ids(table: CoefficientTable, values: IntValues) -> IntArray:
    """Entries of non-negative integers; small ones without sorting."""
    if values.dtype == object or not values.size or int(values.max()) >= _DENSE_TABLE:
        return table.ids_of(values.reshape(-1)).reshape(values.shape)
    present = np.zeros(int(values.max()) + 1, bool)
    present[values] = True
    ids = np.zeros(len(present), np.int64)
    distinct = np.flatnonzero(present)
    ids[distinct] = [table.id_of(int(v)) for v in distinct]
    return ids[values]


def _weighted(
    counts: IntArray, members: IntArray, factors: IntValues, vector: FrVector
) -> FrVector:
    """Row i is the sum of factor·vector[member] over the next counts[i] pairs."""
    table = CoefficientTable()
    ids = coefficient_ids(table, factors).astype(np.uint32)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    matrix = SparseMatrix(indptr, members.astype(np.uint32), ids)
    return matrix.multiply(FrVector.from_ints(table.values), vector)
