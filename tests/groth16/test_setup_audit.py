"""The audit accepts honest keys, and rejects a wrong element of any class by name."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged_keys import (
    SMALL_ORDER,
    element,
    forge,
    generator_of,
    plus,
    small_order_point,
    twist_point,
    with_entry,
)
from groth16_circuits import bits, cubic, system

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import bit_reversed, root_of_unity
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.reference import G1, G2
from zkcmp.errors import VerificationError
from zkcmp.groth16 import ProvingKey, setup
from zkcmp.groth16.audit import AuditError, audit
from zkcmp.groth16.audit.equations import Equations
from zkcmp.groth16.key_file import create_key_file
from zkcmp.groth16.keys import SECTIONS
from zkcmp.groth16.setup import QapAtTau, Trapdoor, evaluate_qap, setup_with
from zkcmp.r1cs import R1CS

QUERIES = ("a_query", "b_g1_query", "b_g2_query", "l_query", "h_query", "gamma_abc_g1", "tau_g1")
SINGLES = ("alpha_g1", "beta_g1", "beta_g2", "delta_g1", "delta_g2", "gamma_g2", "tau_g2")
ALONE = {
    "beta_g1": "beta_g1, beta_g2",
    "beta_g2": "beta_g1, beta_g2",
    "delta_g1": "delta_g1, delta_g2",
    "delta_g2": "delta_g1, delta_g2",
}


@pytest.fixture(scope="module")
def r1cs() -> R1CS:
    """Three public wires, six private ones; B has wires 0 and 3 … 8."""
    rows: list[Any] = [({3 + k: 1}, {0: FR_MODULUS - 1, 3 + k: 1}, {}) for k in range(5)]
    rows.append(({3 + k: 1 << k for k in range(5)}, {0: 1}, {1: 1}))
    rows.append(({8: 3, 1: 1}, {8: 1}, {2: 1}))
    return system(2, 9, rows)


@pytest.mark.parametrize(
    "circuit",
    [
        cubic()[0],
        bits(1, 1)[0],
        bits(13, 5)[0],
        system(0, 1, []),
        system(2, 3, []),
        system(1, 2, [({1: 1}, {1: 1}, {0: 4})]),
        system(0, 3, [({1: 1}, {1: 1}, {2: 1})]),
    ],
)
def test_honest_keys_pass(circuit: R1CS, tmp_path: Path) -> None:
    stages: dict[str, tuple[int, int]] = {}

    def progress(stage: str, done: int, total: int) -> None:
        assert stages.get(stage, (0, total))[0] < done <= total
        stages[stage] = done, total

    audit(setup(circuit, tmp_path), circuit, progress)
    assert set(stages) == {"audit: points", "audit: equations"}
    assert all(done == total for done, total in stages.values())


def test_circuits_with_equal_matrices(tmp_path: Path) -> None:
    """One object may be A and B at once; only A has consistency rows."""
    plain = system(1, 3, [({1: 1, 2: 2}, {1: 1, 2: 2}, {0: 1})])
    shared = R1CS(1, 3, plain.a, plain.a, plain.c, plain.coefficients, plain.gadgets)
    audit(setup(shared, tmp_path), shared)


def test_unused_wires_and_zero_coefficients(tmp_path: Path) -> None:
    circuit = system(1, 5, [({1: 1, 2: 0}, {3: 1}, {3: 0, 1: 1})])
    key = setup(circuit, tmp_path)
    assert list(key.l_wires) == [3]
    audit(key, circuit)


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
    assert f"{name}[{index}]" in str(error)


@pytest.mark.parametrize("name", SINGLES)
def test_one_element_changed(key: ProvingKey, rejected: Any, name: str) -> None:
    points = element(key, name)
    error = rejected(**{name: plus(points, generator_of(points))})
    assert isinstance(error, AuditError)
    assert error.section == ALONE.get(name, name), error


@pytest.mark.parametrize("name", QUERIES)
def test_two_entries_swapped(key: ProvingKey, rejected: Any, name: str) -> None:
    points = element(key, name)
    points[[1, 2]] = points[[2, 1]]
    error = rejected(**{name: points})
    assert error.section == name
    assert error.index in (1, 2)


@pytest.mark.parametrize("name", QUERIES)
def test_an_entry_twice(key: ProvingKey, rejected: Any, name: str) -> None:
    points = element(key, name)
    error = rejected(**{name: with_entry(points, 2, points[1:2])})
    assert (error.section, error.index) == (name, 2)


@pytest.mark.parametrize("name", QUERIES)
def test_truncated_and_padded(key: ProvingKey, rejected: Any, name: str) -> None:
    points = element(key, name)
    for changed in (points[:-1], points[:1], np.concatenate([points, points[-1:]])):
        message = str(rejected(**{name: changed}))
        # the verifying key is one section, and its length tells how many inputs it is for
        assert ("verifying key" if name == "gamma_abc_g1" else name) in message


@pytest.mark.parametrize(("name", "left"), [("elements_g1", 2), ("elements_g2", 1), ("tau_g2", 0)])
def test_single_elements_missing(key: ProvingKey, rejected: Any, name: str, left: int) -> None:
    size = 128 if "g2" in name else 64
    rest = np.frombuffer(key.file.bytes(name)[:-size], np.uint64)
    assert f"{name} has {left} entries" in str(rejected(**{name: rest}))


@pytest.mark.parametrize("name", QUERIES + SINGLES)
def test_points_that_are_none(key: ProvingKey, rejected: Any, name: str) -> None:
    """Infinity, a point off the curve, a coordinate that is not reduced."""
    points = element(key, name)
    index = len(points) - 1
    off_curve = points[index : index + 1] + np.uint64(1)
    not_canonical = points[index : index + 1].copy()
    not_canonical[..., 3] |= np.uint64(1 << 63)
    for bad in (np.zeros_like(off_curve), off_curve, not_canonical):
        assert name in str(rejected(**{name: with_entry(points, index, bad)}))


@pytest.mark.parametrize("name", [n for n in QUERIES + SINGLES if "g2" in n])
def test_points_outside_the_subgroup(key: ProvingKey, rejected: Any, name: str) -> None:
    """A whole other point, and the right one with a component of order 10069 added."""
    points = element(key, name)
    index = len(points) // 2
    honest = points[index : index + 1]
    mixed = plus(honest, small_order_point())
    assert g2.is_on_curve(mixed).all()
    for bad in (g2.from_affine_ints([twist_point()]), mixed):
        assert name in str(rejected(**{name: with_entry(points, index, bad)}))


def test_small_order_components_that_cancel(key: ProvingKey, rejected: Any) -> None:
    """In a sum with equal weights they would be gone; in a random one, once in 10069 times."""
    points, small = element(key, "b_g2_query"), small_order_point()
    changed = with_entry(points, 1, plus(points[1:2], small))
    changed = with_entry(changed, 4, plus(points[4:5], G2.neg(small)))
    error = rejected(b_g2_query=changed)
    assert (error.section, error.index) == ("b_g2_query", 1)
    assert SMALL_ORDER == 10069


# --- several that fit together ----------------------------------------------------------------


@pytest.mark.parametrize("name", QUERIES)
def test_changes_that_cancel_in_a_plain_sum(key: ProvingKey, rejected: Any, name: str) -> None:
    points = element(key, name)
    g = generator_of(points)
    minus = (G1 if points.ndim == 3 else G2).neg(g)
    changed = with_entry(points, 1, plus(points[1:2], g))
    changed = with_entry(changed, 2, plus(points[2:3], minus))
    assert rejected(**{name: changed}).section == name


def test_b_wrong_in_both_groups(key: ProvingKey, rejected: Any) -> None:
    changed = {
        name: with_entry(
            element(key, name), 3, plus(element(key, name)[3:4], generator_of(element(key, name)))
        )
        for name in ("b_g1_query", "b_g2_query")
    }
    error = rejected(**changed)
    assert (error.section, error.index) == ("b_g1_query", 3)


@pytest.mark.parametrize(("name", "named"), [("beta", "beta"), ("delta", "delta")])
def test_twins_changed_together(key: ProvingKey, rejected: Any, name: str, named: str) -> None:
    """The pair is consistent; the queries were made with another."""
    one, two = f"{name}_g1", f"{name}_g2"
    error = rejected(
        **{
            one: plus(element(key, one), G1.generator),
            two: plus(element(key, two), G2.generator),
        }
    )
    assert error.section == f"{named}_g1, {named}_g2"


@pytest.mark.parametrize(
    ("changes", "section"),
    [
        # e in A or B, and what it adds to the wire's entry in L
        ({"a_query": 1, "l_query": "beta / delta"}, "a_query"),
        ({"b_g1_query": 1, "b_g2_query": 1, "l_query": "alpha / delta"}, "b_g1_query"),
        # A against B, so that L stays as it is
        ({"a_query": "alpha", "b_g1_query": "-beta", "b_g2_query": "-beta"}, "a_query"),
        # L against IC, whose equations are one test
        ({"l_query": "1 / delta", "gamma_abc_g1": "-1 / gamma"}, "gamma_abc_g1"),
    ],
)
def test_errors_that_make_up_for_each_other(
    r1cs: R1CS, tmp_path: Path, changes: dict[str, Any], section: str
) -> None:
    """In sums with weights that the forger knew, all of these would pass."""
    t, wire = _trapdoor(67890), 4
    key = setup_with(r1cs, tmp_path / "honest", t)
    factors = {
        1: 1,
        "alpha": t.alpha,
        "-beta": -t.beta,
        "alpha / delta": t.alpha * pow(t.delta, -1, FR_MODULUS),
        "beta / delta": t.beta * pow(t.delta, -1, FR_MODULUS),
        "1 / delta": pow(t.delta, -1, FR_MODULUS),
        "-1 / gamma": -pow(t.gamma, -1, FR_MODULUS),
    }
    forged = {}
    for name, factor in changes.items():
        points = element(key, name)
        at = 0 if name == "gamma_abc_g1" else list(getattr(key, f"{name[0]}_wires")).index(wire)
        group = G1 if points.ndim == 3 else G2
        addend = group.mul(group.generator, 987654321 * factors[factor] % FR_MODULUS)
        forged[name] = with_entry(points, at, plus(points[at : at + 1], addend))
    path = forge(key, tmp_path / "forged", **forged)
    with pytest.raises(AuditError) as caught:
        audit(ProvingKey.open(path), r1cs)
    assert caught.value.section == section


def test_sections_of_another_honest_key(
    key: ProvingKey, r1cs: R1CS, rejected: Any, tmp_path: Path
) -> None:
    """Each is consistent in itself."""
    other = setup(r1cs, tmp_path)
    for names in (
        ("tau_g1", "tau_g2"),
        ("a_query",),
        ("b_g1_query", "b_g2_query"),
        ("l_query",),
        ("h_query",),
        ("gamma_abc_g1",),
        ("gamma_g2",),
        ("alpha_g1",),
    ):
        rejected(**{name: element(other, name) for name in names})


def test_all_powers_scaled(key: ProvingKey, rejected: Any) -> None:
    """The ratios are right, the first power is not the generator."""
    points = g1.to_affine_ints(key.tau_g1)
    scaled = g1.from_affine_ints([G1.mul(p, 3) for p in points])
    error = rejected(tau_g1=scaled)
    assert (error.section, error.index) == ("tau_g1", 0)
    halves = g1.to_affine_ints(key.h_query)
    error = rejected(h_query=g1.from_affine_ints([G1.mul(p, 3) for p in halves]))
    assert (error.section, error.index) == ("h_query", 0)


def _trapdoor(tau: int) -> Trapdoor:
    return Trapdoor(alpha=11, beta=FR_MODULUS - 7, gamma=1 << 200, delta=12345, tau=tau)


def test_tau_in_the_domain(r1cs: R1CS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Z(τ) = 0 makes every h_query entry infinity, and A(τ) one value of the witness' rows."""
    honest = setup_with(r1cs, tmp_path / "honest", _trapdoor(5))
    n = honest.shape.domain_size
    tau = root_of_unity(n)
    powers = g1.from_affine_ints(
        [G1.mul(G1.generator, pow(tau, i, FR_MODULUS)) for i in range(n + 1)]
    )
    path = forge(
        honest,
        tmp_path / "forged",
        tau_g1=powers,
        tau_g2=g2.from_affine_ints([G2.mul(G2.generator, tau)]),
    )
    with pytest.raises(AuditError, match="tau outside the domain"):
        audit(ProvingKey.open(path), r1cs)


