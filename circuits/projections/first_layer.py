"""A first layer over constant images: its outputs are linear in the weights, and cost nothing.

    y_jop = Σ_a x_j,pixel(p,a) · w_oa + b_o

    s = y · y                                       where squares are wanted image by image
    Σ_j (Σ_a x_ja (u^j·w_oa) + u^j·b_o) · y_jop     their sum over the images, BY_IMAGE: n − 1
                                                    products a weight, n an output

The second line has only weights in B. A pixel that is 0 has no entry.
"""

from functools import cached_property

import numpy as np

from circuits.projections.constant_images import CHUNK, ConstantImages, coefficient_ids, tap_inputs
from circuits.projections.image_sums import ImagePowers, closing, image_sums
from circuits.second_round import FieldSignals
from circuits.signals import IntValues, Signals, private, widen
from circuits.window_shape import WindowShape
from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import IntArray, LinearCombination
from zkcmp.r1cs_builder import ConstraintSystem


class LinearForm:
    """The outputs (n, channels, positions) of a linear layer that reads constants."""

    def __init__(
        self,
        system: ConstraintSystem,
        images: ConstantImages,
        shape: WindowShape,
        weight: Signals,
        bias: Signals,
        values: IntValues | None,
    ):
        self.system, self.images, self.shape = system, images, shape
        self.values = None if values is None else values.reshape(len(images), -1)
        channels = shape.out_channels
        # the bias is the last tap of every channel
        self.weights: IntArray = np.concatenate(
            [weight.wires.reshape(channels, -1), bias.wires.reshape(channels, 1)], axis=1
        )
        taps = tap_inputs(shape)
        self._taps = np.concatenate([taps, np.full((len(taps), 1), images.n_inputs)], axis=1)

    @cached_property
    def _ids(self) -> IntArray:
        """Coefficients of all inputs, then that of a bias, then 0 for the padding."""
        ids = coefficient_ids(self.system.table, self.images.values)
        fixed = np.broadcast_to(self.system.table.ids_of([1, 0]), (len(ids), 2))
        return np.concatenate([ids, fixed], axis=1)

    def chunks(self, n: int) -> list[tuple[int, int]]:
        """Ranges of images 0 … n − 1 whose rows are made together."""
        step = max(1, CHUNK // (self._taps.size * self.shape.out_channels))
        return [(i, min(i + step, n)) for i in range(0, n, step)]

    def rows(self, first: int, last: int, weights: IntArray) -> LinearCombination:
        """The forms of images first … last − 1, ordered (channel, image, position).

        weights: wires (images or 1, channels, fan_in + 1), the bias last.
        """
        channels, positions = self.shape.out_channels, self.shape.n_positions
        per_channel = (last - first) * positions
        ids = np.zeros((0, *self._taps.shape), np.int64)
        if not self.system.with_values:
            ids = self._ids[first:last, self._taps]
        image, position, tap = np.nonzero(ids)
        rows = image * positions + position
        chosen = image if len(weights) > 1 else np.zeros_like(image)
        return self.system.combination_of_ids(
            (np.arange(channels)[:, None] * per_channel + rows).reshape(-1),
            np.concatenate([weights[chosen, o, tap] for o in range(channels)]),
            np.tile(ids[image, position, tap], channels),
            channels * per_channel,
        )

    def by_row(self, wires: IntArray) -> IntArray:
        """Wires (images, channels · positions) in the order of `rows`."""
        split = wires.reshape(len(wires), self.shape.out_channels, -1)
        return split.transpose(1, 0, 2).reshape(-1)

    def square_wires(self, gadget: str, bound: int) -> Signals:
        """Squares (n, n_outputs) as wires; bound: what none exceeds."""
        values = None
        if self.values is not None:
            wide = widen(self.values, bound)
            values = wide * wide
        n, size = len(self.images), self.shape.n_outputs
        out = private(self.system, f"{gadget} squares", (n, size), values)
        for first, last in self.chunks(n):
            base = self.rows(first, last, self.weights[None])
            square = self.system.wires(self.by_row(out.wires[first:last]))
            self.system.enforce(gadget, base, base, square)
        return out

    def square_aggregate(self, powers: ImagePowers, name: str) -> FieldSignals:
        """Σ_j u^j·y_j² as wires, image by image."""
        second, n, size = powers.second, len(self.images), self.shape.n_outputs
        scaled = self._scaled_weights(powers, f"{name} scaled weights")
        values = None
        if powers.powers.values is not None:
            y = to_field(self.known)
            values = y * powers.powers.values.take(np.repeat(np.arange(n), size)) * y
        terms, out = image_sums(second, name, n, size, values)
        wires = terms.wires.reshape(n - 1, size)
        for first, last in self.chunks(n - 1):
            self._products(
                name, first, last, scaled, second.system.wires(self.by_row(wires[first:last]))
            )
        self._products(name, n - 1, n, scaled, closing(second, out, wires))
        return out

    @property
    def known(self) -> IntValues:
        """The values. Raises ValueError while constraints are being recorded."""
        if self.values is None:
            raise ValueError("values are not available while constraints are recorded")
        return self.values

    def _scaled_weights(self, powers: ImagePowers, name: str) -> IntArray:
        """u^j·w for every weight and image, (n, channels, fan_in + 1)."""
        second, n = powers.second, len(self.images)
        every = second.committed(np.tile(self.weights.reshape(-1), n - 1))
        images = np.repeat(np.arange(1, n), self.weights.size)
        later = second.product(name, name, powers.powers.take(images), every)
        wires = np.concatenate([self.weights.reshape(-1), later.wires])
        return wires.reshape(n, *self.weights.shape)

    def _products(
        self, name: str, first: int, last: int, scaled: IntArray, result: LinearCombination
    ) -> None:
        left = self.rows(first, last, scaled[first:last])
        self.system.enforce(name, left, self.rows(first, last, self.weights[None]), result)


def to_field(values: IntValues) -> FrVector:
    """Integers of any size as field elements."""
    if values.dtype == object:
        return FrVector.from_ints(values.reshape(-1))
    return FrVector.from_int64(values)
