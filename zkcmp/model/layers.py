"""The layers of an integer network: their shapes, their declared widths, their limits.

    conv    y[o, i, j] = bias[o] + Σ weight[o, c, a, b] · x[c, sh·i + a − top, sw·j + b − left]
    dense   y[o]       = bias[o] + Σ_i weight[o, i] · x[i]
    square  y          = x · x, element by element
    flatten (C, H, W) -> (C·H·W,), row-major

x outside the image is 0. A tensor of declared width b holds integers in [−2^(b−1), 2^(b−1) − 1].
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
    """Convolution; weight (out_channels, in_channels, kh, kw), bias (out_channels,)."""

    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, left, bottom, right
    weight_bits: int
    bias_bits: int
    kind: ClassVar[str] = "conv"

    def __post_init__(self) -> None:
        require_int("conv in_channels", self.in_channels, 1, MAX_DIM)
        require_int("conv out_channels", self.out_channels, 1, MAX_DIM)
        _require_ints("conv kernel", self.kernel, 2, 1, MAX_DIM)
        _require_ints("conv stride", self.stride, 2, 1, MAX_DIM)
        _require_ints("conv padding", self.padding, 4, 0, MAX_DIM)
        require_int("conv weight_bits", self.weight_bits, 1, MAX_TENSOR_BITS)
        require_int("conv bias_bits", self.bias_bits, 1, MAX_TENSOR_BITS)
        require_shape("conv weight", self.weight_shape)
        top, left, bottom, right = self.padding
        if max(top, bottom) >= self.kernel[0] or max(left, right) >= self.kernel[1]:
            raise ZkcmpError("conv padding must be smaller than the kernel")

    @property
    def weight_shape(self) -> Shape:
        """Shape of the weight tensor."""
        return (self.out_channels, self.in_channels, *self.kernel)

    @property
    def fan_in(self) -> int:
        """How many products one output sums."""
        return self.in_channels * self.kernel[0] * self.kernel[1]

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
        if height < self.kernel[0] or width < self.kernel[1]:
            raise ZkcmpError(
                f"a {self.kernel} kernel does not fit a padded {(height, width)} image"
            )
        return (
            self.out_channels,
            (height - self.kernel[0]) // self.stride[0] + 1,
            (width - self.kernel[1]) // self.stride[1] + 1,
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


Layer = Conv | Dense | Square | Flatten
LAYER_KINDS: dict[str, type[Conv] | type[Dense] | type[Square] | type[Flatten]] = {
    cls.kind: cls for cls in (Conv, Dense, Square, Flatten)
}
