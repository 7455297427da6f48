"""The proof of a deal: from its statement to keys, proof and verdict (backend Groth16, mode full).

The only file of the exchange that knows circuit and proof system; numba and the kernels load when
it is imported, so commands import it when they need it.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from circuits import statement as circuit
from zkcmp.bn254.fr import FrVector
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.exchange.statement import ciphertext_bytes, statement_context
from zkcmp.groth16 import snarkjs
from zkcmp.groth16.audit import audit as groth16_audit
from zkcmp.groth16.ceremony import Ceremony
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


def take_ceremony(
    architecture: Architecture,
    n_images: int,
    directory: Path,
    ours: Sequence[bytes],
    path: Path,
    progress: Progress = silent,
) -> bytes:
    """Write the key of a finished ceremony to `path`; return the encoded verifying key.

    The ceremony is copied beside `path` first, so that what is verified is what is used. Raises
    VerificationError unless every step of it is right, for this deal's circuit, and `ours` has
    digests of a record of each phase: then nobody else knows the trapdoor.
    """
    r1cs = circuit.build(architecture, n_images).r1cs
    with tempfile.TemporaryDirectory(dir=path.parent) as private:
        copy = Ceremony(directory).copied(Path(private))
        key = copy.finalise(r1cs, path, progress, ours=ours)
    path.chmod(0o600)
    return bytes(key.verifying_key.to_bytes())


@dataclass(frozen=True)
class AuditedKey:
    """Digests of a proving key that an audit accepted, and of the verifying key inside it."""

    proving_key: bytes
    verifying_key: bytes


def audit(
    path: Path, architecture: Architecture, n_images: int, progress: Progress = silent
) -> AuditedKey:
    """Check that a proving key of unknown origin cannot make our proofs reveal the witness.

    Raises DecodeError or VerificationError when the file is no proving key that an honest setup
    could have written for this deal's circuit.
    """
    key = ProvingKey.open(path)
    groth16_audit(key, circuit.build(architecture, n_images).r1cs, progress)
    return AuditedKey(key.digest, key.verifying_key.digest)


def check_audited(path: Path, digest: bytes) -> bytes:
    """The verifying key's digest of a proving key that must be the audited one of this digest.

    Reads the whole file. Raises DecodeError or VerificationError when it was changed since.
    """
    key = ProvingKey.open(path)
    if key.digest != digest:
        raise VerificationError(
            "proving key", "the one that was audited", "another", "restore the private directory"
        )
    key.file.check_digests()
    return key.verifying_key.digest


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
    _verified(deal, verifying_key, proof)


def export(deal: DealStatement, verifying_key: bytes, proof: bytes, directory: Path) -> None:
    """Verify once more, and write key, inputs, proof and circuit for snarkjs and circom's tools.

    verification_key.json, public.json, proof.json, circuit.r1cs; raises what `verify` raises.
    """
    key, inputs, decoded = _verified(deal, verifying_key, proof)
    snarkjs.write_verification_key(directory / "verification_key.json", key)
    snarkjs.write_public(directory / "public.json", inputs)
    snarkjs.write_proof(directory / "proof.json", decoded)
    r1cs = circuit.build(deal.architecture, len(deal.test_set)).r1cs
    snarkjs.write_r1cs(directory / "circuit.r1cs", r1cs)


def _verified(
    deal: DealStatement, verifying_key: bytes, proof: bytes
) -> tuple[VerifyingKey, FrVector, Proof]:
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
    key, decoded = VerifyingKey.from_bytes(verifying_key), Proof.from_bytes(proof)
    groth16_verify(key, inputs, decoded)
    return key, inputs, decoded
