"""Keys of another circuit than the deal's are refused by both sides, whatever digest they show."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zkcmp import seal
from zkcmp.errors import VerificationError
from zkcmp.exchange import prover
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Dense, Flatten
from zkcmp.model.network import Network

ARCHITECTURE = Architecture((1, 1, 2), 2, (Flatten(), Dense(2, 2, 2, 2)))
NETWORK = Network(ARCHITECTURE, [np.eye(2, dtype=np.int64), np.zeros(2, np.int64)])
TEST_SET = TestSet(np.array([[[[3, 1]]]]), np.array([0]))


# the same public inputs, another circuit: weights one bit wider in a block of its own
OTHER = Architecture((1, 1, 2), 2, (Flatten(), Dense(2, 2, 3, 2)))


def test_keys_of_another_circuit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "proving.key"
    key = prover.setup(ARCHITECTURE, 1, path)
    audited = prover.audit(path, ARCHITECTURE, 1)
    assert audited.verifying_key == prover.key_digest(key)
    assert prover.check_audited(path, audited.proving_key) == prover.key_digest(key)
    with pytest.raises(VerificationError, match="the one that was audited"):
        prover.check_audited(path, bytes(32))
    with pytest.raises(VerificationError, match="proving key"):
        prover.audit(path, ARCHITECTURE, 2)

    sealed, preimage = seal.seal(NETWORK)
    deal = prover.DealStatement(
        ARCHITECTURE,
        sealed.ciphertext,
        sealed.commitment,
        TEST_SET,
        1,
        "full",
        bytes(32),
        prover.key_digest(key),
    )
    proof = prover.prove(deal, NETWORK, preimage, path)
    other = prover.setup(OTHER, 1, tmp_path / "other.key")
    assert len(other) == len(key)

    def build(*_: object) -> None:
        raise AssertionError("a verifier needs no constraint system")

    monkeypatch.setattr(prover.circuit, "build", build)
    prover.verify(deal, key, proof)
    with pytest.raises(VerificationError, match="our own verifying key"):
        prover.verify(deal, other, proof)
    with pytest.raises(VerificationError, match="our own verifying key"):
        prover.verify(replace(deal, verifying_key_digest=bytes(32)), key, proof)

    renamed = key[:12] + bytes(32) + key[44:]  # the same points, said to be of another circuit
    for wrong in (other, renamed):
        named = replace(deal, verifying_key_digest=hashlib.sha256(wrong).digest())
        with pytest.raises(VerificationError, match="pairing equation"):
            prover.verify(named, wrong, proof)
