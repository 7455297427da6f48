"""Predictions equal the sizes of what is then built; work that will not fit is refused first."""

import functools
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from circuits.full.size import statement_size as rows_and_wires
from circuits.full.statement import build
from zkcmp import machine
from zkcmp.bn254.threads import thread_count
from zkcmp.commitments.hyrax import Hyrax
from zkcmp.commitments.srs import file_bytes
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.exchange.costs.by_method import predict
from zkcmp.exchange.costs.forecast import (
    FEWER_IMAGES,
    forecast,
    libra_memory_bytes,
    require_prove_memory,
    require_setup_memory,
    statement_size,
    verify_memory_bytes,
    wire_bytes,
)
from zkcmp.exchange.costs.proof_size import (
    check_circuit_size,
    check_proof_size,
    check_provable,
    key_material_limit,
)
from zkcmp.exchange.messages.contents import MAX_PROOF_BYTES
from zkcmp.exchange.messages.encryption import encrypted_length
from zkcmp.exchange.method import FREIVALDS, FULL, HYRAX, ZKVPD, Method
from zkcmp.exchange.proofs import Asked, circuit
from zkcmp.groth16 import estimate as costs
from zkcmp.groth16 import setup
from zkcmp.groth16.estimate import CircuitSize
from zkcmp.libra.estimate import committed_vars, hyrax_proof_bytes
from zkcmp.machine import available_memory_bytes, require_memory
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Conv, Dense, Flatten, Square

ARCHITECTURE = Architecture(
    (1, 4, 4),
    4,
    (Conv(1, 2, (3, 3), (2, 2), (1, 1, 0, 0), 4, 5), Square(), Flatten(), Dense(8, 3, 4, 6)),
)
_require_setup = functools.partial(require_setup_memory, instead=FEWER_IMAGES)


@pytest.mark.parametrize("n_images", [1, 2, 5])
def test_size_is_that_of_the_circuit(n_images: int) -> None:
    size = statement_size(ARCHITECTURE, n_images, FULL)
    r1cs = build(ARCHITECTURE, n_images).r1cs
    assert size == CircuitSize.of(r1cs, size.full_wires)
    assert 0 < size.full_wires < size.n_wires
    closed = rows_and_wires(ARCHITECTURE, n_images)
    assert (size.n_constraints, size.n_wires) == (closed.n_constraints, closed.n_wires)
    assert size.domain_size == closed.domain_size


@pytest.mark.parametrize(
    "method", [FREIVALDS, Method("sampled", Fraction(1, 4), bytes(32))], ids=str
)
@pytest.mark.parametrize("n_images", [2, 50])
def test_other_methods_are_close(method: Method, n_images: int) -> None:
    """Rows and wires are not exceeded, and wires of the queries are within a tenth."""
    predicted = statement_size(ARCHITECTURE, n_images, method)
    pixels = np.random.default_rng(7).integers(0, 16, (n_images, 1, 4, 4))
    test_set = TestSet(pixels, np.zeros(n_images, np.int64))
    r1cs = circuit.build(Asked(ARCHITECTURE, test_set, method)).r1cs
    built = CircuitSize.of(r1cs, predicted.full_wires)
    assert built.n_rounds == predicted.n_rounds == 2 - (method != FREIVALDS)
    assert built.n_constraints <= predicted.n_constraints
    assert built.n_wires <= predicted.n_wires
    for name in ("a_wires", "b_wires", "l_wires"):
        assert getattr(predicted, name) == pytest.approx(getattr(built, name), rel=0.1), name


@pytest.mark.parametrize("n_images", [33, 150])
def test_a_sampled_statement_grows_evenly(n_images: int) -> None:
    """From a few images to many; wires that no kept row mentions are in no query."""
    method = Method("sampled", Fraction(1, 4), bytes(32))
    predicted = statement_size(ARCHITECTURE, n_images, method)
    pixels = np.random.default_rng(7).integers(0, 16, (n_images, 1, 4, 4))
    test_set = TestSet(pixels, np.zeros(n_images, np.int64))
    r1cs = circuit.build(Asked(ARCHITECTURE, test_set, method)).r1cs
    built = CircuitSize.of(r1cs, predicted.full_wires)
    assert built.n_constraints == predicted.n_constraints
    assert built.n_wires <= predicted.n_wires < 1.05 * built.n_wires
    for name in ("a_wires", "b_wires", "l_wires", "n_entries"):
        assert getattr(predicted, name) == pytest.approx(getattr(built, name), rel=0.02), name


