"""Ceremonies: a key of several parties is a setup's key, and a cheat is known by its number."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged_ceremonies import (
    append,
    edit_powers,
    entry_moved,
    moved,
    set_to,
    small_order_at,
    swapped,
)
from forged_keys import plus, twist_point
from groth16_circuits import bits, cubic, system

from zkcmp.bn254.curve import g1
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.reference import G1, G2
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.groth16 import prove, verify
from zkcmp.groth16.audit import audit
from zkcmp.groth16.ceremony import Ceremony, CeremonyError
from zkcmp.groth16.ceremony.circuit_phase import derive_key, multiply_deltas
from zkcmp.groth16.ceremony.column_points import column_points, segment_sums
from zkcmp.groth16.ceremony.contribution import (
    Factor,
    Record,
    hash_to_g2,
    make_factor,
    random_factor,
)
from zkcmp.groth16.ceremony.powers import Powers, first_powers, multiply_powers
from zkcmp.groth16.setup import Trapdoor, setup_with
from zkcmp.groth16.snarkjs import Ptau
from zkcmp.r1cs import R1CS, SparseMatrix

# --- the arithmetic ---------------------------------------------------------------------------

CIRCUITS = [
    cubic()[0],
    bits(13, 5)[0],
    system(0, 3, [({1: 1}, {1: 1}, {2: 1})]),
    system(1, 5, [({1: 2, 2: 0}, {3: 7}, {3: 0, 1: FR_MODULUS - 1})]),
    system(2, 3, []),
]


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_derived_key_is_that_of_a_setup_with_the_same_secrets(
    circuit: R1CS, tmp_path: Path
) -> None:
    """Two factors each; the setup knows τ, the ceremony only its powers in the group."""
    n = setup_with(circuit, tmp_path / "any", Trapdoor(2, 3, 4, 5, 6)).shape.domain_size
    one = first_powers(tmp_path / "0", n)
    two = multiply_powers(one, tmp_path / "1", 1234, 5, FR_MODULUS - 6)
    three = multiply_powers(two, tmp_path / "2", FR_MODULUS - 3, 77, 1 << 250)
    three.check()
    secrets = Trapdoor(
        alpha=5 * 77,
        beta=-6 * (1 << 250) % FR_MODULUS,
        gamma=1,
        delta=1,
        tau=-3 * 1234 % FR_MODULUS,
    )
    derived = derive_key(three, circuit, tmp_path / "key")
    wanted = setup_with(circuit, tmp_path / "wanted", secrets)
    assert derived.digest == wanted.digest
    last = multiply_deltas(derived, tmp_path / "last", [999])
    assert last.digest == setup_with(circuit, tmp_path / "w2", replace(secrets, delta=999)).digest


def test_powers_of_another_domain(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="domain of 4"):
        derive_key(first_powers(tmp_path / "p", 4), cubic()[0], tmp_path / "key")


@pytest.mark.parametrize("lengths", [[0], [1], [0, 3, 1, 0, 2], [5, 8, 0], [1, 1], [7]])
def test_segment_sums(lengths: list[int]) -> None:
    scalars = [3**k for k in range(sum(lengths))]
    terms = g1.from_affine_ints([G1.mul(G1.generator, s) for s in scalars])
    edges = np.concatenate([[0], np.cumsum(lengths)])
    found = g1.to_affine_ints(segment_sums(terms, edges))
    pairs = itertools.pairwise(edges)
    assert found == [G1.mul(G1.generator, sum(scalars[a:b])) for a, b in pairs]


def test_columns_of_several_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkcmp.groth16.ceremony.column_points._PIECE", 3)
    dense = np.arange(5 * 6).reshape(5, 6) % 4
    rows, columns = np.nonzero(dense)
    matrix = SparseMatrix(
        np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))]),
        columns.astype(np.uint32),
        dense[rows, columns].astype(np.uint32),
    )
    points = g1.from_affine_ints([G1.mul(G1.generator, 10**k) for k in range(5)])
    table = FrVector.from_ints([0, 1, FR_MODULUS - 1, 12345])
    found = g1.to_affine_ints(column_points(matrix, table, points, 6))
    values = np.array([0, 1, -1, 12345], object)[dense]
    assert found == [
        G1.mul(G1.generator, sum(int(v) * 10**k for k, v in enumerate(values[:, i])))
        for i in range(6)
    ]


# --- records ----------------------------------------------------------------------------------


def test_hash_to_g2() -> None:
    one, other = hash_to_g2(b"one"), hash_to_g2(b"other")
    assert one != other
    for point in (one, other):
        assert G2.is_on_curve(point)
        assert G2.in_subgroup(point)
    assert hash_to_g2.__wrapped__(b"one") == one


def test_factor_is_checked_over_its_place() -> None:
    factor = make_factor(5, b"tau", b"before")
    factor.check(b"tau", b"before")
    assert Factor.from_bytes(factor.to_bytes()).to_bytes() == factor.to_bytes()
    old, new = (g1.from_affine_ints([G1.mul(G1.generator, k)]) for k in (3, 15))
    assert factor.multiplies(b"tau", b"before", old, new)
    assert not factor.multiplies(b"tau", b"before", new, old)
    assert not factor.multiplies(b"tau", b"before", old, np.zeros_like(old))
    assert not factor.multiplies(b"tau", b"before", np.zeros_like(old), np.zeros_like(old))
    for label, before in ((b"alpha", b"before"), (b"tau", b"Before")):
        with pytest.raises(VerificationError, match="proof of knowledge"):
            factor.check(label, before)
        assert not factor.multiplies(label, before, old, new)


@pytest.mark.parametrize(("x", "said"), [(0, "other than 0"), (1, "other than 1")])
def test_factors_that_contribute_nothing(x: int, said: str) -> None:
    with pytest.raises(VerificationError, match=said):
        make_factor(x, b"tau", b"v").check(b"tau", b"v")


def test_random_factors_are_neither_zero_nor_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkcmp.groth16.ceremony.contribution.secrets.randbelow", lambda n: 0)
    assert random_factor() == 2
    monkeypatch.setattr("zkcmp.groth16.ceremony.contribution.secrets.randbelow", lambda n: n - 1)
    assert random_factor() == FR_MODULUS - 1


# --- whole ceremonies -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def r1cs() -> R1CS:
    return bits(4, 9)[0]


@pytest.mark.parametrize("parties", [1, 2, 3])
def test_ceremony(ceremony: Ceremony, r1cs: R1CS, tmp_path: Path, parties: int) -> None:
    stages = set()
    records: dict[str, list[bytes]] = {"powers": [], "key": []}
    for _ in range(parties):
        record = ceremony.contribute(lambda stage, done, total: stages.add(stage))
        records["powers"].append(record.digest)
    assert ceremony.verify(r1cs) == records
    ceremony.begin_circuit(r1cs)
    for _ in range(parties):
        record = ceremony.contribute(lambda stage, done, total: stages.add(stage))
        records["key"].append(record.digest)
    assert ceremony.verify(r1cs) == records
    key = ceremony.finalise(r1cs, tmp_path / "key")
    audit(key, r1cs)
    proof = prove(key, r1cs, FrVector.from_ints(bits(4, 9)[1]))
    verify(key.verifying_key, FrVector.from_ints([9]), proof)
    assert stages == {
        *("powers: points", "contribution: powers"),
        *("key: points", "contribution: key"),
    }


def test_steps_out_of_order(ceremony: Ceremony, r1cs: R1CS, tmp_path: Path) -> None:
    with pytest.raises(ZkcmpError, match="nobody has contributed to phase 1"):
        ceremony.begin_circuit(r1cs)
    with pytest.raises(ZkcmpError, match="nobody has contributed to phase 2"):
        ceremony.finalise(r1cs, tmp_path / "key")
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    with pytest.raises(ZkcmpError, match="phase 1 has ended"):
        ceremony.begin_circuit(r1cs)
    with pytest.raises(ZkcmpError, match="nobody has contributed to phase 2"):
        ceremony.finalise(r1cs, tmp_path / "key")
    with pytest.raises(ZkcmpError, match="not empty"):
        Ceremony.begin(ceremony.directory, r1cs)
    with pytest.raises(ZkcmpError, match="one row"):
        Ceremony.begin(tmp_path / "other", system(0, 1, []))
    assert not (tmp_path / "key").exists()


def test_interrupted_contribution_leaves_nothing(
    ceremony: Ceremony, r1cs: R1CS, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = sorted(path.name for path in ceremony.directory.iterdir())
    with pytest.raises(KeyboardInterrupt):
        ceremony.contribute(stop)
    assert sorted(path.name for path in ceremony.directory.iterdir()) == before
    with monkeypatch.context() as patch:
        patch.setattr("zkcmp.groth16.ceremony.make_factor", lambda *_: stop("", 0, 0))
        with pytest.raises(KeyboardInterrupt):
            ceremony.contribute()
    assert sorted(path.name for path in ceremony.directory.iterdir()) == before
    with monkeypatch.context() as patch:
        patch.setattr("zkcmp.groth16.ceremony.Record.to_bytes", lambda _: stop("", 0, 0))
        with pytest.raises(KeyboardInterrupt):
            ceremony.contribute()
    # the file is there, the record is not: it does not count, and is written anew
    assert ceremony.file("powers", 1).exists()
    assert ceremony.count("powers") == 0
    ceremony.contribute()
    ceremony.verify(r1cs)


def test_ceremony_of_another_circuit(ceremony: Ceremony, r1cs: R1CS) -> None:
    ceremony.contribute()
    with pytest.raises(CeremonyError, match="the beginning: for 8 rows, the circuit has 16"):
        ceremony.verify(bits(9, 3)[0])
    ceremony.begin_circuit(r1cs)
    ceremony.contribute()
    with pytest.raises(CeremonyError, match="the beginning: proving key: expected circuit"):
        ceremony.verify(bits(3, 3)[0])


def test_ceremony_after_another(r1cs: R1CS, tmp_path: Path) -> None:
    """Powers that snarkjs made; phase 1 then needs nobody here, and takes whoever comes."""
    ptau = Ptau(Path(__file__).parent / "snarkjs_vectors" / "power.ptau")
    for more in (0, 1):
        ceremony = Ceremony.begin(tmp_path / str(more), r1cs, ptau)
        for _ in range(more):
            ceremony.contribute()
        ceremony.begin_circuit(r1cs, ptau=ptau)
        ceremony.contribute()
        assert len(ceremony.verify(r1cs, ptau=ptau)["powers"]) == more
        audit(ceremony.finalise(r1cs, tmp_path / "key", ptau=ptau), r1cs)
        with pytest.raises(CeremonyError, match="the beginning: tau_g1: expected that of tau = al"):
            ceremony.verify(r1cs)
    plain = Ceremony.begin(tmp_path / "plain", r1cs)
    with pytest.raises(CeremonyError, match=r"beginning: tau_g1: expected that of the \.ptau"):
        plain.verify(r1cs, ptau=ptau)
    with pytest.raises(DecodeError):
        Ceremony.begin(tmp_path / "large", bits(1 << (ptau.power + 1), 1)[0], ptau)


def test_our_own_contribution(ceremony: Ceremony, r1cs: R1CS, tmp_path: Path) -> None:
    first, second = ceremony.contribute().digest, ceremony.contribute().digest
    ceremony.begin_circuit(r1cs)
    third = ceremony.contribute().digest
    copy = tmp_path / "copy"
    copy.mkdir()
    ceremony = ceremony.copied(copy)
    for ours, missing in (
        ([first], "key"),
        ([third], "powers"),
        ([], "powers"),
        ([b"x"], "powers"),
    ):
        with pytest.raises(VerificationError, match=f"{missing}: expected a contribution of ours"):
            ceremony.finalise(r1cs, tmp_path / "key", ours=ours)
        assert not (tmp_path / "key").exists()
    ceremony.finalise(r1cs, tmp_path / "key", ours=[third, second])


# --- cheats -----------------------------------------------------------------------------------


def _replayed(record: Record) -> Record:
    """The factors of a proof that was made elsewhere in the transcript."""
    factors = tuple(
        make_factor(5, label, bytes(32))
        for label, _ in zip((b"tau", b"alpha", b"beta"), record.factors, strict=False)
    )
    return replace(record, factors=factors)


def _other_proof(record: Record) -> Record:
    first = record.factors[0]
    forged = Factor(first.share, plus(first.proof, G2.generator))
    return replace(record, factors=(forged, *record.factors[1:]))


POWERS_CHEATS: dict[str, tuple[dict[str, Any], str]] = {
    "zero": ({"in_file": [0, 2, 3]}, "not infinity|other than 0"),
    "zero alpha": ({"in_file": [2, 0, 3]}, "other than 0"),
    "zero beta": ({"in_file": [2, 3, 0]}, "other than 0"),
    "one": ({"in_file": [1, 2, 3]}, "share of tau: expected a factor other than 1"),
    "one alpha": ({"in_file": [2, 1, 3]}, "share of alpha: expected a factor other than 1"),
    "one beta": ({"in_file": [2, 3, 1]}, "share of beta: expected a factor other than 1"),
    "other tau": ({"in_file": [2, 3, 4], "in_record": [5, 3, 4]}, "tau: expected the last"),
    "other alpha": ({"in_file": [2, 3, 4], "in_record": [2, 5, 4]}, "alpha: expected the last"),
    "other beta": ({"in_file": [2, 3, 4], "in_record": [2, 3, 5]}, "beta: expected the last"),
    "untouched": ({"in_file": [1, 1, 1], "in_record": [2, 3, 4]}, "tau: expected the last"),
    "proof": ({"in_file": [2, 3, 4], "spoil": _other_proof}, "proof of knowledge"),
    "replay": ({"in_file": [5, 5, 5], "spoil": _replayed}, "proof of knowledge"),
    "transcript": (
        {"in_file": [2, 3, 4], "spoil": lambda r: replace(r, before=bytes(32))},
        "the transcript before it",
    ),
    "digest": (
        {"in_file": [2, 3, 4], "spoil": lambda r: replace(r, result=bytes(32))},
        "the digest of its file",
    ),
    **{
        f"{name}[{index}]": (
            {"in_file": [2, 3, 4], "edit": edit_powers(**{name: moved(index)})},
            said,
        )
        for name, index, said in (
            ("tau_g1", 0, "the generators"),
            ("tau_g1", 1, "tau_g1"),
            ("tau_g1", 14, "tau_g1"),
            ("tau_g2", 0, "the generators"),
            ("tau_g2", 1, "tau_g1"),
            ("tau_g2", 7, "tau_g2"),
            ("alpha_tau_g1", 0, "alpha_tau_g1"),
            ("alpha_tau_g1", 7, "alpha_tau_g1"),
            ("beta_tau_g1", 3, "beta_tau_g1"),
            ("beta_g2", 0, "beta_g2"),
        )
    },
    "swapped": ({"in_file": [2, 3, 4], "edit": edit_powers(tau_g1=swapped)}, "generators"),
    "infinity": (
        {"in_file": [2, 3, 4], "edit": edit_powers(beta_tau_g1=set_to(4, None))},
        r"beta_tau_g1\[4\]: expected a point",
    ),
    "off the curve": (
        {"in_file": [2, 3, 4], "edit": edit_powers(tau_g1=lambda p: p + (p == p[3]))},
        r"tau_g1\[3\]: expected a point",
    ),
    "outside G2": (
        {"in_file": [2, 3, 4], "edit": edit_powers(tau_g2=set_to(2, twist_point()))},
        r"tau_g2\[2\]: expected a point",
    ),
    "order 10069": (
        {"in_file": [2, 3, 4], "edit": edit_powers(tau_g2=small_order_at(2))},
        r"tau_g2\[2\]: expected a point",
    ),
}


# what no contributor goes on from
UNFIT = {
    *("zero", "zero alpha", "zero beta", "infinity", "off the curve", "outside G2", "order 10069"),
    *("transcript", "digest"),
}


def _go_on(ceremony: Ceremony, name: str) -> None:
    """Another contribution after the second one, which is the cheat of this name."""
    if name not in UNFIT:
        ceremony.contribute()
        return
    with pytest.raises(CeremonyError) as caught:
        ceremony.contribute()
    assert (caught.value.phase, caught.value.contributor) == (ceremony.phase, 2)


@pytest.mark.parametrize("name", POWERS_CHEATS)
def test_cheat_in_phase_1(ceremony: Ceremony, r1cs: R1CS, name: str) -> None:
    arguments, said = POWERS_CHEATS[name]
    ceremony.contribute()
    append(ceremony, **arguments)
    _go_on(ceremony, name)
    with pytest.raises(CeremonyError, match=said) as caught:
        ceremony.verify(r1cs)
    assert (caught.value.phase, caught.value.contributor) == ("powers", 2)


def test_tau_in_the_domain(ceremony: Ceremony, r1cs: R1CS) -> None:
    append(ceremony, [FR_MODULUS - 1, 2, 3])
    with pytest.raises(CeremonyError, match="a root of unity") as caught:
        ceremony.verify(r1cs)
    assert caught.value.contributor == 1


KEY_CHEATS: dict[str, tuple[dict[str, Any], str]] = {
    "one": ({"in_file": [1]}, "other than 1"),
    "other": ({"in_file": [2], "in_record": [3]}, "delta: expected the last one"),
    "untouched": ({"in_file": [1], "in_record": [3]}, "delta: expected the last one"),
    "proof": ({"in_file": [2], "spoil": _other_proof}, "proof of knowledge"),
    "transcript": (
        {"in_file": [2], "spoil": lambda r: replace(r, before=bytes(32))},
        "the transcript before it",
    ),
    "digest": (
        {"in_file": [2], "spoil": lambda r: replace(r, result=bytes(32))},
        "the digest of its file",
    ),
    **{
        name: ({"in_file": [2], "edit": entry_moved(name)}, name)
        for name in (
            *("a_query", "b_g1_query", "b_g2_query", "l_query", "h_query", "gamma_abc_g1"),
            *("tau_g1", "tau_g2", "alpha_g1", "gamma_g2", "delta_g1", "delta_g2"),
        )
    },
}


@pytest.mark.parametrize("name", KEY_CHEATS)
def test_cheat_in_phase_2(ceremony: Ceremony, r1cs: R1CS, name: str) -> None:
    arguments, said = KEY_CHEATS[name]
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    ceremony.contribute()
    append(ceremony, **arguments)
    _go_on(ceremony, name)
    with pytest.raises(CeremonyError, match=said) as caught:
        ceremony.verify(r1cs)
    assert (caught.value.phase, caught.value.contributor) == ("key", 2)
    with pytest.raises(CeremonyError):
        ceremony.finalise(r1cs, ceremony.directory / "out")
    assert not (ceremony.directory / "out").exists()


def test_phase_2_from_other_powers(ceremony: Ceremony, r1cs: R1CS, tmp_path: Path) -> None:
    """A key that an honest setup made, by somebody who knows its trapdoor."""
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    secrets = Trapdoor(alpha=2, beta=3, gamma=1, delta=1, tau=4)
    setup_with(r1cs, ceremony.file("key", 0), secrets)
    with pytest.raises(CeremonyError, match="the beginning: derived from other powers"):
        ceremony.contribute()
    with pytest.raises(CeremonyError, match="the beginning: tau_g1: expected that of the powers"):
        ceremony.verify(r1cs)


def test_secret_beginning(ceremony: Ceremony, r1cs: R1CS) -> None:
    """Powers that somebody multiplied before the first contributor."""
    path = ceremony.file("powers", 0)
    multiply_powers(Powers.open(path), path, 2, 3, 4)
    ceremony.contribute()
    with pytest.raises(CeremonyError, match="expected that of tau = alpha = beta = 1") as caught:
        ceremony.verify(r1cs)
    assert caught.value.contributor == 0


def test_contribution_left_out_and_order_changed(ceremony: Ceremony, r1cs: R1CS) -> None:
    for _ in range(3):
        ceremony.contribute()
    first, second = (
        (ceremony.file("powers", k).read_bytes(), ceremony.record_file("powers", k).read_bytes())
        for k in (1, 2)
    )
    for k, (data, record) in ((1, second), (2, first)):
        ceremony.file("powers", k).write_bytes(data)
        ceremony.record_file("powers", k).write_bytes(record)
    with pytest.raises(CeremonyError, match="the transcript before it") as caught:
        ceremony.verify(r1cs)
    assert caught.value.contributor == 1


@pytest.mark.parametrize("damage", ["short", "long", "magic", "share", "proof"])
def test_damaged_record(ceremony: Ceremony, r1cs: R1CS, damage: str) -> None:
    ceremony.contribute()
    path = ceremony.record_file("powers", 1)
    data = bytearray(path.read_bytes())
    if damage == "magic":
        data[0] ^= 1
    elif damage in ("share", "proof"):
        at = 76 if damage == "share" else 76 + 32
        data[at : at + 32] = b"\xff" * 32
    path.write_bytes({"short": data[:-1], "long": data + b"\0"}.get(damage, data))
    with pytest.raises(CeremonyError) as caught:
        ceremony.verify(r1cs)
    assert caught.value.contributor == 1


def test_damaged_powers(ceremony: Ceremony, r1cs: R1CS) -> None:
    ceremony.contribute()
    path = ceremony.file("powers", 1)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CeremonyError, match="section beta_g2 is damaged") as caught:
        ceremony.verify(r1cs)
    assert caught.value.contributor == 1
    path.write_bytes(data[:-1])
    with pytest.raises(CeremonyError) as caught:
        ceremony.verify(r1cs)
    assert caught.value.contributor == 1
    with pytest.raises(DecodeError):
        Powers.open(ceremony.record_file("powers", 1))
