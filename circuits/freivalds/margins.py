"""A flagged image's label is the arg max of its logits, for labels that are constants (S4).

    correct_j · (y_L − y_i − [i < L]) = Σ limbs,   every i ≠ L, limbs of B bits together

B and why a sum of B bits decides the sign: argmax.margin_bits. With the label a constant, selecting
its logit and comparing it with itself cost nothing: m − 1 margins an image. With correct = 0 all
their limbs are 0.
"""

import numpy as np

from circuits.lookups.ranges import Lookups
from circuits.projections.first_layer import LinearForm
from circuits.signals import IntValues, Signals, widen
from zkcmp.linear_combination import IntArray, LinearCombination
from zkcmp.r1cs_builder import ConstraintSystem

GADGET = "argmax"


def enforce_margins(
    system: ConstraintSystem,
    logits: Signals | LinearForm,
    labels: IntArray,
    correct: Signals,
    n_bits: int,
    lookups: Lookups,
) -> None:
    """logits (n, m); labels (n,), constants; correct (n,) boolean; n_bits: margin_bits of them."""
    n = len(labels)
    n_classes = len(logits.weights) if isinstance(logits, LinearForm) else logits.wires.shape[1]
    every = np.broadcast_to(np.arange(n_classes), (n, n_classes))
    others = every[every != labels[:, None]].reshape(n, n_classes - 1)
    before = (others < labels[:, None]).astype(np.int64)
    values: IntValues | None = None
    if correct.values is not None:
        # a margin has fewer bits than n_bits says, and one bit more for its sign
        known = widen(logits.known, 1 << n_bits)
        of_label = np.take_along_axis(known, labels[:, None], axis=1)
        margins = of_label - np.take_along_axis(known, others, axis=1) - before
        values = (margins * correct.known[:, None]).reshape(-1)
    limbs = lookups.ranged(f"{GADGET} margin range", others.size, n_bits, values)
    flags = system.wires(np.repeat(correct.wires, n_classes - 1))
    if system.with_values:
        return
    difference = _differences(system, logits, labels, others) - before.reshape(-1)
    system.enforce(f"{GADGET} margins", difference, flags, limbs)


def _differences(
    system: ConstraintSystem, logits: Signals | LinearForm, labels: IntArray, others: IntArray
) -> LinearCombination:
    """y_L − y_i, ordered by image."""
    n, n_others = others.shape
    image = np.repeat(np.arange(n), n_others)
    of_label, of_other = labels[image], others.reshape(-1)
    if isinstance(logits, Signals):
        wires = logits.wires
        return system.wires(wires[image, of_label]) - system.wires(wires[image, of_other])
    # rows are ordered by class first
    rows = logits.rows(0, n, logits.weights[None])
    return rows.take(of_label * n + image) - rows.take(of_other * n + image)
