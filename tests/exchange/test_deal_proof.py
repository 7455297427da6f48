"""Keys of another circuit than the deal's are refused by both sides, whatever digest they show."""

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from zkcmp import seal
from zkcmp.errors import VerificationError
from zkcmp.exchange.method import FREIVALDS, FULL, Method
from zkcmp.exchange.proofs import Asked, DealStatement, backend, circuit
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Dense, Flatten
from zkcmp.model.network import Network

ARCHITECTURE = Architecture((1, 1, 2), 2, (Flatten(), Dense(2, 2, 2, 2)))
SAMPLED = Method("sampled", Fraction(1, 2), bytes(32))
NETWORK = Network(ARCHITECTURE, [np.eye(2, dtype=np.int64), np.zeros(2, np.int64)])
TEST_SET = TestSet(np.array([[[[3, 1]]]]), np.array([0]))


# the same public inputs, another circuit: weights one bit wider in a block of its own
OTHER = Architecture((1, 1, 2), 2, (Flatten(), Dense(2, 2, 3, 2)))


def asked(architecture: Architecture = ARCHITECTURE, method: Method = FREIVALDS) -> Asked:
    return Asked(architecture, TEST_SET, method)


def statement(method: Method, key: bytes) -> tuple[DealStatement, bytes]:
    """A deal about a fresh seal of the network, and its preimage."""
    sealed, preimage = seal.seal(NETWORK)
    digest = backend(method).parameters_digest(key)
    deal = DealStatement(
        asked(method=method), sealed.ciphertext, sealed.commitment, 1, bytes(32), digest
    )
    return deal, preimage


def refuse_to_build(*_: object) -> None:
    raise AssertionError("a verifier needs no constraint system")


@pytest.mark.parametrize(
    ("method", "proof_bytes"), [(FREIVALDS, 160), (FULL, 128), (SAMPLED, 128)], ids=str
)
def test_keys_of_another_circuit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: Method, proof_bytes: int
) -> None:
    prover, path = backend(method), tmp_path / "proving.key"
    key = prover.setup(asked(method=method), path)
    audited = prover.audit(path, asked(method=method))
    assert audited.parameters == prover.parameters_digest(key)
    assert prover.check_audited(path, audited.proving_key) == audited.parameters
    with pytest.raises(VerificationError, match="the one that was audited"):
        prover.check_audited(path, bytes(32))
    two_images = TestSet(np.repeat(TEST_SET.images, 2, axis=0), np.zeros(2, np.int64))
    for wrong in (asked(OTHER, method), replace(asked(method=method), test_set=two_images)):
        with pytest.raises(VerificationError, match="proving key"):
            prover.audit(path, wrong)

    deal, preimage = statement(method, key)
    proof = prover.prove(deal, NETWORK, preimage, path)
    assert len(proof) == proof_bytes
    other = prover.setup(asked(OTHER, method), tmp_path / "other.key")
    assert len(other) == len(key)

    monkeypatch.setattr(circuit, "build", refuse_to_build)
    prover.verify(deal, key, proof)
    with pytest.raises(VerificationError, match="our own verifying key"):
        prover.verify(deal, other, proof)
    with pytest.raises(VerificationError, match="our own verifying key"):
        prover.verify(replace(deal, parameters_digest=bytes(32)), key, proof)

    renamed = key[:12] + bytes(32) + key[44:]  # the same points, said to be of another circuit
    for wrong in (other, renamed):
        named = replace(deal, parameters_digest=hashlib.sha256(wrong).digest())
        with pytest.raises(VerificationError, match="pairing equation"):
            prover.verify(named, wrong, proof)


def test_audit_is_about_test_set_and_method(tmp_path: Path) -> None:
    """In freivalds the pixels are in the circuit, in sampled the seed and U are."""
    other_pixels = TestSet(np.array([[[[1, 3]]]]), np.array([1]))
    reseeded = replace(SAMPLED, seed=bytes(31) + b"\x01")
    kept_more = replace(SAMPLED, sample=Fraction(3, 4))
    for method, wrong in (
        (FREIVALDS, replace(asked(), test_set=other_pixels)),
        (FREIVALDS, asked(method=FULL)),
        (FULL, asked()),
        (SAMPLED, asked(method=reseeded)),
        (SAMPLED, asked(method=kept_more)),
        (SAMPLED, asked(method=FULL)),
    ):
        backend(method).setup(asked(method=method), tmp_path / "key")
        backend(method).audit(tmp_path / "key", asked(method=method))
        with pytest.raises(VerificationError, match="proving key"):
            backend(method).audit(tmp_path / "key", wrong)


def test_proof_is_bound_to_its_method(tmp_path: Path) -> None:
    """A verifier who asked for anything else refuses the same proof under the same key."""
    other = replace(SAMPLED, seed=bytes(31) + b"\x01")
    less = replace(SAMPLED, sample=Fraction(1, 3))
    prover = backend(SAMPLED)
    key = prover.setup(asked(method=SAMPLED), tmp_path / "key")
    deal, preimage = statement(SAMPLED, key)
    proof = prover.prove(deal, NETWORK, preimage, tmp_path / "key")
    prover.verify(deal, key, proof)
    for method in (FULL, other, less):
        with pytest.raises(VerificationError, match="pairing equation"):
            prover.verify(replace(deal, asked=asked(method=method)), key, proof)


def test_what_a_proof_is_worth() -> None:
    texts = {m.mode: backend(m).soundness(asked(method=m)) for m in (FREIVALDS, FULL, SAMPLED)}
    assert all("BN254, about 100 bits" in text for text in texts.values())
    assert "at most 2^-2" in texts["freivalds"]
    assert "none, every product" in texts["full"]
    assert "error: 1, the seller knows" in texts["sampled"]