def _key_of(r1cs: R1CS, shown: R1CS, path: Path, trapdoor: Trapdoor) -> ProvingKey:
    """A key made for one circuit that claims to be for another of the same sizes."""
    key = setup_with(r1cs, path, trapdoor)
    data = key.file.path.read_bytes().replace(key.shape.circuit_digest, shown.digest)
    table, count = bytearray(data), len(SECTIONS) + 2
    entry = table[80 : 80 + 72]
    offset, length = (int.from_bytes(entry[24 + 8 * k : 32 + 8 * k], "little") for k in range(2))
    table[80 + 40 : 80 + 72] = hashlib.sha256(table[offset : offset + length]).digest()
    end = 80 + 72 * count
    table[end : end + 32] = hashlib.sha256(table[:end]).digest()
    path.write_bytes(table)
    return ProvingKey.open(path)


@pytest.mark.parametrize(
    ("row", "section"),
    [
        (({3: 2}, {0: FR_MODULUS - 1, 3: 1}, {}), "a_query"),
        (({3: 1}, {0: FR_MODULUS - 1, 3: 5}, {}), "b_g1_query"),
        (({3: 1}, {0: FR_MODULUS - 1, 3: 1}, {4: 1}), "l_query"),
        (({3: 1}, {0: FR_MODULUS - 1, 3: 1}, {1: 9}), "gamma_abc_g1"),
        (({}, {0: FR_MODULUS - 1, 3: 1}, {}), "a_query"),
        (({3: 1}, {3: 1}, {}), "b_g1_query"),
    ],
)
def test_key_of_another_circuit_of_the_same_sizes(
    r1cs: R1CS, tmp_path: Path, row: Any, section: str
) -> None:
    """One constraint of six differs: with it, proofs could depend on what the forger wants."""
    rows: list[Any] = [({3 + k: 1}, {0: FR_MODULUS - 1, 3 + k: 1}, {}) for k in range(5)]
    rows.append(({3 + k: 1 << k for k in range(5)}, {0: 1}, {1: 1}))
    rows.append(({8: 3, 1: 1}, {8: 1}, {2: 1}))
    rows[0] = row
    forged = _key_of(system(2, 9, rows), r1cs, tmp_path / "forged", _trapdoor(67890))
    with pytest.raises(AuditError) as caught:
        audit(forged, r1cs)
    assert caught.value.section == section


