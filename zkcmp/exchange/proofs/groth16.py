"""Proofs of a deal by Groth16: modes freivalds, full and sampled (circuit.py).

The buyer makes the key, so nobody else can forge a proof for it; the seller audits it against the
circuit that it builds itself from the request. The verifier builds no circuit: our own `setup` made
the key for this deal's circuit, and only the key of that digest is accepted. A proof under it is
thus one for that circuit, with the public inputs that we compute ourselves. In mode freivalds the
time for that does not depend on the number of images, apart from reading and hashing them.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.exchange.proofs import Asked, AuditedKey, DealStatement, circuit
from zkcmp.groth16 import snarkjs
from zkcmp.groth16.audit import audit as audit_key
from zkcmp.groth16.ceremony import Ceremony
from zkcmp.groth16.first_round import FirstRound
from zkcmp.groth16.keys import ProvingKey, VerifyingKey
from zkcmp.groth16.proof import Proof
from zkcmp.groth16.prove import prove as make_proof
from zkcmp.groth16.setup import setup as make_key
from zkcmp.groth16.verify import verify as check_proof
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent


class Groth16:
    """The backend of all modes that need a key for one circuit."""

    def setup(self, asked: Asked, path: Path, progress: Progress = silent) -> bytes:
        built = circuit.build(asked)
        try:
            key = make_key(built.r1cs, path, progress)
        except ValueError as error:
            raise ZkcmpError(f"{error}; use fewer images or a smaller network") from None
        path.chmod(0o600)
        return bytes(key.verifying_key.to_bytes())

    def take_ceremony(
        self,
        asked: Asked,
        directory: Path,
        ours: Sequence[bytes],
        path: Path,
        progress: Progress = silent,
    ) -> bytes:
        """The ceremony is copied beside `path` first: what is verified is what is used.

        Raises VerificationError unless every step of it is right, for this deal's circuit, and
        `ours` has digests of a record of each phase: then nobody else knows the trapdoor.
        """
        r1cs = circuit.build(asked).r1cs
        with tempfile.TemporaryDirectory(dir=path.parent) as private:
            copy = Ceremony(directory).copied(Path(private))
            key = copy.finalise(r1cs, path, progress, ours=ours)
        path.chmod(0o600)
        return bytes(key.verifying_key.to_bytes())

    def parameters_digest(self, verifying_key: bytes | None) -> bytes:
        """SHA-256 of the key's encoding, `VerifyingKey.digest`."""
        if verifying_key is None:
            raise VerificationError("verifying key", "the one of our own setup", "none")
        return hashlib.sha256(verifying_key).digest()

    def audit(self, path: Path, asked: Asked, progress: Progress = silent) -> AuditedKey:
        key = ProvingKey.open(path)
        audit_key(key, circuit.build(asked).r1cs, progress)
        return AuditedKey(key.digest, key.verifying_key.digest)

    def check_audited(self, path: Path, digest: bytes) -> bytes:
        key = ProvingKey.open(path)
        if key.digest != digest:
            raise VerificationError(
                "proving key",
                "the one that was audited",
                "another",
                "restore the private directory",
            )
        key.file.check_digests()
        return key.verifying_key.digest

    def prove(
        self,
        deal: DealStatement,
        network: Network,
        preimage: bytes,
        path: Path | None,
        progress: Progress = silent,
    ) -> bytes:
        """128 bytes; 160 in two rounds."""
        if path is None:
            raise VerificationError("proving key", "the one that was audited", "none")
        built, key = circuit.build(deal.asked), ProvingKey.open(path)
        first_round = None
        if built.r1cs.n_challenges:
            first_round = FirstRound(key, built.r1cs, circuit.public_inputs(deal))
        progress("computing the witness", 0, 1)
        witness = built.witness(
            network,
            preimage,
            deal.ciphertext,
            deal.commitment,
            deal.asked.test_set,
            deal.threshold,
            deal.context,
            None if first_round is None else first_round.respond,
        )
        progress("computing the witness", 1, 1)
        return bytes(make_proof(key, built.r1cs, witness, progress, first_round).to_bytes())

    def verify(self, deal: DealStatement, verifying_key: bytes | None, proof: bytes) -> None:
        self._verified(deal, verifying_key, proof)

    def export(
        self, deal: DealStatement, verifying_key: bytes | None, proof: bytes, directory: Path
    ) -> None:
        """verification_key.json, public.json, proof.json, circuit.r1cs, of one round only."""
        key, inputs, decoded = self._verified(deal, verifying_key, proof)
        snarkjs.write_verification_key(directory / "verification_key.json", key)
        snarkjs.write_public(directory / "public.json", inputs)
        snarkjs.write_proof(directory / "proof.json", decoded)
        snarkjs.write_r1cs(directory / "circuit.r1cs", circuit.build(deal.asked).r1cs)

    def soundness(self, asked: Asked) -> str:
        return f"statistical error: {circuit.statistical_error(asked)}; BN254, about 100 bits"

    def _verified(
        self, deal: DealStatement, verifying_key: bytes | None, proof: bytes
    ) -> tuple[VerifyingKey, FrVector, Proof]:
        if verifying_key is None or self.parameters_digest(verifying_key) != deal.parameters_digest:
            raise VerificationError("proof", "our own verifying key", "another")
        inputs = circuit.public_inputs(deal)
        key, decoded = VerifyingKey.from_bytes(verifying_key), Proof.from_bytes(proof)
        check_proof(key, inputs, decoded)
        return key, inputs, decoded
