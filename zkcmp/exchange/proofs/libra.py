"""Proofs of a deal by sumchecks over one commitment (zkcmp/libra), with nothing to set up.

Hyrax's generators are hashed to the curve, so there is no key material: nobody has to be trusted
with a trapdoor, nothing has to be audited, and the delivery answers the request itself. The digest
of the scheme stands where a verifying key's would.

    statistical error    (4·2^m + 2^12·layers + 2^14)/r    for 2^m committed values

which is more than docs/libra.md adds up: a value is looked up at most twice, which fills at most
4·2^m leaves of the lookup tree with the table, and the rest are sumchecks of a few hundred rounds a
layer.
"""

from collections.abc import Sequence
from math import log2
from pathlib import Path

import numpy as np

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.commitments.hyrax import Hyrax
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.exchange.proofs import Asked, AuditedKey, DealStatement
from zkcmp.libra.prove import prove as make_proof
from zkcmp.libra.prove import verify as check_proof
from zkcmp.libra.statement import Statement
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent
from zkcmp.seal import n_blocks


class Libra:
    """The backend of method `libra hyrax`."""

    scheme = Hyrax()

    def setup(self, asked: Asked, path: Path, progress: Progress = silent) -> bytes:
        raise _nothing_to_set_up()

    def take_ceremony(
        self,
        asked: Asked,
        directory: Path,
        ours: Sequence[bytes],
        path: Path,
        progress: Progress = silent,
    ) -> bytes:
        raise _nothing_to_set_up()

    def audit(self, path: Path, asked: Asked, progress: Progress = silent) -> AuditedKey:
        raise _nothing_to_set_up()

    def check_audited(self, path: Path, digest: bytes) -> bytes:
        raise _nothing_to_set_up()

    def parameters_digest(self, verifying_key: bytes | None) -> bytes:
        """Names the scheme, its sizes and generators."""
        return self.scheme.digest

    def prove(
        self,
        deal: DealStatement,
        network: Network,
        preimage: bytes,
        path: Path | None,
        progress: Progress = silent,
    ) -> bytes:
        """Some tens of thousands of bytes."""
        statement = _statement(deal)
        proof = make_proof(statement, statement.secret(network, preimage), self.scheme, progress)
        progress("checking the proof", 0, 1)
        try:
            self.verify(deal, None, proof)
        except (VerificationError, DecodeError) as error:
            raise VerificationError(
                "self-check of the new proof",
                hint=f"{error}; network or key are not those of the seal",
            ) from error
        progress("checking the proof", 1, 1)
        return proof

    def verify(self, deal: DealStatement, verifying_key: bytes | None, proof: bytes) -> None:
        if deal.parameters_digest != self.scheme.digest:
            raise VerificationError("proof", "our own commitment scheme", "another")
        check_proof(_statement(deal), self.scheme, proof)

    def export(
        self, deal: DealStatement, verifying_key: bytes | None, proof: bytes, directory: Path
    ) -> None:
        raise ZkcmpError("no other tool verifies proofs of this backend")

    def soundness(self, asked: Asked) -> str:
        architecture = asked.architecture
        blocks = np.zeros((n_blocks(architecture), 4), np.uint64)
        # any statement of these sizes
        statement = Statement(architecture, blocks, bytes(32), asked.test_set, 1, bytes(32))
        degree = (4 << statement.layout.n_vars) + (len(architecture.layers) << 12) + (1 << 14)
        bits = int(log2(FR_MODULUS) - log2(degree))
        return f"statistical error: at most 2^-{bits}; BN254, about 100 bits"


def _statement(deal: DealStatement) -> Statement:
    asked = deal.asked
    return Statement(
        asked.architecture,
        deal.ciphertext,
        deal.commitment,
        asked.test_set,
        deal.threshold,
        deal.context,
    )


def _nothing_to_set_up() -> ZkcmpError:
    return ZkcmpError("commitment hyrax has no key material: nothing is to be set up or audited")
