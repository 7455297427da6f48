"""A convolution over images j = 0 … n − 1.

    y[j, o, h, w] = bias[o] + Σ_{c,a,b} weight[o, c, a, b] · x[j, g + c, row, column]
    row = sh·h + dh·a − top,   column = sw·w + dw·b − left

g is the first channel of the group of o. One constraint a product; positions in the padding are 0
and have no product.
"""

import numpy as np

from circuits.gadgets.inner_product import inner_products
from circuits.signals import Signals
from zkcmp.linear_combination import IntArray
from zkcmp.model.layers import Conv
from zkcmp.model.network import im2col
from zkcmp.r1cs_builder import ConstraintSystem


def taps(layer: Conv, input_shape: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """Pixel and kernel position of every product of one output channel of one image.

    (n_positions, fan_in) pixel numbers, −1 in the padding, and the same number of kernel positions
    0 … fan_in − 1. Of a channel of the first group: others read `first_inputs` further on.
    """
    numbered = np.arange(1, int(np.prod(input_shape)) + 1).reshape(1, *input_shape)
    patches = im2col(numbered, layer)[..., : layer.fan_in]
    pixel = patches.reshape(-1, layer.fan_in).astype(np.int64) - 1
    return pixel, np.broadcast_to(np.arange(layer.fan_in), pixel.shape)


def first_inputs(layer: Conv, input_shape: tuple[int, ...]) -> IntArray:
    """(out_channels,) the number of the first pixel of each output channel's group."""
    group = np.arange(layer.out_channels) // (layer.out_channels // layer.groups)
    return group * (int(np.prod(input_shape)) // layer.groups)


def conv(
    system: ConstraintSystem,
    gadget: str,
    layer: Conv,
    x: Signals,
    weight: Signals,
    bias: Signals,
    bound: int,
) -> Signals:
    """x (n, C, H, W), weight (O, C / groups, kh, kw), bias (O,) -> (n, O, H', W')."""
    n_images, input_shape = len(x.wires), x.wires.shape[1:]
    n_pixels = int(np.prod(input_shape))
    output_shape = layer.output_shape(input_shape)
    pixel, position = taps(layer, input_shape)
    inside = pixel >= 0
    # products of one image and one output channel, then tiled over channels, then over images
    per_output = inside.sum(axis=1)
    pixel, position = pixel[inside], position[inside]
    channels = np.arange(layer.out_channels)
    weights = (channels[:, None] * layer.fan_in + position).reshape(-1)
    pixels = (first_inputs(layer, input_shape)[:, None] + pixel).reshape(-1)
    images = np.arange(n_images) * n_pixels
    result = inner_products(
        system,
        gadget,
        weight.take(np.tile(weights, n_images)),
        x.take((images[:, None] + pixels).reshape(-1)),
        np.tile(per_output, layer.out_channels * n_images),
        bias.take(np.tile(np.repeat(channels, len(per_output)), n_images)),
        bound,
    )
    return result.reshape(n_images, *output_shape)
