"""Proofs of mode `freivalds`: Groth16's challenges, and nothing else than what was stated."""

import numpy as np
import pytest
from freivalds_case import CONTEXT, PREIMAGE, Case, cheated_case

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.groth16 import FirstRound, Proof, ProvingKey, prove, setup, verify


@pytest.fixture(scope="module")
def case() -> Case:
    return cheated_case()


@pytest.fixture(scope="module")
def key(case, tmp_path_factory) -> ProvingKey:
    return setup(case.statement.r1cs, tmp_path_factory.mktemp("key") / "freivalds.key")


def proved(case: Case, key: ProvingKey, threshold: int) -> tuple[FrVector, Proof]:
    h, statement = case.honest, case.statement
    parts = (h.ciphertext, h.commitment, case.testset, threshold, CONTEXT)
    first_round = FirstRound(key, statement.r1cs, statement.public_inputs(*parts))
    witness = statement.witness(case.network, PREIMAGE, *parts, first_round.respond)
    statement.check(witness)
    return statement.public_inputs(*parts), prove(
        key, statement.r1cs, witness, first_round=first_round
    )


def test_a_proof_holds_for_what_it_states_only(case, key):
    inputs, proof = proved(case, key, 3)
    verify(key.verifying_key, inputs, proof)
    for parts in ({"threshold": 2}, {"context": bytes(32)}, {"commitment": bytes(32)}):
        with pytest.raises(VerificationError):
            verify(key.verifying_key, case.inputs(**{"threshold": 3, **parts}), proof)


def test_a_lie_in_one_image_cannot_be_proved(case, key):
    """The committed outputs are wrong before the challenges are known."""
    outputs = [o.copy() for o in case.honest.outputs]
    outputs[5][1] = np.roll(outputs[5][1], 1)
    lie = type(case.honest)(**{**case.honest.__dict__, "outputs": outputs})
    first_round = FirstRound(key, case.statement.r1cs, case.inputs())
    witness = case.statement.assign(lie, first_round.respond)
    with pytest.raises(VerificationError) as caught:
        case.statement.check(witness)
    assert caught.value.where == "dense5"
    with pytest.raises(VerificationError):
        prove(key, case.statement.r1cs, witness, first_round=first_round)
