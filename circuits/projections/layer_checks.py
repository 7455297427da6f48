"""One linear layer, held for all images at once on sums over the images (image_sums.py).

    Σ_a w_oa·x̄_pixel(p,a) + U·b_o = ȳ_op                      DIRECT: a product a tap

    Σ_a w_oa·s^(D−d_a)·G_a + b_o·U·Σ_p s^(e(p)+D) = Σ_p s^(e(p)+D)·ȳ_op          PROJECTED,
    G_a = Σ_p s^(e(p)+d_a)·x̄_pixel(p,a)                                          for convolutions

In the second form the positions of one channel are added up with powers of a second challenge s.
The exponent is the place of the pixel in the padded image: e(p) of the first pixel that position p
reads, d_a how much further tap a lies, D the last d_a. So s^(e(p)+d_a)·x̄ is the same wire for all
taps that read that pixel, and G_a is linear in them; both sides are taken times s^D, so that no
power is negative. With i inputs, f taps and p positions, o channels cost i + o·(f + p + 1) + f + 1
constraints instead of o·p·(f + 1). The error is a polynomial in u and s of degree below n + the
size of the padded image: the e(p) are distinct.

An input that is 0 in every image is no wire, and its taps are left out. The groups of channels of a
convolution are layers of their own. A sum pool has no products: a row an output,

    Σ_a x̄_pixel(p,a) = ȳ_cp                                  WINDOWS
"""

from dataclasses import dataclass

import numpy as np

from circuits.projections.constant_images import tap_inputs
from circuits.projections.image_sums import ImagePowers
from circuits.second_round import FieldSignals, SecondRound, grouped, row_sums
from circuits.signals import Signals
from circuits.window_shape import WindowShape
from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import IntArray, LinearCombination


