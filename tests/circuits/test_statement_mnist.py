"""The paper's network at n = 5: it fits 2^21 constraints, and real-sized values check."""

import numpy as np

from circuits.full.statement import build
from zkcmp import seal
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Network, Square

CRYPTONETS = Architecture(
    (1, 28, 28),
    8,
    (
        Conv(1, 5, (5, 5), (2, 2), (1, 1, 1, 1), 8, 24),
        Square(),
        Flatten(),
        Dense(845, 100, 6, 40),
        Square(),
        Dense(100, 10, 8, 62),
    ),
)


def test_cryptonets_over_five_images():
    rng = np.random.default_rng(1)
    network = Network(
        CRYPTONETS, [rng.integers(s.low, s.high + 1, s.shape) for s in CRYPTONETS.tensors()]
    )
    images = rng.integers(0, 256, (5, 1, 28, 28))
    testset = TestSet(images, network.predict(images))
    statement = build(CRYPTONETS, 5)
    assert statement.r1cs.n_constraints == 1_841_633
    assert statement.r1cs.n_constraints < 1 << 21
    # as many products as the layers have, four constraints a MiMC7 round, one a weight bit
    per_gadget: dict[str, int] = {}
    for span in statement.r1cs.gadgets:
        per_gadget[span.name] = per_gadget.get(span.name, 0) + span.last - span.first
    assert per_gadget["dense3"] == 5 * 84500
    assert per_gadget["dense5"] == 5 * 1000
    assert per_gadget["square1"] == 5 * 845
    assert per_gadget["range dense3.weight"] == 84500 * 6
    assert per_gadget["ciphertext"] == seal.n_blocks(CRYPTONETS)
    assert per_gadget["mimc7 rounds"] == 363 * seal.n_blocks(CRYPTONETS)

    sealed, preimage = seal.seal(network)
    parts = (sealed.ciphertext, sealed.commitment, testset, 4, bytes(32))
    witness = statement.witness(network, preimage, *parts)
    statement.check(witness)
    assert seal.open_seal(preimage, sealed.ciphertext, sealed.commitment, CRYPTONETS) == network
