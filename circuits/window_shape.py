"""Which inputs a linear layer reads, counted without listing them: conv and dense in one form.

    y[o, p] = bias[o] + Σ_a weight[o, a]·x[pixel(p, a)],    a = (channel, kernel row, column)

A dense layer is a convolution with one position, whose channels are the inputs. A tap (p, a) whose
pixel lies in the padding reads nothing. Rows and columns are independent of each other, so every
count is a product of counts along the two axes.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from zkcmp.model.layers import Conv, Dense, Shape


@dataclass(frozen=True)
class Axis:
    """The rows (or columns) that a kernel of `kernel` rows reads: stride·h + a − before."""

    n_inputs: int
    kernel: int
    stride: int
    before: int
    after: int

    @property
    def n_padded(self) -> int:
        return self.before + self.n_inputs + self.after

    @property
    def n_outputs(self) -> int:
        return (self.n_padded - self.kernel) // self.stride + 1

    @cached_property
    def windows(self) -> list[tuple[int, int]]:
        """The inputs first … last − 1 of each output."""
        starts = (self.stride * h - self.before for h in range(self.n_outputs))
        return [(max(s, 0), min(s + self.kernel, self.n_inputs)) for s in starts]

    @cached_property
    def lengths(self) -> Counter[int]:
        """How many outputs read so many inputs."""
        return Counter(last - first for first, last in self.windows)

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
        for h, (first, last) in enumerate(self.windows):
            start = self.stride * h - self.before
            used.update(range(first - start, last - start))
            if len(used) == self.kernel:
                break
        return len(used)

    def pairs_apart(self, distance: int) -> int:
        """Inputs i such that one window holds both i and i + distance."""
        if self.stride > self.kernel - distance:  # no i is in two windows
            return sum(n * max(length - distance, 0) for length, n in self.lengths.items())
        return max(self.windows[-1][1] - distance - self.windows[0][0], 0)


@dataclass(frozen=True)
class WindowShape:
    """A conv or dense layer over images of `channels` times rows times columns."""

    channels: int
    out_channels: int
    rows: Axis
    columns: Axis

    @classmethod
    def of(cls, layer: Conv | Dense, input_shape: Shape) -> "WindowShape":
        """The layer's shape for inputs of `input_shape`."""
        if isinstance(layer, Dense):
            single = Axis(1, 1, 1, 0, 0)
            return cls(layer.in_features, layer.out_features, single, single)
        top, left, bottom, right = layer.padding
        _, height, width = input_shape
        return cls(
            layer.in_channels,
            layer.out_channels,
            Axis(height, layer.kernel[0], layer.stride[0], top, bottom),
            Axis(width, layer.kernel[1], layer.stride[1], left, right),
        )

    @property
    def fan_in(self) -> int:
        return self.channels * self.rows.kernel * self.columns.kernel

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
