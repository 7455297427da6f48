"""A small network with every kind of layer, sealed, and an honest assignment for it."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from circuits.full.statement import Assignment, Statement, build
from circuits.gadgets.accuracy import choose_flags
from zkcmp import mimc7, seal
from zkcmp.bn254.field.fr import FrVector, ints_to_words
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Network, Square

ARCHITECTURE = Architecture(
    (1, 4, 4),
    4,
    (Conv(1, 2, (3, 3), (2, 2), (1, 1, 0, 0), 4, 5), Square(), Flatten(), Dense(8, 3, 4, 6)),
)
N_IMAGES = 3
PREIMAGE = bytes(range(1, 33))
CONTEXT = bytes(range(100, 132))


@dataclass
class Case:
    """A statement, its parts, and an assignment that satisfies it."""

    statement: Statement
    network: Network
    testset: TestSet
    honest: Assignment
    witness: FrVector

    def assign(self, **parts: Any) -> FrVector:
        """The witness of the honest assignment with some parts replaced."""
        return self.statement.assign(replace(self.honest, **parts))

    def inputs(self, **parts: Any) -> FrVector:
        """The public inputs that a verifier with these parts replaced computes."""
        honest = {
            "ciphertext": self.honest.ciphertext,
            "commitment": self.honest.commitment,
            "testset": self.testset,
            "threshold": self.honest.threshold,
            "context": CONTEXT,
        }
        return self.statement.public_inputs(**{**honest, **parts})


def small_network(seed: int = 5) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        ARCHITECTURE, [rng.integers(s.low, s.high + 1, s.shape) for s in ARCHITECTURE.tensors()]
    )


def encrypt_blocks(blocks: list[int], preimage: bytes = PREIMAGE) -> np.ndarray:
    """Counter mode in plain Python, for blocks that need not be an honest packing."""
    key = seal.key_of(preimage)
    return ints_to_words(
        [(b + mimc7.encrypt_block(i, key)) % FR_MODULUS for i, b in enumerate(blocks)]
    )


def pack_unchecked(
    tensors: list[np.ndarray], architecture: Architecture = ARCHITECTURE
) -> list[int]:
    """The packing formula over weights of any size."""
    blocks = []
    for tensor, spec in zip(tensors, architecture.tensors(), strict=True):
        flat, per_block = tensor.reshape(-1).tolist(), 253 // spec.bits
        for i in range(0, len(flat), per_block):
            digits = [w + 2 ** (spec.bits - 1) for w in flat[i : i + per_block]]
            blocks.append(sum(d << (spec.bits * t) for t, d in enumerate(digits)) % FR_MODULUS)
    return blocks


@cache
def small_statement() -> Statement:
    return build(ARCHITECTURE, N_IMAGES)


def make_case(network: Network, wrong: tuple[int, ...] = (1,), threshold: int = 2) -> Case:
    """`wrong` images get a label that is not the network's."""
    rng = np.random.default_rng(6)
    images = rng.integers(0, 16, (N_IMAGES, 1, 4, 4))
    labels = network.predict(images)
    for j in wrong:
        labels[j] = (labels[j] + 1) % 3
    testset = TestSet(images, labels)
    statement = small_statement()
    honest = Assignment(
        list(network.tensors),
        PREIMAGE,
        encrypt_blocks(seal.pack(network)),
        seal.commit(PREIMAGE),
        CONTEXT,
        images,
        labels,
        threshold,
        choose_flags(network.predict(images) == labels, threshold),
    )
    return Case(statement, network, testset, honest, statement.assign(honest))
