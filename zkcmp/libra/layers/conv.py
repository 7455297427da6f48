"""y[j, o, h, w] = Σ_{c,a,b} W[o, c, a, b]·x[j, c, s·h + a − t, s'·w + b − t'] + b[o], j < n.

The images, the output channel and the positions are bound to the claim's point; with
e = eq(r_h, ·), e' = eq(r_w, ·) and windows as in windows.py, what is left is bilinear in the kernel
W~(r_o, ·) and the bound image x~(r_j, ·), y~(r) less the bias' part being

    Σ_{c,a,b} W~(r_o, c, a, b) Σ_{h,w} e_h·e'_w·x~(r_j, c, s·h + a − t, s'·w + b − t')

Public x: the inner sums are public, and the claim is an opening of W with weights eq(r_o, ·) ⊗
those sums. Otherwise it is, turned around, Σ_{c,i,k} G(c, i, k)·x~(r_j, c, i, k), G the transposed
convolution of e, e' by W~(r_o, ·): one sumcheck over the positions of the input. It ends at
x~(r_j, s), the claim on the input, and at

    G~(s) = Σ_{c,a,b} W~(r_o, c, a, b)·eq(s_c, c)·u_a·v_b,   u_a = Σ_h e_h·eq(s_h, s·h + a − t)

which is an opening of W with weights eq((r_o, s_c), ·) ⊗ u ⊗ v, all of it cheap for the verifier.

Dilation d puts s·h + d·a in place of s·h + a. With groups, W has channels c' of a group only, and
c = g + c', g the first of o's group. K(c, a, b) = Σ_o eq(r_o, o)·W(o, c', a, b) over the outputs of
the group of c takes the place of W~(r_o, c, a, b). The weights of the openings have an entry for
each of W's: M ⊗ u ⊗ v with M(o, c') = eq(r_o, o)·eq(s_c, g + c'), or eq(r_o, o) times the public
sums at (c, a, b). All is linear in W as before.

Thaler 2013 has the idea for products; zkCNN (ePrint 2021/673) proves convolutions by FFT circuits
instead. Soundness error: 2·log(C·H·W)/r for the sumcheck.
"""

from math import prod

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.rows import Rows
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.layers.step import Step, open_bias
from zkcmp.libra.layers.weights import EqOuterWeights
from zkcmp.libra.layers.windows import Windows, map_axis
from zkcmp.libra.multilinear.sealed_tensor import EntryWeights, SealedTensor
from zkcmp.libra.multilinear.tables import Point, eq_table
from zkcmp.libra.multilinear.tensors import log_shape, pad_axes, places
from zkcmp.libra.sumcheck.protocol import ProductProver, sumcheck
from zkcmp.model.layers import Conv, Shape


def reduce_conv(
    channel: Channel, layer: Conv, step: Step, claim: TensorClaim
) -> TensorClaim | None:
    """A claim on the input from one on the output; None where the input is public."""
    parts = step.split(claim.point)
    image, out, *positions = parts
    product = claim.form - open_bias(channel, step, parts)
    if step.is_public:
        patches = _bound_patches(layer, step, image, positions)
        weights: EqOuterWeights | EntryWeights = EqOuterWeights(out, (patches,))
        if layer.groups > 1:
            taps = patches.take(places(_all_taps(layer)))
            weights = EntryWeights(
                SealedTensor(step.weight, layer.weight_shape, layer.weight_bits),
                _by_output(layer, layer.weight_shape, out, taps),
            )
        channel.require_opening(step.weight, weights, product)
        return None
    prover = None
    if step.values is not None and step.blocks is not None:
        kernel = _bound_kernel(layer, step.blocks[step.weight], out)
        spread = _transposed(layer, step, kernel, positions)
        prover = ProductProver(spread, step.values.bind_first_axis(eq_table(image)))
    n_vars = log_shape(step.input_shape)
    point, product = sumcheck(channel, step.label, product, sum(n_vars), 2, prover)
    spread_at, value = channel.send(step.label, None if prover is None else prover.finals, 2)
    channel.require_product(spread_at, value, product)
    inputs = [point[n_vars[0] : n_vars[0] + n_vars[1]], point[n_vars[0] + n_vars[1] :]]
    columns = []
    for windows, at, bound in zip(_windows(layer, step), inputs, positions, strict=True):
        table, shape = map_axis(
            eq_table(at), (windows.size,), 0, windows.by_offset(), windows.weights(bound)
        )
        columns.append(pad_axes(table, shape))
    channels = point[: n_vars[0]]
    weights = EqOuterWeights([*out, *channels], tuple(columns))
    if layer.groups > 1:
        chosen = _by_output(layer, layer.weight_shape[:2], out, eq_table(channels))
        weights = EqOuterWeights([], (pad_axes(chosen, layer.weight_shape[:2]), *columns))
    channel.require_opening(step.weight, weights, spread_at)
    return TensorClaim([*image, *point], value)


def _windows(layer: Conv, step: Step) -> list[Windows]:
    """Of the height, and of the width."""
    return [
        Windows(*sizes)
        for sizes in zip(
            step.input_shape[1:],
            layer.kernel,
            layer.stride,
            layer.padding[:2],
            step.output_shape[1:],
            layer.dilation,
            strict=True,
        )
    ]


def _bound_patches(layer: Conv, step: Step, image: Point, positions: list[Point]) -> FrVector:
    """Σ_{h,w} e_h·e'_w·x~(r_j, c, …) for every (c, a, b), padded."""
    table, shape = step.input.rows.bind(eq_table(image)), step.input_shape
    for axis, (windows, bound) in enumerate(zip(_windows(layer, step), positions, strict=True), 1):
        table, shape = map_axis(table, shape, axis, windows.by_offset(), windows.weights(bound))
    return pad_axes(table, shape)


def _bound_kernel(layer: Conv, block: FrVector, out: Point) -> FrVector:
    """K(c, a, b), which is W~(r_o, c, a, b) for one group, for every real (c, a, b)."""
    taps, own = places(layer.weight_shape[1:]), layer.out_channels // layer.groups
    rows, weights = Rows.from_field(block, 1 << len(out)), eq_table(out)
    if layer.groups == 1:
        return rows.bind(weights).take(taps)
    parts = []
    for group in range(layer.groups):
        mine = FrVector.zeros(len(weights))
        mine.assign(group * own, weights.slice(group * own, (group + 1) * own))
        parts.append(rows.bind(mine).take(taps))
    return FrVector.concat(parts)


def _by_output(layer: Conv, shape: Shape, out: Point, taps: FrVector) -> FrVector:
    """eq(r_o, o)·taps[g + c, …] for the entries (o, c, …) of `shape`, row-major and not padded.

    taps: by channel of the input, its other axes as in `shape`, likewise.
    """
    own, size = layer.out_channels // layer.groups, prod(shape[1:])
    outputs = np.repeat(np.arange(layer.out_channels), size)
    read = (np.arange(layer.out_channels)[:, None] // own * size + np.arange(size)).reshape(-1)
    return eq_table(out).take(outputs) * taps.take(read)


def _all_taps(layer: Conv) -> Shape:
    """(c, a, b) of all groups."""
    return (layer.in_channels, *layer.kernel)


def _transposed(layer: Conv, step: Step, kernel: FrVector, positions: list[Point]) -> FrVector:
    """G over the padded axes of the input."""
    table, shape = kernel, _all_taps(layer)
    for axis, (windows, bound) in enumerate(zip(_windows(layer, step), positions, strict=True), 1):
        table, shape = map_axis(table, shape, axis, windows.by_input(), windows.weights(bound))
    return pad_axes(table, shape)
