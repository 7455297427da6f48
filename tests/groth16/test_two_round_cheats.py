"""Provers of two rounds who cheat. Each forgery is the best its idea allows: it would be accepted
if what stops it were missing, and where that can be switched off, the test shows it.

The false statement is always that (1, 2) in some order is (5, x₂). With ρ in hand it has a witness
that satisfies every constraint: x₂ = (1 + ρ)(2 + ρ)/(5 + ρ) − ρ.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from groth16_circuits import shuffled, shuffled_witness

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.encoding import decode_g1, encode_g1
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS
from zkcmp.bn254.reference import G1
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16 import FirstRound, Proof, ProvingKey, VerifyingKey, prove, setup, verify
from zkcmp.groth16.challenge import challenges
from zkcmp.groth16.first_round import _Answer
from zkcmp.groth16.setup import Trapdoor, setup_with
from zkcmp.transcript import Transcript

Y, U = (1, 2), 77
INPUTS = FrVector.from_ints([*Y, U])
TRAPDOOR = Trapdoor(
    alpha=11, beta=FR_MODULUS - 7, gamma=1 << 200, delta=12345, tau=67890, delta0=54321
)
# the package has functions of these names
PROVE, VERIFY = (sys.modules[f"zkcmp.groth16.{name}"] for name in ("prove", "verify"))
Point = Any


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ProvingKey:
    return setup(shuffled(), tmp_path_factory.mktemp("key"))


@dataclass
class Cheat:
    """A prover who uses any commitment with any witness, and sends what comes out."""

    key: ProvingKey
    monkeypatch: pytest.MonkeyPatch

    def first_round(self, inputs: FrVector, commitment: Point, blinder: int = 0) -> FirstRound:
        first_round = FirstRound(self.key, shuffled(), inputs)
        d = g1.from_affine_ints([commitment])
        first_round._given = _Answer(FrVector.zeros(2), blinder, d, [0])
        return first_round

    def prove(self, witness: FrVector, first_round: FirstRound) -> Proof:
        """`prove` without its checks of the commitment and of the finished proof."""
        with self.monkeypatch.context() as patch:
            patch.setattr(FirstRound, "check", lambda *_: None)
            patch.setattr(PROVE, "verify", lambda *_: None)
            return prove(self.key, shuffled(), witness, first_round=first_round)

    def commitment(self, x: tuple[int, int], blinder: int = 0) -> Point:
        query = g1.to_affine_ints(self.key.commitment_query)
        terms = [G1.mul(point, value) for point, value in zip(query, x, strict=True)]
        delta = g1.to_affine_ints(self.key.delta_g1)[0]
        return G1.sum([*terms, G1.mul(delta, blinder)])

    def move(self, proof: Proof, c: Point = None, d: Point = None) -> Proof:
        """The proof with points added to C and D."""
        old_c, old_d = (g1.to_affine_ints(p)[0] for p in (proof.c, proof.d))
        return replace(
            proof,
            c=g1.from_affine_ints([G1.add(old_c, c)]),
            d=g1.from_affine_ints([G1.add(old_d, d)]),
        )


@pytest.fixture
def cheat(key: ProvingKey, monkeypatch: pytest.MonkeyPatch) -> Cheat:
    return Cheat(key, monkeypatch)


def drawn(key: VerifyingKey, inputs: FrVector, commitment: Point) -> int:
    return challenges(key, inputs, g1.from_affine_ints([commitment]))[0]


def false_wires(rho: int) -> tuple[int, int]:
    """x₁ = 5, and the x₂ for which the products agree at ρ."""
    x2 = (Y[0] + rho) * (Y[1] + rho) * pow(5 + rho, -1, FR_MODULUS) - rho
    return 5, x2 % FR_MODULUS


def false_witness(rho: int) -> FrVector:
    witness = shuffled_witness(Y, U, false_wires(rho), lambda _: [rho])
    shuffled().check(witness)
    return witness


def rejected(key: VerifyingKey, inputs: FrVector, proof: Proof, where: str) -> None:
    with pytest.raises(VerificationError) as caught:
        verify(key, inputs, proof)
    assert caught.value.where == where


EQUATION = "pairing equation"


# --- the tools themselves ---------------------------------------------------------------------


@pytest.mark.parametrize("blinder", [0, 5])
def test_the_cheat_can_prove_what_is_true(cheat: Cheat, blinder: int) -> None:
    """Else no rejection below would mean anything."""
    d = cheat.commitment((2, 1), blinder)
    rho = drawn(cheat.key.verifying_key, INPUTS, d)
    witness = shuffled_witness(Y, U, (2, 1), lambda _: [rho])
    proof = cheat.prove(witness, cheat.first_round(INPUTS, d, blinder))
    verify(cheat.key.verifying_key, INPUTS, cheat.move(proof))


# --- commitments from elsewhere ---------------------------------------------------------------


def test_commitment_of_another_statement(cheat: Cheat) -> None:
    """D and its challenge belong to u = 77; u is in no constraint, so the witness fits u = 78."""
    vk, other = cheat.key.verifying_key, FrVector.from_ints([*Y, U + 1])
    d = cheat.commitment((2, 1), 9)
    rho = drawn(vk, INPUTS, d)
    witness = shuffled_witness(Y, U + 1, (2, 1), lambda _: [rho])
    proof = cheat.prove(witness, cheat.first_round(other, d, 9))
    rejected(vk, other, proof, EQUATION)
    verify(vk, INPUTS, cheat.prove(_with(witness, 3, U), cheat.first_round(INPUTS, d, 9)))


def _with(witness: FrVector, wire: int, value: int) -> FrVector:
    values = witness.to_ints()
    values[wire] = value
    return FrVector.from_ints(values)


def test_somebody_elses_commitment(cheat: Cheat) -> None:
    """D from a proof that was seen, whose r₀ is not known; the rest made afresh."""
    vk = cheat.key.verifying_key
    seen = cheat.commitment((2, 1), 123456789)
    rho = drawn(vk, INPUTS, seen)
    for blinder in (0, 1):
        witness = shuffled_witness(Y, U, (2, 1), lambda _: [rho])
        proof = cheat.prove(witness, cheat.first_round(INPUTS, seen, blinder))
        rejected(vk, INPUTS, proof, EQUATION)


def test_commitment_under_another_key(cheat: Cheat, tmp_path: Path) -> None:
    """Of the same circuit; with the challenge of the one key and with that of the other."""
    vk = cheat.key.verifying_key
    elsewhere = replace(cheat, key=setup(shuffled(), tmp_path))
    d = elsewhere.commitment((2, 1), 9)
    for asked in (vk, elsewhere.key.verifying_key):
        rho = drawn(asked, INPUTS, d)
        witness = shuffled_witness(Y, U, (2, 1), lambda _, rho=rho: [rho])
        rejected(vk, INPUTS, cheat.prove(witness, cheat.first_round(INPUTS, d, 9)), EQUATION)


def test_proof_under_another_key(cheat: Cheat, tmp_path: Path) -> None:
    other = setup(shuffled(), tmp_path).verifying_key
    first_round = FirstRound(cheat.key, shuffled(), INPUTS)
    witness = shuffled_witness(Y, U, (2, 1), first_round.respond)
    proof = prove(cheat.key, shuffled(), witness, first_round=first_round)
    rejected(other, INPUTS, proof, EQUATION)


# --- challenges over less than the statement --------------------------------------------------


def _weak(leave_out: str) -> Callable[[VerifyingKey, FrVector, np.ndarray], list[int]]:
    """The challenge function with one thing forgotten."""

    def compute(key: VerifyingKey, inputs: FrVector, commitment: np.ndarray) -> list[int]:
        transcript = Transcript(b"zkcmp groth16 two rounds v1")
        parts = {
            b"verifying key": key.digest,
            b"public inputs": inputs.to_words().tobytes(),
            b"commitment": encode_g1(commitment),
        }
        if leave_out == "second input":
            parts[b"public inputs"] = inputs.slice(0, 1).to_words().tobytes()
        for label, data in parts.items():
            if label.decode() != leave_out:
                transcript.absorb(label, data)
        return [transcript.challenge(b"challenge") for _ in range(key.n_challenges)]

    return compute


def test_the_weak_function_with_nothing_left_out(key: ProvingKey) -> None:
    d = g1.generator()
    assert _weak("nothing")(key.verifying_key, INPUTS, d) == challenges(
        key.verifying_key, INPUTS, d
    )


def test_challenge_without_the_commitment(cheat: Cheat, monkeypatch: pytest.MonkeyPatch) -> None:
    """ρ is known before the wires are chosen, so the false statement has a proof."""
    vk, weak = cheat.key.verifying_key, _weak("commitment")
    (rho,) = weak(vk, INPUTS, g1.generator())
    d = cheat.commitment(false_wires(rho), 9)
    proof = cheat.prove(false_witness(rho), cheat.first_round(INPUTS, d, 9))
    rejected(vk, INPUTS, proof, EQUATION)
    monkeypatch.setattr(VERIFY, "challenges", weak)
    verify(vk, INPUTS, proof)


def test_challenge_without_an_input(cheat: Cheat, monkeypatch: pytest.MonkeyPatch) -> None:
    """x is committed and ρ drawn; then y₂ is chosen so that the products agree."""
    vk, weak = cheat.key.verifying_key, _weak("second input")
    x = (5, 6)
    d = cheat.commitment(x, 9)
    (rho,) = weak(vk, INPUTS, g1.from_affine_ints([d]))
    y2 = (x[0] + rho) * (x[1] + rho) * pow(Y[0] + rho, -1, FR_MODULUS) - rho
    witness = shuffled_witness((Y[0], y2), U, x, lambda _: [rho])
    shuffled().check(witness)
    inputs = witness.slice(1, 4)
    proof = cheat.prove(witness, cheat.first_round(inputs, d, 9))
    rejected(vk, inputs, proof, EQUATION)
    monkeypatch.setattr(VERIFY, "challenges", weak)
    verify(vk, inputs, proof)


def test_challenge_without_the_key(
    cheat: Cheat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then ρ would be known before the key is made, and be the same under every key."""
    vk, weak = cheat.key.verifying_key, _weak("verifying key")
    d = cheat.commitment((2, 1), 9)
    (rho,) = weak(vk, INPUTS, g1.from_affine_ints([d]))
    witness = shuffled_witness(Y, U, (2, 1), lambda _: [rho])
    proof = cheat.prove(witness, cheat.first_round(INPUTS, d, 9))
    rejected(vk, INPUTS, proof, EQUATION)
    monkeypatch.setattr(VERIFY, "challenges", weak)
    verify(vk, INPUTS, proof)


