"""The integer network: the plain reference that every proof system is checked against.

    logits = F(w, x) over the integers,   label = min{ i : logits_i = max logits }

Evaluation is exact at every size. Which arithmetic a layer uses follows from the static bounds
(bounds.py), never from data: int64 below 2^62, Python ints in object arrays above. Matrix
products run as float64 BLAS calls on limbs small enough that every sum stays below 2^53.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from zkcmp.errors import ZkcmpError
from zkcmp.model.architecture import Architecture, Normalisation
from zkcmp.model.bounds import bounds
from zkcmp.model.layers import Conv, Dense, Flatten, Layer, Square, SumPool, TensorSpec

__all__ = [
    "Architecture",
    "Conv",
    "Dense",
    "Flatten",
    "Layer",
    "Network",
    "Normalisation",
    "Square",
    "SumPool",
    "TensorSpec",
]

IntArray = NDArray[Any]  # int64, or object holding Python ints

_INT64_LIMIT = 1 << 62
_FLOAT_BITS = 53
_BATCH_VALUES = 1 << 23  # patches laid out at once


class Network:
    """An architecture and its integer weights.

    tensors: one int64 array for each entry of `architecture.tensors()`, in that order.
    Raises ZkcmpError when a shape, dtype or value does not match the declaration.
    """

    def __init__(self, architecture: Architecture, tensors: Sequence[NDArray[np.int64]]):
        specs = architecture.tensors()
        if len(tensors) != len(specs):
            raise ZkcmpError(f"the architecture declares {len(specs)} tensors, got {len(tensors)}")
        self.architecture = architecture
        self.tensors = [_checked(spec, t) for spec, t in zip(specs, tensors, strict=True)]
        self._bounds = [(1 << architecture.input_bits) - 1, *bounds(architecture)]

    def __repr__(self) -> str:
        return f"Network({self.architecture.n_weights} weights)"  # weights are the seller's secret

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Network)
            and self.architecture == other.architecture
            and all(map(np.array_equal, self.tensors, other.tensors))
        )

    __hash__ = None  # type: ignore[assignment]  # compared by value and holds arrays

    def layer_outputs(self, images: IntArray) -> list[IntArray]:
        """Every layer's exact output for images (n, C, H, W), each of shape (n, *output shape)."""
        value: IntArray = self._check_images(images)
        tensors = iter(self.tensors)
        outputs = []
        for index, layer in enumerate(self.architecture.layers):
            bound_in, bound_out = self._bounds[index], self._bounds[index + 1]
            if isinstance(layer, Conv):
                value = _conv(layer, value, next(tensors), next(tensors), bound_in, bound_out)
            elif isinstance(layer, Dense):
                value = _affine(value, next(tensors), next(tensors), bound_in, bound_out)
            elif isinstance(layer, SumPool):
                value = sum_windows(_widen(value, bound_out), layer)
            elif isinstance(layer, Square):
                value = _widen(value, bound_out)
                value = value * value
            else:
                value = value.reshape(len(value), prod(value.shape[1:]))
            outputs.append(value)
        return outputs

    def forward(self, images: IntArray) -> IntArray:
        """Exact logits (n, n_classes) for images (n, C, H, W); int64 or object by static bound."""
        images = self._check_images(images)
        batch = max(1, _BATCH_VALUES // self.architecture.n_patches)
        starts = range(0, max(len(images), 1), batch)
        return np.concatenate([self.layer_outputs(images[i : i + batch])[-1] for i in starts])

    def predict(self, images: IntArray) -> NDArray[np.int64]:
        """Labels (n,); a tie goes to the smallest index."""
        logits = self.forward(images)
        if len(logits) == 0:
            return np.zeros(0, dtype=np.int64)
        labels: NDArray[np.int64] = np.argmax(logits, axis=1).astype(np.int64)
        return labels

    def _check_images(self, images: IntArray) -> NDArray[np.int64]:
        array = np.asarray(images)
        if array.dtype.kind not in "iu" or array.shape[1:] != self.architecture.input_shape:
            shape = self.architecture.input_shape
            raise ZkcmpError(f"images must be integers of shape (n, {', '.join(map(str, shape))})")
        if array.size and (int(array.min()) < 0 or int(array.max()) > self._bounds[0]):
            raise ZkcmpError(f"pixels must lie in 0..{self._bounds[0]}; rescale the images")
        return array.astype(np.int64)


def _checked(spec: TensorSpec, tensor: NDArray[np.int64]) -> NDArray[np.int64]:
    if not isinstance(tensor, np.ndarray) or tensor.dtype != np.int64:
        raise ZkcmpError(f"{spec.name} must be an int64 array")
    if tensor.shape != spec.shape:
        raise ZkcmpError(f"{spec.name} must have shape {spec.shape}, got {tensor.shape}")
    if int(tensor.min()) < spec.low or int(tensor.max()) > spec.high:
        raise ZkcmpError(f"{spec.name} has a value outside {spec.bits} signed bits")
    owned = np.array(tensor, order="C")
    owned.setflags(write=False)
    return owned


def _widen(value: IntArray, bound: int) -> IntArray:
    return value if bound < _INT64_LIMIT else value.astype(object)


def _conv(
    layer: Conv,
    value: IntArray,
    weight: NDArray[np.int64],
    bias: NDArray[np.int64],
    bound_in: int,
    bound_out: int,
) -> IntArray:
    patches = im2col(value, layer)
    n, height, width, _ = patches.shape
    weights, biases = weight.reshape(layer.groups, -1, layer.fan_in), bias.reshape(layer.groups, -1)
    parts = [
        _affine(rows, w, b, bound_in, bound_out).reshape(n, height, width, len(b))
        for rows, w, b in zip(group_rows(patches, layer), weights, biases, strict=True)
    ]
    return np.ascontiguousarray(np.concatenate(parts, axis=-1).transpose(0, 3, 1, 2))


def im2col(value: IntArray, layer: Conv) -> IntArray:
    """Patches (n, out_h, out_w, in_channels·kh·kw) of images (n, C, H, W), zero padded.

    Channels come first, so those of a group of the convolution are consecutive.
    """
    top, left, bottom, right = layer.padding
    n, channels, height, width = value.shape
    # np.pad would put numpy's zeros among Python ints, and their sums are bounded
    padded = np.zeros((n, channels, top + height + bottom, left + width + right), value.dtype)
    padded[:, :, top : top + height, left : left + width] = value
    windows = _windows(padded, layer.extent, layer.stride)
    windows = windows[..., :: layer.dilation[0], :: layer.dilation[1]]
    height, width = windows.shape[2:4]
    n_read = layer.groups * layer.fan_in
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, height, width, n_read)


