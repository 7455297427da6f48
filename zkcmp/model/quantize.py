"""From a float network to the integer network that is sealed and proved.

    W[o, i] = clip(round(s · σ'_o · w[o, i] / σ_i)),   B_o = round(S' · σ'_o · b_o),   S' = S · s
                                                                        (conv, dense)
    S' = S²,   σ' = σ²                                                  (square)

S · σ_c is the scale of channel c of the activations: integer value ≈ S · σ_c · float value. At the
input S is 1/scale of the normalisation and σ = 1. Nothing is rescaled between layers, so a bias is
as wide as its accumulator's scale makes it. Per tensor, σ' = 1 everywhere. Per channel, σ'_o lifts
a row of small weights towards the largest, up to MAX_SPREAD times; the next layer's weights absorb
it before they are rounded themselves. The last layer always has one scale, for the arg max's sake.
Widths are fixed in the architecture and so public: bias widths are rounded up, that they say little
about the values. `calibrate.choose_widths` finds the fewest bits that keep an accuracy.

After two squares that scale is near 2^75, and a bias at it wider than a tensor may be. Such a bias
b is carried by one constant unit more in the dense layer before: that unit outputs β, its square
times the column b/β² is b, and the bias itself becomes 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkcmp.errors import ZkcmpError
from zkcmp.model.architecture import Architecture, Normalisation
from zkcmp.model.float_network import FloatArray, FloatConv, FloatDense, FloatLayer, FloatNetwork
from zkcmp.model.input_scale import fold_normalisation
from zkcmp.model.layers import MAX_TENSOR_BITS, Dense, Layer, Square
from zkcmp.model.network import Network

DEFAULT_WEIGHT_BITS = 8
MIN_WEIGHT_BITS, MAX_WEIGHT_BITS = 2, 32
BIAS_BITS_STEP = 4
MAX_SPREAD = 4.0  # the next layer absorbs it squared, behind a square
_CLIP_RATIOS = np.linspace(1.0, 0.3, 71)


def quantize(
    float_network: FloatNetwork,
    weight_bits: int | Sequence[int] | None = None,
    input_bits: int | None = None,
    normalisation: Normalisation | None = None,
    per_channel: bool = False,
) -> Network:
    """The integer network with the given width for every weight tensor, or one for each in order.

    Without widths: those the file says it was trained for, else DEFAULT_WEIGHT_BITS.
    per_channel: a scale for every output channel of all layers but the last.
    An imported export of an integer network comes back as that very network.
    Raises ZkcmpError when a width does not suffice or the input range is not known.
    """
    if float_network.integer is not None:
        return float_network.integer
    input_bits = float_network.input_bits if input_bits is None else input_bits
    if input_bits is None:
        raise ZkcmpError(
            "the file does not say how wide a pixel is: `zkcmp model quantize MODEL --input-bits 8 "
            "--test-set SAMPLES --out NEW` writes one that does, for pixels 0 to 255; with "
            "--divide-by 255 if it was trained on fractions"
        )
    normalisation = normalisation or float_network.normalisation
    float_layers, pixel_scale = fold_normalisation(
        float_network.input_shape, float_network.layers, normalisation
    )
    n_linear = linear_count(float_network)
    if weight_bits is None:
        weight_bits = float_network.weight_bits or DEFAULT_WEIGHT_BITS
    widths = [weight_bits] * n_linear if isinstance(weight_bits, int) else list(weight_bits)
    allowed = range(MIN_WEIGHT_BITS, MAX_WEIGHT_BITS + 1)
    if len(widths) != n_linear or not all(bits in allowed for bits in widths):
        raise ZkcmpError(
            f"weight_bits must be {n_linear} widths from {MIN_WEIGHT_BITS} to {MAX_WEIGHT_BITS}, "
            "one a weight tensor"
        )
    while True:
        try:
            layers, tensors = _quantize_layers(float_layers, widths, pixel_scale, per_channel)
            break
        except _WideBiasError as error:
            float_layers = _carry_bias(float_layers, error)
    architecture = Architecture(float_network.input_shape, input_bits, tuple(layers), normalisation)
    return Network(architecture, tensors)


class _WideBiasError(ZkcmpError):
    """The bias of layer `index` does not fit a tensor at the scale of its accumulators."""

    def __init__(self, index: int, needed: int):
        self.index = index
        super().__init__(
            f"layer {index}: its bias needs {needed} bits at the scale of its accumulators, more "
            f"than {MAX_TENSOR_BITS}; train this layer without bias or give fewer weight_bits"
        )


def linear_count(float_network: FloatNetwork) -> int:
    """How many weight tensors the network has, so how many widths it takes."""
    return sum(isinstance(layer, FloatConv | FloatDense) for layer in float_network.layers)


def _quantize_layers(
    float_layers: list[FloatLayer], widths: list[int], pixel_scale: float, per_channel: bool
) -> tuple[list[Layer], list[NDArray[np.int64]]]:
    scale, spread, remaining = 1.0 / pixel_scale, np.ones(1), list(widths)
    layers: list[Layer] = []
    tensors: list[NDArray[np.int64]] = []
    for index, layer in enumerate(float_layers):
        if isinstance(layer, FloatConv | FloatDense):
            bits = remaining.pop(0)
            weight = _absorb_spread(layer, spread)
            spread = row_spread(weight) if per_channel and remaining else np.ones(len(weight))
            weight_scale, integers = quantize_weight(_by_row(weight, spread), bits)
            scale *= weight_scale
            bias, bias_bits = _quantize_bias(index, layer.bias * spread, scale)
            layers.append(_integer_layer(layer, bits, bias_bits))
            tensors += [integers, bias]
        else:
            if isinstance(layer, Square):
                scale, spread = scale * scale, spread * spread
            layers.append(layer)
    return layers, tensors


def _absorb_spread(layer: FloatConv | FloatDense, spread: FloatArray) -> FloatArray:
    """The layer's weights for inputs whose channel c is `spread[c]` times as large."""
    if isinstance(layer, FloatDense):
        n_in = layer.weight.shape[1]
        repeated = np.repeat(spread, n_in // len(spread))  # a flattened channel is consecutive
        return np.asarray(layer.weight / repeated)
    n_in = layer.weight.shape[1]
    by_group = np.broadcast_to(spread, (n_in * layer.groups,)).reshape(layer.groups, n_in)
    of_output = np.repeat(by_group, len(layer.weight) // layer.groups, axis=0)
    return np.asarray(layer.weight / of_output[:, :, None, None])


def row_spread(weight: FloatArray) -> FloatArray:
    """σ' (rows,): what makes the largest weight of each row that of the tensor, at most MAX_SPREAD.

    A row of zeros keeps 1.
    """
    largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
    spread = np.ones(len(weight))
    np.divide(largest.max(), largest, out=spread, where=largest > 0)
    return np.minimum(spread, MAX_SPREAD)


def _by_row(weight: FloatArray, factors: FloatArray) -> FloatArray:
    return np.asarray(weight * factors.reshape(-1, *[1] * (weight.ndim - 1)))


def _carry_bias(layers: list[FloatLayer], error: _WideBiasError) -> list[FloatLayer]:
    """The same function with that bias moved to a constant unit of the dense layer before."""
    index = error.index
    before = layers[index - 2] if index >= 2 and isinstance(layers[index - 1], Square) else None
    layer = layers[index]
    if not isinstance(before, FloatDense) or not isinstance(layer, FloatDense):
        raise error
    largest_bias, largest_weight = np.abs(layer.bias).max(), np.abs(layer.weight).max()
    if largest_weight == 0:
        raise error
    unit = np.sqrt(largest_bias / largest_weight)  # so that the column is within the weights' range
    result = list(layers)
    no_weight = np.zeros((1, before.weight.shape[1]))
    result[index - 2] = FloatDense(
        np.concatenate([before.weight, no_weight]), np.append(before.bias, unit)
    )
    column = (layer.bias / unit**2)[:, None]
    result[index] = FloatDense(
        np.concatenate([layer.weight, column], axis=1), np.zeros(len(layer.bias))
    )
    return result


def quantize_weight(weight: FloatArray, bits: int) -> tuple[float, NDArray[np.int64]]:
    """The scale, among some clipping ranges, with the least squared error, and the integers."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    largest = float(np.abs(weight).max())
    if largest == 0 or not np.isfinite(largest):
        if largest != 0:
            raise ZkcmpError("a weight is not a finite number")
        return 1.0, np.zeros(weight.shape, dtype=np.int64)
    best_scale, best_error = 0.0, np.inf
    for ratio in (*_CLIP_RATIOS, high / -low):  # the last lets the largest weight be `low`
        scale = high / (float(ratio) * largest)
        error = float(np.square(np.clip(np.rint(weight * scale), low, high) / scale - weight).sum())
        if error < best_error * (1 - 1e-9):
            best_scale, best_error = scale, error
    return best_scale, np.clip(np.rint(weight * best_scale), low, high).astype(np.int64)


def _quantize_bias(index: int, bias: FloatArray, scale: float) -> tuple[NDArray[np.int64], int]:
    if not np.isfinite(bias).all() or not np.isfinite(scale):
        raise ZkcmpError(f"layer {index}: a bias is not a finite number")
    values = [round(float(b) * scale) for b in bias]
    needed = 1 + max(max(v, -v - 1).bit_length() for v in values)
    if needed > MAX_TENSOR_BITS:
        raise _WideBiasError(index, needed)
    rounded = max(2, -(-needed // BIAS_BITS_STEP) * BIAS_BITS_STEP) if any(values) else 2
    return np.array(values, dtype=np.int64), min(rounded, MAX_TENSOR_BITS)


def _integer_layer(layer: FloatConv | FloatDense, weight_bits: int, bias_bits: int) -> Layer:
    if isinstance(layer, FloatConv):
        return layer.integer_layer(weight_bits, bias_bits)
    out_features, in_features = map(int, layer.weight.shape)
    return Dense(in_features, out_features, weight_bits, bias_bits)
