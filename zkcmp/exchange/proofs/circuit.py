"""The circuit of a deal in each of Groth16's modes.

    freivalds    the test set is in the circuit, and in none of the public inputs
    full         pixels and labels are public inputs; one circuit for every test set of a size
    sampled      the same public inputs; U and the seed choose which constraints are left

A verifier needs the public inputs alone, and no constraint system.
"""

from typing import Protocol

import numpy as np

from circuits.freivalds import statement as freivalds_statement
from circuits.freivalds.soundness import soundness_bound
from circuits.full import statement
from circuits.sampled import statement as sampled_statement
from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import ZkcmpError
from zkcmp.exchange.proofs import Asked, DealStatement
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.r1cs import R1CS
from zkcmp.r1cs_builder import Respond


class Circuit(Protocol):
    """What the statements of all modes have in common."""

    @property
    def r1cs(self) -> R1CS: ...

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
    ) -> FrVector: ...

    def check(self, witness: FrVector) -> None: ...


def build(asked: Asked) -> Circuit:
    """The constraint system. Raises VerificationError when it would be too large to prove."""
    architecture, method = asked.architecture, asked.method
    if method.mode == "freivalds":
        return freivalds_statement.build(architecture, asked.test_set)
    if method.mode == "full":
        return statement.build(architecture, asked.n_images)
    if method.mode == "sampled" and method.sample is not None:
        return sampled_statement.build(architecture, asked.n_images, method.sample, method.seed)
    raise ZkcmpError(f"Groth16 has no mode {method.mode}")


def public_inputs(deal: DealStatement) -> FrVector:
    """All public inputs but the challenges, from our own data."""
    asked = deal.asked
    is_constant = asked.method.mode == "freivalds"
    inputs = freivalds_statement.public_inputs if is_constant else statement.public_inputs
    return inputs(
        asked.architecture,
        deal.ciphertext,
        deal.commitment,
        asked.test_set,
        deal.threshold,
        deal.context,
    )


def statistical_error(asked: Asked) -> str:
    """How likely a false statement has a proof, the assumption about BN254 aside."""
    if asked.method.mode == "freivalds":
        bits = int(soundness_bound(asked.architecture, asked.n_images).bits)
        return f"at most 2^-{bits}"
    if asked.method.mode == "full":
        return "none, every product is a constraint"
    return "1, the seller knows which constraints were dropped"