# --- wires that change after the challenge ----------------------------------------------------


def test_committed_wires_changed_after_the_challenge(cheat: Cheat) -> None:
    vk = cheat.key.verifying_key
    d = cheat.commitment((2, 1), 9)
    rho = drawn(vk, INPUTS, d)
    proof = cheat.prove(false_witness(rho), cheat.first_round(INPUTS, d, 9))
    rejected(vk, INPUTS, proof, EQUATION)


def _correction(cheat: Cheat, rho: int) -> Point:
    """Σ (x' − x)·commitment_query for x = (2, 1) and the false x'."""
    changes = [new - old for new, old in zip(false_wires(rho), (2, 1), strict=True)]
    return cheat.commitment((changes[0], changes[1]))


def _forged_with_correction(cheat: Cheat) -> Proof:
    """The change of the committed wires is added to C, where C's other wires are."""
    d = cheat.commitment((2, 1), 9)
    rho = drawn(cheat.key.verifying_key, INPUTS, d)
    proof = cheat.prove(false_witness(rho), cheat.first_round(INPUTS, d, 9))
    return cheat.move(proof, c=_correction(cheat, rho))


def test_correction_of_committed_wires_in_c(cheat: Cheat) -> None:
    """e(C, δ) gives it the factor δ/δ₀, which nobody can take away."""
    rejected(cheat.key.verifying_key, INPUTS, _forged_with_correction(cheat), EQUATION)


