"""Random layered circuits, and what proving them costs, the commitment to the inputs left out."""

import time
from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.libra.conversation.channel import Channel, ProverChannel, VerifierChannel
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.layered.circuit import Circuit, GateLayer, Gates
from zkcmp.libra.layered.rounds import reduce_circuit
from zkcmp.libra.multilinear.tables import evaluate
from zkcmp.transcript import Transcript

_DOMAIN = b"zkcmp circuit bench"


def random_circuit(depth: int, log_width: int, seed: int = 0) -> Circuit:
    """`depth` layers of 2^log_width gates, adds and muls by a coin, wired at random."""
    rng = np.random.default_rng(seed)
    width = 1 << log_width
    layers = []
    for _ in range(depth):
        is_mul = rng.integers(0, 2, width) == 1
        left, right = rng.integers(0, width, (2, width))
        kinds = [np.flatnonzero(kind) for kind in (~is_mul, is_mul)]
        adds, muls = (Gates(out, left[out], right[out]) for out in kinds)
        layers.append(GateLayer(log_width, log_width, adds, muls))
    return Circuit(tuple(layers))


@dataclass(frozen=True)
class CircuitCost:
    """Times in seconds; the proof without the commitment's opening."""

    n_gates: int
    evaluate_s: float
    prove_s: float
    verify_s: float
    proof_bytes: int

    @property
    def prove_ns_per_gate(self) -> float:
        return self.prove_s / self.n_gates * 1e9


def measure_circuit(depth: int, log_width: int, seed: int = 0) -> CircuitCost:
    """One proof after a first one for the same circuit that warms up."""
    circuit = random_circuit(depth, log_width, seed)
    inputs = FrVector.from_int64(np.random.default_rng(seed).integers(0, 1 << 31, 1 << log_width))
    _measure(circuit, inputs)
    return _measure(circuit, inputs)


def _claim(channel: Channel, circuit: Circuit, outputs: FrVector) -> TensorClaim:
    """The outputs are public: both sides evaluate their extension."""
    channel.transcript.absorb(b"circuit", circuit.digest)
    channel.transcript.absorb(b"outputs", outputs.to_words().tobytes())
    point = channel.challenges(b"outputs", circuit.layers[-1].out_vars)
    return TensorClaim(point, Form.public(evaluate(outputs, point)))


def _measure(circuit: Circuit, inputs: FrVector) -> CircuitCost:
    start = time.perf_counter()
    values = circuit.evaluate(inputs)
    evaluated = time.perf_counter()
    n_pads = sum(4 * layer.in_vars + 3 for layer in circuit.layers)
    prover = ProverChannel(Transcript(_DOMAIN), FrVector.random(n_pads).to_ints())
    ready = time.perf_counter()
    reduce_circuit(prover, circuit, [_claim(prover, circuit, values[-1])], values)
    proved = time.perf_counter()
    verifier = VerifierChannel(Transcript(_DOMAIN), bytes(prover.proof))
    reduce_circuit(verifier, circuit, [_claim(verifier, circuit, values[-1])], None)
    verified = time.perf_counter()
    return CircuitCost(
        circuit.n_gates,
        evaluated - start,
        proved - ready,
        verified - proved,
        len(prover.proof),
    )
