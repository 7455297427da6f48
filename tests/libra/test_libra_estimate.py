"""Predicted costs: of the size that is then proved, growing with it, and with the machine."""

import numpy as np
import pytest

from zkcmp import machine
from zkcmp.commitments.hyrax import Hyrax
from zkcmp.commitments.srs import make_srs
from zkcmp.commitments.zkvpd import Zkvpd
from zkcmp.libra.estimate import committed_vars, estimate, padded_entries
from zkcmp.libra.prove import prove
from zkcmp.libra.statement import Statement
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Conv, Dense, Flatten, Square
from zkcmp.model.network import Network
from zkcmp.seal import seal

ARCHITECTURE = Architecture(
    (1, 8, 8),
    4,
    (Conv(1, 2, (3, 3), (2, 2), (1, 1, 0, 0), 4, 8), Square(), Flatten(), Dense(32, 3, 4, 16)),
)
FIGURES = ("n_vars", "prove_s", "verify_s", "proof_bytes")


def _larger() -> Architecture:
    layers = (Flatten(), Dense(784, 100, 8, 20), Square(), Dense(100, 10, 8, 40))
    return Architecture((1, 28, 28), 8, layers)


@pytest.fixture(autouse=True)
def _one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "product_s", lambda: 4e-9)
    monkeypatch.setenv("ZKCMP_THREADS", "1")


def test_entries_are_padded_axis_by_axis() -> None:
    assert padded_entries(ARCHITECTURE, 5) == [8 * 64, 8 * 32, 8 * 32, 8 * 32, 8 * 4]


@pytest.mark.parametrize("commitment", ["hyrax", "zkvpd"])
def test_the_proof_is_about_as_long_as_predicted(commitment: str) -> None:
    rng = np.random.default_rng(1)
    tensors = [rng.integers(s.low, s.high + 1, s.shape) for s in ARCHITECTURE.tensors()]
    network = Network(ARCHITECTURE, tensors)
    pixels = rng.integers(0, 16, (4, 1, 8, 8))
    images = TestSet(pixels, network.predict(pixels))
    sealed, preimage = seal(network)
    statement = Statement(ARCHITECTURE, sealed.ciphertext, sealed.commitment, images, 4, bytes(32))
    predicted = estimate(ARCHITECTURE, 4, zkvpd=commitment == "zkvpd")
    assert predicted.n_vars == statement.layout.n_vars == committed_vars(ARCHITECTURE, 4)
    scheme = Hyrax() if commitment == "hyrax" else Zkvpd(make_srs(predicted.n_vars))
    proof = prove(statement, statement.secret(network, preimage), scheme)
    assert 2 / 3 < len(proof) / predicted.proof_bytes < 4 / 3


def test_costs_grow_with_network_and_images() -> None:
    small, more, large = (
        estimate(architecture, n)
        for architecture, n in ((ARCHITECTURE, 1), (ARCHITECTURE, 20_000), (_larger(), 20_000))
    )
    for name in FIGURES:
        assert 0 < getattr(small, name) < getattr(more, name) < getattr(large, name), name


def test_parameters_are_paid_for_with_zkvpd_only() -> None:
    hyrax, zkvpd = estimate(_larger(), 10), estimate(_larger(), 10, zkvpd=True)
    assert hyrax.setup_s == hyrax.audit_s == 0 < zkvpd.setup_s < zkvpd.audit_s
    assert hyrax.prove_s < zkvpd.prove_s
    assert zkvpd.proof_bytes < hyrax.proof_bytes


def test_costs_follow_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    once = estimate(_larger(), 10)
    monkeypatch.setenv("ZKCMP_THREADS", "2")
    assert once.prove_s / 2 < estimate(_larger(), 10).prove_s < once.prove_s
    monkeypatch.setattr(machine, "product_s", lambda: 8e-9)
    monkeypatch.setenv("ZKCMP_THREADS", "1")
    assert estimate(_larger(), 10).prove_s == pytest.approx(2 * once.prove_s)