def _without_wire(monkeypatch: pytest.MonkeyPatch, wire: int, column: str) -> None:
    module: Any = sys.modules["zkcmp.groth16.setup"]

    def changed(r1cs: R1CS, n: int, tau: int) -> QapAtTau:
        qap = evaluate_qap(r1cs, n, tau)
        getattr(qap, column).assign(wire, FrVector.zeros(1))
        return qap

    monkeypatch.setattr(module, "evaluate_qap", changed)


@pytest.mark.parametrize(("column", "section"), [("a", "a_wires"), ("b", "b_wires")])
def test_a_wire_left_out(
    r1cs: R1CS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, section: str
) -> None:
    """As a τ that is a root of that wire's polynomial would make the honest setup do."""
    _without_wire(monkeypatch, 4, column)
    key = setup(r1cs, tmp_path)
    with pytest.raises(AuditError, match=f"{section}: expected wire 4 to be listed, got absent"):
        audit(key, r1cs)


def test_a_wire_too_many(r1cs: R1CS, key: ProvingKey, rejected: Any) -> None:
    wires, points = element(key, "b_wires"), g1.generator()
    at = int(np.searchsorted(wires, 2))
    error = rejected(
        b_wires=np.insert(wires, at, 2).astype(np.uint32),
        b_g1_query=np.insert(element(key, "b_g1_query"), at, points[0], axis=0),
        b_g2_query=np.insert(element(key, "b_g2_query"), at, g2.generator()[0], axis=0),
    )
    assert "b_wires: expected wire 2 to be absent, got listed" in str(error)


