"""The statement that is proved (README), S1–S5 as one constraint system in `full` mode.

    S1  E = SHA-256(k ‖ salt)                       sha256, commitment, key
    S2  c_i = pack_i(w) + MiMC7_k(i)                mimc7 rounds, ciphertext
    S3  every weight has its declared width         range …
    S4  correct_j ⇒ label_j = arg max F(w, x_j)     conv… dense… sumpool… square…, argmax
    S5  correct_j ∈ {0, 1}, Σ correct_j = T         accuracy

(right: gadget names, as a failed check reports them). Public inputs, in this order:

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

k = 0 is not excluded: S1 and S2 hold for it as for any key and the buyer can open the seal
(seal.open_seal). Only a seller who chose it loses, since such a ciphertext hides nothing.
"""

from dataclasses import dataclass

import numpy as np

from circuits.full.size import check_size
from circuits.gadgets import accuracy
from circuits.gadgets.argmax import arg_max
from circuits.gadgets.conv import conv
from circuits.gadgets.dense import dense
from circuits.gadgets.packing import enforce_widths
from circuits.gadgets.sealed_weights import (
    check_sealed,
    key_commitment,
    public_seal,
    sealed_inputs,
    sealed_weights,
)
from circuits.gadgets.square import square
from circuits.gadgets.sum_pool import sum_pool
from circuits.signals import Signals, private, public
from zkcmp.bn254.fr import FrVector
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.model.bounds import bounds, check_no_wrap
from zkcmp.model.dataset import MAX_IMAGES, TestSet
from zkcmp.model.network import Architecture, Conv, Dense, Network, Square, SumPool
from zkcmp.r1cs import R1CS
from zkcmp.r1cs_builder import ConstraintSystem, Respond
from zkcmp.seal import commit, n_blocks


@dataclass(frozen=True, eq=False)
class Assignment:
    """Everything a witness is made from, unchecked; `Statement.witness` makes honest ones."""

    tensors: list[np.ndarray]
    preimage: bytes
    ciphertext: np.ndarray
    commitment: bytes
    images: np.ndarray
    labels: np.ndarray
    threshold: int
    context: bytes
    flags: np.ndarray

    def __repr__(self) -> str:
        return f"Assignment({len(self.labels)} images)"  # the rest is secret


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
        _check_public(self.architecture, ciphertext, commitment, testset, threshold, context)
        if network.architecture != self.architecture:
            raise VerificationError("network", "the statement's architecture", "another one")
        if commit(preimage) != commitment:
            raise VerificationError("commitment", commitment.hex(), "the hash of another preimage")
        is_correct = network.predict(testset.images) == testset.labels
        return self.assign(
            Assignment(
                network.tensors,
                preimage,
                ciphertext,
                commitment,
                testset.images,
                testset.labels,
                threshold,
                context,
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
    _check_public(architecture, ciphertext, commitment, testset, threshold, context)
    one_hot = _one_hot(testset.labels, architecture.n_classes)
    rest = np.concatenate([[threshold], testset.images.reshape(-1), one_hot.reshape(-1)])
    return FrVector.concat(
        [
            sealed_inputs(ciphertext, commitment, context),
            FrVector.from_int64(rest.astype(np.int64)),
        ]
    )


def _check_public(
    architecture: Architecture,
    ciphertext: np.ndarray,
    commitment: bytes,
    testset: TestSet,
    threshold: int,
    context: bytes,
) -> None:
    check_no_wrap(architecture)
    check_sealed(architecture, ciphertext, commitment, context)
    testset.check(architecture)
    if type(threshold) is not int or not 1 <= threshold <= len(testset):
        raise VerificationError("threshold", f"1..{len(testset)}", threshold)


def build(architecture: Architecture, n_images: int) -> Statement:
    """The statement for any sealed network of this architecture and any test set of this size.

    Depends on nothing else, so its constraint system may be kept and used again. Raises
    VerificationError when an accumulator or a margin could wrap the field, or when the system would
    be too large to prove; nothing is allocated then.
    """
    if type(n_images) is not int or not 1 <= n_images <= MAX_IMAGES:
        raise ZkcmpError(f"a test set has 1 to {MAX_IMAGES} images, not {n_images}")
    check_no_wrap(architecture)
    check_size(architecture, n_images)
    system = ConstraintSystem()
    _synthesise(system, architecture, n_images, None)
    return Statement(architecture, n_images, system.build())


def _one_hot(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """(n, classes) int64; a whole identity matrix would be large for many classes."""
    rows = np.zeros((len(labels), n_classes), np.int64)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def _synthesise(
    system: ConstraintSystem, architecture: Architecture, n: int, given: Assignment | None
) -> None:
    """Allocate every wire and enforce every relation; with `given`, compute the values too."""
    shape, n_classes = architecture.input_shape, architecture.n_classes
    length = n_blocks(architecture)
    one_hot_values = None if given is None else _one_hot(given.labels, n_classes)
    if given is None:
        digest, ciphertext = public_seal(system, length, None, None, None)
    else:
        digest, ciphertext = public_seal(
            system, length, given.ciphertext, given.commitment, given.context
        )
    threshold = public(
        system, "threshold", (1,), None if given is None else np.array([given.threshold])
    )
    pixels = public(
        system, "pixels", (n, *shape), None if given is None else given.images.astype(np.int64)
    )
    one_hot = public(system, "labels", (n, n_classes), one_hot_values)

    preimage = None if given is None else given.preimage
    tensors = sealed_weights(
        system,
        architecture,
        key_commitment(system, digest, preimage),
        ciphertext,
        None if given is None else given.tensors,
        preimage,
        enforce_widths,
    )
    logits = _network(system, architecture, pixels, tensors)
    correct = private(system, "correct flags", (n,), None if given is None else given.flags)
    accuracy.enforce_flags(system, correct)
    arg_max(system, logits, one_hot, correct, bounds(architecture)[-1])
    accuracy.enforce_count(system, correct, threshold)


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
