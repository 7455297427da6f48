"""Which inputs a linear layer reads, counted without listing them: conv and dense in one form.

    y[o, p] = bias[o] + Σ_a weight[o, a]·x[pixel(p, a)],    a = (channel, kernel row, column)

A dense layer is a convolution with one position, whose channels are the inputs. A sum pool is one
with a group for every channel, whose weights are 1. A tap (p, a) whose pixel lies in the padding
reads nothing. Rows and columns are independent of each other, so every count is a product of counts
along the two axes. Groups of channels do not share taps: counts of taps are over all groups, as if
each output channel read all of them.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from zkcmp.model.layers import Conv, Dense, Shape, SumPool


@dataclass(frozen=True)
class Axis:
    """The rows (or columns) stride·h + dilation·a − before that a kernel reads, a < kernel."""

    n_inputs: int
    kernel: int
    stride: int
    before: int
    after: int
    dilation: int = 1

    @property
    def n_padded(self) -> int:
        return self.before + self.n_inputs + self.after

    @property
    def n_outputs(self) -> int:
        return (self.n_padded - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    @cached_property
    def taps(self) -> list[tuple[int, int]]:
        """The kernel rows first … last − 1 that read an input, of each output."""
        starts = (self.stride * h - self.before for h in range(self.n_outputs))
        return [
            (
                max(-(s // self.dilation), 0),
                min((self.n_inputs - 1 - s) // self.dilation + 1, self.kernel),
            )
            for s in starts
        ]

    @cached_property
    def lengths(self) -> Counter[int]:
        """How many outputs read so many inputs."""
        return Counter(max(last - first, 0) for first, last in self.taps)

    @property
    def n_taps(self) -> int:
        """Pairs (output, kernel row) that read an input."""
        return self.sum_of_lengths(1)

    def sum_of_lengths(self, power: int) -> int:
        """Over the outputs, of how many inputs each reads to a power."""
        return sum(n * length**power for length, n in self.lengths.items())

    @property
    def n_used_taps(self) -> int:
        """Kernel rows that read an input for some output."""
        used: set[int] = set()
        for first, last in self.taps:
            used.update(range(first, last))
            if len(used) == self.kernel:
                break
        return len(used)

    def pairs_apart(self, distance: int) -> int:
        """Inputs i such that one window holds both i and i + distance; for dilation 1."""
        if self.stride > self.kernel - distance:  # no i is in two windows
            return sum(n * max(length - distance, 0) for length, n in self.lengths.items())
        last = self.stride * (self.n_outputs - 1) - self.before + self.taps[-1][1]
        return max(last - distance - (self.taps[0][0] - self.before), 0)


@dataclass(frozen=True)
class WindowShape:
    """A conv or dense layer or a sum pool over images of `channels` times rows times columns."""

    channels: int
    out_channels: int
    rows: Axis
    columns: Axis
    groups: int = 1

    @classmethod
    def of(cls, layer: Conv | Dense | SumPool, input_shape: Shape) -> "WindowShape":
        """The layer's shape for inputs of `input_shape`."""
        if isinstance(layer, Dense):
            single = Axis(1, 1, 1, 0, 0)
            return cls(layer.in_features, layer.out_features, single, single)
        if isinstance(layer, SumPool):
            layer = layer.as_conv(input_shape[0])
        top, left, bottom, right = layer.padding
        _, height, width = input_shape
        return cls(
            layer.in_channels,
            layer.out_channels,
            Axis(height, layer.kernel[0], layer.stride[0], top, bottom, layer.dilation[0]),
            Axis(width, layer.kernel[1], layer.stride[1], left, right, layer.dilation[1]),
            layer.groups,
        )

    @property
    def is_plain(self) -> bool:
        """One group, no dilation: only then are pairs of inputs counted, and forms made."""
        return self.groups == self.rows.dilation == self.columns.dilation == 1

    @property
    def group(self) -> "WindowShape":
        """One of the groups, by itself."""
        return WindowShape(self.channels // self.groups, self.own_channels, self.rows, self.columns)

    @property
    def own_channels(self) -> int:
        """Output channels of a group."""
        return self.out_channels // self.groups

    @property
    def fan_in(self) -> int:
        return self.channels // self.groups * self.rows.kernel * self.columns.kernel

    @property
    def n_inputs(self) -> int:
        return self.channels * self.rows.n_inputs * self.columns.n_inputs

    @property
    def n_positions(self) -> int:
        return self.rows.n_outputs * self.columns.n_outputs

    @property
    def n_outputs(self) -> int:
        return self.out_channels * self.n_positions

    @property
    def n_taps(self) -> int:
        """Taps (p, a) that read an input."""
        return self.channels * self.rows.n_taps * self.columns.n_taps

    @property
    def n_used_taps(self) -> int:
        """Kernel positions a that read an input at some position p."""
        return self.channels * self.rows.n_used_taps * self.columns.n_used_taps

    @property
    def n_tap_pairs(self) -> int:
        """Unordered pairs a ≤ b of taps of one position, over all positions."""
        ordered = self.rows.sum_of_lengths(2) * self.columns.sum_of_lengths(2)
        return (self.channels**2 * ordered + self.n_taps) // 2

    @property
    def n_read_inputs(self) -> int:
        """Inputs that some tap reads."""
        return self.channels * self.rows.pairs_apart(0) * self.columns.pairs_apart(0)

    @property
    def n_read_pairs(self) -> int:
        """Unordered pairs of inputs, equal ones included, that are read at one position."""
        ordered = self.channels**2
        for axis in (self.rows, self.columns):
            apart = [axis.pairs_apart(d) for d in range(axis.kernel)]
            ordered *= 2 * sum(apart) - apart[0]
        return (ordered + self.n_read_inputs) // 2

    @property
    def n_padded(self) -> int:
        """Positions of one channel with its padding: exponents of a projection over positions."""
        return self.rows.n_padded * self.columns.n_padded


@dataclass(frozen=True)
class Reads:
    """What a linear layer reads. The first four count what is not 0 in every image.

    inputs; taps (position, kernel position); kernel positions with such a tap.
    pairs: unordered pairs of inputs, or an input and the bias, that one position reads;
    tap_pairs: the same counted at every position.
    The last three are entries, over all images: nonzero inputs, taps and pairs.
    """

    inputs: int
    taps: int
    used_taps: int
    pairs: int
    tap_pairs: int
    input_entries: int
    tap_entries: int
    pair_entries: int


def all_reads(shape: WindowShape, n: int, with_pairs: bool) -> Reads:
    """What no test set of n images exceeds; exact for a layer whose inputs are wires."""
    pairs = tap_pairs = 0
    if with_pairs:
        pairs = shape.n_read_pairs + shape.n_read_inputs
        tap_pairs = shape.n_tap_pairs + shape.n_taps
    return Reads(
        shape.n_inputs,
        shape.n_taps,
        shape.n_used_taps,
        pairs,
        tap_pairs,
        n * shape.n_inputs,
        n * shape.n_taps,
        n * pairs,
    )
