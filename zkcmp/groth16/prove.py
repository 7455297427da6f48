"""Groth16 proofs.

Source: Groth 2016, §3.2, Prove; r, s uniform blinders, query names as in keys.py:

    A = [α]₁ + Σ z_i·a_query[i] + r·[δ]₁
    B = [β]₂ + Σ z_i·b_g2_query[i] + s·[δ]₂          B₁ the same in G1
    C = Σ_{i > ℓ} z_i·l_query[i] + Σ h_j·h_query[j] + s·A + r·B₁ − rs·[δ]₁

In two rounds D is the commitment of first_round.py, l_query has the other private wires only, and C
contains −r₀·[δ₀]₁ besides: e(D, δ₀) has r₀·δ·δ₀ too much, which e(C, δ) takes back.

The proof is zero-knowledge for an honestly made key only: `ProvingKey.check_points` does not show
that a key is honest. `prove` verifies its proof before it returns it.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.reference import G1, G2
from zkcmp.errors import VerificationError
from zkcmp.groth16.first_round import FirstRound
from zkcmp.groth16.keys import ProvingKey
from zkcmp.groth16.proof import Proof
from zkcmp.groth16.quotient import consistency_rows, quotient
from zkcmp.groth16.verify import verify
from zkcmp.overlap import overlapped
from zkcmp.progress import Progress, silent
from zkcmp.r1cs import R1CS

_STAGES = ("constraints", "quotient", "A", "B in G1", "B in G2", "L", "H", "self-check")


def prove(
    key: ProvingKey,
    r1cs: R1CS,
    witness: FrVector,
    progress: Progress = silent,
    first_round: FirstRound | None = None,
) -> Proof:
    """Prove that the prover knows `witness`, all n_wires scalars with 1 first.

    A circuit of two rounds needs the `first_round` whose challenges are in the witness.

    Raises:
        VerificationError: when the key is of another circuit, or the witness breaks a constraint
            (the error names the gadget) or is not the one that was committed to, or the finished
            proof does not verify.
    """
    key.check_circuit(r1cs)
    if len(witness) != r1cs.n_wires:
        raise VerificationError("witness length", r1cs.n_wires, len(witness))
    if witness[0] != 1:
        raise VerificationError("constant wire", 1, "another value")
    _check_rounds(key, witness, first_round)
    steps = iter(range(1, len(_STAGES) + 1))

    def done() -> None:
        k = next(steps)
        progress(f"prove: {_STAGES[k - 1]}", k, len(_STAGES))

    a, bz, cz = _evaluations(key, r1cs, witness)
    done()
    h = quotient(a, bz, cz)
    del a, bz, cz
    done()
    sums: list[Any] = []
    for group, point in overlapped(lambda job: (job[0], job[1]()), _sums(key, witness, h)):
        sums += group.to_affine_ints(point)
        done()
    a_sum, b_g1_sum, b_g2_sum, l_sum, h_sum = sums
    c_sum = G1.add(l_sum, h_sum)
    if first_round is not None:
        c_sum = G1.add(c_sum, first_round.compensation)
    proof = blind(key, a_sum, b_g1_sum, b_g2_sum, c_sum)
    if first_round is not None:
        proof = replace(proof, d=first_round.commitment)
    try:
        verify(key.verifying_key, witness.slice(1, 1 + key.verifying_key.n_inputs), proof)
    except VerificationError as error:
        raise VerificationError(
            "self-check of the new proof",
            hint=f"{error}; the proving key is damaged or forged, get it again",
        ) from error
    done()
    return proof


def _check_rounds(key: ProvingKey, witness: FrVector, first_round: FirstRound | None) -> None:
    two_rounds = key.verifying_key.two_rounds
    if first_round is not None and two_rounds:
        first_round.check(key, witness)
    elif first_round is not None or two_rounds:
        raise VerificationError(
            "first round",
            "a commitment" if two_rounds else "none, the circuit has one round",
            "none" if two_rounds else "one",
            "give `first_round` for circuits of two rounds, and for no others",
        )


def _evaluations(
    key: ProvingKey, r1cs: R1CS, witness: FrVector
) -> tuple[FrVector, FrVector, FrVector]:
    """Az with the consistency rows, Bz, Cz; refuses a witness that is none."""
    az, bz, cz = r1cs.products(witness)
    if (az * bz - cz).to_words().any():
        r1cs.check(witness)
        raise VerificationError("witness", "all constraints to hold", "a violated one")
    public_wires = witness.slice(0, r1cs.n_public + 1)
    return consistency_rows(az, public_wires, key.shape.domain_size), bz, cz


def _sums(
    key: ProvingKey, witness: FrVector, h: FrVector
) -> list[tuple[Any, Callable[[], np.ndarray]]]:
    """The five sums of a proof in the order of _STAGES, each with its group, none computed yet."""
    return [
        (g1, lambda: _partial_sum(key.a_query, key.a_wires, witness)),
        (g1, lambda: _partial_sum(key.b_g1_query, key.b_wires, witness)),
        (g2, lambda: _partial_sum(key.b_g2_query, key.b_wires, witness)),
        (g1, lambda: _partial_sum(key.l_query, key.l_wires, witness)),
        # the coefficient of X^(N−1) is zero, at the last place in either order, and has no base
        (g1, lambda: msm(key.h_query, FrVector(h.data, len(h) - 1))),
    ]


def _partial_sum(query: np.ndarray, wires: np.ndarray, witness: FrVector) -> np.ndarray:
    """Σ z_w·query over the listed wires."""
    return msm(query, witness if len(wires) == len(witness) else witness.take(wires))


class Elements(Protocol):
    """The single points of a key; every kind of proving key has them."""

    @property
    def alpha_g1(self) -> np.ndarray: ...
    @property
    def beta_g1(self) -> np.ndarray: ...
    @property
    def delta_g1(self) -> np.ndarray: ...
    @property
    def beta_g2(self) -> np.ndarray: ...
    @property
    def delta_g2(self) -> np.ndarray: ...


def blind(key: Elements, a_sum: object, b_g1_sum: object, b_g2_sum: object, c_sum: object) -> Proof:
    """A, B and C from the four sums, with fresh r and s."""
    r, s = secrets.randbelow(FR_MODULUS), secrets.randbelow(FR_MODULUS)
    (alpha, beta, delta), (beta_g2, delta_g2) = (
        g1.to_affine_ints(np.concatenate([key.alpha_g1, key.beta_g1, key.delta_g1])),
        g2.to_affine_ints(np.concatenate([key.beta_g2, key.delta_g2])),
    )
    a = G1.sum([alpha, a_sum, G1.mul(delta, r)])
    b_g1 = G1.sum([beta, b_g1_sum, G1.mul(delta, s)])
    b = G2.sum([beta_g2, b_g2_sum, G2.mul(delta_g2, s)])
    c = G1.sum([c_sum, G1.mul(a, s), G1.mul(b_g1, r), G1.mul(delta, -r * s)])
    return Proof(g1.from_affine_ints([a]), g2.from_affine_ints([b]), g1.from_affine_ints([c]))
