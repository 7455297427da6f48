"""Proofs of a deal by sumchecks over one zkVPD commitment (zkcmp/commitments/zkvpd.py).

The buyer makes the parameters for the size of this statement's committed vector, so nobody else can
open a commitment to another value; it forgets their secrets and the tables, and keeps the
verifier's key. The seller audits what it got, byte by byte its own copy from then on, before it
computes anything from the weights: under audited parameters a proof hides them from their maker
too. The digest of all parameters is that of the scheme, of the key material and in the context.

The size is known before anything is read: a file of any other is refused unread.
"""

from collections.abc import Sequence
from pathlib import Path

from zkcmp.commitments.srs import MAX_VARS, Srs, VerifierKey, file_bytes, load_srs, make_srs
from zkcmp.commitments.srs_audit import audit as audit_srs
from zkcmp.commitments.zkvpd import Zkvpd
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.exchange.proofs import Asked, AuditedKey, DealStatement
from zkcmp.exchange.proofs.libra import Libra, prove_with, verify_with
from zkcmp.libra.estimate import committed_vars
from zkcmp.model.architecture import Architecture
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent


def parameters_bytes(architecture: Architecture, n_images: int) -> int:
    """The size of the parameters' file. Raises VerificationError when none can be so large."""
    n_vars = committed_vars(architecture, n_images)
    if n_vars > MAX_VARS:
        raise VerificationError(
            f"statement about {n_images} images",
            f"at most 2^{MAX_VARS} committed values",
            f"2^{n_vars}; use fewer images or a smaller network",
        )
    return file_bytes(n_vars)


class LibraZkvpd(Libra):
    """The backend of method `libra zkvpd`."""

    def setup(self, asked: Asked, path: Path, progress: Progress = silent) -> bytes:
        progress("making the parameters", 0, 1)
        srs = make_srs(committed_vars(asked.architecture, asked.n_images))
        srs.save(path)
        path.chmod(0o600)
        progress("making the parameters", 1, 1)
        return srs.key.to_bytes()

    def take_ceremony(
        self,
        asked: Asked,
        directory: Path,
        ours: Sequence[bytes],
        path: Path,
        progress: Progress = silent,
    ) -> bytes:
        raise ZkcmpError("a ceremony makes keys of Groth16; run `zkcmp buyer setup` without one")

    def parameters_digest(self, verifying_key: bytes | None) -> bytes:
        """Names the scheme and every element of its parameters."""
        return _own_scheme(verifying_key).digest

    def audit(self, path: Path, asked: Asked, progress: Progress = silent) -> AuditedKey:
        expected, found = parameters_bytes(asked.architecture, asked.n_images), _size(path)
        if found != expected:
            raise VerificationError("parameters: size in bytes", expected, found)
        srs = load_srs(path)
        audit_srs(srs, progress)
        return AuditedKey(srs.key.digest, srs.key.digest)

    def check_audited(self, path: Path, digest: bytes) -> bytes:
        return _audited(path, digest).key.digest

    def prove(
        self,
        deal: DealStatement,
        network: Network,
        preimage: bytes,
        path: Path | None,
        progress: Progress = silent,
    ) -> bytes:
        """Some tens of thousands of bytes."""
        if path is None:
            raise VerificationError("parameters", "those that were audited", "none")
        srs = _audited(path, deal.parameters_digest)
        return prove_with(Zkvpd(srs), deal, network, preimage, progress)

    def verify(self, deal: DealStatement, verifying_key: bytes | None, proof: bytes) -> None:
        verify_with(_own_scheme(verifying_key), deal, proof)


def _own_scheme(verifying_key: bytes | None) -> Zkvpd:
    if verifying_key is None:
        raise VerificationError("verifier's key", "the one of our own setup", "none")
    return Zkvpd(VerifierKey.from_bytes(verifying_key))


def _audited(path: Path, digest: bytes) -> Srs:
    """The parameters in the file, if they are those of this digest: loading reads them all."""
    srs = load_srs(path)
    if srs.key.digest != digest:
        raise VerificationError(
            "parameters", "those that were audited", "others", "restore the private directory"
        )
    return srs


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DecodeError(f"cannot read the parameters {path}: {error.strerror}") from error