def test_another_wire_in_place_of_one(key: ProvingKey, rejected: Any) -> None:
    wires = element(key, "b_wires")
    wires[0] = 1
    assert "b_wires: expected wire 0 to be listed, got absent" in str(rejected(b_wires=wires))


# --- the file and the circuit -----------------------------------------------------------------


def test_key_without_powers_cannot_be_audited(key: ProvingKey, r1cs: R1CS, tmp_path: Path) -> None:
    path = tmp_path / "short"
    with create_key_file(path, key.shape, len(SECTIONS)) as writer:
        for name in SECTIONS:
            writer.section(name, [key.file.bytes(name)])
    short = ProvingKey.open(path)
    short.check_points()
    with pytest.raises(AuditError, match="cannot be audited"):
        audit(short, r1cs)


def test_key_of_another_circuit(key: ProvingKey) -> None:
    with pytest.raises(VerificationError, match="proving key: expected circuit"):
        audit(key, cubic()[0])


def test_section_that_was_changed_after_the_header_was_written(
    key: ProvingKey, r1cs: R1CS, tmp_path: Path
) -> None:
    data = bytearray(key.file.path.read_bytes())
    section = key.file.sections["h_query"]
    data[section.offset] ^= 1
    path = tmp_path / "changed"
    path.write_bytes(data)
    with pytest.raises(AuditError, match="section h_query is damaged"):
        audit(ProvingKey.open(path), r1cs)


