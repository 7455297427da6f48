"""The layers of an integer network: their shapes, their declared widths, their limits.

    conv    y[o, i, j] = bias[o] + Σ weight[o, c, a, b] · x[g + c, i', j'],
                         i' = sh·i + dh·a − top,  j' = sw·j + dw·b − left
    dense   y[o]       = bias[o] + Σ_i weight[o, i] · x[i]
    sumpool y[c, i, j] = Σ x[c, sh·i + a, sw·j + b], a window's average but for the division
    square  y          = x · x, element by element
    flatten (C, H, W) -> (C·H·W,), row-major

The channels of a convolution may fall into groups: output o reads those of its own group, from
g = (o // (O / groups)) · (C / groups) on. x outside the image is 0. A tensor of declared width b
holds integers in [−2^(b−1), 2^(b−1) − 1].
Layers come from untrusted offers, so every field is bounded here, before anything is allocated.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from zkcmp.errors import ZkcmpError

Shape = tuple[int, ...]

MAX_DIM = 1 << 16
MAX_VOLUME = 1 << 24  # values in one layer's input, output or weight tensor
MAX_PATCHES = 1 << 26  # values of one image's convolution patches (what evaluation allocates)
MAX_PRODUCTS = 1 << 34  # multiplications a network may need for one image
MAX_TENSOR_BITS = 62  # so that every tensor fits int64, and 2·value too
MAX_INPUT_BITS = 16


def require_int(name: str, value: object, low: int, high: int) -> None:
    """Raises ZkcmpError unless `value` is a true int in [low, high]."""
    if type(value) is not int or not low <= value <= high:
        raise ZkcmpError(f"{name} must be an integer from {low} to {high}")


def _require_ints(name: str, values: object, length: int, low: int, high: int) -> None:
    if type(values) is not tuple or len(values) != length:
        raise ZkcmpError(f"{name} must be {length} integers")
    for value in values:
        require_int(name, value, low, high)


def require_shape(name: str, shape: Shape) -> None:
    """Raises ZkcmpError when a dimension or the volume is out of the accepted range."""
    _require_ints(name, shape, len(shape), 1, MAX_VOLUME)
    if prod(shape) > MAX_VOLUME:
        raise ZkcmpError(f"{name} {shape} holds more than {MAX_VOLUME} values")


@dataclass(frozen=True)
class TensorSpec:
    """One sealed tensor: shape as stored, `bits` its declared two's-complement width."""

    name: str
    shape: Shape
    bits: int

    @property
    def size(self) -> int:
        """How many integers the tensor holds."""
        return prod(self.shape)

    @property
    def low(self) -> int:
        """The smallest value of the declared width."""
        return -(1 << (self.bits - 1))

    @property
    def high(self) -> int:
        """The largest value of the declared width."""
        return (1 << (self.bits - 1)) - 1


