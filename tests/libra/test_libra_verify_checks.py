"""What `verify` refuses of a statement that fits its proof, and of bytes that only begin as one."""

from dataclasses import replace

import numpy as np
import pytest
from test_libra_statement import NETWORK, PREIMAGE, SCHEME, SEAL_ONLY, STATEMENT

from zkcmp.commitments.hyrax import Hyrax
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.libra.prove import _HEAD, MAGIC, _transcript, prove_unchecked, verify


@pytest.fixture(scope="module")
def proof() -> bytes:
    return prove_unchecked(SEAL_ONLY, SEAL_ONLY.assign(NETWORK, PREIMAGE), SCHEME)


def test_a_proof_that_no_image_is_right() -> None:
    """All sums hold: only the statement's own check knows that it says nothing."""
    nothing = replace(STATEMENT, threshold=0)
    secret = nothing.assign(NETWORK, PREIMAGE, np.zeros(3, np.int64))
    proof = prove_unchecked(nothing, secret, SCHEME)
    with pytest.raises(VerificationError, match="threshold"):
        verify(nothing, SCHEME, proof)


@pytest.mark.parametrize("n", [0, len(MAGIC), _HEAD.size - 1, _HEAD.size])
def test_bytes_that_end_early(proof: bytes, n: int) -> None:
    said = "ends inside the commitment" if n == _HEAD.size else "not a proof"
    with pytest.raises(DecodeError, match=said):
        verify(SEAL_ONLY, SCHEME, proof[:n])


def test_a_proof_of_another_version(proof: bytes) -> None:
    _, version, length = _HEAD.unpack(proof[: _HEAD.size])
    assert version == 1  # docs/formats.md
    newer = _HEAD.pack(MAGIC, version + 1, length) + proof[_HEAD.size :]
    with pytest.raises(DecodeError, match=f"version {version + 1}, this tool reads {version}"):
        verify(SEAL_ONLY, SCHEME, newer)


def test_a_commitment_to_more_values_in_longer_rows(proof: bytes) -> None:
    """As many rows, so as many bytes: only the sizes that it names are others."""
    n_vars, column_bits = proof[_HEAD.size : _HEAD.size + 2]
    longer = bytes([n_vars + 1, column_bits + 1])
    changed = proof[: _HEAD.size] + longer + proof[_HEAD.size + 2 :]
    with pytest.raises(VerificationError, match="of another size"):
        verify(SEAL_ONLY, SCHEME, changed)


def test_the_first_challenge_depends_on_scheme_statement_and_commitment() -> None:
    ordinary = SEAL_ONLY, SCHEME, b"commitment"
    others = [
        (SEAL_ONLY, Hyrax(SCHEME.column_bits + 1), b"commitment"),
        (replace(SEAL_ONLY, context=bytes([1]) * 32), SCHEME, b"commitment"),
        (SEAL_ONLY, SCHEME, b"commitmenT"),
    ]
    challenges = [_transcript(*public).challenge(b"first") for public in (ordinary, *others)]
    assert len(set(challenges)) == len(challenges)
    assert challenges[0] == _transcript(*ordinary).challenge(b"first")
