"""The public inputs of modes `full` and `sampled`: their values, and what is stated about them.

    context   two 128-bit halves, high first: the digest of everything a proof is bound to
    E         two 128-bit halves, big-endian, high first
    c         ℓ blocks
    T         the threshold
    x_j       all pixels of all images, row-major
    L_j       all labels, one-hot

The context wires occur in no constraint; a proof system must bind unconstrained public inputs too
(Groth16's setup does). Soundness also rests on what the circuit takes for granted about public
inputs (pixels in range, labels one-hot, bounds that cannot wrap), so a verifier computes them with
`public_inputs` from its own data and never accepts them from a prover.
"""

from dataclasses import dataclass

import numpy as np

from circuits.gadgets import accuracy
from circuits.gadgets.argmax import arg_max
from circuits.gadgets.packing import enforce_widths
from circuits.gadgets.sealed_weights import (
    SealAssignment,
    check_sealed,
    public_seal,
    sealed_inputs,
    sealed_weights,
)
from circuits.signals import Signals, private, public
from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import ZkcmpError
from zkcmp.linear_combination import IntArray
from zkcmp.model.bounds import bounds, check_no_wrap
from zkcmp.model.dataset import MAX_IMAGES, TestSet
from zkcmp.model.network import Architecture
from zkcmp.r1cs_builder import ConstraintSystem


@dataclass(frozen=True, eq=False)
class Assignment(SealAssignment):
    """Everything a witness is made from, unchecked; `Statement.witness` makes honest ones."""

    images: np.ndarray
    labels: np.ndarray
    threshold: int
    flags: np.ndarray

    def __repr__(self) -> str:
        return f"Assignment({len(self.labels)} images)"  # the rest is secret


@dataclass(frozen=True)
class PublicWires:
    """The public inputs as wires, with S1–S3 before the network's rows, S4 and S5 after them.

    digest: (2,), E's halves; ciphertext: (ℓ,); pixels: (n, C, H, W); one_hot: (n, classes).
    """

    digest: Signals
    ciphertext: IntArray
    threshold: Signals
    pixels: Signals
    one_hot: Signals

    @classmethod
    def allocate(
        cls, system: ConstraintSystem, architecture: Architecture, n: int, given: Assignment | None
    ) -> "PublicWires":
        """Wires for n images, allocated in the order of the public inputs."""
        threshold, pixels, one_hot = None, None, None
        if given is not None:
            threshold, pixels = np.array([given.threshold]), given.images.astype(np.int64)
            one_hot = _one_hot(given.labels, architecture.n_classes)
        return cls(
            *public_seal(system, architecture, given),
            public(system, "threshold", (1,), threshold),
            public(system, "pixels", (n, *architecture.input_shape), pixels),
            public(system, "labels", (n, architecture.n_classes), one_hot),
        )

    def sealed_weights(
        self, system: ConstraintSystem, architecture: Architecture, given: Assignment | None
    ) -> list[Signals]:
        """S1, S2 and S3; the weights, as packed."""
        return sealed_weights(
            system, architecture, self.digest, self.ciphertext, given, enforce_widths
        )

    def enforce_accuracy(
        self,
        system: ConstraintSystem,
        architecture: Architecture,
        logits: Signals,
        given: Assignment | None,
    ) -> None:
        """S4 and S5 about these logits, (n, classes)."""
        flags = None if given is None else given.flags
        correct = private(system, "correct flags", logits.wires.shape[:1], flags)
        accuracy.enforce_flags(system, correct)
        arg_max(system, logits, self.one_hot, correct, bounds(architecture)[-1])
        accuracy.enforce_count(system, correct, self.threshold)


def public_inputs(
    architecture: Architecture,
    ciphertext: np.ndarray,
    commitment: bytes,
    testset: TestSet,
    threshold: int,
    context: bytes,
) -> FrVector:
    """The public wires of the statement about this test set, without the leading 1.

    The constraint system is not needed for them, so a verifier need not build it. ciphertext:
    (ℓ, 4) uint64 words; commitment, context: 32 bytes. Raises VerificationError when a part does
    not fit the architecture, DecodeError when a block is not below r.
    """
    check_public(architecture, ciphertext, commitment, testset, threshold, context)
    one_hot = _one_hot(testset.labels, architecture.n_classes)
    rest = np.concatenate([[threshold], testset.images.reshape(-1), one_hot.reshape(-1)])
    return FrVector.concat(
        [
            sealed_inputs(ciphertext, commitment, context),
            FrVector.from_int64(rest.astype(np.int64)),
        ]
    )


def check_public(
    architecture: Architecture,
    ciphertext: np.ndarray,
    commitment: bytes,
    testset: TestSet,
    threshold: int,
    context: bytes,
) -> None:
    """Raises VerificationError unless they are as the circuit takes for granted."""
    check_no_wrap(architecture)
    check_sealed(architecture, ciphertext, commitment, context)
    testset.check(architecture)
    accuracy.checked_threshold(threshold, len(testset))


def check_image_count(n_images: int) -> None:
    """Raises ZkcmpError for a number of images that no test set has."""
    if type(n_images) is not int or not 1 <= n_images <= MAX_IMAGES:
        raise ZkcmpError(f"a test set has 1 to {MAX_IMAGES} images, not {n_images}")


def _one_hot(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """(n, classes) int64."""
    is_label: np.ndarray = labels[:, None] == np.arange(n_classes)
    return is_label.astype(np.int64)
