"""S2 by sumcheck: the states of MiMC7, and the ciphertext as their sum with the packed weights."""

import numpy as np
import pytest
from clear_scheme import run

from zkcmp import mimc7 as cipher
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.libra.multilinear.sealed_tensor import SealedTensor
from zkcmp.libra.multilinear.tables import evaluate
from zkcmp.libra.relations import mimc7
from zkcmp.libra.requirements.opening import EqWeights
from zkcmp.model.architecture import Architecture
from zkcmp.model.layers import Conv, Dense, Flatten, Square
from zkcmp.model.network import Network
from zkcmp.seal import encrypt

ARCHITECTURE = Architecture(
    (1, 4, 4),
    4,
    (Conv(1, 2, (3, 3), (2, 2), (1, 1, 0, 0), 60, 25), Square(), Flatten(), Dense(8, 3, 40, 6)),
)
SPECS = ARCHITECTURE.tensors()
TENSORS = [SealedTensor(s.name, s.shape, s.bits) for s in SPECS]
PREIMAGE = bytes(range(1, 33))
KEY = int.from_bytes(PREIMAGE[:16], "big")


def network(seed: int = 1) -> Network:
    rng = np.random.default_rng(seed)
    return Network(ARCHITECTURE, [rng.integers(s.low, s.high + 1, s.shape) for s in SPECS])


def tables(net: Network) -> list[FrVector]:
    return [
        FrVector.from_int64(tensor.block(values))
        for tensor, values in zip(TENSORS, net.tensors, strict=True)
    ]


def reduction(ciphertext: FrVector):
    n = len(ciphertext)

    def prove(channel, tensors):
        (key,) = channel.send(b"key", None if tensors is None else [tensors["key"][0]], 1)
        channel.require_opening("key", EqWeights([]), key)
        table = None if tensors is None else tensors[mimc7.STATES]
        mimc7.prove_rounds(channel, n, key, table)
        secret = None if tensors is None else (table, [tensors[s.name] for s in SPECS])
        mimc7.prove_ciphertext(channel, ARCHITECTURE, TENSORS, ciphertext, key, secret)

    return prove


def attempt(net: Network, ciphertext: FrVector, key: int = KEY, states: FrVector | None = None):
    n = len(ciphertext)
    secret = {s.name: t for s, t in zip(SPECS, tables(net), strict=True)}
    secret["key"] = FrVector.from_ints([key])
    secret[mimc7.STATES] = mimc7.states(key, n) if states is None else states
    sizes = {name: len(values) for name, values in secret.items()}
    return run(reduction(ciphertext), sizes, secret)


def sealed() -> FrVector:
    return FrVector.from_words(encrypt(network(), PREIMAGE).ciphertext)


def test_an_honest_seal():
    ciphertext = sealed()
    assert len(ciphertext) > 4
    attempt(network(), ciphertext)


def test_states_are_the_cipher():
    n = 5
    table = mimc7.states(KEY, n).to_ints()
    last = [table[8 * (cipher.ROUNDS - 1) + b] for b in range(n)]
    assert [(x + KEY) % FR_MODULUS for x in last] == [
        cipher.encrypt_block(b, KEY) for b in range(n)
    ]


def test_weights_before_are_a_shift():
    rng = FrVector.random(7 + 3).to_ints()
    weights = mimc7._StateBefore(rng[:7], rng[7:])
    point = FrVector.random(10).to_ints()
    assert weights.evaluate(point) == evaluate(weights.table(), point)
    table = FrVector.random(1 << 10)
    moved = FrVector.concat([FrVector.zeros(8), table.slice(0, (1 << 10) - 8)])
    assert (weights.table() * table).sum() == evaluate(moved, rng)


@pytest.mark.parametrize("where", [0, 4, 8 * 45 + 1, 8 * 90, 8 * 90 + 4])
def test_a_wrong_state_is_rejected(where):
    ciphertext = sealed()
    states = mimc7.states(KEY, len(ciphertext))
    states.assign(where, states.slice(where, where + 1) + 1)
    with pytest.raises(VerificationError):
        attempt(network(), ciphertext, states=states)


def test_another_key_weight_or_block_is_rejected():
    ciphertext = sealed()
    with pytest.raises(VerificationError):
        attempt(network(), ciphertext, key=KEY + 1)
    for index in range(len(SPECS)):
        tensors = [t.copy() for t in network().tensors]
        tensors[index].reshape(-1)[-1] ^= 1
        with pytest.raises(VerificationError):
            attempt(Network(ARCHITECTURE, tensors), ciphertext)
    for b in range(len(ciphertext)):
        changed = ciphertext.copy()
        changed.assign(b, changed.slice(b, b + 1) + 1)
        with pytest.raises(VerificationError):
            attempt(network(), changed)


def test_another_key_with_its_own_states_is_not_the_committed_one():
    """States of k' under a commitment to k: only the key tells them apart."""
    ciphertext = sealed()
    with pytest.raises(VerificationError):
        attempt(network(), ciphertext, states=mimc7.states(KEY + 1, len(ciphertext)))
