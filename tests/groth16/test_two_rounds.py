"""Proofs of two rounds: honest ones verify, and the first round hides what it commits to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from groth16_circuits import bits, cubic, shuffled, shuffled_witness, system
from py_ecc.optimized_bn128 import FQ, FQ2, FQ12, final_exponentiate, neg, pairing

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.reference import G1, G2
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.groth16 import FirstRound, Proof, ProvingKey, prove, setup, verify, verify_batch
from zkcmp.groth16.challenge import challenges
from zkcmp.groth16.keys import circuit_shape
from zkcmp.groth16.setup import Trapdoor, evaluate_qap, setup_with
from zkcmp.groth16.snarkjs import (
    export_zkey,
    setup_zkey,
    write_proof,
    write_r1cs,
    write_verification_key,
)
from zkcmp.groth16.verify import all_public, input_commitment
from zkcmp.r1cs import R1CS
from zkcmp.r1cs_builder import ConstraintSystem

Y, U, X = (7, -100), 77, (-100, 7)
TRAPDOOR = Trapdoor(
    alpha=11, beta=FR_MODULUS - 7, gamma=1 << 200, delta=12345, tau=67890, delta0=54321
)


def honest(
    key: ProvingKey, y: tuple[int, int] = Y, u: int = U, x: tuple[int, int] = X
) -> tuple[FrVector, Proof]:
    first_round = FirstRound(key, shuffled(), FrVector.from_ints([*y, u]))
    witness = shuffled_witness(y, u, x, first_round.respond)
    proof = prove(key, shuffled(), witness, first_round=first_round)
    return first_round.public_inputs, proof


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ProvingKey:
    return setup(shuffled(), tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def statement(key: ProvingKey) -> tuple[FrVector, Proof]:
    return honest(key)


# --- keys -------------------------------------------------------------------------------------


def test_setup_by_hand(tmp_path: Path) -> None:
    """Committed wires over δ₀, the other private one over δ, the challenge as an input over γ."""
    key, t = setup_with(shuffled(), tmp_path, TRAPDOOR), TRAPDOOR
    qap = evaluate_qap(shuffled(), key.shape.domain_size, t.tau)
    columns = zip(qap.a.to_ints(), qap.b.to_ints(), qap.c.to_ints(), strict=True)
    k = [(t.beta * a + t.alpha * b + c) % FR_MODULUS for a, b, c in columns]

    def over(wires: range, divisor: Any) -> list[Any]:
        return [G1.mul(G1.generator, k[i] * pow(divisor, -1, FR_MODULUS)) for i in wires]

    assert list(key.commitment_wires) == [5, 6]
    assert list(key.l_wires) == [7]
    assert g1.to_affine_ints(key.commitment_query) == over(range(5, 7), t.delta0)
    assert g1.to_affine_ints(key.l_query) == over(range(7, 8), t.delta)
    vk = key.verifying_key
    assert g1.to_affine_ints(vk.gamma_abc_g1) == over(range(5), t.gamma)
    assert g1.to_affine_ints(key.delta0_g1) == [G1.mul(G1.generator, t.delta0)]
    assert g2.to_affine_ints(vk.delta0_g2) == [G2.mul(G2.generator, t.delta0)]
    assert (vk.n_public, vk.n_inputs, vk.n_challenges) == (4, 3, 1)
    key.check_points()


def test_trapdoor_of_two_rounds(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs delta0"):
        setup_with(shuffled(), tmp_path, replace(TRAPDOOR, delta0=None))
    assert repr(TRAPDOOR) == "Trapdoor()"
    drawn = Trapdoor.random(8)
    assert drawn.delta0 not in (None, drawn.delta)


def test_rounds_of_a_circuit_belong_together() -> None:
    for changes in ({"n_challenges": 0}, {"n_committed": 0}):
        with pytest.raises(ValueError, match="has challenges and committed wires"):
            circuit_shape(replace(shuffled(), **changes))


# --- proofs -----------------------------------------------------------------------------------


def test_honest_proof(key: ProvingKey, statement: tuple[FrVector, Proof]) -> None:
    inputs, proof = statement
    verify(key.verifying_key, inputs, proof)
    data = proof.to_bytes()
    assert len(data) == 160
    assert Proof.from_bytes(data) == proof
    verify(key.verifying_key, inputs, Proof.from_bytes(data))


@pytest.mark.parametrize("x", [(7, -100), (-100, 7)])
def test_both_orders(key: ProvingKey, x: tuple[int, int]) -> None:
    verify(key.verifying_key, *honest(key, x=x))


def test_false_statement_has_no_witness(key: ProvingKey) -> None:
    with pytest.raises(VerificationError, match="all: expected constraint 1"):
        honest(key, x=(7, -101))


@pytest.mark.parametrize("length", [159, 161, 192])
def test_wrong_lengths(statement: tuple[FrVector, Proof], length: int) -> None:
    with pytest.raises(DecodeError, match=f"got {length};"):
        Proof.from_bytes((statement[1].to_bytes() * 2)[:length])


@pytest.mark.parametrize("position", range(160))
def test_every_byte_counts(
    key: ProvingKey, statement: tuple[FrVector, Proof], position: int
) -> None:
    inputs, proof = statement
    data = bytearray(proof.to_bytes())
    data[position] ^= 1 << (position % 8)
    with pytest.raises(ZkcmpError) as caught:
        verify(key.verifying_key, inputs, Proof.from_bytes(bytes(data)))
    if isinstance(caught.value, DecodeError):
        element = "ABBCD"[position // 32]
        assert str(caught.value).startswith(f"proof element {element}: ")
    else:
        assert caught.value.where == "pairing equation"


def test_public_inputs_are_bound(key: ProvingKey, statement: tuple[FrVector, Proof]) -> None:
    """Also u, which occurs in no constraint; and nobody gives the challenge."""
    inputs, proof = statement
    y1, y2, u = inputs.to_ints()
    for wrong in ([y1 + 1, y2, u], [y1, y2, u + 1], [y2, y1, u]):
        with pytest.raises(VerificationError, match=r"pairing equation.*e\(D, delta_0\)"):
            verify(key.verifying_key, FrVector.from_ints(wrong), proof)
    everything = all_public(key.verifying_key, inputs, proof)
    for wrong_length in (everything, inputs.slice(0, 2)):
        with pytest.raises(VerificationError, match="number of public inputs: expected 3"):
            verify(key.verifying_key, wrong_length, proof)


def _three_challenges(system: ConstraintSystem) -> None:
    """x·ρ₁ + ρ₂ = y·ρ₃, all in one row, with y answering the challenges."""
    system.public(2, "inputs", lambda: [5, 6])
    rho = system.wires(system.challenges(3, "rho"))
    x = system.private(1, "x", lambda: [9])
    system.commit()

    def answer() -> list[int]:
        a, b, c = system.challenge_values
        return [(9 * a + b) * pow(c, -1, FR_MODULUS) % FR_MODULUS, 9 * a % FR_MODULUS]

    y, part = (system.wires(w) for w in np.split(system.private(2, "y", answer), 2))
    first, second, third = (rho.take(np.array([k])) for k in range(3))
    system.enforce("product", system.wires(x), first, part)
    system.enforce("sum", y, third, part + second)


def test_a_builders_circuit_with_several_challenges(tmp_path: Path) -> None:
    recorded = ConstraintSystem()
    _three_challenges(recorded)
    r1cs = recorded.build()
    key = setup(r1cs, tmp_path)
    first_round = FirstRound(key, r1cs, FrVector.from_ints([5, 6]))
    assigned = ConstraintSystem(with_values=True, respond=first_round.respond)
    _three_challenges(assigned)
    proof = prove(key, r1cs, assigned.witness(), first_round=first_round)
    verify(key.verifying_key, FrVector.from_ints([5, 6]), proof)
    drawn = all_public(key.verifying_key, FrVector.from_ints([5, 6]), proof).to_ints()[2:]
    assert drawn == assigned.challenge_values
    assert len(set(drawn)) == 3


def test_committed_wires_in_no_constraint(tmp_path: Path) -> None:
    """The query is empty; D is its blinding alone."""
    r1cs = replace(system(1, 4, [({3: 1}, {0: 1}, {1: 1})]), n_challenges=1, n_committed=1)
    key = setup(r1cs, tmp_path)
    assert len(key.commitment_query) == 0
    first_round = FirstRound(key, r1cs, FrVector.zeros(0))
    (rho,) = first_round.respond(FrVector.from_ints([123]))
    proof = prove(key, r1cs, FrVector.from_ints([1, rho, 123, rho]), first_round=first_round)
    verify(key.verifying_key, FrVector.zeros(0), proof)


# --- a second source --------------------------------------------------------------------------


def _ecc_g1(array: np.ndarray) -> tuple[Any, ...]:
    x, y = g1.to_affine_ints(array)[0]
    return FQ(x), FQ(y), FQ(1)


def _ecc_g2(array: np.ndarray) -> tuple[Any, ...]:
    x, y = g2.to_affine_ints(array)[0]
    return FQ2(x), FQ2(y), FQ2.one()


def test_py_ecc_agrees(key: ProvingKey, statement: tuple[FrVector, Proof]) -> None:
    inputs, proof = statement
    vk = key.verifying_key

    def product(public: FrVector) -> FQ12:
        out = FQ12.one()
        for p, q in (
            (neg(_ecc_g1(proof.a)), proof.b),
            (_ecc_g1(vk.alpha_g1), vk.beta_g2),
            (_ecc_g1(input_commitment(vk, public)), vk.gamma_g2),
            (_ecc_g1(proof.c), vk.delta_g2),
            (_ecc_g1(proof.d), vk.delta0_g2),
        ):
            out = out * pairing(_ecc_g2(q), p, final_exponentiate=False)
        return final_exponentiate(out)

    public = all_public(vk, inputs, proof)
    assert product(public) == FQ12.one()
    public.assign(3, FrVector.from_ints([public[3] + 1]))
    assert product(public) != FQ12.one()


def test_whoever_knows_the_trapdoor_forges(tmp_path: Path) -> None:
    """C = (ab − αβ − γ·IC − δ₀·d)/δ for any a, b, d: the equation is checked as it is written."""
    key, t = setup_with(shuffled(), tmp_path, TRAPDOOR), TRAPDOOR
    false = FrVector.from_ints([1, 2, 3])
    a, b, d = 101, 202, 303

    def in_g1(scalar: int) -> np.ndarray:
        return g1.from_affine_ints([G1.mul(G1.generator, scalar)])

    drawn = challenges(key.verifying_key, false, in_g1(d))
    qap = evaluate_qap(shuffled(), key.shape.domain_size, t.tau)
    z = FrVector.from_ints([1, 1, 2, 3, *drawn, 0, 0, 0])
    ic = ((qap.a.scale(t.beta) + qap.b.scale(t.alpha) + qap.c) * z).sum()
    c = (a * b - t.alpha * t.beta - ic - TRAPDOOR.delta0 * d) * pow(t.delta, -1, FR_MODULUS)
    forged = Proof(in_g1(a), g2.from_affine_ints([G2.mul(G2.generator, b)]), in_g1(c), in_g1(d))
    verify(key.verifying_key, false, forged)
    with pytest.raises(VerificationError, match="pairing equation"):
        verify(key.verifying_key, FrVector.from_ints([1, 2, 4]), forged)


# --- the challenge ----------------------------------------------------------------------------


def test_challenges_depend_on_everything(key: ProvingKey, tmp_path: Path) -> None:
    """Key, each input, their number, the commitment, and the number of challenges."""
    inputs, d = FrVector.from_ints([1, 2, 3]), g1.generator()
    vk = key.verifying_key
    two = replace(vk, n_challenges=2)
    drawn = [
        challenges(vk, inputs, d),
        challenges(vk, FrVector.from_ints([1, 2, 4]), d),
        challenges(vk, FrVector.from_ints([0, 2, 3]), d),
        challenges(vk, FrVector.from_ints([2, 1, 3]), d),
        challenges(vk, inputs, g1.from_affine_ints([G1.neg(G1.generator)])),
        challenges(setup(shuffled(), tmp_path).verifying_key, inputs, d),
        challenges(replace(vk, circuit_digest=bytes(32)), inputs, d),
        challenges(replace(vk, delta0_g2=vk.delta_g2), inputs, d),
        challenges(two, inputs.slice(0, 2), d),
    ]
    assert [len(c) for c in drawn] == [1] * 8 + [2]
    flat = [value for c in drawn for value in c]
    assert len(set(flat)) == len(flat)
    assert challenges(vk, inputs, d) == drawn[0]
    with pytest.raises(ValueError, match="2 inputs of 3"):
        challenges(vk, inputs.slice(0, 2), d)


# --- the first round --------------------------------------------------------------------------


def test_two_commitments_to_the_same_wires_differ(key: ProvingKey) -> None:
    answers = []
    for _ in range(2):
        first_round = FirstRound(key, shuffled(), FrVector.from_ints([*Y, U]))
        drawn = first_round.respond(FrVector.from_ints(X))
        answers.append((first_round.commitment.tobytes(), *drawn))
    (one, rho), (two, sigma) = answers
    assert one != two
    assert rho != sigma


def test_a_first_round_answers_once(key: ProvingKey) -> None:
    first_round = FirstRound(key, shuffled(), FrVector.from_ints([*Y, U]))
    with pytest.raises(VerificationError, match="expected a commitment, got none"):
        _ = first_round.commitment
    with pytest.raises(VerificationError, match="number of committed wires: expected 2, got 3"):
        first_round.respond(FrVector.zeros(3))
    first_round.respond(FrVector.from_ints(X))
    with pytest.raises(VerificationError, match="expected one commitment, got a second"):
        first_round.respond(FrVector.from_ints(X))


def test_what_a_first_round_needs(key: ProvingKey, tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="number of public inputs: expected 3, got 4"):
        FirstRound(key, shuffled(), FrVector.zeros(4))
    with pytest.raises(VerificationError, match="proving key: expected circuit"):
        FirstRound(key, cubic()[0], FrVector.zeros(2))
    with pytest.raises(VerificationError, match="a circuit of two rounds, got one of one round"):
        FirstRound(setup(cubic()[0], tmp_path), cubic()[0], FrVector.zeros(2))


def test_secrets_are_not_printed(key: ProvingKey) -> None:
    first_round = FirstRound(key, shuffled(), FrVector.from_ints([*Y, U]))
    first_round.respond(FrVector.from_ints(X))
    assert repr(first_round) == "FirstRound()"
    assert str(first_round._answer.blinder) not in repr(first_round._answer)
    assert "committed" not in repr(first_round._answer)


def test_rounds_of_circuit_and_prover_belong_together(key: ProvingKey, tmp_path: Path) -> None:
    first_round = FirstRound(key, shuffled(), FrVector.from_ints([*Y, U]))
    witness = shuffled_witness(Y, U, X, first_round.respond)
    with pytest.raises(VerificationError, match="first round: expected a commitment, got none"):
        prove(key, shuffled(), witness)
    one_round, wires = cubic()
    other = setup(one_round, tmp_path)
    with pytest.raises(VerificationError, match="expected none, the circuit has one round"):
        prove(other, one_round, FrVector.from_ints(wires), first_round=first_round)


def test_the_prover_names_what_was_not_committed_to(key: ProvingKey, tmp_path: Path) -> None:
    first_round = FirstRound(key, shuffled(), FrVector.from_ints([*Y, U]))
    witness = shuffled_witness(Y, U, X, first_round.respond)
    for wire, name in ((1, "public inputs"), (3, "public inputs"), (4, "challenges")):
        changed = witness.to_ints()
        changed[wire] += 1
        with pytest.raises(VerificationError, match=f"first round, {name}: expected those of"):
            prove(key, shuffled(), FrVector.from_ints(changed), first_round=first_round)
    # the same relation holds with x₁ and x₂ exchanged
    changed = witness.to_ints()
    changed[5], changed[6] = changed[6], changed[5]
    shuffled().check(FrVector.from_ints(changed))
    with pytest.raises(VerificationError, match="first round, committed wires"):
        prove(key, shuffled(), FrVector.from_ints(changed), first_round=first_round)
    other = setup(shuffled(), tmp_path)
    with pytest.raises(VerificationError, match="a commitment under this key, got another key"):
        prove(other, shuffled(), witness, first_round=first_round)


def _candidates(key: ProvingKey) -> list[np.ndarray]:
    """Commitments without blinding for every int8 weight x₁, with x₂ known."""
    query = g1.to_affine_ints(key.commitment_query)
    known = G1.mul(query[1], X[1])
    return [
        g1.from_affine_ints([G1.add(G1.mul(query[0], weight), known)])
        for weight in range(-128, 128)
    ]


def test_an_unblinded_small_witness_is_guessed(
    key: ProvingKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2024-45040: with r₀ = 0 the proof verifies as well, and whoever tries 256 values knows
    the weight. With r₀ every candidate is as likely: D − candidate is a multiple of [δ]₁ for each.
    """
    candidates = [point.tobytes() for point in _candidates(key)]

    def guesses(d: np.ndarray) -> list[int]:
        return [k - 128 for k, point in enumerate(candidates) if point == d.tobytes()]

    with monkeypatch.context() as patch:
        patch.setattr("zkcmp.groth16.first_round.secrets.randbelow", lambda n: 0)
        first_round = FirstRound(key, shuffled(), FrVector.from_ints([*Y, U]))
        witness = shuffled_witness(Y, U, X, first_round.respond)
    proof = prove(key, shuffled(), witness, first_round=first_round)
    verify(key.verifying_key, first_round.public_inputs, proof)
    assert guesses(proof.d) == [X[0]]

    assert guesses(honest(key)[1].d) == []