# --- the equations themselves -----------------------------------------------------------------


def test_weights_are_fresh_and_of_128_bits(key: ProvingKey, r1cs: R1CS) -> None:
    """Those of wires, powers and quotients are in one equation, where equal ones could cancel."""
    drawn = []
    for _ in range(2):
        equations = Equations(key, r1cs)
        for weights in (equations._rho, equations._power_rho, equations._quotient_rho):
            drawn += weights.to_ints()
    assert len(drawn) == 2 * (r1cs.n_wires + 2 * key.shape.domain_size - 2)
    signed = [w - FR_MODULUS if w > FR_MODULUS // 2 else w for w in drawn]
    assert len(set(signed)) == len(signed)
    assert -(1 << 127) <= min(signed) < -(1 << 120)
    assert 1 << 120 < max(signed) < 1 << 127


def test_polynomial_at_tau(r1cs: R1CS, tmp_path: Path) -> None:
    """[Σρ_i·A_i(τ)]₁ from the powers equals the sum with τ in hand, consistency rows included."""
    key = setup_with(r1cs, tmp_path, _trapdoor(67890))
    equations = Equations(key, r1cs)
    weights = equations.weights(0, r1cs.n_wires)
    qap = evaluate_qap(r1cs, key.shape.domain_size, 67890)
    for values, column in (
        (equations.rows_of_a(weights), qap.a),
        (equations.rows(r1cs.b, weights), qap.b),
        (equations.rows(r1cs.c, weights), qap.c),
    ):
        want = G1.mul(G1.generator, (column * weights).sum())
        assert g1.to_affine_ints(equations.at_tau(values)) == [want]


def test_order_of_h_query(key: ProvingKey) -> None:
    """Position bitrev(i) holds power i, so the last position has none."""
    order = bit_reversed(key.shape.domain_size)
    assert len(key.h_query) == len(order) - 1
    assert order[-1] == len(order) - 1
