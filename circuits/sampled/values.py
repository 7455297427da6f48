"""Values of the wires that sampling leaves, without a full witness of every image.

    S_(o,t) = bias_o + Σ_{i<=t} weight_(o,i) · x_i      all t at once, then the used ones are picked
    x², for the used elements of a square

Sums are exact. They may need more than 64 bits, so weights and inputs are split into limbs,

    weight = Σ_a 2^(wa) weight_a,   x = Σ_b 2^(xb) x_b,   fan_in · 2^w · 2^x <= 2^62

the running sums of each product of limbs fit int64, and are put together in the field for the used
wires and over the integers for the outputs. The plain reference is gadgets/inner_product.py.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from circuits.gadgets.conv import first_inputs, taps
from circuits.sampled.rows import SampledRows, chunks
from circuits.signals import INT64_LIMIT, IntValues
from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import IntArray
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import bounds
from zkcmp.model.layers import Conv, Dense, Shape, Square

_INT64_BITS = 62


def kept_values(
    rows: SampledRows, architecture: Architecture, tensors: list[np.ndarray], images: np.ndarray
) -> tuple[list[FrVector], IntValues]:
    """The values of every run of wires (SampledRows.allocate), and the logits (n, classes)."""
    values = [FrVector.zeros(int(count)) for count in rows.counts.sum(axis=0)]
    done = [0] * len(values)
    logits = []
    for a, b in chunks(len(images), rows.template.n_own):
        used = rows.used[rows.starts[a] : rows.starts[b]]
        owner = np.repeat(np.arange(b - a), np.diff(rows.starts[a : b + 1]))
        value = images[a:b].reshape(b - a, -1).astype(np.int64)
        remaining, runs = iter(tensors), iter(enumerate(rows.template.runs))
        for layer, shape, (low, high) in _layers(architecture):
            if not isinstance(layer, Conv | Dense | Square):
                continue
            i, run = next(runs)
            inside = (used >= run.first) & (used < run.last)
            image, own = owner[inside], used[inside].astype(np.int64) - run.first
            if isinstance(layer, Square):
                value = _squares(value, high)
                picked = _field(value[image, own])
            else:
                weight, bias = next(remaining), next(remaining)
                value, picked = _sums(layer, shape, value, weight, bias, (low, high), image, own)
            values[i].assign(done[i], picked)
            done[i] += len(picked)
        logits.append(value)
    return values, np.concatenate(logits)


def _layers(architecture: Architecture) -> Iterator[tuple[object, Shape, tuple[int, int]]]:
    """Every layer, its input's shape, and the bounds of its input and output."""
    limits = [(1 << architecture.input_bits) - 1, *bounds(architecture)]
    shapes = architecture.shapes()[:-1]
    yield from zip(architecture.layers, shapes, pairwise(limits), strict=True)


def _sums(
    layer: Conv | Dense,
    shape: Shape,
    x: IntValues,
    weight: np.ndarray,
    bias: np.ndarray,
    limits: tuple[int, int],
    image: IntArray,
    own: IntArray,
) -> tuple[IntValues, FrVector]:
    """x (n, inputs) -> outputs (n, outputs), and the partial sums `own` of the images `image`."""
    if isinstance(layer, Conv):
        source = taps(layer, shape)[0]
        sources = source[None]
        if layer.groups > 1:
            first = first_inputs(layer, shape)[:, None, None]
            sources = np.where(source < 0, -1, source + first)
        x = np.concatenate([x, np.zeros((len(x), 1), x.dtype)], axis=1)  # source −1: padding
    else:
        source = np.arange(layer.in_features)[None]
        sources = source[None]
    # own wires are numbered by output channel, position, tap, where taps in the padding have none
    inside = np.flatnonzero(source.reshape(-1) >= 0)
    channel, place = np.divmod(own, len(inside))
    cell = channel * source.size + inside[place]

    room = _INT64_BITS - layer.fan_in.bit_length()
    weight_bits = min(layer.weight_bits, room // 2)
    channels = len(bias)
    outputs: IntValues = np.zeros(1, np.int64 if limits[1] < INT64_LIMIT else object)
    picked = FrVector.zeros(len(own))
    for w, weight_shift in _limbs(weight.reshape(channels, 1, -1), layer.weight_bits, weight_bits):
        for v, x_shift in _limbs(x, limits[0].bit_length(), room - weight_bits):
            sums = np.cumsum(w * v[:, sources], axis=-1)
            shift = weight_shift + x_shift
            if shift == 0:
                sums += bias.reshape(-1, 1, 1)
            outputs = outputs + (sums[..., -1].astype(outputs.dtype) << shift)
            part = FrVector.from_int64(sums.reshape(len(x), -1)[image, cell])
            picked = picked + (part.scale(1 << shift) if shift else part)
    return outputs.reshape(len(x), -1), picked


def _limbs(values: IntValues, n_bits: int, limb_bits: int) -> Iterator[tuple[IntArray, int]]:
    """Integers of n_bits and a sign as Σ limb · 2^shift: limbs of limb_bits, the last one signed.

    Each is below 2^limb_bits in absolute value.
    """
    shift = 0
    while n_bits - shift > limb_bits:
        low = (values >> shift) & ((1 << limb_bits) - 1)
        yield low.astype(np.int64), shift
        shift += limb_bits
    yield (values >> shift).astype(np.int64), shift


def _squares(x: IntValues, bound: int) -> IntValues:
    wide = x.astype(np.int64 if bound < INT64_LIMIT else object)
    squares: IntValues = wide * wide
    return squares


def _field(values: IntValues) -> FrVector:
    return FrVector.from_int64(values) if values.dtype == np.int64 else FrVector.from_ints(values)