# of processes that made a key, proved twice and audited it: constraints, public inputs, wires, of
# them in A, in B and in L, rounds, matrix entries; peaks of setup, and of proof or audit, in MB
MEASURED = [
    ((65_534, 1, 65_537, 65_535, 65_534, 65_535, 1, 196_602), 278, 417),
    ((262_142, 1, 262_145, 262_143, 262_142, 262_143, 1, 786_426), 473, 658),
    ((1_048_574, 1, 1_048_577, 1_048_575, 1_048_574, 1_048_575, 1, 3_145_722), 780, 1346),
    ((1_048_574, 1, 1_048_575, 1_048_575, 1_048_574, 1_048_573, 1, 3_145_722), 782, 1455),
    ((1_318_506, 733, 1_778_405, 790_696, 620_227, 1_777_671, 2, 11_072_438), 1526, 2346),
    ((1_347_233, 159_531, 2_283_904, 865_910, 818_884, 2_124_372, 1, 5_924_002), 1515, 2399),
    ((2_660_933, 397_731, 5_002_884, 1_457_869, 1_551_504, 4_605_152, 1, 11_522_564), 2245, 3997),
]


@pytest.mark.parametrize(("sizes", "setup_mb", "prove_mb"), MEASURED)
def test_memory_is_what_was_measured_and_a_bit_more(
    sizes: tuple[int, ...], setup_mb: int, prove_mb: int
) -> None:
    rows, public, wires, in_a, in_b, in_l, rounds, entries = sizes
    size = CircuitSize(rows, public, wires, in_a, in_b, in_l, 0, rounds, entries)
    assert setup_mb < costs.setup_memory_bytes(size) / 1e6 < 1.35 * setup_mb
    assert prove_mb < costs.prove_memory_bytes(size) / 1e6 < 1.35 * prove_mb


def test_key_has_the_predicted_size(tmp_path: Path) -> None:
    prediction = forecast(ARCHITECTURE, 2, FULL)
    key = setup(build(ARCHITECTURE, 2).r1cs, tmp_path / "a.key")
    found = key.file.path.stat().st_size
    assert found <= prediction.key_bytes < found + 2048
    assert wire_bytes(prediction) == encrypted_length(prediction.key_bytes)
    assert len(key.a_wires) == prediction.size.a_wires
    assert len(key.b_wires) == prediction.size.b_wires
    assert len(key.l_wires) == prediction.size.l_wires


def test_costs_grow_with_the_images_and_fall_with_the_speed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "product_s", lambda: 2e-9)
    small, large = forecast(ARCHITECTURE, 1), forecast(ARCHITECTURE, 5000)
    for name in ("key_bytes", "setup_s", "prove_s", "setup_memory_bytes", "prove_memory_bytes"):
        assert 0 < getattr(small, name) < getattr(large, name), name
    monkeypatch.setattr(machine, "product_s", lambda: 4e-9)
    assert forecast(ARCHITECTURE, 1).prove_s == pytest.approx(2 * small.prove_s)
    monkeypatch.setenv("ZKCMP_THREADS", "1")
    assert thread_count() == 1
    assert forecast(ARCHITECTURE, 1).setup_s >= 2 * small.setup_s


def test_libra_needs_memory_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `zkcmp bench libra` was measured to need for the paper's network, and a bit more."""
    layers = (
        Conv(1, 5, (5, 5), (2, 2), (1, 1, 0, 0), 8, 16),
        *(Square(), Flatten(), Dense(845, 100, 8, 32), Square(), Dense(100, 10, 8, 32)),
    )
    network = Architecture((1, 28, 28), 8, layers)
    for n_images, measured_mb in ((100, 476), (4000, 789)):
        assert measured_mb < libra_memory_bytes(network, n_images) / 1e6 < 2 * measured_mb
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 200_000_000)
    with pytest.raises(ZkcmpError, match="the proof will need"):
        require_prove_memory(network, 100, HYRAX, force=False)
    require_prove_memory(network, 100, HYRAX, force=True)
    with pytest.raises(ZkcmpError, match="setup will need"):
        _require_setup(network, 100, ZKVPD, force=False)
    _require_setup(network, 100, ZKVPD, force=True)
    # enough for hyrax, and not for the parameters of zkvpd too
    needed = libra_memory_bytes(network, 100)
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: needed)
    require_prove_memory(network, 100, HYRAX, force=False)
    with pytest.raises(ZkcmpError, match="the proof will need"):
        require_prove_memory(network, 100, ZKVPD, force=False)


def _square(n: int, weight_bits: int = 7) -> Architecture:
    return Architecture((1, 1, n), 1, (Flatten(), Dense(n, n - 1, weight_bits, 32)))


