"""Why a key is audited: keys with which the buyer reads the witness, and how the audit ends that.

After Campanelli, Gennaro, Goldfeder and Nizzardo (CCS 2017): whoever makes the parameters of a
contingent payment can make them so that the proof, or its absence, tells a fact about the secret.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged_keys import element, forge, plus, with_entry
from groth16_circuits import system

from zkcmp.bn254.curve import g1
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.reference import G1
from zkcmp.errors import VerificationError
from zkcmp.groth16 import ProvingKey, prove, verify
from zkcmp.groth16.audit import AuditError, audit
from zkcmp.groth16.setup import Trapdoor, evaluate_qap, setup_with
from zkcmp.r1cs import R1CS

TRAPDOOR = Trapdoor(alpha=11, beta=FR_MODULUS - 7, gamma=1 << 200, delta=12345, tau=67890)
SECRET = 2  # the wire that the buyer wants to know


def _one_of_two() -> R1CS:
    """Bits s and t with s + t = y: whoever knows y = 1 does not know s. Wires 1, y, s, t."""
    minus = FR_MODULUS - 1
    return system(
        1,
        4,
        [
            ({2: 1}, {0: minus, 2: 1}, {}),
            ({3: 1}, {0: minus, 3: 1}, {}),
            ({2: 1, 3: 1}, {0: 1}, {1: 1}),
        ],
    )


def _witness(s: int) -> FrVector:
    return FrVector.from_ints([1, 1, s, 1 - s])


def _key_without_blinding(directory: Path) -> Path:
    """β₁, δ₁ and all B in G1 are infinity: r and B₁ vanish from the proof, which still verifies."""
    honest = setup_with(_one_of_two(), directory / "honest", TRAPDOOR)
    return forge(
        honest,
        directory / "forged",
        **{
            name: np.zeros_like(element(honest, name))
            for name in ("beta_g1", "delta_g1", "b_g1_query")
        },
    )


@pytest.mark.parametrize("s", [0, 1])
def test_a_proof_that_verifies_tells_the_secret(s: int, tmp_path: Path) -> None:
    """Unaudited: A = α + Σ z_i·A_i(τ) without blinding, which the buyer computes for each guess."""
    circuit = _one_of_two()
    key = ProvingKey.open(_key_without_blinding(tmp_path))
    proof = prove(key, circuit, _witness(s))
    verify(key.verifying_key, FrVector.from_ints([1]), proof)

    qap = evaluate_qap(circuit, key.shape.domain_size, TRAPDOOR.tau)
    guesses = [
        G1.mul(G1.generator, TRAPDOOR.alpha + (qap.a * _witness(guess)).sum()) for guess in (0, 1)
    ]
    assert guesses.index(g1.to_affine_ints(proof.a)[0]) == s


def test_the_audit_stops_the_key_without_blinding(tmp_path: Path) -> None:
    key = ProvingKey.open(_key_without_blinding(tmp_path))
    with pytest.raises(AuditError, match="beta_g1"):
        audit(key, _one_of_two())


def test_under_an_honest_key_the_guesses_say_nothing(tmp_path: Path) -> None:
    circuit = _one_of_two()
    key = setup_with(circuit, tmp_path, TRAPDOOR)
    audit(key, circuit)
    first, second = (prove(key, circuit, _witness(1)) for _ in range(2))
    assert first.a.tolist() != second.a.tolist()


def _key_that_fails_for_one(directory: Path) -> ProvingKey:
    """The entry of the secret wire in l_query is off by a generator: s·G is added to C.

    Every point is a point, so checks of form pass.
    """
    honest = setup_with(_one_of_two(), directory / "honest", TRAPDOOR)
    at = list(honest.l_wires).index(SECRET)
    points = element(honest, "l_query")
    changed = with_entry(points, at, plus(points[at : at + 1], G1.generator))
    key = ProvingKey.open(forge(honest, directory / "forged", l_query=changed))
    key.check_points()
    return key


def test_an_abort_tells_the_secret(tmp_path: Path) -> None:
    """Unaudited: a proof arrives if s = 0, and the seller falls silent if s = 1."""
    circuit, key = _one_of_two(), _key_that_fails_for_one(tmp_path)
    verify(key.verifying_key, FrVector.from_ints([1]), prove(key, circuit, _witness(0)))
    with pytest.raises(VerificationError, match="self-check"):
        prove(key, circuit, _witness(1))


def test_the_audit_stops_the_selective_failure_for_every_witness(tmp_path: Path) -> None:
    """It never sees the witness, so its verdict tells nothing about it."""
    key = _key_that_fails_for_one(tmp_path)
    with pytest.raises(AuditError) as caught:
        audit(key, _one_of_two())
    assert (caught.value.section, caught.value.index) == ("l_query", 0)


# --- a trapdoor chosen for the sake of one witness --------------------------------------------


def _dot(values: FrVector, witness: FrVector) -> int:
    return int((values * witness).sum())


def _chosen_for_one_witness(case: str) -> tuple[R1CS, Trapdoor, FrVector]:
    """Sums inside the prover that are infinite, or meet their double or their opposite.

    Wires 1, y, x with x² = y, u only in A, v only in B. Both are free, and the trapdoor is the
    buyer's, so u, v or α can be such that one partial sum takes any value.
    """
    circuit = system(1, 5, [({2: 1}, {2: 1}, {1: 1}), ({3: 1}, {}, {}), ({}, {4: 1}, {})])
    qap = evaluate_qap(circuit, 8, TRAPDOOR.tau)
    trapdoor, z = TRAPDOOR, [1, 9, 3, 5, 6]
    sums = {"A": (qap.a, 3, TRAPDOOR.alpha), "B": (qap.b, 4, TRAPDOOR.beta)}
    name, _, target = case.partition(" = ")
    sign = {"0": 0, "+": 1, "-": -1}[target]
    if name in sums:
        column, wire, element = sums[name]
        z[wire] = 0
        rest = sign * element - _dot(column, FrVector.from_ints(z))
        z[wire] = rest * pow(column.to_ints()[wire], -1, FR_MODULUS) % FR_MODULUS
    else:
        # βa + αb + c = ± (the sum over h_query), all times δ
        witness = FrVector.from_ints(z)
        h = _dot(qap.a, witness) * _dot(qap.b, witness) - _dot(qap.c, witness)
        private = FrVector.from_ints([0, 0, *z[2:]])
        a, b, c = (_dot(column, private) for column in (qap.a, qap.b, qap.c))
        alpha = (sign * h - trapdoor.beta * a - c) * pow(b, -1, FR_MODULUS) % FR_MODULUS
        trapdoor = replace(trapdoor, alpha=alpha)
    return circuit, trapdoor, FrVector.from_ints(z)


@pytest.mark.parametrize("target", ["0", "+", "-"])
@pytest.mark.parametrize("name", ["A", "B", "L"])
def test_no_witness_fails_under_an_audited_key(name: str, target: str, tmp_path: Path) -> None:
    """Such a key is one that an honest setup could have made; an abort would tell the witness."""
    circuit, trapdoor, witness = _chosen_for_one_witness(f"{name} = {target}")
    key = setup_with(circuit, tmp_path, trapdoor)
    audit(key, circuit)
    verify(key.verifying_key, FrVector.from_ints([9]), prove(key, circuit, witness))


@pytest.mark.parametrize("order", [3, 9, 13])
def test_tau_of_small_order(order: int, tmp_path: Path) -> None:
    """Outside the domain, but h_query has few different points, which meet in every bucket."""
    minus, n = FR_MODULUS - 1, 40
    rows: list[Any] = [({2 + k: 1}, {0: minus, 2 + k: 1}, {}) for k in range(n)]
    circuit = system(1, n + 2, [*rows, ({2 + k: 1 << k for k in range(n)}, {0: 1}, {1: 1})])
    tau = pow(5, (FR_MODULUS - 1) // order, FR_MODULUS)
    key = setup_with(circuit, tmp_path, replace(TRAPDOOR, tau=tau))
    audit(key, circuit)
    for value in (0, (1 << n) - 1, 0x5A5A5A5A5A):
        witness = FrVector.from_ints([1, value, *((value >> k) & 1 for k in range(n))])
        verify(key.verifying_key, FrVector.from_ints([value]), prove(key, circuit, witness))
