"""Ceremonies for circuits of two rounds: δ and δ₀ are multiplied by independent factors."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged_ceremonies import append, edit_key, entry_moved, off_the_curve, set_to, tree
from forged_keys import element, small_order_point
from groth16_circuits import shuffled, shuffled_witness, system

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.groth16 import FirstRound, ProvingKey, prove, verify
from zkcmp.groth16.audit import audit
from zkcmp.groth16.ceremony import Ceremony, CeremonyError
from zkcmp.groth16.ceremony.circuit_phase import derive_key, multiply_deltas
from zkcmp.groth16.ceremony.contribution import FACTOR_BYTES, Record
from zkcmp.groth16.ceremony.powers import first_powers, multiply_powers
from zkcmp.groth16.setup import Trapdoor, setup_with
from zkcmp.r1cs import R1CS

CIRCUITS = [
    shuffled(),
    # no committed wire in a constraint, and no other private one at all
    replace(system(1, 3, [({1: 1}, {0: 1}, {1: 1})]), n_challenges=1, n_committed=1),
    replace(system(1, 4, [({2: 1}, {3: 5}, {1: 1})]), n_challenges=1, n_committed=2),
]


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_derived_key_is_that_of_a_setup_with_the_same_secrets(
    circuit: R1CS, tmp_path: Path
) -> None:
    secrets = Trapdoor(alpha=5, beta=FR_MODULUS - 6, gamma=1, delta=1, tau=1234, delta0=1)
    wanted = setup_with(circuit, tmp_path / "wanted", secrets)
    one = first_powers(tmp_path / "0", wanted.shape.domain_size)
    powers = multiply_powers(one, tmp_path / "1", 1234, 5, FR_MODULUS - 6)
    derived = derive_key(powers, circuit, tmp_path / "key")
    assert derived.digest == wanted.digest
    last = multiply_deltas(
        multiply_deltas(derived, tmp_path / "2", [999, 3]), tmp_path / "3", [2, FR_MODULUS - 5]
    )
    secrets = replace(secrets, delta=1998, delta0=FR_MODULUS - 15)
    assert last.digest == setup_with(circuit, tmp_path / "w2", secrets).digest


@pytest.fixture
def ceremony(tmp_path: Path) -> Ceremony:
    """At the beginning of phase 2."""
    ceremony = Ceremony.begin(tmp_path / "ceremony", shuffled())
    ceremony.contribute()
    ceremony.begin_circuit(shuffled())
    return ceremony


def test_ceremony(ceremony: Ceremony, tmp_path: Path) -> None:
    records = [ceremony.contribute() for _ in range(2)]
    assert ceremony.verify(shuffled())["key"] == [record.digest for record in records]
    for record in records:
        shares = [factor.share.tobytes() for factor in record.factors]
        assert len(set(shares)) == 2, "independent factors"
        assert len(record.to_bytes()) == 76 + 2 * FACTOR_BYTES
    key = ceremony.finalise(shuffled(), tmp_path / "key", ours=[*_digests(ceremony, records)])
    audit(key, shuffled())
    inputs = FrVector.from_ints([7, -100, 3])
    first_round = FirstRound(key, shuffled(), inputs)
    witness = shuffled_witness((7, -100), 3, (-100, 7), first_round.respond)
    verify(key.verifying_key, inputs, prove(key, shuffled(), witness, first_round=first_round))


def _digests(ceremony: Ceremony, records: list[Record]) -> list[bytes]:
    return [_first_digest(ceremony), records[0].digest]


def _first_digest(ceremony: Ceremony) -> bytes:
    """That of the record of phase 1."""
    return Record.from_bytes(ceremony.record_file("powers", 1).read_bytes(), 3).digest


def test_deltas_are_apart_after_one_contribution(ceremony: Ceremony) -> None:
    """Before it they are both 1, and such a key is not given out."""
    before = ProvingKey.open(ceremony.file("key", 0))
    assert np.array_equal(before.delta_g1, before.delta0_g1)
    ceremony.contribute()
    after = ProvingKey.open(ceremony.file("key", 1))
    assert not np.array_equal(after.delta_g1, after.delta0_g1)
    assert not np.array_equal(after.delta0_g1, before.delta0_g1)


# --- cheats -----------------------------------------------------------------------------------


def _factors_exchanged(record: Record) -> Record:
    return replace(record, factors=record.factors[::-1])


def _first_factor_twice(record: Record) -> Record:
    return replace(record, factors=(record.factors[0], record.factors[0]))


CHEATS: dict[str, tuple[dict[str, Any], str]] = {
    "one": ({"in_file": [2, 1]}, "share of delta0: expected a factor other than 1"),
    "other": ({"in_file": [2, 3], "in_record": [2, 4]}, "delta0: expected the last one times"),
    "other delta": ({"in_file": [2, 3], "in_record": [4, 3]}, "delta: expected the last one times"),
    "untouched": ({"in_file": [2, 1], "in_record": [2, 3]}, "delta0: expected the last one times"),
    "exchanged": ({"in_file": [2, 3], "in_record": [3, 2]}, "delta: expected the last one times"),
    "exchanged shares": (
        {"in_file": [2, 3], "spoil": _factors_exchanged},
        "share of delta: expected a proof of knowledge",
    ),
    # a proof that the same x was known, under the label of the other secret
    "first factor twice": (
        {"in_file": [2, 2], "spoil": _first_factor_twice},
        "share of delta0: expected a proof of knowledge",
    ),
    "one factor": (
        {"in_file": [2, 3], "spoil": lambda r: replace(r, factors=r.factors[:1])},
        "a record of the wrong length",
    ),
    **{
        name: ({"in_file": [2, 3], "edit": entry_moved(name, -1)}, name)
        for name in ("commitment_query", "l_query", "delta0_g1", "delta0_g2", "delta_g1")
    },
}


@pytest.mark.parametrize("name", CHEATS)
def test_cheat_in_phase_2(ceremony: Ceremony, name: str) -> None:
    arguments, said = CHEATS[name]
    ceremony.contribute()
    append(ceremony, **arguments)
    with pytest.raises(CeremonyError, match=said) as caught:
        ceremony.verify(shuffled())
    assert (caught.value.phase, caught.value.contributor) == ("key", 2)
    with pytest.raises(CeremonyError):
        ceremony.finalise(shuffled(), ceremony.directory / "out")
    assert not (ceremony.directory / "out").exists()


UNFIT = {
    "commitment_query off the curve": ("commitment_query", off_the_curve(0), r"query\[0\]: exp"),
    "commitment_query infinity": ("commitment_query", set_to(1, None), r"query\[1\]: expected"),
    "delta0_g1 off the curve": ("delta0_g1", off_the_curve(0), r"delta0_g1\[0\]: expected"),
    "delta0_g2 of order 10069": (
        "delta0_g2",
        set_to(0, small_order_point()),
        "delta0_g2.* is not in its group",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_points_that_would_give_the_factors_away(ceremony: Ceremony, name: str) -> None:
    """Checked before they are multiplied, as in test_setup_contributor.py."""
    section, change, said = UNFIT[name]
    append(ceremony, [2, 3], edit=edit_key(lambda key: {section: change(element(key, section))}))
    before = tree(ceremony.directory)
    with pytest.raises(CeremonyError, match=said) as caught:
        ceremony.contribute()
    assert (caught.value.phase, caught.value.contributor) == ("key", 1)
    assert tree(ceremony.directory) == before


def test_key_of_one_round_in_between(ceremony: Ceremony) -> None:
    one_round = replace(shuffled(), n_challenges=0, n_committed=0)
    secrets = Trapdoor(alpha=2, beta=3, gamma=1, delta=1, tau=4)
    append(ceremony, [2, 3], edit=lambda path: setup_with(one_round, path, secrets))
    for attempt in (ceremony.contribute, lambda: ceremony.verify(shuffled())):
        with pytest.raises(CeremonyError, match="expected the circuit of the first") as caught:
            attempt()
        assert caught.value.contributor == 1


def test_commitment_query_left_as_it_was(ceremony: Ceremony) -> None:
    """δ₀ multiplied, and what it divides not."""

    before = np.array(ProvingKey.open(ceremony.file("key", 0)).commitment_query)
    edit = edit_key(lambda key: {"commitment_query": before})
    append(ceremony, [2, 3], edit=edit)
    with pytest.raises(CeremonyError, match=r"delta0_g1, delta0_g2|commitment_query"):
        ceremony.verify(shuffled())


@pytest.mark.parametrize(("delta", "delta0"), [(1, 7), (7, 1)])
def test_phase_2_from_secret_deltas(ceremony: Ceremony, delta: int, delta0: int) -> None:
    """A first key whose δ or δ₀ somebody knows, and nobody multiplied."""
    path = ceremony.file("key", 0)
    key = ProvingKey.open(path)
    multiply_deltas(key, path, [delta, delta0])
    ceremony.contribute()
    name = "delta_g1" if delta != 1 else "delta0_g1"
    with pytest.raises(CeremonyError, match=f"beginning: {name}: expected the generator"):
        ceremony.verify(shuffled())


def test_first_key_of_one_round(ceremony: Ceremony, tmp_path: Path) -> None:
    """In which δ₀ would be nobody's: it is not the circuit's key."""
    one_round = replace(shuffled(), n_challenges=0, n_committed=0)
    secrets = Trapdoor(alpha=2, beta=3, gamma=1, delta=1, tau=4)
    setup_with(one_round, ceremony.file("key", 0), secrets)
    with pytest.raises(CeremonyError, match="the beginning: derived from other powers"):
        ceremony.contribute()
    with pytest.raises(CeremonyError, match="the beginning: proving key: expected circuit"):
        ceremony.verify(shuffled())


def test_without_our_record(ceremony: Ceremony, tmp_path: Path) -> None:
    ceremony.contribute()
    with pytest.raises(VerificationError, match="key: expected a contribution of ours, got none"):
        ceremony.finalise(shuffled(), tmp_path / "key", ours=[_first_digest(ceremony)])