def test_with_equal_deltas_wires_move_between_the_rounds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Why δ₀ is drawn independently of δ: the same forgery under a key with δ₀ = δ is accepted."""
    key = setup_with(shuffled(), tmp_path, replace(TRAPDOOR, delta0=TRAPDOOR.delta))
    verify(key.verifying_key, INPUTS, _forged_with_correction(Cheat(key, monkeypatch)))


@pytest.mark.parametrize("query", ["l_query", "h_query", "a_query", "gamma_abc_g1"])
def test_elements_of_the_other_round_in_the_commitment(cheat: Cheat, query: str) -> None:
    """A multiple of a foreign element goes into D, is hashed with it, and comes off C."""
    vk = cheat.key.verifying_key
    points = getattr(cheat.key, query) if query != "gamma_abc_g1" else vk.gamma_abc_g1
    smuggled = G1.mul(g1.to_affine_ints(points)[0], 4321)
    d = G1.add(cheat.commitment((2, 1), 9), smuggled)
    rho = drawn(vk, INPUTS, d)
    witness = shuffled_witness(Y, U, (2, 1), lambda _: [rho])
    proof = cheat.prove(witness, cheat.first_round(INPUTS, d, 9))
    for c in (None, G1.neg(smuggled)):
        rejected(vk, INPUTS, cheat.move(proof, c=c), EQUATION)
    # the smuggled part out of D again, now that ρ is known
    rejected(vk, INPUTS, cheat.move(proof, d=G1.neg(smuggled)), EQUATION)


def test_the_wire_of_the_second_round_committed_early(cheat: Cheat) -> None:
    """p = (x₁ + ρ)(x₂ + ρ) is in D through l_query instead of in C, and honest otherwise."""
    vk = cheat.key.verifying_key
    guess = 987654321
    (p_element,) = g1.to_affine_ints(cheat.key.l_query)
    d = G1.add(cheat.commitment((2, 1), 9), G1.mul(p_element, guess))
    rho = drawn(vk, INPUTS, d)
    witness = shuffled_witness(Y, U, (2, 1), lambda _: [rho])
    proof = cheat.prove(witness, cheat.first_round(INPUTS, d, 9))
    rejected(vk, INPUTS, cheat.move(proof, c=G1.mul(p_element, -guess)), EQUATION)


# --- blinding ---------------------------------------------------------------------------------


def test_blinding_that_is_not_taken_back(cheat: Cheat) -> None:
    vk = cheat.key.verifying_key
    d = cheat.commitment((2, 1), 9)
    rho = drawn(vk, INPUTS, d)
    witness = shuffled_witness(Y, U, (2, 1), lambda _: [rho])
    for said in (0, 8, -9):
        rejected(vk, INPUTS, cheat.prove(witness, cheat.first_round(INPUTS, d, said)), EQUATION)
    verify(vk, INPUTS, cheat.prove(witness, cheat.first_round(INPUTS, d, 9)))


def test_blinding_added_afterwards(cheat: Cheat) -> None:
    """A finished proof cannot be given another D: r·[δ]₁ in D and −r·[δ₀]₁ in C fit the equation,
    and the challenge is another. (A, B and C can be randomised by anybody, D cannot.)
    """
    vk, key = cheat.key.verifying_key, cheat.key
    first_round = FirstRound(key, shuffled(), INPUTS)
    witness = shuffled_witness(Y, U, (2, 1), first_round.respond)
    proof = prove(key, shuffled(), witness, first_round=first_round)
    delta, delta0 = (g1.to_affine_ints(p)[0] for p in (key.delta_g1, key.delta0_g1))
    moved = cheat.move(proof, c=G1.mul(delta0, -3), d=G1.mul(delta, 3))
    rejected(vk, INPUTS, moved, EQUATION)


# --- D that is no commitment ------------------------------------------------------------------


@pytest.fixture(scope="module")
def honest(key: ProvingKey) -> Proof:
    first_round = FirstRound(key, shuffled(), INPUTS)
    witness = shuffled_witness(Y, U, (2, 1), first_round.respond)
    return prove(key, shuffled(), witness, first_round=first_round)


def test_commitment_at_infinity(cheat: Cheat, honest: Proof) -> None:
    """Also with the challenge that goes with it: D = O is no commitment to the wires (0, 0)."""
    vk = cheat.key.verifying_key
    infinity = np.zeros((1, 2, 4), np.uint64)
    rejected(vk, INPUTS, replace(honest, d=infinity), "proof element D")
    data = honest.to_bytes()[:128] + b"\x40" + bytes(31)
    rejected(vk, INPUTS, Proof.from_bytes(data), "proof element D")
    y = (0, 0)
    inputs = FrVector.from_ints([*y, U])
    (rho,) = challenges(vk, inputs, infinity)
    witness = shuffled_witness(y, U, (0, 0), lambda _: [rho])
    proof = replace(cheat.prove(witness, cheat.first_round(inputs, None)), d=infinity)
    rejected(vk, inputs, proof, "proof element D")


def test_commitments_off_the_curve(key: ProvingKey, honest: Proof) -> None:
    assert honest.d is not None
    vk = key.verifying_key
    for bad in (
        honest.d + np.uint64(1),
        honest.d | np.uint64(1 << 63),
        honest.d[0],
        np.concatenate([honest.d, honest.d]),
        g2.generator(),
    ):
        rejected(vk, INPUTS, replace(honest, d=bad), "proof element D")


def test_bytes_that_are_no_commitment(honest: Proof) -> None:
    data = honest.to_bytes()
    x = int.from_bytes(bytes([data[128] & 0x3F]) + data[129:160], "big")
    flag = (data[128] >> 6) << 254
    no_root = next(v for v in range(1, 50) if not _decodes((v | 2 << 254).to_bytes(32, "big")))
    for value in (
        x,  # the flag of an uncompressed point
        x | 1 << 254,  # infinity with a coordinate
        FQ_MODULUS | flag,
        (x + FQ_MODULUS) | flag if x + FQ_MODULUS < 1 << 254 else (FQ_MODULUS + 1) | flag,
        no_root | flag,
    ):
        with pytest.raises(DecodeError, match=r"^proof element D: "):
            Proof.from_bytes(data[:128] + value.to_bytes(32, "big"))


def _decodes(data: bytes) -> bool:
    try:
        decode_g1(data)
    except DecodeError:
        return False
    return True
