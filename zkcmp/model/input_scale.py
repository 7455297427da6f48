"""Folding the normalisation of the input into the first layer of a float network.

    x_0 = s_c·pixel + o_c = r_c·(s·pixel) + o_c,   s = max s_c,  r_c = s_c / s

r and o go into the first layer (float_chain.py); what is left is one scale s for all pixels.
"""

import numpy as np

from zkcmp.errors import ZkcmpError
from zkcmp.model.architecture import Normalisation
from zkcmp.model.float_chain import FloatChain, UnsupportedError
from zkcmp.model.float_network import FloatConv, FloatDense, FloatLayer
from zkcmp.model.layers import Square, SumPool


def fold_normalisation(
    input_shape: tuple[int, int, int],
    layers: tuple[FloatLayer, ...],
    normalisation: Normalisation,
) -> tuple[list[FloatLayer], float]:
    """Layers that read s·pixel, and s. Raises ZkcmpError where an offset cannot be folded."""
    normalisation.check(input_shape[0])
    scales, offsets = np.array(normalisation.scales), np.array(normalisation.offsets)
    scale = float(scales.max())
    if not offsets.any() and (scales == scale).all():
        return list(layers), scale
    chain = FloatChain(input_shape, (0, 1, 2))
    try:
        chain.affine((scales / scale).reshape(-1, 1, 1), offsets.reshape(-1, 1, 1))
        for layer in layers:
            _append(chain, layer)
    except UnsupportedError as reason:
        raise ZkcmpError(f"the normalisation cannot go into the first layer: {reason}") from None
    return chain.layers, scale


def _append(chain: FloatChain, layer: FloatLayer) -> None:
    if isinstance(layer, FloatConv):
        chain.conv(layer)
    elif isinstance(layer, FloatDense):
        chain.dense(layer.weight, layer.bias)
    elif isinstance(layer, SumPool):
        chain.average(layer.kernel, layer.stride, divide=False)
    elif isinstance(layer, Square):
        chain.square()
    else:
        chain.flatten()
