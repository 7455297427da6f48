"""A float network under construction: layers in a chain, and what is not a layer folded into them.

    value = scale · v + shift,   v the output of the last layer (or the pixels)

Products and sums with constants, batch normalisation and the division of an average only change
`scale` and `shift`. They go back into the layer that made v where that is a convolution or dense;
else they wait, and go into the next one:

    W·(scale·v + shift) + b = (W·scale)·v + (b + W·shift)        (scale·v)² = scale²·v²

Shapes are without the batch. `dims` is the shape of v, (C, H, W) or (features,); `axes` says how
the file sees it: for each of its axes the axis of v, or None for an axis of size 1 that v has not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from zkcmp.errors import ZkcmpError
from zkcmp.model.float_network import FloatArray, FloatConv, FloatDense, FloatLayer
from zkcmp.model.layers import Flatten, Shape, Square, SumPool, require_shape

Axes = tuple[int | None, ...]


class UnsupportedError(Exception):
    """Why something in a file cannot become a network; one line, no more."""


class FloatChain:
    """Grows by one operation at a time; after an UnsupportedError it is of no more use."""

    def __init__(self, input_shape: tuple[int, int, int], axes: Axes):
        self.input_shape = input_shape
        self.layers: list[FloatLayer] = []
        self._dims: Shape = input_shape
        self._axes = axes
        self._order: NDArray[np.int64] | None = None  # feature of v for each feature of the file
        self._scale: FloatArray = np.ones(1)  # broadcast over v
        self._shift: FloatArray = np.zeros(1)

    @property
    def seen(self) -> Shape:
        """The value's shape as the file sees it."""
        return tuple(1 if axis is None else self._dims[axis] for axis in self._axes)

    # --- shapes ---

    def transpose(self, order: tuple[int, ...]) -> None:
        """`order`: the axis now at each place, counted without the batch."""
        if sorted(order) != list(range(len(self._axes))):
            raise UnsupportedError(f"a permutation of {len(self._axes)} axes is needed")
        self._axes = tuple(self._axes[i] for i in order)

    def squeeze(self, axes: tuple[int, ...] | None) -> None:
        """Drop axes of size 1, all of them for None."""
        chosen = [i for i, size in enumerate(self.seen) if size == 1] if axes is None else axes
        if any(not 0 <= i < len(self.seen) or self.seen[i] != 1 for i in chosen):
            raise UnsupportedError(f"only axes of size 1 of {self.seen}")
        self._axes = tuple(axis for i, axis in enumerate(self._axes) if i not in chosen)

    def unsqueeze(self, axes: tuple[int, ...]) -> None:
        """Insert axes of size 1 at these places of the result."""
        result: list[int | None] = list(self._axes)
        for i in sorted(axes):
            if not 0 <= i <= len(result):
                raise UnsupportedError(f"no axis {i + 1}")
            result.insert(i, None)
        self._axes = tuple(result)

    def reshape(self, target: Shape) -> None:
        """Another shape of the same values in the file's order; one entry may be −1."""
        size = prod(self.seen)
        rest = prod(d for d in target if d != -1)
        if target.count(-1) == 1 and rest > 0 and size % rest == 0:
            target = tuple(size // rest if d == -1 else d for d in target)
        if any(d < 1 for d in target) or prod(target) != size:
            raise UnsupportedError(f"{self.seen} cannot become {target}")
        if target == self.seen:
            return
        large = [axis for axis, n in zip(self._axes, self.seen, strict=True) if n != 1]
        if [d for d in target if d != 1] == [d for d in self.seen if d != 1]:
            remaining = iter(large)
            self._axes = tuple(None if d == 1 else next(remaining) for d in target)
        elif len(target) == 1:
            self.flatten()
        elif self._untouched and _increasing(large) and len(target) <= 3:
            padded = (1,) * (3 - len(target)) + target
            self.input_shape = self._dims = (padded[0], padded[1], padded[2])
            self._axes = tuple(range(3 - len(target), 3))
        else:
            raise UnsupportedError(f"{self.seen} to {target}, only to (N, all features)")

    def flatten(self) -> None:
        """One axis of features, in the file's order."""
        if len(self._dims) == 3:
            listed = [axis for axis in self._axes if axis is not None]
            listed += [axis for axis in range(3) if axis not in listed]
            numbers = np.arange(prod(self._dims)).reshape(self._dims)
            order = numbers.transpose(listed).reshape(-1)
            self._order = None if (order == np.sort(order)).all() else order
            self._scale = self._spread(self._scale)
            self._shift = self._spread(self._shift)
            self.layers.append(Flatten())
            self._dims = (prod(self._dims),)
        self._axes = (0,)

    @property
    def _untouched(self) -> bool:
        return not self.layers and self._scale.size == 1 and self._shift.size == 1

    def _spread(self, values: FloatArray) -> FloatArray:
        """Entries for every feature of v; a single one stays single."""
        if values.size == 1:
            return values.reshape(1)
        return np.broadcast_to(values, self._dims).reshape(-1).copy()

    def _image(self) -> tuple[int, int, int]:
        """The dims of an image, which the file must see as (C, H, W)."""
        if len(self.seen) != 3:
            raise UnsupportedError(f"reads an image (N, C, H, W), not (N, {_listed(self.seen)})")
        large = [a for a, size in zip(self._axes, self.seen, strict=True) if size != 1]
        if not _increasing(large):
            raise UnsupportedError("reads an image that was transposed; it needs (N, C, H, W)")
        if self._dims != self.seen:
            if not self._untouched or len(self._dims) != 3:
                raise UnsupportedError("reads features that were an image before")
            self.input_shape = self._dims = self.seen  # type: ignore[assignment]
        self._axes = (0, 1, 2)
        return self._dims  # type: ignore[return-value]

    # --- what is folded ---

    def affine(self, scale: FloatArray, shift: FloatArray) -> None:
        """value · scale + shift; constants broadcast against the file's axes, without the batch."""
        scale, shift = self._to_dims(scale), self._to_dims(shift)
        if not self._fold_back(scale, shift):
            self._shift = self._shift * scale + shift
            self._scale = self._scale * scale

    def _to_dims(self, constant: FloatArray) -> FloatArray:
        """Constants in the axes of v, of size 1 where they are all equal."""
        if not np.isfinite(constant).all():
            raise UnsupportedError("a constant is not a finite number")
        if constant.size == 1:
            return constant.reshape(1)
        seen, rank = self.seen, len(self.seen)
        given = constant.shape
        if constant.ndim > rank:
            if constant.ndim > rank + 1 or constant.shape[0] != 1:
                raise _misfit(given, seen)
            constant = constant[0]
        constant = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
        if any(a not in (1, b) for a, b in zip(constant.shape, seen, strict=True)):
            raise _misfit(given, seen)
        if len(self._dims) == 1:
            return self._ordered(np.broadcast_to(constant, seen).reshape(-1))
        kept = [i for i, axis in enumerate(self._axes) if axis is not None]
        squeezed = constant.reshape([constant.shape[i] for i in kept])
        placed = [self._axes[i] for i in kept]
        result = np.transpose(squeezed, np.argsort([a or 0 for a in placed]))
        missing = tuple(axis for axis in range(3) if axis not in placed)
        return np.expand_dims(result, missing)

    def _ordered(self, values: FloatArray) -> FloatArray:
        """The last axis from the file's order of features to that of v."""
        if self._order is None:
            return values
        result = np.empty_like(values)
        result[..., self._order] = values
        return result

    def _fold_back(self, scale: FloatArray, shift: FloatArray) -> bool:
        """Into the layer that made v, seen through sum pools: Σ(s·v + t/K) = s·Σv + t."""
        at = len(self.layers) - 1
        while at >= 0 and isinstance(pool := self.layers[at], SumPool):
            shift = shift / pool.fan_in
            at -= 1
        layer = self.layers[at] if at >= 0 else None
        if not isinstance(layer, FloatConv | FloatDense) or not self._is_plain:
            return False
        if any(v.size > 1 and v.shape[0] != v.size for v in (scale, shift)):
            return False  # not one value a channel
        factors, terms = (np.broadcast_to(v.reshape(-1), layer.bias.shape) for v in (scale, shift))
        weight = layer.weight * factors.reshape(-1, *[1] * (layer.weight.ndim - 1))
        bias = layer.bias * factors + terms
        self.layers[at] = replace(layer, weight=_finite(weight), bias=_finite(bias))
        return True

    @property
    def _is_plain(self) -> bool:
        return bool((self._scale == 1).all()) and not self._shift.any()

    def _of_channels(self, channels: int) -> tuple[FloatArray, FloatArray]:
        """scale and shift, one for each channel."""
        for values in (self._scale, self._shift):
            if values.size > 1 and values.shape[0] != values.size:
                raise UnsupportedError("reads an image changed by a constant that varies over it")
        scale, shift = (
            np.broadcast_to(values.reshape(-1), (channels,))
            for values in (self._scale, self._shift)
        )
        return scale, shift

    def _append(self, layer: FloatLayer, dims: Shape) -> None:
        """A layer that took over scale and shift."""
        self.layers.append(layer)
        self._dims, self._axes, self._order = dims, tuple(range(len(dims))), None
        self._scale, self._shift = np.ones(1), np.zeros(1)

    # --- layers ---

    def conv(self, layer: FloatConv) -> None:
        """A convolution; its weight and bias as in the file."""
        dims = self._image()
        with _refusals():
            shape = layer.integer_layer(8, 8).output_shape(dims)
            require_shape("output", shape)
        scale, shift = self._of_channels(dims[0])
        if shift.any() and any(layer.padding):
            raise UnsupportedError(
                "pads an image that a constant was added to before, so the zeros would stand for "
                "other pixels; use no padding there, or add no constant before (a mean, an offset, "
                "a batch normalisation after a square)"
            )
        fan = layer.weight.shape[1]
        factors, terms = (v.reshape(layer.groups, 1, fan, 1) for v in (scale, shift))
        rows = layer.weight.reshape(layer.groups, -1, fan, prod(layer.weight.shape[2:]))
        bias = layer.bias + (rows * terms).sum(axis=(2, 3)).reshape(-1)
        weight = (rows * factors).reshape(layer.weight.shape)
        self._append(replace(layer, weight=_finite(weight), bias=_finite(bias)), shape)

    def dense(self, weight: FloatArray, bias: FloatArray) -> None:
        """weight (out, in), bias (out,)."""
        if self.seen != (weight.shape[1],):
            raise UnsupportedError(
                f"reads (N, {weight.shape[1]}), but its input has shape (N, {_listed(self.seen)})"
            )
        self.flatten()
        weight = self._ordered(weight)
        bias = bias + (weight * self._shift).sum(axis=1)
        weight = np.ascontiguousarray(weight * self._scale)
        self._append(FloatDense(_finite(weight), _finite(bias)), bias.shape)

    def square(self) -> None:
        """value²."""
        if self._shift.any():
            raise UnsupportedError(
                "squares a value that a constant was added to (a mean, a batch normalisation after "
                "another square); put a convolution or a dense layer between"
            )
        self.layers.append(Square())
        self._scale = self._scale * self._scale

    def average(self, kernel: tuple[int, int], stride: tuple[int, int], divide: bool) -> None:
        """The averages of windows, which are sums and a smaller scale; or just the sums."""
        dims = self._image()
        with _refusals():
            layer = SumPool(kernel, stride)
            shape = layer.output_shape(dims)
        scale, shift = self._of_channels(dims[0])
        size = layer.fan_in
        if layer != SumPool((1, 1), (1, 1)):
            self.layers.append(layer)
        self._dims = shape
        factor = 1 / size if divide else 1.0
        if self._is_plain:
            self.affine(np.array([factor]), np.zeros(1))
        else:
            self._scale = scale.reshape(-1, 1, 1) * factor
            self._shift = shift.reshape(-1, 1, 1) * size * factor

    def mean(self, axes: tuple[int, ...], keep: bool, divide: bool) -> None:
        """Averages (or sums) over axes of the file, which are all rows and columns."""
        if len(self._dims) != 3 or not all(0 <= i < len(self._axes) for i in axes):
            raise UnsupportedError("only over the rows and columns of an image")
        chosen = {self._axes[i] for i in axes}
        if 0 in chosen or any(self._dims[a] > 1 and a not in chosen for a in (1, 2)):
            raise UnsupportedError("only over all rows and columns of an image")
        before, self._axes = self._axes, (0, 1, 2)
        self.average((self._dims[1], self._dims[2]), (1, 1), divide)
        self._axes = before
        if not keep:
            self.squeeze(axes)

    def finish(self) -> tuple[FloatLayer, ...]:
        """All layers; raises UnsupportedError unless the last can be, or be made, dense."""
        if len(self._dims) == 3 and self._dims[1:] == (1, 1):
            self.flatten()
        layers = _dense_last(self.layers, self.input_shape)
        if not layers or not isinstance(layers[-1], FloatDense) or not self._is_plain:
            raise UnsupportedError(
                "the network must end with a dense layer (Gemm or MatMul), whose outputs are the "
                "logits"
            )
        return tuple(layers)


def _dense_last(layers: list[FloatLayer], input_shape: Shape) -> list[FloatLayer]:
    """The same function, a convolution at the end turned into a dense layer where that is exact.

    One that reads the whole image at once is dense; a 1×1 one commutes with the sum over the image.
    """
    pool = layers[-2] if len(layers) > 2 else None
    at = len(layers) - (3 if isinstance(pool, SumPool) else 2)
    conv = layers[at] if at >= 0 else None
    if not isinstance(conv, FloatConv) or not isinstance(layers[-1], Flatten):
        return layers
    shape = input_shape
    for layer in layers[:at]:
        if isinstance(layer, FloatDense):
            return layers
        integer = layer.integer_layer(8, 8) if isinstance(layer, FloatConv) else layer
        shape = integer.output_shape(shape)
    kernel, size = conv.weight.shape[2:], 1
    if conv.groups != 1 or any(conv.padding):
        return layers
    if isinstance(pool, SumPool):
        size = pool.fan_in
        if kernel != (1, 1) or conv.stride != (1, 1) or pool.kernel != shape[1:]:
            return layers
    elif kernel != shape[1:]:
        return layers
    dense = FloatDense(conv.weight.reshape(len(conv.weight), -1), conv.bias * size)
    return [*layers[:at], *layers[at + 1 :], dense]


def _increasing(axes: list[int | None]) -> bool:
    known = [axis for axis in axes if axis is not None]
    return known == sorted(known)


def _listed(shape: Shape) -> str:
    return ", ".join(map(str, shape))


def _misfit(shape: Shape, seen: Shape) -> UnsupportedError:
    return UnsupportedError(f"a constant of shape {shape} for (N, {_listed(seen)})")


def _finite(values: FloatArray) -> FloatArray:
    if not np.isfinite(values).all():
        raise UnsupportedError("its weights become too large for numbers once constants are folded")
    return values


@contextmanager
def _refusals() -> Iterator[None]:
    """What the integer layers refuse, as a refusal of this module."""
    try:
        yield
    except ZkcmpError as error:
        raise UnsupportedError(str(error)) from None
