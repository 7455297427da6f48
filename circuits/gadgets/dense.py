"""A fully connected layer: y[j, o] = bias[o] + Σ_i weight[o, i]·x[j, i], a constraint a product."""

import numpy as np

from circuits.gadgets.inner_product import inner_products
from circuits.signals import Signals
from zkcmp.r1cs_builder import ConstraintSystem


def dense(
    system: ConstraintSystem, gadget: str, x: Signals, weight: Signals, bias: Signals, bound: int
) -> Signals:
    """x (n, inputs), weight (outputs, inputs), bias (outputs,) -> (n, outputs)."""
    n_images = len(x.wires)
    n_outputs, n_inputs = weight.wires.shape
    image, output, i = np.indices((n_images, n_outputs, n_inputs)).reshape(3, -1)
    result = inner_products(
        system,
        gadget,
        weight.take(output * n_inputs + i),
        x.take(image * n_inputs + i),
        np.full(n_images * n_outputs, n_inputs),
        bias.take(np.tile(np.arange(n_outputs), n_images)),
        bound,
    )
    return result.reshape(n_images, n_outputs)
