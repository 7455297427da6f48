"""The proof of a deal, whatever makes it: one interface, one file for each backend.

    Asked            (A, D, method): what keys are made for
    DealStatement    everything public that a proof is about, and the context that binds it
    Backend          setup and audit of the key material, prove, verify

Only the files of the backends know circuits and proof systems. Their kernels load with them, so
`backend` imports what a method needs, and no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from zkcmp.exchange.method import Method
from zkcmp.exchange.statement import ciphertext_bytes, statement_context
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent


@dataclass(frozen=True)
class Asked:
    """What a request asks a proof about; key material depends on nothing else."""

    architecture: Architecture
    test_set: TestSet
    method: Method

    @property
    def n_images(self) -> int:
        return len(self.test_set)


@dataclass(frozen=True)
class DealStatement:
    """What a proof of this deal is about; ciphertext (blocks, 4) uint64 words.

    parameters_digest names what the proof is verified with: a verifying key, or a scheme.
    """

    asked: Asked
    ciphertext: np.ndarray
    commitment: bytes
    threshold: int
    request_digest: bytes
    parameters_digest: bytes

    @property
    def context(self) -> bytes:
        return statement_context(
            self.asked.architecture,
            ciphertext_bytes(self.ciphertext),
            self.commitment,
            self.asked.test_set,
            self.threshold,
            self.asked.method,
            self.request_digest,
            self.parameters_digest,
        )


@dataclass(frozen=True)
class AuditedKey:
    """Digests of key material that an audit accepted, and of what it is verified with."""

    proving_key: bytes
    parameters: bytes


class Backend(Protocol):
    """Paths lead to key material in our own private directory; None where a method has none."""

    def setup(self, asked: Asked, path: Path, progress: Progress = silent) -> bytes:
        """Write fresh key material to `path`; return what we verify with, encoded."""
        ...

    def take_ceremony(
        self,
        asked: Asked,
        directory: Path,
        ours: Sequence[bytes],
        path: Path,
        progress: Progress = silent,
    ) -> bytes:
        """Like `setup`, with the key of a finished ceremony that has contributions of ours."""
        ...

    def parameters_digest(self, verifying_key: bytes | None) -> bytes:
        """How messages and proofs name what `setup` returned; None: the method has no setup."""
        ...

    def audit(self, path: Path, asked: Asked, progress: Progress = silent) -> AuditedKey:
        """Check that key material of unknown origin cannot make our proofs reveal the witness.

        Raises DecodeError or VerificationError when no honest setup could have written it.
        """
        ...

    def check_audited(self, path: Path, digest: bytes) -> bytes:
        """The parameters' digest of key material that must be the audited one of this digest.

        Reads the whole file. Raises DecodeError or VerificationError when it was changed since.
        """
        ...

    def prove(
        self,
        deal: DealStatement,
        network: Network,
        preimage: bytes,
        path: Path | None,
        progress: Progress = silent,
    ) -> bytes:
        """A proof, verified before it is returned. Raises VerificationError."""
        ...

    def verify(self, deal: DealStatement, verifying_key: bytes | None, proof: bytes) -> None:
        """Raise DecodeError or VerificationError unless `proof` proves the statement.

        `deal.parameters_digest` must be our own record of what our own `setup` returned.
        """
        ...

    def export(
        self, deal: DealStatement, verifying_key: bytes | None, proof: bytes, directory: Path
    ) -> None:
        """Verify once more, and write everything for other tools."""
        ...

    def soundness(self, asked: Asked) -> str:
        """What a verified proof is worth: the statistical error, and the assumption."""
        ...


def backend(method: Method) -> Backend:
    """The backend of a method, loaded now."""
    if method.backend == "libra":
        if method.has_key_material:
            from zkcmp.exchange.proofs.libra_zkvpd import LibraZkvpd

            return LibraZkvpd()
        from zkcmp.exchange.proofs.libra import Libra

        return Libra()
    from zkcmp.exchange.proofs.groth16 import Groth16

    return Groth16()
