"""Batch verification accepts what `verify` accepts, and names the first proof that is not."""

from dataclasses import replace

import pytest
from groth16_circuits import cubic

from zkcmp.bn254.curve import g1
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.reference import G1
from zkcmp.errors import VerificationError
from zkcmp.groth16 import Proof, VerifyingKey, prove, setup, verify_batch

Statement = tuple[FrVector, Proof]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[VerifyingKey, list[Statement]]:
    """Ten statements, more than a group of lanes."""
    r1cs, _ = cubic()
    key = setup(r1cs, tmp_path_factory.mktemp("key"))
    statements = []
    for x in range(10):
        witness = FrVector.from_ints([1, x**3 + x + 5, 70 + x, x, x * x, x**3])
        statements.append((witness.slice(1, 3), prove(key, r1cs, witness)))
    return key.verifying_key, statements


@pytest.mark.parametrize("count", [0, 1, 2, 7, 10])
def test_honest_batches(batch: tuple[VerifyingKey, list[Statement]], count: int) -> None:
    key, statements = batch
    verify_batch(key, statements[:count])


def test_the_same_proof_twice(batch: tuple[VerifyingKey, list[Statement]]) -> None:
    key, statements = batch
    verify_batch(key, [statements[0]] * 3)


@pytest.mark.parametrize("position", [0, 4, 9])
def test_one_false_statement(batch: tuple[VerifyingKey, list[Statement]], position: int) -> None:
    key, statements = batch
    inputs, proof = statements[position]
    changed = list(statements)
    changed[position] = (inputs + 1, proof)
    with pytest.raises(VerificationError, match=f"proof {position}; pairing equation"):
        verify_batch(key, changed)


def test_errors_that_cancel(batch: tuple[VerifyingKey, list[Statement]]) -> None:
    """C_0 + P and C_1 − P: the unweighted product of the equations would hold."""
    key, statements = batch
    shift = g1.to_affine_ints(g1.generator())[0]
    changed = list(statements)
    for k, point in ((0, shift), (1, G1.neg(shift))):
        inputs, proof = statements[k]
        c = G1.add(g1.to_affine_ints(proof.c)[0], point)
        changed[k] = (inputs, replace(proof, c=g1.from_affine_ints([c])))
    with pytest.raises(VerificationError, match="proof 0; pairing equation"):
        verify_batch(key, changed)


def test_exchanged_proofs(batch: tuple[VerifyingKey, list[Statement]]) -> None:
    key, statements = batch
    (first, a), (second, b) = statements[:2]
    with pytest.raises(VerificationError, match="proof 0; pairing equation"):
        verify_batch(key, [(first, b), (second, a)])


def test_forms_are_checked(batch: tuple[VerifyingKey, list[Statement]]) -> None:
    key, statements = batch
    inputs, proof = statements[1]
    for changed, message in (
        ((inputs.slice(0, 1), proof), "proof 1; number of public inputs: expected 2, got 1"),
        ((inputs, replace(proof, a=proof.a + 1)), "proof 1; proof element A"),
        ((inputs, replace(proof, c=proof.c * 0)), "proof 1; proof element C"),
    ):
        with pytest.raises(VerificationError, match=message):
            verify_batch(key, [statements[0], changed])


def test_an_equation_that_fails_alone(
    batch: tuple[VerifyingKey, list[Statement]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the machine, say: nothing is accepted that was not shown."""
    key, statements = batch
    monkeypatch.setattr("zkcmp.groth16.batch.pairing_product_is_one", lambda _: False)
    with pytest.raises(VerificationError, match=r"^batch: expected its equation to hold"):
        verify_batch(key, statements[:2])
