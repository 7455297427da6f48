"""Sums of squares of a first layer over the images, from second moments of the images.

    Σ_j u^j·(Σ_a x_ja·w_a)² = Σ_{a ≤ b} Q_ab·(w_a·w_b)·(1 if a = b else 2)
    Q_ab = Σ_j u^j·x_ja·x_jb

a and b run over the taps of one position, the bias among them as a tap whose input is 1. Q is
linear in the powers of u, one constraint a pair of inputs however many images there are; w_a·w_b
are committed wires of the weights. So n images cost what a few hundred cost one by one
(first_layer.py). Pairs whose product is 0 in every image are left out.
"""

import numpy as np

from circuits.projections.constant_images import moment_pairs, tap_pairs
from circuits.projections.first_layer import LinearForm
from circuits.projections.image_sums import ImagePowers
from circuits.second_round import FieldSignals, SecondRound, row_sums
from circuits.signals import Signals, private
from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import IntArray


def weight_products(form: LinearForm, gadget: str, weight: Signals, bias: Signals) -> IntArray:
    """w_a·w_b of every channel, (channels, pairs of taps); committed wires."""
    channels = form.shape.out_channels
    first, second = tap_pairs(form.shape)
    values = None
    if weight.values is not None:
        known = np.concatenate(
            [weight.known.reshape(channels, -1), bias.known.reshape(channels, 1)], axis=1
        )
        if int(np.abs(known).max()) >= 1 << 31:
            known = known.astype(object)
        values = known[:, first] * known[:, second]
    system = form.system
    out = private(system, f"{gadget} weight products", (channels, len(first)), values)
    left, right = form.weights[:, first], form.weights[:, second]
    system.enforce(
        f"{gadget} weight products",
        system.wires(left.reshape(-1)),
        system.wires(right.reshape(-1)),
        system.wires(out.wires),
    )
    return out.wires


def moment_aggregate(
    form: LinearForm, powers: ImagePowers, name: str, products: IntArray
) -> FieldSignals:
    """Σ_j u^j·y_j² as wires (channels · positions); products: of the weights."""
    second, shape, images = powers.second, form.shape, form.images
    pairs = moment_pairs(shape, images)
    one = np.array([images.n_inputs])
    moments = images.sums(
        second,
        f"{name} moments",
        powers.powers,
        np.concatenate([pairs.first, one]),
        np.concatenate([pairs.second, one]),
    )
    first, last = tap_pairs(shape)
    factor = np.where(first == last, 1, 2)[pairs.taps]
    every = np.arange(shape.out_channels)[:, None]
    weights = second.committed(products[:, pairs.taps])
    chosen = np.tile(pairs.pair, shape.out_channels)
    terms = _terms(second, name, moments.take(chosen), weights, np.tile(factor, len(every)))
    # one row a channel and position adds its terms up, and the square of the bias
    bias = second.committed(np.repeat(products[:, -1], shape.n_positions))
    total = moments.take(np.full(shape.n_outputs, len(pairs.first)))
    values = total.times(bias)
    output = (every * shape.n_positions + pairs.position).reshape(-1)
    if terms.values is not None and values is not None:
        counts = np.bincount(output, minlength=shape.n_outputs)
        values = values + row_sums(counts, np.arange(len(output)), terms.values)
    out = second.private(shape.n_outputs, f"{name} sums", values)
    system, wires = second.system, second.system.wires
    rest = wires(out.wires) + system.combination(output, terms.wires, -1, shape.n_outputs)
    system.enforce(name, wires(total.wires), wires(bias.wires), rest)
    return out


def _terms(
    second: SecondRound, name: str, moments: FieldSignals, weights: FieldSignals, factor: IntArray
) -> FieldSignals:
    """factor · Q · (w_a·w_b), a constraint each."""
    values = moments.times(weights)
    if values is not None:
        values = values * FrVector.from_int64(factor)
    out = second.private(len(moments), f"{name} terms", values)
    system = second.system
    left = system.combination(np.arange(len(moments)), moments.wires, factor, len(moments))
    system.enforce(name, left, system.wires(weights.wires), system.wires(out.wires))
    return out
