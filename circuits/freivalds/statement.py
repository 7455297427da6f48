"""The statement that is proved (README), S1–S5 in two rounds: mode `freivalds`.

    S1  E = SHA-256(k ‖ salt)                       sha256, commitment, key
    S2  c_i = pack_i(w) + MiMC7_k(i)                mimc7 rounds, ciphertext
    S3  every weight has its declared width         range …, table of … bits
    S4  correct_j ⇒ label_j = arg max F(w, x_j)     conv… dense… sumpool… square…, argmax
    S5  correct_j ∈ {0, 1}, Σ correct_j = T         accuracy

(right: gadget names, as a failed check reports them). The test set is a constant of the circuit.
Public inputs, in this order: context, E and c (sealed_weights.py), then T; without a test set, only
S1–S3 are stated and there is no T. The challenges follow, and are no inputs: prover and verifier
compute them from the commitment to all wires that do not depend on them.

Source: Freivalds 1977, products of matrices checked by random projection, with the challenge drawn
after a commitment as in MIRAGE (Kosba, Papadopoulos, Papamanthou, Song 2020, §4).

What is random is only the check, not the statement: a witness that violates a relation satisfies
the constraints with the probability that soundness.py adds up, over the challenges.
"""

from dataclasses import dataclass

import numpy as np

from circuits.freivalds.margins import enforce_margins
from circuits.freivalds.network import NetworkProof
from circuits.freivalds.plan import Form, Plan, make_plan
from circuits.freivalds.size import ImageCounts, check_freivalds_size
from circuits.gadgets import accuracy
from circuits.gadgets.sealed_weights import (
    SealAssignment,
    check_sealed,
    check_secret,
    public_seal,
    sealed_inputs,
    sealed_weights,
)
from circuits.lookups.ranges import Lookups
from circuits.projections.constant_images import ConstantImages
from circuits.second_round import CommittedValues, SecondRound
from circuits.signals import Signals, private, public
from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Network, SumPool
from zkcmp.r1cs import R1CS
from zkcmp.r1cs_builder import ConstraintSystem, Respond


@dataclass(frozen=True, eq=False)
class Assignment(SealAssignment):
    """Everything a witness is made from, unchecked; `Statement.witness` makes honest ones.

    outputs: of every layer, (n, …) each. threshold, flags, outputs: None without a test set.
    """

    threshold: int | None
    flags: np.ndarray | None
    outputs: list[np.ndarray] | None

    def __repr__(self) -> str:
        return "Assignment()"  # nearly all of it is secret


@dataclass(frozen=True, eq=False)
class Statement:
    """The constraint system for one test set under one architecture."""

    architecture: Architecture
    testset: TestSet | None
    r1cs: R1CS

    @property
    def n_images(self) -> int:
        """0 when only the encryption is stated."""
        return 0 if self.testset is None else len(self.testset)

    def public_inputs(
        self,
        ciphertext: np.ndarray,
        commitment: bytes,
        testset: TestSet | None,
        threshold: int | None,
        context: bytes,
    ) -> FrVector:
        """The public wires, without the leading 1 and the challenges; see `public_inputs` below.

        Raises VerificationError for another test set than the one in the circuit.
        """
        if testset != self.testset:
            raise VerificationError("test set", "the one the circuit was made for", "another one")
        return public_inputs(self.architecture, ciphertext, commitment, testset, threshold, context)

    def witness(
        self,
        network: Network,
        preimage: bytes,
        ciphertext: np.ndarray,
        commitment: bytes,
        testset: TestSet | None,
        threshold: int | None,
        context: bytes,
        respond: Respond | None = None,
    ) -> FrVector:
        """All wires, the constant 1 first; `respond` gives the challenges.

        Raises VerificationError when a part does not fit, ZkcmpError when the network does not
        reach the threshold. Run `check` on the result: that the ciphertext is this network's seal
        is checked there.
        """
        self.public_inputs(ciphertext, commitment, testset, threshold, context)
        check_secret(self.architecture, commitment, network, preimage)
        flags = outputs = None
        if testset is not None and threshold is not None:
            outputs = network.layer_outputs(testset.images)
            is_correct = np.argmax(outputs[-1], axis=1) == testset.labels
            flags = accuracy.choose_flags(is_correct, threshold)
        return self.assign(
            Assignment(
                network.tensors,
                preimage,
                ciphertext,
                commitment,
                context,
                threshold,
                flags,
                outputs,
            ),
            respond,
        )

    def assign(self, assignment: Assignment, respond: Respond | None = None) -> FrVector:
        """The witness an assignment leads to, whether or not it satisfies the statement.

        Raises ValueError without `respond`.
        """
        if respond is None:
            raise ValueError("a statement of two rounds needs `respond` for its challenges")
        committed = CommittedValues(respond)
        system = ConstraintSystem(with_values=True, respond=committed)
        synthesise(system, self.architecture, self.testset, assignment, committed)
        return system.witness()

    def check(self, witness: FrVector) -> None:
        """Raises a VerificationError that names the first violated gadget."""
        self.r1cs.check(witness)


