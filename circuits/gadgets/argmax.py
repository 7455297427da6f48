"""A flagged image's label is the arg max of its logits, ties to the smallest index (S4).

    y_L     = Σ_i onehot_i · y_i                                m constraints an image
    d_i     = correct · (y_L − y_i − [i < L])                   m
    0 ≤ d_i < 2^B,  B = bit length of 2·bound                   m · B
    [i < L] = Σ_{t>i} onehot_t, linear in public wires

L is the first arg max exactly when y_L > y_i for i < L and y_L ≥ y_i for i > L: all margins
y_L − y_i − [i < L] are non-negative. With correct = 0 every d_i is 0 and nothing is claimed.

Why the range check decides the sign. |y_i| ≤ bound, so a margin is an integer in
[−2·bound − 1, 2·bound]; non-negative ones fit B bits. A negative one is a residue of at least
r − 2·bound − 1, which is outside [0, 2^B) if 2^B + 2·bound + 1 ≤ r; `margin_bits` refuses any other
bound. The bound comes from model.bounds, which every party recomputes, and holds for every witness
because weights are held to their widths and the verifier builds pixels and labels itself.
"""

import numpy as np

from circuits.gadgets.bits import enforce_range
from circuits.gadgets.inner_product import inner_products
from circuits.signals import IntValues, Signals, private
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.r1cs_builder import ConstraintSystem

GADGET = "argmax"


def margin_bits(bound: int) -> int:
    """B for logits of at most `bound`; raises VerificationError if a negative margin could pass."""
    n_bits = max((2 * bound).bit_length(), 1)
    if (1 << n_bits) + 2 * bound + 1 > FR_MODULUS:
        raise VerificationError(
            "argmax margins",
            "margins far below the field modulus",
            f"{n_bits} bits",
            "use fewer bits, smaller layers or fewer squares",
        )
    return n_bits


def arg_max(
    system: ConstraintSystem, logits: Signals, one_hot: Signals, correct: Signals, bound: int
) -> None:
    """logits (n, m) of at most `bound`; one_hot (n, m) public labels; correct (n,) boolean."""
    n_images, n_classes = logits.wires.shape
    n = n_images * n_classes
    n_bits = margin_bits(bound)
    flat = np.arange(n)
    selected = inner_products(
        system,
        f"{GADGET} label logit",
        one_hot.take(flat),
        logits.take(flat),
        np.full(n_images, n_classes),
        None,
        bound,
    )
    image = flat // n_classes
    # entries (row (j, i), one_hot wire (j, t)) for t > i
    after = np.arange(n_classes)[::-1]  # how many t there are for each i
    lower = np.repeat(np.arange(n_classes), after)
    later = lower + 1 + np.arange(len(lower)) - np.repeat(np.cumsum(after) - after, after)
    base = np.arange(n_images)[:, None] * n_classes
    margin = (
        system.wires(selected.wires[image])
        - system.wires(logits.wires)
        + system.combination(base + lower, one_hot.wires.reshape(-1)[base + later], -1, n)
    )
    values: IntValues | None = None
    if logits.values is not None:
        # the labels as the wires have them, so that a dishonest assignment stays one
        before = np.cumsum(one_hot.known[:, ::-1], axis=1)[:, ::-1] - one_hot.known
        raw = selected.known.astype(object)[:, None] - logits.known - before
        values = (raw * correct.known[:, None]).reshape(-1)
    margins = private(system, f"{GADGET} margins", (n,), values)
    system.enforce(
        f"{GADGET} margins",
        system.wires(correct.wires[image]),
        margin,
        system.wires(margins.wires),
    )
    enforce_range(
        system, f"{GADGET} margin range", system.wires(margins.wires), n_bits, margins.values
    )
