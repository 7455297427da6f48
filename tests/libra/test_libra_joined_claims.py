"""Several claims on a layer are joined with coefficients that no prover knows before it claims."""

import pytest
from clear_scheme import run

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.layered.bench import random_circuit
from zkcmp.libra.layered.rounds import reduce_circuit
from zkcmp.libra.multilinear.tables import evaluate
from zkcmp.libra.requirements.opening import EqWeights

CIRCUIT = random_circuit(1, 3, seed=1)
INPUTS = FrVector.from_ints(range(2, 10))


def attempt(*errors: int) -> None:
    """Claims on the outputs at as many points, each off by so much."""
    values = CIRCUIT.evaluate(INPUTS)

    def reduction(channel: Channel, tensors: dict[str, FrVector] | None) -> None:
        claims = []
        for error in errors:
            point = channel.challenges(b"outputs", 3)
            claims.append(TensorClaim(point, Form.public(evaluate(values[-1], point) + error)))
        mine = None if tensors is None else values
        for left in reduce_circuit(channel, CIRCUIT, claims, mine):
            channel.require_opening("inputs", EqWeights(left.point), left.form)

    run(reduction, {"inputs": len(INPUTS)}, {"inputs": INPUTS})


@pytest.mark.parametrize("errors", [(0,), (0, 0), (0, 0, 0)])
def test_true_claims(errors: tuple[int, ...]) -> None:
    attempt(*errors)


@pytest.mark.parametrize("errors", [(1,), (1, -1), (1, -2, 1)])
def test_errors_do_not_cancel(errors: tuple[int, ...]) -> None:
    with pytest.raises(VerificationError):
        attempt(*errors)