def test_a_blinded_commitment_fits_every_candidate(tmp_path: Path) -> None:
    """Even to whoever knows the trapdoor: for each weight there is an r₀ that gives this D."""
    key, t = setup_with(shuffled(), tmp_path, TRAPDOOR), TRAPDOOR
    first_round = FirstRound(key, shuffled(), FrVector.from_ints([*Y, U]))
    first_round.respond(FrVector.from_ints(X))
    qap = evaluate_qap(shuffled(), key.shape.domain_size, t.tau)
    k = (qap.a.scale(t.beta) + qap.b.scale(t.alpha) + qap.c).to_ints()
    over_delta0, over_delta = (pow(d, -1, FR_MODULUS) for d in (54321, t.delta))
    d = (k[5] * X[0] + k[6] * X[1]) * over_delta0 + first_round._answer.blinder * t.delta
    fitting = set()
    for weight in range(-128, 128):
        wires = (k[5] * weight + k[6] * X[1]) * over_delta0
        r0 = (d - wires) * over_delta % FR_MODULUS
        opened = G1.mul(G1.generator, wires + r0 * t.delta)
        assert g1.from_affine_ints([opened]).tobytes() == first_round.commitment.tobytes()
        fitting.add(r0)
    assert len(fitting) == 256


# --- batches ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def batch(key: ProvingKey) -> list[tuple[FrVector, Proof]]:
    return [honest(key, (k, 5), k, (5, k)) for k in range(9)]