def group_rows(patches: IntArray, layer: Conv) -> list[IntArray]:
    """The patches that each group of channels reads, as rows (n·out_h·out_w, fan_in)."""
    rows = patches.reshape(-1, layer.groups, layer.fan_in)
    return [rows[:, group] for group in range(layer.groups)]


def sum_windows(value: IntArray, layer: SumPool) -> IntArray:
    """The sums of windows of images (n, C, H, W), in the type of `value`."""
    sums: IntArray = _windows(value, layer.kernel, layer.stride).sum(axis=(4, 5))
    return sums


def _windows(value: IntArray, extent: tuple[int, int], stride: tuple[int, int]) -> IntArray:
    """(n, C, out_h, out_w, *extent), a view."""
    windows: IntArray = sliding_window_view(value, extent, axis=(2, 3))  # type: ignore[call-overload]
    return windows[:, :, :: stride[0], :: stride[1]]


def _affine(
    value: IntArray,
    weight: NDArray[np.int64],
    bias: NDArray[np.int64],
    bound_in: int,
    bound_out: int,
) -> IntArray:
    """value (m, k) · weight (o, k)ᵀ + bias, exactly. |value| ≤ bound_in, |result| ≤ bound_out."""
    wide = bound_out >= _INT64_LIMIT
    weight_bits = int(np.abs(weight).max()).bit_length()
    limb_bits = _FLOAT_BITS - weight_bits - weight.shape[1].bit_length()
    if limb_bits < 4:  # weights so wide that limbs of the values alone do not help
        kind: Any = object if wide else np.int64
        product: IntArray = value.astype(kind) @ weight.T.astype(kind) + bias.astype(kind)
        return product
    weight_float = weight.T.astype(np.float64)
    total: IntArray = np.broadcast_to(bias, (len(value), len(bias)))
    total = total.astype(object if wide else np.int64)
    n_limbs = -(-(bound_in.bit_length() + 1) // limb_bits)
    for i in range(n_limbs):
        limb = value >> (limb_bits * i)  # the top limb keeps the sign
        if i + 1 < n_limbs:
            limb = limb & ((1 << limb_bits) - 1)
        part = (limb.astype(np.float64) @ weight_float).astype(np.int64)
        total += part.astype(total.dtype) << (limb_bits * i)
    return total