def public_inputs(
    architecture: Architecture,
    ciphertext: np.ndarray,
    commitment: bytes,
    testset: TestSet | None,
    threshold: int | None,
    context: bytes,
) -> FrVector:
    """The public wires of the statement about this test set, without the leading 1.

    Neither the constraint system nor the challenges are needed for them. The test set is in the
    circuit and not in them, so the verifying key must be one for this test set. ciphertext: (ℓ, 4)
    uint64 words; commitment, context: 32 bytes; threshold: None exactly without a test set. Raises
    VerificationError when a part does not fit the architecture, DecodeError when a block is not
    below r.
    """
    check_no_wrap(architecture)
    check_sealed(architecture, ciphertext, commitment, context)
    sealed = sealed_inputs(ciphertext, commitment, context)
    if testset is None:
        if threshold is not None:
            raise VerificationError("threshold", "none without a test set", threshold)
        return sealed
    testset.check(architecture)
    count = accuracy.checked_threshold(threshold, len(testset))
    return FrVector.concat([sealed, FrVector.from_ints([count])])


def build(architecture: Architecture, testset: TestSet | None) -> Statement:
    """The statement for any sealed network of this architecture and this test set.

    Without a test set, that of the encryption alone (S1–S3). Raises VerificationError when the test
    set does not fit, when an accumulator or a margin could wrap the field, or when the system would
    be too large to prove; nothing is allocated then.
    """
    check_no_wrap(architecture)
    if testset is not None:
        testset.check(architecture)
    check_freivalds_size(architecture, 0 if testset is None else len(testset))
    system = ConstraintSystem()
    synthesise(system, architecture, testset, None, None)
    return Statement(architecture, testset, system.build())


def image_counts(architecture: Architecture, testset: TestSet) -> ImageCounts:
    """What the exact sizes of the statement depend on, for `freivalds_size`."""
    plan = make_plan(architecture, len(testset))
    images = ConstantImages(testset.images.reshape(len(testset), -1))
    for step in plan.steps:
        if step.form is not Form.CONSTANT:
            break
        layer = architecture.layers[step.index]
        if isinstance(layer, SumPool):  # while squares are 0 exactly where their inputs are
            images = images.pooled(layer, architecture.shapes()[step.index])
    reads = images.reads(plan.first.layer_shape, plan.has_moments)
    return ImageCounts(reads, int(testset.labels.sum()))


def synthesise(
    system: ConstraintSystem,
    architecture: Architecture,
    testset: TestSet | None,
    given: Assignment | None,
    committed: CommittedValues | None,
) -> None:
    """Allocate every wire and enforce every relation; with `given`, compute the values too.

    committed: what answers the system's committed wires, given exactly when `given` is.
    """
    plan = make_plan(architecture, 0 if testset is None else len(testset))
    threshold: Signals | None = None
    digest, ciphertext = public_seal(system, architecture, given)
    if testset is not None:
        known = None if given is None else np.array([given.threshold])
        threshold = public(system, "threshold", (1,), known)
    challenges = system.challenges(len(plan.challenges), "challenges")

    lookups = Lookups(system, plan.tables)
    tensors = sealed_weights(
        system, architecture, digest, ciphertext, given, lookups.enforce_widths
    )
    proof = None
    if testset is not None and threshold is not None:
        proof = _network(system, plan, testset, tensors, threshold, lookups, given)
    lookups.commit_multiplicities()
    system.commit()

    by_name = dict(zip(plan.challenges, challenges.tolist(), strict=True))
    second = SecondRound(system, by_name, committed)
    if proof is not None:
        proof.enforce(second)
    lookups.enforce(second)


def _network(
    system: ConstraintSystem,
    plan: Plan,
    testset: TestSet,
    tensors: list[Signals],
    threshold: Signals,
    lookups: Lookups,
    given: Assignment | None,
) -> NetworkProof:
    """The first round of S4 and S5."""
    n = len(testset)
    images = ConstantImages(testset.images.reshape(n, -1))
    proof = NetworkProof(system, plan, images, tensors, None if given is None else given.outputs)
    logits = proof.commit()
    correct = private(system, "correct flags", (n,), None if given is None else given.flags)
    accuracy.enforce_flags(system, correct)
    enforce_margins(system, logits, testset.labels, correct, plan.margins.bits, lookups)
    accuracy.enforce_count(system, correct, threshold)
    return proof