@dataclass(frozen=True)
class LayerSums:
    """Inputs of a layer summed over the images: the inputs that are not dead, and their numbers."""

    signals: FieldSignals
    inputs: IntArray

    def place(self, n_inputs: int) -> IntArray:
        """For every input its place among the signals, −1 if it is dead; then −1 for padding."""
        place = np.full(n_inputs + 1, -1)
        place[self.inputs] = np.arange(len(self.inputs))
        return place

    def group(self, index: int, size: int) -> "LayerSums":
        """Those of the `index`-th run of `size` inputs, numbered from 0."""
        inside = np.flatnonzero(self.inputs // size == index)
        return LayerSums(self.signals.take(inside), self.inputs[inside] - index * size)


class LayerCheck:
    """The check of one layer; weights (channels, fan_in), biases (channels,)."""

    def __init__(
        self, powers: ImagePowers, name: str, shape: WindowShape, weight: Signals, bias: Signals
    ):
        self.powers, self.second, self.system = powers, powers.second, powers.second.system
        self.name, self.shape = name, shape
        self.weights = weight.wires.reshape(shape.out_channels, shape.fan_in)
        self.biases = self.second.committed(bias.wires)

    def direct(self, sums: LayerSums, outputs: LinearCombination) -> None:
        """Holds the sums of the outputs, one row each, to those of the inputs."""
        products, output = self._products(sums)
        self._add_up(outputs, products, output)

    def derived(self, sums: LayerSums) -> FieldSignals:
        """The sums of the outputs as wires, where the outputs themselves have none."""
        products, output = self._products(sums)
        total, biases = self._bias_factors()
        values = total.times(biases)
        if products.values is not None and values is not None:
            counts = np.bincount(output, minlength=self.shape.n_outputs)
            values = values + row_sums(counts, np.arange(len(output)), products.values)
        made = self.second.private(self.shape.n_outputs, f"{self.name} sums", values)
        self._add_up(self.system.wires(made.wires), products, output)
        return made

    def _products(self, sums: LayerSums) -> tuple[FieldSignals, IntArray]:
        """Weight times input for every tap, and the output that each belongs to."""
        channels, positions = self.shape.out_channels, self.shape.n_positions
        place = sums.place(self.shape.n_inputs)[tap_inputs(self.shape)]
        position, tap = np.nonzero(place >= 0)
        inputs = sums.signals.take(np.tile(place[position, tap], channels))
        weights = self.second.committed(self.weights[:, tap])
        name = f"{self.name} products"
        output = (np.arange(channels)[:, None] * positions + position).reshape(-1)
        return self.second.product(name, name, inputs, weights), output

    def _bias_factors(self) -> tuple[FieldSignals, FieldSignals]:
        """U and the bias, for every output."""
        shape = self.shape
        total = self.powers.total.take(np.zeros(shape.n_outputs, np.int64))
        return total, self.biases.take(np.repeat(np.arange(shape.out_channels), shape.n_positions))

    def _add_up(self, outputs: LinearCombination, products: FieldSignals, output: IntArray) -> None:
        total, biases = self._bias_factors()
        rest = outputs + self.system.combination(output, products.wires, -1, self.shape.n_outputs)
        wires = self.system.wires
        self.system.enforce(self.name, wires(total.wires), wires(biases.wires), rest)

    def projected(
        self, sums: LayerSums, outputs: LinearCombination, values: FrVector | None, s: FieldSignals
    ) -> None:
        """The same with the positions of each channel added up; values: of the outputs' sums;
        s: powers of the challenge.
        """
        second, system, shape = self.second, self.system, self.shape
        channels, positions = shape.out_channels, shape.n_positions
        width = shape.columns.n_padded
        windows, used = self._windows(sums, s)
        weights = second.committed(self.weights[:, used])
        name = f"{self.name} products"
        products = second.product(
            name, name, windows.take(np.tile(np.arange(len(used)), channels)), weights
        )
        row, column = np.indices((shape.rows.n_outputs, shape.columns.n_outputs)).reshape(2, -1)
        first = row * shape.rows.stride * width + column * shape.columns.stride
        place = s.take(first + self._reach(shape.fan_in - 1))
        every = np.tile(np.arange(positions), channels)
        terms = self._times(f"{self.name} positions", outputs, values, place.take(every))
        total = None
        if place.values is not None:
            total = FrVector.from_ints([place.values.sum()]) * self.powers.total.known
        bias = second.private(1, f"{self.name} bias", total)
        wires = system.wires
        system.enforce(
            f"{self.name} bias",
            wires(self.powers.total.wires),
            wires(place.wires).total(),
            wires(bias.wires),
        )
        rest = grouped(system, terms.wires.reshape(channels, positions)) + grouped(
            system, products.wires.reshape(channels, len(used)), -1
        )
        all_biases = wires(np.repeat(bias.wires, channels))
        system.enforce(self.name, all_biases, wires(self.biases.wires), rest)

    def _reach(self, tap: IntArray | int) -> IntArray:
        """d_a: how far tap a is from the first one, in the padded image."""
        rows, columns = self.shape.rows, self.shape.columns
        row, column = np.divmod(np.asarray(tap) % (rows.kernel * columns.kernel), columns.kernel)
        reach: IntArray = rows.dilation * row * columns.n_padded + columns.dilation * column
        return reach

    def _windows(self, sums: LayerSums, s: FieldSignals) -> tuple[FieldSignals, IntArray]:
        """s^(D − d_a)·G_a for every kernel position a in use, and which those are."""
        shape, name = self.shape, self.name
        rows, columns = shape.rows, shape.columns
        _, row, column = np.unravel_index(
            sums.inputs, (shape.channels, rows.n_inputs, columns.n_inputs)
        )
        exponent = (row + rows.before) * columns.n_padded + column + columns.before
        terms = self.second.product(
            f"{name} inputs", f"{name} inputs", sums.signals, s.take(exponent)
        )
        place = sums.place(shape.n_inputs)[tap_inputs(shape)].T
        tap, position = np.nonzero(place >= 0)
        used, window, counts = np.unique(tap, return_inverse=True, return_counts=True)
        members = place[tap, position]
        added = None
        if terms.values is not None:
            added = row_sums(counts, members, terms.values)
        total = self.system.combination(window, terms.wires[members], None, len(used))
        shift = self._reach(shape.fan_in - 1) - self._reach(used)
        return self._times(f"{name} windows", total, added, s.take(shift)), used

    def _times(
        self, name: str, rows: LinearCombination, values: FrVector | None, factor: FieldSignals
    ) -> FieldSignals:
        """Wires for rows · factor."""
        known = None if values is None else values * factor.known
        out = self.second.private(len(factor), name, known)
        wires = self.system.wires
        self.system.enforce(name, rows, wires(factor.wires), wires(out.wires))
        return out


def layer_checks(
    powers: ImagePowers,
    name: str,
    shape: WindowShape,
    weight: Signals,
    bias: Signals,
    sums: LayerSums,
) -> list[tuple[LayerCheck, LayerSums]]:
    """A check for every group of channels, and the sums that it reads."""
    part, own = shape.group, shape.own_channels
    checks = []
    for index in range(shape.groups):
        channels = np.arange(index * own, (index + 1) * own)
        taps = channels[:, None] * part.fan_in + np.arange(part.fan_in)
        check = LayerCheck(powers, name, part, weight.take(taps), bias.take(channels))
        checks.append((check, sums.group(index, part.n_inputs)))
    return checks


class PoolCheck:
    """The check of a sum pool."""

    def __init__(self, second: SecondRound, name: str, shape: WindowShape):
        self.second, self.name = second, name
        first = np.arange(shape.channels)[:, None, None] * shape.group.n_inputs
        self._windows = (first + tap_inputs(shape.group)).reshape(-1, shape.fan_in)

    def windows(self, sums: LayerSums, outputs: LinearCombination) -> None:
        """Holds the sums of the outputs, one row each, to those of all inputs."""
        read = grouped(self.second.system, sums.signals.wires[self._windows])
        self.second.system.enforce(self.name, read, 1, outputs)

    def derived(self, sums: LayerSums) -> FieldSignals:
        """The sums of the outputs as wires."""
        values = None
        if sums.signals.values is not None:
            n, size = self._windows.shape
            values = row_sums(np.full(n, size), self._windows, sums.signals.values)
        made = self.second.private(len(self._windows), f"{self.name} sums", values)
        self.windows(sums, self.second.system.wires(made.wires))
        return made
