"""Whether rounding in doubles can change a label: an a-priori error analysis, image by image.

    conv, dense:  e' = |W|·e + γ·(|W|·(|x| + e) + |b|),   γ = (k + 3)u / (1 − (k + 3)u)
    sumpool:      the same with weights 1 and no bias
    square:       e' = 2|x|e + e² + u·(|x| + e)²

u = 2^−53, k the fan-in, e bounds the error of the layer before (Higham, Accuracy and Stability of
Numerical Algorithms, §3). A layer whose static bound is below 2^53 adds no error: its
sums are integers that doubles hold. γ covers every order of summation, with and without fused
products, and a bias rounded to a double.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkcmp.model.bounds import bounds
from zkcmp.model.layers import Conv, Dense, Square, SumPool
from zkcmp.model.network import Network, group_rows, im2col, sum_windows

EXACT_LIMIT = 1 << 53
_UNIT = 2.0**-53
_BATCH = 256


def stable_in_double(network: Network, images: NDArray[Any]) -> NDArray[np.bool_]:
    """For each image, whether every evaluation in doubles is sure to give the exact label."""
    starts = range(0, len(images), _BATCH)
    parts = [_stable_batch(network, images[i : i + _BATCH]) for i in starts]
    return np.concatenate([np.zeros(0, dtype=bool), *parts])


def _stable_batch(network: Network, images: NDArray[Any]) -> NDArray[np.bool_]:
    architecture, tensors = network.architecture, iter(network.tensors)
    outputs = network.layer_outputs(images)
    size = np.asarray(images, dtype=np.float64)  # |value| of the layer before
    error = np.zeros_like(size)
    for layer, bound, output in zip(
        architecture.layers, bounds(architecture), outputs, strict=True
    ):
        if isinstance(layer, Conv | Dense):
            weight, bias = np.abs(next(tensors)), np.abs(next(tensors))
            if bound >= EXACT_LIMIT:
                gamma = (layer.fan_in + 3) * _UNIT / (1 - (layer.fan_in + 3) * _UNIT)
                carried = _absolute_product(layer, error, weight)
                sums = _absolute_product(layer, size + error, weight)
                bias_shape = (1, -1, *[1] * (sums.ndim - 2))
                error = carried + gamma * (sums + bias.astype(np.float64).reshape(bias_shape))
            else:
                error = np.zeros(output.shape)
        elif isinstance(layer, SumPool):
            gamma = layer.fan_in * _UNIT / (1 - layer.fan_in * _UNIT)
            rounding = gamma * sum_windows(size + error, layer) if bound >= EXACT_LIMIT else 0.0
            error = sum_windows(error, layer) + rounding
        elif isinstance(layer, Square):
            rounding = _UNIT * (size + error) ** 2 if bound >= EXACT_LIMIT else 0.0
            error = 2 * size * error + error**2 + rounding
        else:
            error = error.reshape(len(error), -1)
        size = np.abs(output).astype(np.float64) * (1 + 2 * _UNIT)
        error = error * (1 + 1e-6)  # covers the rounding of this computation itself
    logits, rows = outputs[-1], np.arange(len(error))
    labels = np.argmax(logits, axis=1)
    margin = (logits[rows, labels][:, None] - logits).astype(np.float64) * (1 - 4 * _UNIT)
    certain = margin > error + error[rows, labels][:, None]
    certain |= (error == 0) & (error[rows, labels][:, None] == 0)  # exact: ties as in predict
    certain[rows, labels] = True
    return np.asarray(certain.all(axis=1))


def _absolute_product(
    layer: Conv | Dense, value: NDArray[np.float64], weight: NDArray[np.int64]
) -> NDArray[np.float64]:
    if isinstance(layer, Dense):
        return np.asarray(value @ weight.T.astype(np.float64))
    weights = weight.reshape(layer.groups, -1, layer.fan_in).astype(np.float64)
    groups = group_rows(im2col(value, layer), layer)
    parts = [rows @ own.T for rows, own in zip(groups, weights, strict=True)]
    shape = layer.output_shape(value.shape[1:])
    product = np.concatenate(parts, axis=1).reshape(len(value), *shape[1:], shape[0])
    return product.transpose(0, 3, 1, 2)
