"""What each backend refuses before it verifies anything, and what it says a proof is worth."""

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from zkcmp import seal
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.commitments.srs import VerifierKey, file_bytes, make_srs
from zkcmp.commitments.zkvpd import Zkvpd
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.exchange.method import FREIVALDS, FULL, HYRAX, ZKVPD, Method
from zkcmp.exchange.proofs import Asked, DealStatement, backend, circuit, libra, libra_zkvpd
from zkcmp.exchange.proofs.groth16 import Groth16
from zkcmp.exchange.proofs.libra import Libra
from zkcmp.exchange.proofs.libra_zkvpd import LibraZkvpd, parameters_bytes
from zkcmp.groth16.keys import ProvingKey
from zkcmp.libra.estimate import committed_vars
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Dense, Flatten
from zkcmp.model.network import Network

ARCHITECTURE = Architecture((1, 1, 2), 2, (Flatten(), Dense(2, 2, 2, 2)))
NETWORK = Network(ARCHITECTURE, [np.eye(2, dtype=np.int64), np.zeros(2, np.int64)])
TEST_SET = TestSet(np.array([[[[3, 1]]], [[[0, 2]]]]), np.array([0, 1]))
SAMPLED = Method("sampled", Fraction(1, 2), bytes(32))
SEALED = seal.encrypt(NETWORK, bytes(range(1, 33)))
METHODS = [FREIVALDS, FULL, SAMPLED, HYRAX, ZKVPD]


def deal(method: Method, parameters_digest: bytes = bytes(32)) -> DealStatement:
    asked = Asked(ARCHITECTURE, TEST_SET, method)
    return DealStatement(
        asked, SEALED.ciphertext, SEALED.commitment, 2, b"\x01" * 32, parameters_digest
    )


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (FREIVALDS, Groth16),
        (FULL, Groth16),
        (SAMPLED, Groth16),
        (HYRAX, Libra),
        (ZKVPD, LibraZkvpd),
    ],
    ids=str,
)
def test_backend_of_a_method(method: Method, kind: type) -> None:
    assert type(backend(method)) is kind
    assert deal(method).asked.n_images == 2


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_the_context_depends_on_every_part(method: Method) -> None:
    honest = deal(method)
    other = Architecture((1, 1, 2), 3, (Flatten(), Dense(2, 2, 2, 2)))
    asked = honest.asked
    variants = [
        honest,
        replace(honest, asked=replace(asked, architecture=other)),
        replace(honest, asked=replace(asked, test_set=TEST_SET.take([1, 0]))),
        replace(honest, asked=replace(asked, method=FULL if method is not FULL else FREIVALDS)),
        replace(honest, ciphertext=honest.ciphertext[::-1]),
        replace(honest, commitment=bytes(32)),
        replace(honest, threshold=1),
        replace(honest, request_digest=bytes(32)),
        replace(honest, parameters_digest=b"\x01" * 32),
    ]
    assert len({variant.context for variant in variants}) == len(variants)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (FREIVALDS, "statistical error: at most 2^-249; BN254, about 100 bits"),
        (
            FULL,
            "statistical error: none, every product is a constraint; BN254, about 100 bits",
        ),
        (
            SAMPLED,
            "statistical error: 1, the seller knows which constraints were dropped; "
            "BN254, about 100 bits",
        ),
        (HYRAX, "statistical error: at most 2^-237; BN254, about 100 bits"),
        (ZKVPD, "statistical error: at most 2^-237; BN254, about 100 bits"),
    ],
    ids=str,
)
def test_what_a_proof_is_worth(method: Method, said: str) -> None:
    assert backend(method).soundness(deal(method).asked) == said