@pytest.mark.parametrize(
    ("architecture", "n_images", "measured_mb"),
    [
        (ARCHITECTURE, 3, 173),
        (_square(1024), 1, 388),
        (_square(2048), 1, 1086),
        (_square(2048, 30), 1, 1090),
        (_square(4096), 1, 3648),
    ],
    ids=["small", "1024", "2048", "2048 wide", "4096"],
)
def test_a_verifier_s_memory_is_known_from_the_offer(
    architecture: Architecture, n_images: int, measured_mb: int
) -> None:
    """The peaks are of processes that followed a proof of zeros to its last equation."""
    for method in (HYRAX, ZKVPD):
        predicted = verify_memory_bytes(architecture, n_images, method)
        assert measured_mb < predicted / 1e6 < 1.5 * measured_mb


def test_a_verifier_with_groth16_has_memory_for_its_public_inputs() -> None:
    """515 MB were measured for 1.6 million of them."""
    for method, pixels_are_inputs in ((FULL, True), (FREIVALDS, False)):
        few, many = (verify_memory_bytes(ARCHITECTURE, n, method) for n in (1, 100_001))
        n_inputs = check_circuit_size(ARCHITECTURE, 100_001, method).n_public
        assert (n_inputs > 1_600_000) == pixels_are_inputs
        if pixels_are_inputs:
            assert 515 / 1.6 < (many - few) / n_inputs < 2 * 515 / 1.6
        else:
            assert many - few < 50_000_000


def test_libra_statement_that_is_too_large() -> None:
    check_proof_size(ARCHITECTURE, 1 << 20, HYRAX)
    with pytest.raises(VerificationError, match="use fewer images"):
        check_proof_size(ARCHITECTURE, 1 << 28, HYRAX)


def test_parameters_of_a_commitment_have_one_size() -> None:
    """It follows from the committed vector, is known before any is made, and is bounded."""
    for n_images in (1, 1000):
        size = file_bytes(committed_vars(ARCHITECTURE, n_images))
        limit = key_material_limit(ARCHITECTURE, n_images, ZKVPD)
        assert encrypted_length(size) + (1 << 16) < limit < 2 * size + (1 << 21)
    huge = Architecture((1, 1, 1 << 12), 1, (Flatten(), Dense(1 << 12, (1 << 12) - 1, 32, 32)))
    with pytest.raises(VerificationError, match=r"at most 2\^28 committed values, got 2\^30"):
        check_proof_size(huge, 1, ZKVPD)


def _dense(weight_bits: int) -> Architecture:
    """The largest layer there is, of weights so wide."""
    return Architecture((1, 1, 4096), 1, (Flatten(), Dense(4096, 4095, weight_bits, 32)))


def test_a_proof_that_no_delivery_has_room_for_is_refused_at_once() -> None:
    """Hyrax's has a point for every row of 2^13 values."""
    largest, too_large = _dense(7), _dense(12)
    assert [committed_vars(n, 1) for n in (largest, too_large)] == [27, 28]
    proof_bytes = Hyrax().commitment_bytes(27, 0)
    assert proof_bytes < hyrax_proof_bytes(27) < MAX_PROOF_BYTES < 2 * proof_bytes
    check_proof_size(largest, 1, HYRAX)
    with pytest.raises(VerificationError, match=r"at most 2\^27 committed values.*got 2\^28; use"):
        check_proof_size(too_large, 1, HYRAX)
    check_proof_size(too_large, 1, ZKVPD)
    check_provable(too_large)
    assert "2^27 committed" in predict(too_large, 1, HYRAX).refused


def test_a_product_is_measured() -> None:
    assert 1e-10 < machine.product_s() < 1e-6


def test_too_large_for_any_key() -> None:
    with pytest.raises(VerificationError, match="at most 67108864 rows"):
        forecast(ARCHITECTURE, 1 << 20, FULL)


def test_memory_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    found = available_memory_bytes()
    assert found is None or found > 0
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 1_000_000_000)
    require_memory(1_000_000_000, "setup")
    with pytest.raises(ZkcmpError, match=r"about 2\.0 GB of memory and 1\.0 GB are free.*--force"):
        require_memory(2_000_000_000, "setup")
    require_memory(2_000_000_000, "setup", force=True)
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 200_000_000)
    for require, needs in (
        (_require_setup, "setup will need about 0.3 GB"),
        (require_prove_memory, "the proof will need about 0.4 GB"),
    ):
        with pytest.raises(ZkcmpError, match=f"^{re.escape(needs)}"):
            require(ARCHITECTURE, 2, FULL, force=False)
        require(ARCHITECTURE, 2, FULL, force=True)
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: None)
    _require_setup(ARCHITECTURE, 2, FULL, force=False)