@pytest.mark.parametrize("count", [1, 2, 9])
def test_batches(key: ProvingKey, batch: list[tuple[FrVector, Proof]], count: int) -> None:
    verify_batch(key.verifying_key, batch[:count])


def test_false_batches(key: ProvingKey, batch: list[tuple[FrVector, Proof]]) -> None:
    (first, a), (second, b), *rest = batch
    for changed in (
        [(first, b), (second, a)],
        [(first, replace(a, d=b.d)), (second, replace(b, d=a.d))],
    ):
        with pytest.raises(VerificationError, match="proof 0; pairing equation"):
            verify_batch(key.verifying_key, [*changed, *rest])
    with pytest.raises(VerificationError, match="proof 1; proof: expected a proof of two rounds"):
        verify_batch(key.verifying_key, [batch[0], (second, replace(b, d=None))])
    with pytest.raises(VerificationError, match="proof 1; proof element D"):
        verify_batch(key.verifying_key, [batch[0], (second, replace(b, d=b.d * 0))])


# --- the two kinds ----------------------------------------------------------------------------


def test_a_proof_of_the_other_kind(
    key: ProvingKey, statement: tuple[FrVector, Proof], tmp_path: Path
) -> None:
    r1cs, wires = bits(4, 9)
    one_round = setup(r1cs, tmp_path)
    inputs, proof = FrVector.from_ints([9]), prove(one_round, r1cs, FrVector.from_ints(wires))
    verify(one_round.verifying_key, inputs, proof)
    with pytest.raises(VerificationError, match="of two rounds, with a commitment D, got a proof"):
        verify(key.verifying_key, statement[0], proof)
    with pytest.raises(VerificationError, match="expected a proof of one round, got a proof of tw"):
        verify(one_round.verifying_key, inputs, statement[1])
    # with or without a D that adds nothing to the equation
    for d in (proof.d, g1.generator(), np.zeros_like(proof.a)):
        if d is not None:
            with pytest.raises(VerificationError, match="proof: expected a proof of one round"):
                verify(one_round.verifying_key, inputs, replace(proof, d=d))
    with pytest.raises(VerificationError, match="expected a proof of two rounds"):
        verify(key.verifying_key, statement[0], replace(statement[1], d=None))


