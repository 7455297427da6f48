"""The network's values on many images at once, exact and fast: what its layers' proofs start from.

Products run as float64 BLAS calls, whose sums are exact up to 2^53 (float32 up to 2^24). Where the
static bound (model/bounds.py) says no more than that, one call is enough; beyond, values and
weights are cut into limbs, V = Σ_k 2^(t·k)·V_k, and the partial products are added up in int64
while the bound is below 2^62, as field elements above. Bounds decide, never data; model/network.py
is the plain reference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.rows import Rows
from zkcmp.bn254.threads import parallel_map
from zkcmp.libra.multilinear.tensors import Shape, Tensor
from zkcmp.model.layers import Conv, Dense, SumPool

_INT64_LIMIT = 1 << 62
_FLOAT32_LIMIT, _FLOAT64_LIMIT = 1 << 24, 1 << 53
_CHUNK_ENTRIES = 1 << 19  # laid out at once
# BLAS does not spread products of so few multiplications over its threads; with few weights threads
# of ours make such products, as waiting for those of BLAS would cost more than the product
_BLAS_ALONE, _FEW_WEIGHTS = 1 << 18, 1 << 10

# values (images, features) and weights (o, …), floats, to products (images, output features)
Product = Callable[[np.ndarray, np.ndarray], np.ndarray]


def square(tensor: Tensor, bound_out: int) -> Tensor:
    """V², entry by entry."""
    rows = tensor.rows
    data = rows.data
    if isinstance(data, FrVector) or bound_out >= _INT64_LIMIT:
        values = rows.to_field()
        return Tensor(tensor.shape, Rows(values * values, rows.n, rows.width))
    out = np.empty_like(data)
    parallel_map(
        lambda ends: np.square(data[slice(*ends)], out=out[slice(*ends)]),
        _chunks(rows.n, rows.width),
    )
    return Tensor(tensor.shape, Rows(out, rows.n, rows.width))


def dense(
    tensor: Tensor,
    layer: Dense,
    tensors: tuple[np.ndarray, np.ndarray],
    bounds: tuple[int, int],
) -> Tensor:
    """W·V + b for the features of each image, whatever their axes. `tensors` are W and b."""

    def multiply(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        product: np.ndarray = values @ weights.T
        return product

    scale = _Scale(bounds, layer.weight_bits, layer.fan_in)
    weight, bias = tensors
    return _linear(tensor, weight, bias, (layer.out_features,), multiply, scale, layer.fan_in)


def conv(
    tensor: Tensor,
    layer: Conv,
    tensors: tuple[np.ndarray, np.ndarray],
    bounds: tuple[int, int],
) -> Tensor:
    """The convolution of each image (C, H, W). `tensors` are weight and bias."""
    shape = tensor.shape[1:]
    out_shape = layer.output_shape(shape)
    n_positions = prod(out_shape[1:])

    def multiply(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        patches = _patches(values.reshape(-1, *shape), layer, out_shape[1:])
        product = np.empty((len(weights), patches.shape[1]), values.dtype)
        step = product.shape[1] if weights.size > _FEW_WEIGHTS else _BLAS_ALONE // weights.size
        groups = [np.split(array, layer.groups) for array in (product, weights, patches)]
        for start in range(0, product.shape[1], step):
            columns = slice(start, start + step)
            for out, own, read in zip(*groups, strict=True):
                out[:, columns] = own @ read[:, columns]
        return product.reshape(prod(out_shape), -1).T

    scale = _Scale(bounds, layer.weight_bits, layer.fan_in)
    weight, bias = tensors[0], np.repeat(tensors[1], n_positions)
    n_entries = max(layer.groups * layer.fan_in * n_positions, prod(shape))
    return _linear(tensor, weight, bias, out_shape, multiply, scale, n_entries)


def sum_pool(tensor: Tensor, layer: SumPool, bounds: tuple[int, int]) -> Tensor:
    """The sums of windows of each image (C, H, W): the convolution whose weights are all 1."""
    ones = layer.as_conv(tensor.shape[1])
    weight, bias = np.ones(ones.weight_shape, np.int64), np.zeros(ones.out_channels, np.int64)
    return conv(tensor, ones, (weight, bias), bounds)


def _patches(images: np.ndarray, layer: Conv, positions: Shape) -> np.ndarray:
    """(c·kh·kw, h·w·images), images last, so that windows are copied in long runs."""
    top, left, bottom, right = layer.padding
    padded = np.pad(images.transpose(1, 2, 3, 0), ((0, 0), (top, bottom), (left, right), (0, 0)))
    height, width = positions
    out = np.empty((images.shape[1], *layer.kernel, height, width, len(images)), images.dtype)
    for a in range(layer.kernel[0]):
        for b in range(layer.kernel[1]):
            top, left = layer.dilation[0] * a, layer.dilation[1] * b
            rows = slice(top, top + layer.stride[0] * (height - 1) + 1, layer.stride[0])
            columns = slice(left, left + layer.stride[1] * (width - 1) + 1, layer.stride[1])
            out[:, a, b] = padded[:, rows, columns]
    return out.reshape(layer.groups * layer.fan_in, -1)


@dataclass(frozen=True)
class _Scale:
    """How far values and weights are cut: bounds of the input and of the output."""

    bounds: tuple[int, int]
    weight_bits: int
    fan_in: int

    @property
    def is_wide(self) -> bool:
        """The output goes beyond int64."""
        return self.bounds[1] >= _INT64_LIMIT

    @property
    def kind(self) -> type[np.floating]:
        return np.float32 if self.bounds[1] <= _FLOAT32_LIMIT else np.float64

    def limb_bits(self) -> tuple[int, int]:
        """Of values, and of weights: fan_in products of two limbs are at most 2^53."""
        value_bits, weight_bits = self.bounds[0].bit_length(), self.weight_bits
        if self.bounds[1] <= _FLOAT64_LIMIT:
            return value_bits, weight_bits
        room = 53 - (self.fan_in - 1).bit_length()
        if weight_bits > room // 2:
            weight_bits = room // 2
        return min(value_bits, room - weight_bits), weight_bits


def _linear(
    tensor: Tensor,
    weight: np.ndarray,
    bias: np.ndarray,
    out_shape: Shape,
    multiply: Product,
    scale: _Scale,
    n_entries: int,
) -> Tensor:
    """`n_entries` are laid out for each image; `bias` is one for each output."""
    n, n_out = tensor.shape[0], prod(out_shape)
    value_bits, weight_bits = scale.limb_bits()
    values = _Limbs(tensor, value_bits, scale.bounds[0])
    weights = [
        limb.astype(scale.kind)
        for limb in _cut(weight.reshape(len(weight), -1), weight_bits, scale.weight_bits)
    ]
    # partial sums by the power of two they stand for: one where int64 holds all
    parts = {0: np.zeros((n, -(-n_out // 8) * 8), np.int64)}
    if scale.is_wide:
        for k in range(values.count):
            for m in range(len(weights)):
                parts.setdefault(k * value_bits + m * weight_bits, np.zeros_like(parts[0]))

    def add_up(ends: tuple[int, int]) -> None:
        images = slice(*ends)
        parts[0][images, :n_out] = bias
        for k, value in enumerate(values.images(images)):
            floats = value.astype(scale.kind)
            for m, part in enumerate(weights):
                product = multiply(floats, part)
                shift = k * value_bits + m * weight_bits
                target = parts[shift if scale.is_wide else 0][images, :n_out]
                target += product.astype(np.int64) << (0 if scale.is_wide else shift)

    run = parallel_map if weight.size <= _FEW_WEIGHTS else map
    list(run(add_up, _chunks(n, n_entries)))
    rows = [(shift, Rows.from_int64(part)) for shift, part in parts.items()]
    if not scale.is_wide:
        return Tensor((n, *out_shape), rows[0][1])
    total = rows[0][1].to_field()
    for shift, limb_rows in rows[1:]:
        total = total + limb_rows.to_field() * (1 << shift)
    return Tensor((n, *out_shape), Rows(total, n, rows[0][1].width))


def _chunks(n: int, n_entries: int) -> list[tuple[int, int]]:
    """Ranges of images with few enough entries to stay in the caches."""
    step = max(1, _CHUNK_ENTRIES // n_entries)
    return [(start, min(start + step, n)) for start in range(0, n, step)]


def _cut(values: np.ndarray, bits: int, n_bits: int) -> list[np.ndarray]:
    """Limbs of `bits` bits of int64 values of n_bits bits; the top one keeps the sign."""
    n_limbs = -(-n_bits // bits)
    limbs = [values >> (bits * k) for k in range(n_limbs)]
    mask = (1 << bits) - 1
    return [*(limb & mask for limb in limbs[:-1]), limbs[-1]]


class _Limbs:
    """A tensor's limbs, low ones first: those of field elements at hand, of int64 as asked for."""

    def __init__(self, tensor: Tensor, bits: int, bound: int):
        self._bits, self._n_bits = bits, bound.bit_length()
        data, width = tensor.rows.data, prod(tensor.shape[1:])
        self._ints: np.ndarray | None = None
        self._limbs: list[np.ndarray] = []
        if isinstance(data, FrVector):
            limbs = _field_limbs(data, bits, bound)
            self._limbs = [limb.reshape(tensor.shape[0], -1)[:, :width] for limb in limbs]
            self.count = len(limbs)
        else:
            self._ints = data[:, :width]
            self.count = -(-self._n_bits // bits)

    def images(self, chosen: slice) -> list[np.ndarray]:
        if self._ints is None:
            return [limb[chosen] for limb in self._limbs]
        return _cut(self._ints[chosen], self._bits, self._n_bits)


def _field_limbs(values: FrVector, bits: int, bound: int) -> list[np.ndarray]:
    """The limbs of v + bound less those of bound, for elements that stand for |v| ≤ bound < r/2."""
    words = (values + bound).to_words()
    mask = (1 << bits) - 1
    limbs = []
    for shift in range(0, (2 * bound).bit_length(), bits):
        word, inside = divmod(shift, 64)
        limb: np.ndarray = words[:, word] >> np.uint64(inside)
        if inside + bits > 64 and word < 3:
            limb = limb | words[:, word + 1] << np.uint64(64 - inside)
        limbs.append((limb & np.uint64(mask)).astype(np.int64) - (bound >> shift & mask))
    return limbs


def arg_max(logits: Tensor, bound: int) -> np.ndarray:
    """The first index of the largest logit of each image, (n,) int64; |logit| ≤ bound < r/2."""
    n, n_classes = logits.shape
    words = (logits.to_field() + bound).to_words().reshape(n, n_classes, 4)
    is_largest = np.ones((n, n_classes), bool)
    for k in (3, 2, 1, 0):
        word = np.where(is_largest, words[:, :, k], np.uint64(0))
        is_largest &= word == word.max(axis=1, keepdims=True)
    labels: np.ndarray = is_largest.argmax(axis=1)
    return labels
