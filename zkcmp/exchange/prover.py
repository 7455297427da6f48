"""The proof of a deal: from its statement to keys, proof and verdict (backend Groth16, mode full).

The only file of the exchange that knows circuit and proof system; numba and the kernels load when
it is imported, so commands import it when they need it.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from circuits import statement as circuit
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.exchange.statement import ciphertext_bytes, statement_context
from zkcmp.groth16.keys import ProvingKey, VerifyingKey
from zkcmp.groth16.proof import Proof
from zkcmp.groth16.prove import prove as groth16_prove
from zkcmp.groth16.setup import setup as groth16_setup
from zkcmp.groth16.verify import verify as groth16_verify
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent


@dataclass(frozen=True)
class DealStatement:
    """Everything public that a proof of this deal is about; ciphertext (blocks, 4) uint64 words."""

    architecture: Architecture
    ciphertext: np.ndarray
    commitment: bytes
    test_set: TestSet
    threshold: int
    mode: str
    request_digest: bytes
    verifying_key_digest: bytes

    @property
    def context(self) -> bytes:
        return statement_context(
            self.architecture,
            ciphertext_bytes(self.ciphertext),
            self.commitment,
            self.test_set,
            self.threshold,
            self.mode,
            self.request_digest,
            self.verifying_key_digest,
        )


def key_digest(verifying_key: bytes) -> bytes:
    """How messages name a verifying key: SHA-256 of its encoding (`VerifyingKey.digest`)."""
    return hashlib.sha256(verifying_key).digest()


def setup(
    architecture: Architecture, n_images: int, path: Path, progress: Progress = silent
) -> bytes:
    """Write a fresh proving key for so many images to `path`; return the encoded verifying key."""
    built = circuit.build(architecture, n_images)
    try:
        key = groth16_setup(built.r1cs, path, progress)
    except ValueError as error:
        raise ZkcmpError(f"{error}; use fewer images or a smaller network") from None
    path.chmod(0o600)
    return bytes(key.verifying_key.to_bytes())


def check_key(path: Path, architecture: Architecture, n_images: int) -> bytes:
    """The verifying key's digest of a proving key of unknown origin.

    Raises DecodeError or VerificationError when the file is no proving key for this deal's
    circuit, with every point in its group. That the points come from one trapdoor, on which the
    prover's privacy rests, is *not* checked.
    """
    key = ProvingKey.open(path)
    key.check_circuit(circuit.build(architecture, n_images).r1cs)
    key.check_points()
    return key.verifying_key.digest


def verifying_key_digest(path: Path) -> bytes:
    """The digest of the verifying key inside a proving key that was checked before."""
    return ProvingKey.open(path).verifying_key.digest


def prove(
    deal: DealStatement,
    network: Network,
    preimage: bytes,
    proving_key: Path,
    progress: Progress = silent,
) -> bytes:
    """128 bytes of proof, verified before they are returned. Raises VerificationError."""
    built = circuit.build(deal.architecture, len(deal.test_set))
    progress("computing the witness", 0, 1)
    witness = built.witness(
        network,
        preimage,
        deal.ciphertext,
        deal.commitment,
        deal.test_set,
        deal.threshold,
        deal.context,
    )
    progress("computing the witness", 1, 1)
    key = ProvingKey.open(proving_key)
    return bytes(groth16_prove(key, built.r1cs, witness, progress).to_bytes())


def verify(deal: DealStatement, verifying_key: bytes, proof: bytes) -> None:
    """Raise DecodeError or VerificationError unless `proof` proves the statement of this deal.

    `deal.verifying_key_digest` must be our own record of the key that our own `setup` returned. The
    circuit is not built again: `setup` built it from this architecture and this number of images
    and made the key for it, and only the key of that digest is accepted here. A proof under it is
    thus one for that circuit, with the public inputs that we compute ourselves.
    """
    if key_digest(verifying_key) != deal.verifying_key_digest:
        raise VerificationError("proof", "our own verifying key", "another")
    inputs = circuit.public_inputs(
        deal.architecture,
        deal.ciphertext,
        deal.commitment,
        deal.test_set,
        deal.threshold,
        deal.context,
    )
    key = VerifyingKey.from_bytes(verifying_key)
    groth16_verify(key, inputs, Proof.from_bytes(proof))
