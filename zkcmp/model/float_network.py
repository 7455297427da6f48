"""A float network of the supported layers: what an ONNX file holds before quantisation.

    x_0 = scale · pixel + offset,   x_{l+1} = layer_l(x_l),   label = arg max of the last

Weights are float64 whatever the file stores; layer conventions are those of layers.py.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkcmp.errors import ZkcmpError
from zkcmp.model.architecture import RAW_PIXELS, Normalisation
from zkcmp.model.layers import Conv, Flatten, Square, SumPool
from zkcmp.model.network import Network, group_rows, im2col, sum_windows

FloatArray = NDArray[np.float64]
_BATCH = 256


@dataclass(frozen=True, eq=False)
class FloatConv:
    """weight (out_channels, in_channels / groups, kh, kw), bias (out_channels,), both float64."""

    weight: FloatArray = field(repr=False)
    bias: FloatArray = field(repr=False)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)

    def integer_layer(self, weight_bits: int, bias_bits: int) -> Conv:
        """The integer layer of the same shape."""
        out_channels, in_channels, height, width = map(int, self.weight.shape)
        return Conv(
            in_channels * self.groups,
            out_channels,
            (height, width),
            self.stride,
            self.padding,
            weight_bits,
            bias_bits,
            self.groups,
            self.dilation,
        )


@dataclass(frozen=True, eq=False)
class FloatDense:
    """weight (out_features, in_features), bias (out_features,), both float64."""

    weight: FloatArray = field(repr=False)
    bias: FloatArray = field(repr=False)


FloatLayer = FloatConv | FloatDense | SumPool | Square | Flatten


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """Layers and how raw pixels enter them.

    input_bits: width of the unsigned pixels, None when the file does not say.
    weight_bits: widths the weight tensors were trained for, None when the file does not say.
    integer: the integer network itself, when the file is an export of one.
    """

    input_shape: tuple[int, int, int]
    layers: tuple[FloatLayer, ...]
    input_bits: int | None = None
    normalisation: Normalisation = RAW_PIXELS
    weight_bits: tuple[int, ...] | None = None
    integer: Network | None = None

    def forward(self, images: NDArray[Any]) -> FloatArray:
        """Float logits (n, n_classes) of raw pixel images (n, C, H, W)."""
        if images.shape[1:] != self.input_shape:
            raise ZkcmpError(f"images must have shape (n, *{self.input_shape})")
        starts = range(0, max(len(images), 1), _BATCH)
        return np.concatenate([self._forward(images[i : i + _BATCH]) for i in starts])

    def _forward(self, images: NDArray[Any]) -> FloatArray:
        scale, offset = (
            np.array(values).reshape(-1, 1, 1)
            for values in (self.normalisation.scales, self.normalisation.offsets)
        )
        value: FloatArray = images.astype(np.float64) * scale + offset
        for layer in self.layers:
            if isinstance(layer, FloatConv):
                value = _conv(layer, value)
            elif isinstance(layer, FloatDense):
                value = value @ layer.weight.T + layer.bias
            elif isinstance(layer, SumPool):
                value = sum_windows(value, layer)
            elif isinstance(layer, Square):
                value = value * value
            else:
                value = value.reshape(len(value), math.prod(value.shape[1:]))
        return value

    def predict(self, images: NDArray[Any]) -> NDArray[np.int64]:
        """Labels (n,) of raw pixel images."""
        labels: NDArray[np.int64] = np.argmax(self.forward(images), axis=1).astype(np.int64)
        return labels


def _conv(layer: FloatConv, value: FloatArray) -> FloatArray:
    integer = layer.integer_layer(8, 8)
    weights = layer.weight.reshape(layer.groups, -1, integer.fan_in)
    groups = group_rows(im2col(value, integer), integer)
    parts = [rows @ weight.T for rows, weight in zip(groups, weights, strict=True)]
    shape = integer.output_shape(value.shape[1:])
    out = np.concatenate(parts, axis=1) + layer.bias
    return out.reshape(len(value), *shape[1:], shape[0]).transpose(0, 3, 1, 2)
