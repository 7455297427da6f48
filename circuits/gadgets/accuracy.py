"""Exactly T images are flagged correct (S5): correct_j · correct_j = correct_j, Σ_j correct_j = T.

The sum is an equality. A prover with more than T correct images flags T of them, so the true count
stays hidden and no comparison is needed.
"""

import numpy as np

from circuits.gadgets.bits import boolean
from circuits.signals import Signals
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.linear_combination import IntArray
from zkcmp.r1cs_builder import ConstraintSystem

GADGET = "accuracy"


def checked_threshold(threshold: int | None, n_images: int) -> int:
    """T. Raises VerificationError unless it is an integer from 1 to the number of images."""
    if type(threshold) is not int or not 1 <= threshold <= n_images:
        raise VerificationError("threshold", f"1..{n_images}", threshold)
    return threshold


def enforce_flags(system: ConstraintSystem, correct: Signals) -> None:
    """Every flag is 0 or 1."""
    boolean(system, f"{GADGET} flags", correct)


def enforce_count(system: ConstraintSystem, correct: Signals, threshold: Signals) -> None:
    """The flags sum to the one public wire `threshold`."""
    total = system.wires(correct.wires).total()
    system.enforce(f"{GADGET} threshold", total, 1, system.wires(threshold.wires))


def choose_flags(is_correct: np.ndarray, threshold: int) -> IntArray:
    """Flags of the first `threshold` correct images. Raises ZkcmpError when there are too few."""
    chosen = np.flatnonzero(is_correct)[:threshold]
    if len(chosen) < threshold:
        raise ZkcmpError("the network does not reach the threshold; nothing can be proved")
    flags = np.zeros(len(is_correct), np.int64)
    flags[chosen] = 1
    return flags
