"""The statement that is proved (README), S1–S5 as one constraint system in `full` mode.

    S1  E = SHA-256(k ‖ salt)                       sha256, commitment, key
    S2  c_i = pack_i(w) + MiMC7_k(i)                mimc7 rounds, ciphertext
    S3  every weight has its declared width         range …
    S4  correct_j ⇒ label_j = arg max F(w, x_j)     conv… dense… sumpool… square…, argmax
    S5  correct_j ∈ {0, 1}, Σ correct_j = T         accuracy

(right: gadget names, as a failed check reports them). The public inputs are in public_inputs.py.

k = 0 is not excluded: S1 and S2 hold for it as for any key and the buyer can open the seal
(seal.open_seal). Only a seller who chose it loses, since such a ciphertext hides nothing.
"""

from dataclasses import dataclass

import numpy as np

from circuits.full.public_inputs import (
    Assignment,
    PublicWires,
    check_image_count,
    check_public,
    public_inputs,
)
from circuits.full.size import check_size
from circuits.gadgets import accuracy
from circuits.gadgets.conv import conv
from circuits.gadgets.dense import dense
from circuits.gadgets.sealed_weights import check_secret
from circuits.gadgets.square import square
from circuits.gadgets.sum_pool import sum_pool
from circuits.signals import Signals
from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.model.bounds import bounds, check_no_wrap
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Conv, Dense, Network, Square, SumPool
from zkcmp.r1cs import R1CS
from zkcmp.r1cs_builder import ConstraintSystem, Respond

__all__ = ["Assignment", "Statement", "build", "public_inputs"]


@dataclass(frozen=True, eq=False)
class Statement:
    """The constraint system for test sets of `n_images` under one architecture."""

    architecture: Architecture
    n_images: int
    r1cs: R1CS

    def public_inputs(
        self,
        ciphertext: np.ndarray,
        commitment: bytes,
        testset: TestSet,
        threshold: int,
        context: bytes,
    ) -> FrVector:
        """The public wires, without the leading 1; see the function `public_inputs`."""
        self._check_size_of(testset)
        return public_inputs(self.architecture, ciphertext, commitment, testset, threshold, context)

    def witness(
        self,
        network: Network,
        preimage: bytes,
        ciphertext: np.ndarray,
        commitment: bytes,
        testset: TestSet,
        threshold: int,
        context: bytes,
        respond: Respond | None = None,
    ) -> FrVector:
        """All wires, the constant 1 first.

        Raises VerificationError when a part does not fit, ZkcmpError when the network does not
        reach the threshold. Run `check` on the result: that the ciphertext is this network's seal
        is checked there.
        """
        self._check_size_of(testset)
        check_public(self.architecture, ciphertext, commitment, testset, threshold, context)
        check_secret(self.architecture, commitment, network, preimage)
        is_correct = network.predict(testset.images) == testset.labels
        return self.assign(
            Assignment(
                network.tensors,
                preimage,
                ciphertext,
                commitment,
                context,
                testset.images,
                testset.labels,
                threshold,
                accuracy.choose_flags(is_correct, threshold),
            ),
            respond,
        )

    def assign(self, assignment: Assignment, respond: Respond | None = None) -> FrVector:
        """The witness an assignment leads to, whether or not it satisfies the statement.

        Nothing is asked of `respond` in this mode: its system has one round.
        """
        system = ConstraintSystem(with_values=True, respond=respond)
        _synthesise(system, self.architecture, self.n_images, assignment)
        return system.witness()

    def check(self, witness: FrVector) -> None:
        """Raises a VerificationError that names the first violated gadget."""
        self.r1cs.check(witness)

    def _check_size_of(self, testset: TestSet) -> None:
        if len(testset) != self.n_images:
            raise VerificationError("test set size", self.n_images, len(testset))


def build(architecture: Architecture, n_images: int) -> Statement:
    """The statement for any sealed network of this architecture and any test set of this size.

    Depends on nothing else, so its constraint system may be kept and used again. Raises
    VerificationError when an accumulator or a margin could wrap the field, or when the system would
    be too large to prove; nothing is allocated then.
    """
    check_image_count(n_images)
    check_no_wrap(architecture)
    check_size(architecture, n_images)
    system = ConstraintSystem()
    _synthesise(system, architecture, n_images, None)
    return Statement(architecture, n_images, system.build())


def _synthesise(
    system: ConstraintSystem, architecture: Architecture, n: int, given: Assignment | None
) -> None:
    """Allocate every wire and enforce every relation; with `given`, compute the values too."""
    wires = PublicWires.allocate(system, architecture, n, given)
    tensors = wires.sealed_weights(system, architecture, given)
    logits = _network(system, architecture, wires.pixels, tensors)
    wires.enforce_accuracy(system, architecture, logits, given)


def _network(
    system: ConstraintSystem, architecture: Architecture, pixels: Signals, tensors: list[Signals]
) -> Signals:
    """The network's arithmetic for every image; returns the logits (n, n_classes)."""
    value, remaining = pixels, iter(tensors)
    for index, (layer, bound) in enumerate(
        zip(architecture.layers, bounds(architecture), strict=True)
    ):
        name = architecture.layer_name(index)
        if isinstance(layer, Conv):
            weight, bias = next(remaining), next(remaining)
            value = conv(system, name, layer, value, weight, bias, bound)
        elif isinstance(layer, Dense):
            weight, bias = next(remaining), next(remaining)
            value = dense(system, name, value, weight, bias, bound)
        elif isinstance(layer, SumPool):
            value = sum_pool(system, name, layer, value, bound)
        elif isinstance(layer, Square):
            value = square(system, name, value, bound)
        else:
            value = value.reshape(len(value.wires), -1)
    return value
