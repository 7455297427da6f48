"""Proofs of a deal by sumchecks over one commitment (zkcmp/libra); with Hyrax, nothing to set up.

Hyrax's generators are hashed to the curve, so there is no key material: nobody has to be trusted
with a trapdoor, nothing has to be audited, and the delivery answers the request itself. The digest
of the scheme stands where a verifying key's would. libra_zkvpd.py is the same with parameters.

    statistical error    (4·2^m + 2^12·layers + 2^14)/r    for 2^m committed values

which is more than docs/libra.md adds up: a value is looked up at most twice, which fills at most
4·2^m leaves of the lookup tree with the table, and the rest are sumchecks of a few hundred rounds a
layer.
"""

from collections.abc import Sequence
from math import log2
from pathlib import Path

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.commitments.hyrax import Hyrax
from zkcmp.commitments.scheme import Scheme
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.exchange.proofs import Asked, AuditedKey, DealStatement
from zkcmp.libra.estimate import committed_vars
from zkcmp.libra.prove import prove as make_proof
from zkcmp.libra.prove import verify as check_proof
from zkcmp.libra.statement import Statement
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent


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
        return prove_with(self.scheme, deal, network, preimage, progress)

    def verify(self, deal: DealStatement, verifying_key: bytes | None, proof: bytes) -> None:
        verify_with(self.scheme, deal, proof)

    def export(
        self, deal: DealStatement, verifying_key: bytes | None, proof: bytes, directory: Path
    ) -> None:
        raise ZkcmpError("no other tool verifies proofs of this backend")

    def soundness(self, asked: Asked) -> str:
        layers = len(asked.architecture.layers)
        n_vars = committed_vars(asked.architecture, asked.n_images)
        degree = (4 << n_vars) + (layers << 12) + (1 << 14)
        bits = int(log2(FR_MODULUS) - log2(degree))
        return f"statistical error: at most 2^-{bits}; BN254, about 100 bits"


def prove_with(
    scheme: Scheme, deal: DealStatement, network: Network, preimage: bytes, progress: Progress
) -> bytes:
    """A proof of the deal, verified before it is returned. Raises VerificationError."""
    _check_scheme(scheme, deal)
    statement = _statement(deal)
    return make_proof(statement, statement.secret(network, preimage), scheme, progress)


def verify_with(scheme: Scheme, deal: DealStatement, proof: bytes) -> None:
    """Raise DecodeError or VerificationError unless this is a proof by this very scheme."""
    _check_scheme(scheme, deal)
    check_proof(_statement(deal), scheme, proof)


def _check_scheme(scheme: Scheme, deal: DealStatement) -> None:
    if deal.parameters_digest != scheme.digest:
        raise VerificationError("proof", "our own commitment scheme", "another")


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
