"""The order of the conversation: what is sent before which challenge.

A challenge that is drawn before an element it is to hold would let a prover choose that element by
it. Both sides would draw it there, so honest proofs, and most cheats, would not tell. All that is
sent and drawn for one statement is listed here, in the order in which the relations say it is.
"""

import numpy as np
from test_libra_statement import LIMITS, PREIMAGE

from zkcmp.libra.conversation.channel import VerifierChannel
from zkcmp.libra.requirements.opening import Batch, reduce_to_opening
from zkcmp.libra.requirements.products import prove_products
from zkcmp.libra.statement import Statement
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.seal import encrypt
from zkcmp.transcript import Transcript


class Noting(VerifierChannel):
    """A verifier who is sent nothing but sevens, and notes what is sent and drawn."""

    def __init__(self) -> None:
        super().__init__(Transcript(b"order"), b"")
        self.noted: list[str] = []

    def _read(self, label: bytes, n: int) -> list[int]:
        self.noted.append(sent(label.decode(), n))
        return [7] * n

    def challenge(self, label: bytes) -> int:
        self.noted += drawn(label.decode())
        return super().challenge(label)

    def challenges(self, label: bytes, n: int) -> list[int]:
        return [self.challenge(label) for _ in range(n)]


def sent(label: str, n: int) -> str:
    return f"{n} of {label}"


def drawn(label: str, n: int = 1) -> list[str]:
    return [f"? {label}"] * n


def rounds(label: str, n: int, degree: int) -> list[str]:
    """A sumcheck: each of n polynomials before the number that is put into it."""
    return [sent(label, degree), *drawn(label)] * n


SHA256 = [
    *drawn("sha256", 13),
    *rounds("sha256", 13, 2),  # all are bits
    sent("sha256", 1),
    *drawn("sha256"),  # combines the equations
    sent("sha256", 1),
    *rounds("sha256", 11, 4),
    sent("sha256", 18),
    *[sent("sha256", 1)] * 11,
]
MIMC7 = [
    *drawn("mimc7", 10),
    *rounds("mimc7", 10, 8),
    sent("mimc7", 2),
    sent("mimc7", 4),  # powers
    *drawn("mimc7", 3),  # combines the blocks
    sent("mimc7", 7),
]


def limbs(n_vars: int, n: int) -> list[str]:
    """A tensor and its limbs, at one point."""
    return [*drawn("ranges", n_vars), sent("ranges", n)]


RANGES = [
    *[*drawn("ranges", 4), *drawn("ranges", 2)] * 2,  # paddings of both dense layers
    *[*limbs(4, 4), *limbs(2, 9), *limbs(4, 3), *limbs(2, 3)],
]


def lookup(n_vars: int, columns: int) -> list[str]:
    """Each level's values before the challenge that joins them, and before the next level's."""
    tree = []
    for level in range(n_vars):
        values = sent("lookup", 5)
        tree += [*drawn("lookup"), *rounds("lookup", level, 2), values, *drawn("lookup")]
    root, multiplicities = sent("lookup", 2), sent("lookup", 1)
    return [*drawn("lookup"), root, *tree, multiplicities, sent("lookup", columns)]


ACCURACY = [
    *drawn("accuracy", 2),
    *rounds("accuracy", 2, 2),  # flags are bits
    sent("accuracy", 1),
    *drawn("accuracy", 4),
    sent("accuracy", 4),  # sums of limbs
    *rounds("accuracy", 4, 2),
    sent("accuracy", 3),
    *drawn("accuracy"),  # joins two claims on the logits
    *rounds("accuracy", 4, 2),
]
NETWORK = [
    *[sent("dense4", 1), *rounds("dense4", 2, 2), sent("dense4", 2)],
    *[sent("dense3", 1), *rounds("dense3", 2, 2), sent("dense3", 2)],
    *[*rounds("square1", 4, 2), sent("square1", 1)],
    sent("conv0", 1),
]


def test_every_challenge_answers_what_was_sent_before_it() -> None:
    network = Network(LIMITS, [np.zeros(s.shape, np.int64) for s in LIMITS.tensors()])
    sealed, images = encrypt(network, PREIMAGE), np.zeros((3, 2, 1, 3), np.int64)
    statement = Statement(
        LIMITS,
        sealed.ciphertext,
        sealed.commitment,
        TestSet(images, np.zeros(3, np.int64)),
        2,
        bytes(32),
    )
    channel = Noting()
    statement.reduce(channel, None)
    prove_products(channel)
    batch = Batch(channel, statement.layout)
    channel.use_pads()
    reduce_to_opening(channel, batch, None)
    products = [*drawn("products", 6), *rounds("products", 6, 2), sent("products at a point", 3)]
    expected = {
        "key": [sent("key", 1)],
        "sha256": SHA256,
        "mimc7": MIMC7,
        "ranges": RANGES,
        "lookup": lookup(10, 21),
        "accuracy": ACCURACY,
        "network": NETWORK,
        "products": products,
        "batch": [*drawn("batch"), *rounds("batch", statement.layout.n_vars, 2)],
    }
    at = 0
    for name, events in expected.items():
        assert channel.noted[at : at + len(events)] == events, name
        at += len(events)
    assert at == len(channel.noted)