def _same_relation_in_one_round() -> R1CS:
    return replace(shuffled(), n_challenges=0, n_committed=0)


def test_the_relation_in_one_round_is_another_circuit(
    key: ProvingKey, statement: tuple[FrVector, Proof], tmp_path: Path
) -> None:
    """In one round a prover chooses ρ, and x with it: such a proof is none in two rounds."""
    r1cs = _same_relation_in_one_round()
    one_round = setup(r1cs, tmp_path)
    witness = shuffled_witness((1, 2), U, (0, 0), lambda _: [-2 * pow(3, -1, FR_MODULUS)])
    chosen = prove(one_round, r1cs, witness)
    verify(one_round.verifying_key, witness.slice(1, 5), chosen)
    with pytest.raises(VerificationError, match="number of public inputs: expected 3, got 4"):
        verify(key.verifying_key, witness.slice(1, 5), chosen)
    with pytest.raises(VerificationError, match="proving key: expected circuit"):
        prove(key, r1cs, witness)


def test_snarkjs_files_of_two_rounds_are_refused(
    key: ProvingKey, statement: tuple[FrVector, Proof], tmp_path: Path
) -> None:
    out = tmp_path / "file"
    for what, write in (
        ("proof", lambda: write_proof(out, statement[1])),
        ("key", lambda: write_verification_key(out, key.verifying_key)),
        ("key", lambda: export_zkey(key, shuffled(), out)),
        ("circuit", lambda: setup_zkey(shuffled(), out)),
        ("circuit", lambda: write_r1cs(out, shuffled())),
    ):
        with pytest.raises(ZkcmpError, match=f"^this {what} has two rounds, and snarkjs knows"):
            write()
        assert not out.exists()
