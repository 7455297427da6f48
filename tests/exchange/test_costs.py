"""Costs of every sound method beside each other, or why there are none."""

import pytest

from zkcmp import machine
from zkcmp.commitments.srs import file_bytes
from zkcmp.exchange.costs.by_method import SOUND_METHODS, predict, predict_all
from zkcmp.exchange.costs.forecast import forecast, libra_memory_bytes
from zkcmp.exchange.method import FREIVALDS, FULL, HYRAX, ZKVPD
from zkcmp.model.architecture import Architecture
from zkcmp.model.layers import Dense, Flatten, Square

ARCHITECTURE = Architecture(
    (1, 8, 8), 4, (Flatten(), Dense(64, 8, 4, 8), Square(), Dense(8, 3, 4, 16))
)


@pytest.fixture(autouse=True)
def _one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "product_s", lambda: 4e-9)


def test_figures_are_those_of_the_predictions() -> None:
    full = predict(ARCHITECTURE, 3, FULL)
    of_groth16 = forecast(ARCHITECTURE, 3, FULL)
    assert full.size == of_groth16.size.n_constraints
    assert (full.key_bytes, full.prove_s) == (of_groth16.key_bytes, of_groth16.prove_s)
    assert full.memory_bytes == max(of_groth16.setup_memory_bytes, of_groth16.prove_memory_bytes)
    hyrax, zkvpd = (predict(ARCHITECTURE, 3, method) for method in (HYRAX, ZKVPD))
    assert hyrax.memory_bytes == libra_memory_bytes(ARCHITECTURE, 3)
    assert hyrax.key_bytes == hyrax.setup_s == 0
    assert zkvpd.key_bytes == file_bytes(zkvpd.size.bit_length() - 1)


def test_all_sound_methods_and_no_other() -> None:
    costs = predict_all(ARCHITECTURE, 2)
    assert [cost.method for cost in costs] == list(SOUND_METHODS)
    assert all(cost.method.is_sound and cost.prove_s > 0 for cost in costs)


def test_a_method_that_cannot_prove_it_says_why() -> None:
    cost = predict(ARCHITECTURE, 1_000_000, FULL)
    assert "use fewer images" in cost.refused
    assert cost.to_json() == {"method": "full", "refused": cost.refused}
    assert not predict(ARCHITECTURE, 1_000_000, HYRAX).refused


def test_json_names_what_was_counted() -> None:
    assert {"method", "constraints", "prove_s"} < set(predict(ARCHITECTURE, 1, FREIVALDS).to_json())
    assert {"method", "committed_values"} < set(predict(ARCHITECTURE, 1, HYRAX).to_json())