@dataclass(frozen=True)
class Conv:
    """Convolution; weight (out_channels, in_channels / groups, kh, kw), bias (out_channels,)."""

    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, left, bottom, right
    weight_bits: int
    bias_bits: int
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)
    kind: ClassVar[str] = "conv"

    def __post_init__(self) -> None:
        require_int("conv in_channels", self.in_channels, 1, MAX_DIM)
        require_int("conv out_channels", self.out_channels, 1, MAX_DIM)
        _require_ints("conv kernel", self.kernel, 2, 1, MAX_DIM)
        _require_ints("conv stride", self.stride, 2, 1, MAX_DIM)
        _require_ints("conv padding", self.padding, 4, 0, MAX_DIM)
        require_int("conv weight_bits", self.weight_bits, 1, MAX_TENSOR_BITS)
        require_int("conv bias_bits", self.bias_bits, 1, MAX_TENSOR_BITS)
        require_int("conv groups", self.groups, 1, MAX_DIM)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ZkcmpError("conv groups must divide in_channels and out_channels")
        _require_ints("conv dilation", self.dilation, 2, 1, MAX_DIM)
        for size, dilation in zip(self.kernel, self.dilation, strict=True):
            if size == 1 and dilation != 1:  # one network, one encoding
                raise ZkcmpError("conv dilation must be 1 where the kernel is 1")
        require_shape("conv weight", self.weight_shape)
        top, left, bottom, right = self.padding
        height, width = self.extent
        if max(top, bottom) >= height or max(left, right) >= width:
            raise ZkcmpError("conv padding must be smaller than the kernel")

    @property
    def weight_shape(self) -> Shape:
        """Shape of the weight tensor."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel)

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first pixel that an output reads to the last."""
        return (
            self.dilation[0] * (self.kernel[0] - 1) + 1,
            self.dilation[1] * (self.kernel[1] - 1) + 1,
        )

    @property
    def fan_in(self) -> int:
        """How many products one output sums."""
        return prod(self.weight_shape[1:])

    def tensors(self, prefix: str) -> list[TensorSpec]:
        """Weight, then bias."""
        return [
            TensorSpec(f"{prefix}.weight", self.weight_shape, self.weight_bits),
            TensorSpec(f"{prefix}.bias", (self.out_channels,), self.bias_bits),
        ]

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an input of `shape`; raises ZkcmpError when it does not fit."""
        if len(shape) != 3 or shape[0] != self.in_channels:
            raise ZkcmpError(f"a convolution of {self.in_channels} channels cannot read {shape}")
        top, left, bottom, right = self.padding
        height, width = shape[1] + top + bottom, shape[2] + left + right
        if height < self.extent[0] or width < self.extent[1]:
            raise ZkcmpError(
                f"a {self.extent} kernel does not fit a padded {(height, width)} image"
            )
        if shape[1] < self.dilation[0] or shape[2] < self.dilation[1]:
            raise ZkcmpError(f"dilation {self.dilation} steps over a whole {shape[1:]} image")
        return (
            self.out_channels,
            (height - self.extent[0]) // self.stride[0] + 1,
            (width - self.extent[1]) // self.stride[1] + 1,
        )


@dataclass(frozen=True)
class Dense:
    """Fully connected layer; weight (out_features, in_features), bias (out_features,)."""

    in_features: int
    out_features: int
    weight_bits: int
    bias_bits: int
    kind: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        require_int("dense in_features", self.in_features, 1, MAX_VOLUME)
        require_int("dense out_features", self.out_features, 1, MAX_DIM)
        require_int("dense weight_bits", self.weight_bits, 1, MAX_TENSOR_BITS)
        require_int("dense bias_bits", self.bias_bits, 1, MAX_TENSOR_BITS)
        if self.in_features * self.out_features > MAX_VOLUME:
            raise ZkcmpError(f"dense weight holds more than {MAX_VOLUME} values")

    @property
    def weight_shape(self) -> Shape:
        """Shape of the weight tensor."""
        return (self.out_features, self.in_features)

    @property
    def fan_in(self) -> int:
        """How many products one output sums."""
        return self.in_features

    def tensors(self, prefix: str) -> list[TensorSpec]:
        """Weight, then bias."""
        return [
            TensorSpec(f"{prefix}.weight", self.weight_shape, self.weight_bits),
            TensorSpec(f"{prefix}.bias", (self.out_features,), self.bias_bits),
        ]

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an input of `shape`; raises ZkcmpError when it does not fit."""
        if shape != (self.in_features,):
            raise ZkcmpError(f"a dense layer of {self.in_features} inputs cannot read {shape}")
        return (self.out_features,)


@dataclass(frozen=True)
class SumPool:
    """The sums over windows of every channel; windows lie inside the image."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    kind: ClassVar[str] = "sumpool"

    def __post_init__(self) -> None:
        _require_ints("sumpool kernel", self.kernel, 2, 1, MAX_DIM)
        _require_ints("sumpool stride", self.stride, 2, 1, MAX_DIM)

    @property
    def fan_in(self) -> int:
        """How many values one output sums."""
        return prod(self.kernel)

    def tensors(self, prefix: str) -> list[TensorSpec]:
        """No weights."""
        return []

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output for an input of `shape`; raises ZkcmpError when it does not fit."""
        if len(shape) != 3:
            raise ZkcmpError(f"sumpool reads an image (C, H, W), not {shape}")
        if shape[0] > MAX_DIM:
            raise ZkcmpError(
                f"a sum pool reads at most {MAX_DIM} channels, not {shape[0]}; give the network "
                "images that are pooled already, and leave this layer out"
            )
        if shape[1] < self.kernel[0] or shape[2] < self.kernel[1]:
            raise ZkcmpError(f"a {self.kernel} window does not fit a {shape[1:]} image")
        sizes = zip(shape[1:], self.kernel, self.stride, strict=True)
        return (shape[0], *((size - kernel) // stride + 1 for size, kernel, stride in sizes))

    def as_conv(self, channels: int) -> Conv:
        """The convolution, a group a channel, that is this layer when its weights are 1."""
        return Conv(
            channels, channels, self.kernel, self.stride, (0, 0, 0, 0), 2, 1, groups=channels
        )


@dataclass(frozen=True)
class Square:
    """Every value times itself."""

    kind: ClassVar[str] = "square"

    def tensors(self, prefix: str) -> list[TensorSpec]:
        """No weights."""
        return []

    def output_shape(self, shape: Shape) -> Shape:
        """The input's shape."""
        return shape


@dataclass(frozen=True)
class Flatten:
    """(C, H, W) to (C·H·W,), row-major; a no-op on the values."""

    kind: ClassVar[str] = "flatten"

    def tensors(self, prefix: str) -> list[TensorSpec]:
        """No weights."""
        return []

    def output_shape(self, shape: Shape) -> Shape:
        """All dimensions merged to one; raises ZkcmpError unless there are three."""
        if len(shape) != 3:
            raise ZkcmpError(f"flatten reads an image (C, H, W), not {shape}")
        return (prod(shape),)


Layer = Conv | Dense | SumPool | Square | Flatten
LayerKind = type[Conv] | type[Dense] | type[SumPool] | type[Square] | type[Flatten]
LAYER_KINDS: dict[str, LayerKind] = {
    cls.kind: cls for cls in (Conv, Dense, SumPool, Square, Flatten)
}