@pytest.mark.parametrize("layers", [2, 3, 9])
@pytest.mark.parametrize("n_vars", [1, 10, 12, 13, 14, 20, 30])
def test_the_statistical_error_of_libra(
    monkeypatch: pytest.MonkeyPatch, n_vars: int, layers: int
) -> None:
    """The largest b with (4·2^m + 2^12·layers + 2^14)·2^b <= r."""
    monkeypatch.setattr(libra, "committed_vars", lambda *_: n_vars)
    dense = (Dense(2, 2, 2, 2),) * (layers - 1)
    asked = Asked(Architecture((1, 1, 2), 2, (Flatten(), *dense)), TEST_SET, HYRAX)
    degree = 4 * 2**n_vars + 4096 * layers + 16384
    bits = (FR_MODULUS // degree).bit_length() - 1
    assert f"at most 2^-{bits};" in backend(HYRAX).soundness(asked)


class TestGroth16:
    def test_without_a_key_or_with_another(self) -> None:
        prover, key = backend(FULL), b"any bytes"
        assert prover.parameters_digest(key) == hashlib.sha256(key).digest()
        with pytest.raises(VerificationError, match="the one of our own setup"):
            prover.parameters_digest(None)
        for given in (None, b"other bytes"):
            with pytest.raises(VerificationError, match="our own verifying key"):
                prover.verify(deal(FULL, hashlib.sha256(key).digest()), given, bytes(128))
        with pytest.raises(DecodeError, match="not a verifying key"):
            prover.verify(deal(FULL, hashlib.sha256(key).digest()), key, bytes(128))

    def test_a_key_that_was_changed_after_its_audit(self, tmp_path: Path) -> None:
        """Its header, and so its digest, is the audited one; its points are others."""
        prover, path = backend(FULL), tmp_path / "proving.key"
        key = prover.setup(deal(FULL).asked, path)
        digest = ProvingKey.open(path).digest
        assert prover.check_audited(path, digest) == prover.parameters_digest(key)
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert ProvingKey.open(path).digest == digest
        with pytest.raises(DecodeError):
            prover.check_audited(path, digest)

    def test_nothing_is_proved_under_no_key(self) -> None:
        with pytest.raises(VerificationError, match="the one that was audited"):
            backend(FULL).prove(deal(FULL), NETWORK, bytes(32), None)

    def test_circuits(self) -> None:
        """The test set is in freivalds' circuit; in the others it is among the public inputs."""
        sizes = {m: circuit.build(deal(m).asked).r1cs.n_constraints for m in METHODS[:3]}
        assert sizes[SAMPLED] < sizes[FULL] != sizes[FREIVALDS]
        lengths = {m: len(circuit.public_inputs(deal(m))) for m in METHODS[:3]}
        pixels_and_labels = 2 * (2 + 2)  # a label is a flag for each class
        assert lengths[FULL] == lengths[SAMPLED] == lengths[FREIVALDS] + pixels_and_labels
        for method in METHODS[:3]:
            r1cs = circuit.build(deal(method).asked).r1cs
            assert r1cs.n_public == lengths[method] + r1cs.n_challenges
        with pytest.raises(ZkcmpError, match="Groth16 has no mode libra"):
            circuit.build(deal(HYRAX).asked)

    @pytest.mark.parametrize("method", METHODS[:3], ids=str)
    def test_public_inputs_are_those_of_the_deal(self, method: Method) -> None:
        honest = deal(method)
        inputs = circuit.public_inputs(honest)
        for changed in (
            replace(honest, ciphertext=honest.ciphertext[::-1]),
            replace(honest, commitment=bytes(32)),
            replace(honest, threshold=1),
            replace(honest, request_digest=bytes(32)),
            replace(honest, asked=replace(honest.asked, test_set=TEST_SET.take([1, 0]))),
        ):
            assert circuit.public_inputs(changed) != inputs


class TestHyrax:
    def test_has_nothing_to_set_up(self, tmp_path: Path) -> None:
        prover, asked = backend(HYRAX), deal(HYRAX).asked
        for call in (
            lambda: prover.setup(asked, tmp_path / "key"),
            lambda: prover.take_ceremony(asked, tmp_path, [], tmp_path / "key"),
            lambda: prover.audit(tmp_path / "key", asked),
            lambda: prover.check_audited(tmp_path / "key", bytes(32)),
        ):
            with pytest.raises(ZkcmpError, match="has no key material"):
                call()
        with pytest.raises(ZkcmpError, match="no other tool"):
            prover.export(deal(HYRAX), None, b"", tmp_path)
        assert prover.parameters_digest(None) == Libra.scheme.digest

    def test_another_scheme(self) -> None:
        prover = backend(HYRAX)
        with pytest.raises(VerificationError, match="our own commitment scheme"):
            prover.verify(deal(HYRAX), None, b"")
        with pytest.raises(DecodeError, match="not a proof of the libra backend"):
            prover.verify(deal(HYRAX, Libra.scheme.digest), None, b"")
        with pytest.raises(VerificationError, match="our own commitment scheme"):
            prover.prove(deal(HYRAX), NETWORK, bytes(range(1, 33)), None)


class TestZkvpd:
    def test_without_a_key_or_with_another(self) -> None:
        prover = backend(ZKVPD)
        key = make_srs(1).key.to_bytes()
        digest = prover.parameters_digest(key)
        assert digest == Zkvpd(VerifierKey.from_bytes(key)).digest
        for call in (
            lambda: prover.parameters_digest(None),
            lambda: prover.verify(deal(ZKVPD, digest), None, b""),
        ):
            with pytest.raises(VerificationError, match="the one of our own setup"):
                call()
        with pytest.raises(VerificationError, match="our own commitment scheme"):
            prover.verify(deal(ZKVPD), key, b"")
        with pytest.raises(DecodeError, match="not a proof of the libra backend"):
            prover.verify(deal(ZKVPD, digest), key, b"")
        with pytest.raises(VerificationError, match="those that were audited"):
            prover.prove(deal(ZKVPD), NETWORK, bytes(32), None)

    def test_a_ceremony_is_not_for_it(self, tmp_path: Path) -> None:
        with pytest.raises(ZkcmpError, match="a ceremony makes keys of Groth16"):
            backend(ZKVPD).take_ceremony(deal(ZKVPD).asked, tmp_path, [], tmp_path / "key")

    def test_a_size_that_none_can_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        n_vars = committed_vars(ARCHITECTURE, 2)
        monkeypatch.setattr(libra_zkvpd, "MAX_VARS", n_vars)
        assert parameters_bytes(ARCHITECTURE, 2) == file_bytes(n_vars)
        monkeypatch.setattr(libra_zkvpd, "MAX_VARS", n_vars - 1)
        with pytest.raises(VerificationError, match="about 2 images"):
            parameters_bytes(ARCHITECTURE, 2)

    def test_parameters_of_another_size_or_digest(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prover, asked, path = backend(ZKVPD), deal(ZKVPD).asked, tmp_path / "parameters"
        with pytest.raises(DecodeError, match="cannot read the parameters"):
            prover.audit(path, asked)
        srs = make_srs(3)
        srs.save(path)
        with pytest.raises(VerificationError, match="parameters: size in bytes"):
            prover.audit(path, asked)
        monkeypatch.setattr(libra_zkvpd, "committed_vars", lambda *_: 3)
        audited = prover.audit(path, asked)
        assert audited.proving_key == audited.parameters == srs.key.digest
        assert prover.check_audited(path, srs.key.digest) == srs.key.digest
        with pytest.raises(VerificationError, match="those that were audited"):
            prover.check_audited(path, bytes(32))
        asked_for: list[object] = []
        monkeypatch.setattr(libra_zkvpd, "audit_srs", lambda *args: asked_for.append(args[0]))
        prover.audit(path, asked)
        assert len(asked_for) == 1
