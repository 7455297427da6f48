"""The audit of keys of two rounds: each class of wrong element is rejected by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged_keys import (
    element,
    forge,
    generator_of,
    plus,
    small_order_point,
    twist_point,
    with_entry,
)
from groth16_circuits import PRODUCTS, shuffled, system

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.reference import G1, G2
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16 import FirstRound, ProvingKey, prove, setup, verify
from zkcmp.groth16.audit import AuditError, audit
from zkcmp.groth16.key_file import create_key_file
from zkcmp.groth16.keys import circuit_shape, section_names
from zkcmp.groth16.setup import Trapdoor, evaluate_qap, setup_with
from zkcmp.r1cs import R1CS

QUERIES = (
    *("commitment_query", "l_query", "gamma_abc_g1"),
    *("a_query", "b_g1_query", "b_g2_query", "h_query", "tau_g1"),
)
ALONE = {
    f"{name}_{group}": f"{name}_g1, {name}_g2"
    for name in ("beta", "delta", "delta0")
    for group in ("g1", "g2")
}
SINGLES = (*ALONE, "alpha_g1", "gamma_g2", "tau_g2")
TRAPDOOR = Trapdoor(
    alpha=11, beta=FR_MODULUS - 7, gamma=1 << 200, delta=12345, tau=67890, delta0=54321
)


def circuit(n_committed: int = 4) -> R1CS:
    """Wires 1, y, ρ; committed 3 … 6; p = (x₃ + ρ)(x₄ + ρ), q = (x₅ + ρ)(x₆ + ρ), y = pq·1."""
    rows: list[Any] = [
        ({2: 1, 3: 1}, {2: 1, 4: 1}, {7: 1}),
        ({2: 1, 5: 1}, {2: 1, 6: 1}, {8: 1}),
        ({7: 1}, {8: 1}, {9: 1}),
        ({9: 1}, {0: 1}, {1: 1}),
    ]
    return replace(system(2, 10, rows), n_challenges=1, n_committed=n_committed)


@pytest.fixture(scope="module")
def r1cs() -> R1CS:
    return circuit()


@pytest.mark.parametrize(
    "honest",
    [
        circuit(),
        circuit(1),
        circuit(7),
        shuffled(),
        # the committed wire, and every other private one, in no constraint
        replace(system(1, 3, [({1: 1}, {0: 1}, {1: 1})]), n_challenges=1, n_committed=1),
        replace(system(2, 4, PRODUCTS[:0]), n_challenges=2, n_committed=1),
    ],
)
def test_honest_keys_pass(honest: R1CS, tmp_path: Path) -> None:
    audit(setup(honest, tmp_path), honest)


# --- one wrong element ------------------------------------------------------------------------


@pytest.mark.parametrize("where", [0, 1, -1])
@pytest.mark.parametrize("name", QUERIES)
def test_one_entry_changed(key: ProvingKey, rejected: Any, name: str, where: int) -> None:
    points = element(key, name)
    index = where % len(points)
    new = plus(points[index : index + 1], generator_of(points))
    error = rejected(**{name: with_entry(points, index, new)})
    assert isinstance(error, AuditError)
    assert (error.section, error.index) == (name, index), error


@pytest.mark.parametrize("name", SINGLES)
def test_one_element_changed(key: ProvingKey, rejected: Any, name: str) -> None:
    points = element(key, name)
    error = rejected(**{name: plus(points, generator_of(points))})
    assert isinstance(error, AuditError)
    assert error.section == ALONE.get(name, name), error


@pytest.mark.parametrize("name", ["beta", "delta", "delta0"])
def test_twins_changed_together(key: ProvingKey, rejected: Any, name: str) -> None:
    """The pair is consistent; the queries were made with another."""
    one, two = f"{name}_g1", f"{name}_g2"
    error = rejected(
        **{
            one: plus(element(key, one), G1.generator),
            two: plus(element(key, two), G2.generator),
        }
    )
    assert error.section == f"{name}_g1, {name}_g2"


def test_delta0_and_delta_exchanged(key: ProvingKey, rejected: Any) -> None:
    exchanged = {
        f"{name}_{group}": element(key, f"{other}_{group}")
        for name, other in (("delta", "delta0"), ("delta0", "delta"))
        for group in ("g1", "g2")
    }
    assert rejected(**exchanged).section in ("commitment_query", "l_query")


@pytest.mark.parametrize("name", ["commitment_query", "l_query"])
def test_entries_swapped_and_repeated(key: ProvingKey, rejected: Any, name: str) -> None:
    points = element(key, name)
    swapped = points.copy()
    swapped[[1, 2]] = points[[2, 1]]
    error = rejected(**{name: swapped})
    assert error.section == name
    assert error.index in (1, 2)
    error = rejected(**{name: with_entry(points, 2, points[1:2])})
    assert (error.section, error.index) == (name, 2)


def test_changes_that_cancel_in_a_plain_sum(key: ProvingKey, rejected: Any) -> None:
    points, g = element(key, "commitment_query"), G1.generator
    changed = with_entry(points, 1, plus(points[1:2], g))
    changed = with_entry(changed, 2, plus(points[2:3], G1.neg(g)))
    assert rejected(commitment_query=changed).section == "commitment_query"


def test_truncated_and_padded(key: ProvingKey, rejected: Any) -> None:
    points = element(key, "commitment_query")
    for changed in (points[:-1], points[:0], np.concatenate([points, points[-1:]])):
        assert "commitment_query has" in str(rejected(commitment_query=changed))


@pytest.mark.parametrize("name", ["commitment_query", "delta0_g1", "delta0_g2"])
def test_points_that_are_none(key: ProvingKey, rejected: Any, name: str) -> None:
    """Infinity, a point off the curve, a coordinate that is not reduced."""
    points = element(key, name)
    index = len(points) - 1
    off_curve = points[index : index + 1] + np.uint64(1)
    not_canonical = points[index : index + 1].copy()
    not_canonical[..., 3] |= np.uint64(1 << 63)
    for bad in (np.zeros_like(off_curve), off_curve, not_canonical):
        assert name in str(rejected(**{name: with_entry(points, index, bad)}))


def test_delta0_at_infinity_in_both_groups(key: ProvingKey, rejected: Any) -> None:
    """Consistent, and D would be multiplied by nothing."""
    zeros = {name: element(key, name) * 0 for name in ("delta0_g1", "delta0_g2")}
    assert "delta0_g2" in str(rejected(**zeros))


def test_delta0_outside_the_subgroup(key: ProvingKey, rejected: Any) -> None:
    honest = element(key, "delta0_g2")
    for bad in (g2.from_affine_ints([twist_point()]), plus(honest, small_order_point())):
        assert "delta0_g2" in str(rejected(delta0_g2=bad))


# --- several that fit together ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "sections"),
    [
        # a committed wire's entry against another one's, an input's, or another round's
        ({"commitment_query": "1 / delta0", "l_query": "-1 / delta"}, ["commitment_query"]),
        ({"commitment_query": "1 / delta0", "gamma_abc_g1": "-1 / gamma"}, ["gamma_abc_g1"]),
        # e in A or B, and what it adds to the entry of the same wire
        ({"a_query": 1, "commitment_query": "beta / delta0"}, ["a_query"]),
        (
            {"b_g1_query": 1, "b_g2_query": 1, "commitment_query": "alpha / delta0"},
            ["b_g1_query"],
        ),
    ],
)
def test_errors_that_make_up_for_each_other(
    r1cs: R1CS, tmp_path: Path, changes: dict[str, Any], sections: list[str]
) -> None:
    """In sums with weights that the forger knew, all of these would pass."""
    t = TRAPDOOR
    key = setup_with(r1cs, tmp_path / "honest", t)
    over = {
        name: pow(int(getattr(t, name)), -1, FR_MODULUS) for name in ("gamma", "delta", "delta0")
    }
    factors = {
        1: 1,
        "1 / delta0": over["delta0"],
        "-1 / delta": -over["delta"],
        "-1 / gamma": -over["gamma"],
        "beta / delta0": t.beta * over["delta0"],
        "alpha / delta0": t.alpha * over["delta0"],
    }
    wires = {
        "commitment_query": key.commitment_wires,
        "a_query": key.a_wires,
        "b_g1_query": key.b_wires,
        "b_g2_query": key.b_wires,
    }
    wire = 4 if "b_g1_query" in changes else 3
    forged = {}
    for name, factor in changes.items():
        points = element(key, name)
        at = list(wires[name]).index(wire) if name in wires else 0
        group = G1 if points.ndim == 3 else G2
        addend = group.mul(group.generator, 987654321 * factors[factor] % FR_MODULUS)
        forged[name] = with_entry(points, at, plus(points[at : at + 1], addend))
    with pytest.raises(AuditError) as caught:
        audit(ProvingKey.open(forge(key, tmp_path / "forged", **forged)), r1cs)
    assert caught.value.section in sections


def test_sections_of_another_honest_key(
    key: ProvingKey, r1cs: R1CS, rejected: Any, tmp_path: Path
) -> None:
    """Each is consistent in itself."""
    other = setup(r1cs, tmp_path)
    for names in (
        ("commitment_query",),
        ("delta0_g1", "delta0_g2"),
        ("commitment_query", "delta0_g1", "delta0_g2"),
        ("l_query",),
        ("delta_g1", "delta_g2"),
    ):
        rejected(**{name: element(other, name) for name in names})


def test_another_delta0_throughout_is_an_honest_key(r1cs: R1CS, tmp_path: Path) -> None:
    """Both directions of the test: the audit accepts whatever one trapdoor explains, δ₀ = δ too."""
    key = setup_with(r1cs, tmp_path / "one", TRAPDOOR)
    other = setup_with(r1cs, tmp_path / "two", replace(TRAPDOOR, delta0=TRAPDOOR.delta))
    names = ("commitment_query", "delta0_g1", "delta0_g2")
    forged = {name: element(other, name) for name in names}
    audit(ProvingKey.open(forge(key, tmp_path / "forged", **forged)), r1cs)


# --- wires and rounds -------------------------------------------------------------------------


def test_an_entry_over_the_wrong_delta(r1cs: R1CS, tmp_path: Path) -> None:
    """A committed wire over δ is one of the second round, and the reverse."""
    honest = setup_with(r1cs, tmp_path / "one", TRAPDOOR)
    exchanged = setup_with(
        r1cs,
        tmp_path / "two",
        replace(TRAPDOOR, delta=TRAPDOOR.delta0, delta0=TRAPDOOR.delta),
    )
    for name in ("commitment_query", "l_query"):
        points = with_entry(element(honest, name), 1, element(exchanged, name)[1:2])
        path = forge(honest, tmp_path / "forged", **{name: points})
        with pytest.raises(AuditError) as caught:
            audit(ProvingKey.open(path), r1cs)
        assert (caught.value.section, caught.value.index) == (name, 1)


@pytest.mark.parametrize("name", ["commitment", "l"])
@pytest.mark.parametrize("where", [0, 2])
def test_a_wire_in_no_list(key: ProvingKey, rejected: Any, name: str, where: int) -> None:
    wires, points = (element(key, f"{name}_{part}") for part in ("wires", "query"))
    missing = int(wires[where])
    error = rejected(
        **{
            f"{name}_wires": np.delete(wires, where),
            f"{name}_query": np.delete(points, where, axis=0),
        }
    )
    assert f"{name}_wires: expected wire {missing} to be listed, got absent" in str(error)


def test_a_wire_in_both_lists(key: ProvingKey, rejected: Any) -> None:
    """It has no file; see also test_two_round_keys.py."""
    wires, points = element(key, "l_wires"), element(key, "l_query")
    error = rejected(
        l_wires=np.concatenate([key.commitment_wires[-1:], wires]),
        l_query=np.concatenate([key.commitment_query[-1:], points]),
    )
    assert "l_wires is not a list of wires" in str(error)


def test_a_wire_that_is_in_no_constraint_is_listed(tmp_path: Path) -> None:
    unused = replace(system(1, 5, [({2: 1}, {0: 1}, {1: 1})]), n_challenges=1, n_committed=2)
    key = setup(unused, tmp_path / "honest")
    assert list(key.commitment_wires) == [2]
    points = np.concatenate([key.commitment_query, g1.generator()])
    path = forge(
        key,
        tmp_path / "forged",
        commitment_wires=np.array([2, 3], np.uint32),
        commitment_query=points,
    )
    with pytest.raises(AuditError, match="wire 3 to be absent, got listed"):
        audit(ProvingKey.open(path), unused)


@pytest.mark.parametrize("n_committed", [1, 3, 5, 7])
def test_key_with_the_wires_split_elsewhere(r1cs: R1CS, tmp_path: Path, n_committed: int) -> None:
    """An honest key of the same matrices with other committed wires, under our circuit's digest.

    Its own sizes give it away; under our sizes its lists are none.
    """
    other = setup(circuit(n_committed), tmp_path / "other")
    vk = replace(other.verifying_key, circuit_digest=r1cs.digest)
    content = {name: other.file.bytes(name) for name in section_names(other.shape)}
    content["verifying_key"] = vk.to_bytes()
    own_sizes = replace(other.shape, circuit_digest=r1cs.digest)
    for shape, error, said in (
        (own_sizes, VerificationError, "the sizes of its circuit"),
        (circuit_shape(r1cs), DecodeError, "is not a list of wires"),
    ):
        with create_key_file(tmp_path / "forged", shape, len(content)) as writer:
            for name, data in content.items():
                writer.section(name, [data])
        with pytest.raises(error, match=said):
            audit(ProvingKey.open(tmp_path / "forged"), r1cs)


def test_key_of_one_round(r1cs: R1CS, tmp_path: Path) -> None:
    one_round = replace(r1cs, n_challenges=0, n_committed=0)
    with pytest.raises(VerificationError, match="proving key: expected circuit"):
        audit(setup(one_round, tmp_path), r1cs)


# --- what the audit is for --------------------------------------------------------------------

Y, U = (7, -100), 77


def _key_without_blinding(directory: Path) -> Path:
    """Infinity for δ₁, δ₀₁, β₁ and all B in G1: r, r₀ vanish from a proof that still verifies."""
    honest = setup_with(shuffled(), directory / "honest", TRAPDOOR)
    names = ("beta_g1", "delta_g1", "delta0_g1", "b_g1_query")
    zeros = {name: np.zeros_like(element(honest, name)) for name in names}
    return forge(honest, directory / "forged", **zeros)


@pytest.mark.parametrize("x", [(7, -100), (-100, 7)])
def test_a_key_that_takes_the_blinding_away(x: tuple[int, int], tmp_path: Path) -> None:
    """Unaudited: D = Σ x_i·K_i/δ₀, which its maker computes for each guess. The audit stops it."""
    key, inputs = ProvingKey.open(_key_without_blinding(tmp_path)), FrVector.from_ints([*Y, U])
    first_round = FirstRound(key, shuffled(), inputs)
    (rho,) = first_round.respond(FrVector.from_ints(x))
    witness = FrVector.from_ints([1, *Y, U, rho, *x, (x[0] + rho) * (x[1] + rho)])
    proof = prove(key, shuffled(), witness, first_round=first_round)
    verify(key.verifying_key, inputs, proof)

    qap = evaluate_qap(shuffled(), key.shape.domain_size, TRAPDOOR.tau)
    k = (qap.a.scale(TRAPDOOR.beta) + qap.b.scale(TRAPDOOR.alpha) + qap.c).to_ints()
    over = pow(54321, -1, FR_MODULUS)
    guesses = [
        G1.mul(G1.generator, (k[5] * first + k[6] * second) * over)
        for first, second in ((7, -100), (-100, 7))
    ]
    assert proof.d is not None
    assert guesses.index(g1.to_affine_ints(proof.d)[0]) == (x != (7, -100))
    with pytest.raises(AuditError, match="beta_g1"):
        audit(key, shuffled())


def test_an_abort_tells_a_committed_wire(tmp_path: Path) -> None:
    """Unaudited: x₁ enters D as K₅/δ₀ + G, so a proof appears only if x₁ = 0."""
    honest = setup_with(shuffled(), tmp_path / "honest", TRAPDOOR)
    points = element(honest, "commitment_query")
    changed = with_entry(points, 0, plus(points[:1], G1.generator))
    key = ProvingKey.open(forge(honest, tmp_path / "forged", commitment_query=changed))
    key.check_points()
    for x, appears in (((0, 5), True), ((5, 0), False)):
        inputs = FrVector.from_ints([0, 5, U])
        first_round = FirstRound(key, shuffled(), inputs)
        (rho,) = first_round.respond(FrVector.from_ints(x))
        witness = FrVector.from_ints([1, 0, 5, U, rho, *x, (x[0] + rho) * (x[1] + rho)])
        if appears:
            prove(key, shuffled(), witness, first_round=first_round)
        else:
            with pytest.raises(VerificationError, match="self-check"):
                prove(key, shuffled(), witness, first_round=first_round)
    with pytest.raises(AuditError) as caught:
        audit(key, shuffled())
    assert (caught.value.section, caught.value.index) == ("commitment_query", 0)
