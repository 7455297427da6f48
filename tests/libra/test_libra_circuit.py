"""Layered circuits with arbitrary wiring: what they compute, and proofs of it from the inputs."""

import numpy as np
import pytest
from clear_scheme import run

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.layered.bench import measure_circuit, random_circuit
from zkcmp.libra.layered.circuit import Circuit, GateLayer, Gates
from zkcmp.libra.layered.rounds import reduce_circuit
from zkcmp.libra.multilinear.tables import evaluate
from zkcmp.libra.requirements.opening import EqWeights

NONE = Gates.of([])
# widths that differ, outputs of several gates, of none, gates that read one wire twice
ODD = Circuit(
    (
        GateLayer(1, 3, Gates.of([(0, 7, 7), (1, 0, 3), (1, 0, 3)]), Gates.of([(0, 5, 5)])),
        GateLayer(4, 1, NONE, Gates.of([(z, z % 2, 1) for z in range(0, 16, 3)])),
        GateLayer(0, 4, Gates.of([(0, x, 15 - x) for x in range(16)]), NONE),
        GateLayer(2, 0, Gates.of([(3, 0, 0)]), Gates.of([(0, 0, 0)])),
    )
)


def plain(circuit: Circuit, inputs: list[int]) -> list[list[int]]:
    values = [inputs]
    for layer in circuit.layers:
        out = [0] * (1 << layer.out_vars)
        given = values[-1]
        for z, x, y in zip(layer.adds.out, layer.adds.left, layer.adds.right, strict=True):
            out[z] = (out[z] + given[x] + given[y]) % FR_MODULUS
        for z, x, y in zip(layer.muls.out, layer.muls.left, layer.muls.right, strict=True):
            out[z] = (out[z] + given[x] * given[y]) % FR_MODULUS
        values.append(out)
    return values


def attempt(circuit, inputs, outputs=None, values=None, tamper=None):
    """Outputs that are claimed, by a prover who has `values`, of committed inputs."""
    values = circuit.evaluate(inputs) if values is None else values
    outputs = values[-1] if outputs is None else outputs

    def prove(channel, tensors):
        channel.transcript.absorb(b"circuit", circuit.digest)
        channel.transcript.absorb(b"outputs", outputs.to_words().tobytes())
        point = channel.challenges(b"outputs", circuit.layers[-1].out_vars)
        claim = TensorClaim(point, Form.public(evaluate(outputs, point)))
        mine = None if tensors is None else values
        for left in reduce_circuit(channel, circuit, [claim], mine):
            channel.require_opening("inputs", EqWeights(left.point), left.form)

    return run(prove, {"inputs": len(inputs)}, {"inputs": inputs}, n_pads=1024, tamper=tamper)


def changed(vector: FrVector, index: int) -> FrVector:
    out = vector.copy()
    out.assign(index, out.slice(index, index + 1) + 1)
    return out


CIRCUITS = [ODD, random_circuit(1, 1), random_circuit(3, 5, seed=1), random_circuit(4, 0, seed=2)]


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_circuits(circuit):
    inputs = FrVector.random(1 << circuit.layers[0].in_vars)
    values = circuit.evaluate(inputs)
    assert [v.to_ints() for v in values] == plain(circuit, inputs.to_ints())
    attempt(circuit, inputs)


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_false_values_are_rejected(circuit):
    inputs = FrVector.random(1 << circuit.layers[0].in_vars)
    values = circuit.evaluate(inputs)
    with pytest.raises(VerificationError) as caught:
        attempt(circuit, inputs, outputs=changed(values[-1], len(values[-1]) - 1))
    assert caught.value.where == "opening"
    for level in range(len(circuit.layers)):
        wrong = [*values[:level], changed(values[level], 0), *values[level + 1 :]]
        # what follows is computed from the wrong value, as a cheating prover would
        for k in range(level, len(circuit.layers)):
            wrong[k + 1] = circuit.layers[k].evaluate(wrong[k])
        with pytest.raises(VerificationError):
            attempt(circuit, inputs, values=wrong)


def test_another_wiring_is_rejected():
    """The prover evaluates a circuit with one gate of the other kind, or wired otherwise."""
    circuit = random_circuit(2, 4, seed=3)
    inputs = FrVector.random(16)
    first, second = circuit.layers
    moved = Gates(first.adds.out, np.roll(first.adds.left, 1), first.adds.right)
    other = Circuit((GateLayer(4, 4, moved, first.muls), second))
    assert other.digest != circuit.digest
    with pytest.raises(VerificationError):
        attempt(circuit, inputs, values=other.evaluate(inputs))
    swapped = Circuit((GateLayer(4, 4, first.muls, first.adds), second))
    assert swapped.digest != circuit.digest
    with pytest.raises(VerificationError):
        attempt(circuit, inputs, values=swapped.evaluate(inputs))


def test_every_changed_element_is_rejected():
    circuit, inputs = random_circuit(2, 3, seed=4), FrVector.random(8)
    length = len(attempt(circuit, inputs))
    for at in range(31, length, 32):

        def change(proof: bytes, at: int = at) -> bytes:
            return proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]

        with pytest.raises(VerificationError):
            attempt(circuit, inputs, tamper=change)


@pytest.mark.parametrize("log_width", [9, 14])
def test_ten_layers(log_width):
    circuit = random_circuit(10, log_width, seed=5)
    inputs = FrVector.random(1 << log_width)
    proof = attempt(circuit, inputs)
    assert len(proof) < 32 * 60 * log_width
    values = circuit.evaluate(inputs)
    with pytest.raises(VerificationError):
        attempt(circuit, inputs, outputs=changed(values[-1], 77), values=values)


def test_gates_outside_a_layer_are_refused():
    with pytest.raises(ValueError, match="outside"):
        GateLayer(1, 2, Gates.of([(0, 4, 0)]), NONE)
    with pytest.raises(ValueError, match="outside"):
        GateLayer(1, 2, NONE, Gates.of([(-1, 0, 0)]))
    with pytest.raises(ValueError, match="as many values"):
        Circuit((GateLayer(1, 2, NONE, NONE), GateLayer(1, 2, NONE, NONE)))
    with pytest.raises(ValueError, match="one output and two inputs"):
        GateLayer(1, 2, Gates(np.zeros(1, int), np.zeros(2, int), np.zeros(1, int)), NONE)


def test_the_benchmark_measures_a_proof():
    cost = measure_circuit(2, 4)
    assert cost.n_gates == 32
    assert cost.proof_bytes == 32 * 2 * (4 * 4 + 3)
    assert min(cost.prove_s, cost.verify_s, cost.evaluate_s, cost.prove_ns_per_gate) > 0
