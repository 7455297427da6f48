"""The network's part of the statement: a claim on the logits, led back to weights and images.

    y = F(w, x):   y~(p) = v   ⇒   openings of the weight tensors, checked values of the images

Every activation is a tensor (image, axes…), and every layer kind has a file in layers/ that turns a
claim on its output into one on its input. A flatten moves nothing: activations keep the axes of the
last image, and the dense layer that follows has its weights laid out by them (`sealed_tensors`).
The verifier evaluates the extension of the images itself, once.

A false activation, weight or claim becomes a false opening, which is where it is caught: all that
is sent here is hidden, so no earlier message can be seen to be wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.layers.conv import reduce_conv
from zkcmp.libra.layers.dense import reduce_dense
from zkcmp.libra.layers.square import reduce_square
from zkcmp.libra.layers.step import Step
from zkcmp.libra.layers.sum_pool import reduce_sum_pool
from zkcmp.libra.multilinear.sealed_tensor import SealedTensor
from zkcmp.libra.multilinear.tables import Point
from zkcmp.libra.multilinear.tensors import Shape, Tensor
from zkcmp.libra.relations import forward
from zkcmp.model.bounds import bounds
from zkcmp.model.layers import Layer
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Network, Square, SumPool

Reduction = Callable[[Channel, Any, Step, TensorClaim], TensorClaim | None]

REDUCTIONS: dict[type, Reduction] = {
    Conv: reduce_conv,
    Dense: reduce_dense,
    SumPool: reduce_sum_pool,
    Square: reduce_square,
}


@dataclass(frozen=True)
class PlacedLayer:
    """A layer that computes, with the shapes of its tensors as they are laid out."""

    name: str
    index: int
    layer: Layer
    input_shape: Shape
    output_shape: Shape


def placed_layers(architecture: Architecture) -> Iterator[PlacedLayer]:
    """All layers but the flattens."""
    shape: Shape = architecture.input_shape
    for index, layer in enumerate(architecture.layers):
        if isinstance(layer, Flatten):
            continue
        out = layer.output_shape((layer.fan_in,) if isinstance(layer, Dense) else shape)
        yield PlacedLayer(architecture.layer_name(index), index, layer, shape, out)
        shape = out


def sealed_tensors(architecture: Architecture) -> list[SealedTensor]:
    """How every tensor of weights is committed to, in packing order."""
    tensors = []
    for placed in placed_layers(architecture):
        for spec in placed.layer.tensors(placed.name):
            shape = spec.shape
            if isinstance(placed.layer, Dense) and len(shape) == 2:
                shape = (shape[0], *placed.input_shape)
            tensors.append(SealedTensor(spec.name, shape, spec.bits))
    return tensors


@dataclass(frozen=True, eq=False)
class Activations:
    """What the prover computes on the images: the input of each layer, and the logits.

    `logits`: the table over (image, class), both padded; `predictions`: labels (n,), a tie goes to
    the smallest index.
    """

    inputs: dict[str, Tensor]  # by the layer's name
    logits: FrVector
    predictions: np.ndarray

    def __repr__(self) -> str:
        return "Activations()"  # the seller's secret


def evaluate_network(network: Network, images: np.ndarray) -> Activations:
    """Every activation, exactly. Images are (n, C, H, W) integers in the declared range."""
    architecture = network.architecture
    limits = [(1 << architecture.input_bits) - 1, *bounds(architecture)]
    value = Tensor.from_ints(images)
    tensors = iter(network.tensors)
    inputs = {}
    for placed in placed_layers(architecture):
        inputs[placed.name] = value
        around = limits[placed.index], limits[placed.index + 1]
        if isinstance(placed.layer, Conv):
            value = forward.conv(value, placed.layer, (next(tensors), next(tensors)), around)
        elif isinstance(placed.layer, Dense):
            value = forward.dense(value, placed.layer, (next(tensors), next(tensors)), around)
        elif isinstance(placed.layer, SumPool):
            value = forward.sum_pool(value, placed.layer, around)
        else:
            value = forward.square(value, around[1])
    return Activations(inputs, value.table(), forward.arg_max(value, limits[-1]))


def prove_network(
    channel: Channel,
    architecture: Architecture,
    images: np.ndarray,
    point: Point,
    form: Form,
    activations: Activations | None,
    blocks: Mapping[str, FrVector] | None,
) -> None:
    """Lead logits~(point) = form back to openings; `images` (n, C, H, W) are public.

    `activations` and `blocks`, the committed tensors by name, are the prover's.
    """
    public = Tensor.from_ints(images)
    claim: TensorClaim | None = TensorClaim(point, form)
    for number, placed in reversed(list(enumerate(placed_layers(architecture)))):
        if claim is None:
            raise ValueError("only the first layer leaves no claim")
        values = None if activations is None else activations.inputs[placed.name]
        step = Step(
            placed.name,
            len(images),
            placed.input_shape,
            placed.output_shape,
            number == 0,
            public if number == 0 else values,
            blocks,
        )
        claim = REDUCTIONS[type(placed.layer)](channel, placed.layer, step, claim)
    if claim is not None:
        channel.require_zero(claim.form - public.evaluate(claim.point))
