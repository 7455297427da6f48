"""Whole proofs over Hyrax: honest, damaged, replayed, and of false statements."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.commitments.hyrax import Hyrax
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.libra.prove import prove, prove_unchecked, verify
from zkcmp.libra.relations import mimc7, sha256
from zkcmp.libra.relations.accuracy import FLAGS
from zkcmp.libra.relations.lookup import MULTIPLICITIES
from zkcmp.libra.statement import Secret, Statement
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Conv, Dense, Flatten, Square
from zkcmp.model.network import Network
from zkcmp.seal import encrypt

ARCHITECTURE = Architecture(
    (1, 4, 4),
    4,
    (Conv(1, 2, (3, 3), (2, 2), (1, 1, 0, 0), 4, 5), Square(), Flatten(), Dense(8, 3, 9, 6)),
)
PREIMAGE = bytes(range(1, 33))
CONTEXT = bytes(range(100, 132))
SCHEME = Hyrax(6)


@cache
def network(seed: int = 1) -> Network:
    rng = np.random.default_rng(seed)
    specs = ARCHITECTURE.tensors()
    return Network(ARCHITECTURE, [rng.integers(s.low, s.high + 1, s.shape) for s in specs])


@cache
def statement(threshold: int = 4) -> Statement:
    """Five images, of which the network gets four right."""
    net = network()
    images = np.random.default_rng(2).integers(0, 16, (5, 1, 4, 4))
    labels = net.predict(images)
    labels[2] = (labels[2] + 1) % 3
    sealed = encrypt(net, PREIMAGE)
    testset = TestSet(images, labels)
    return Statement(
        ARCHITECTURE, sealed.ciphertext, sealed.commitment, testset, threshold, CONTEXT
    )


@cache
def honest() -> bytes:
    return prove(statement(), statement().secret(network(), PREIMAGE), SCHEME)


def seal_only() -> Statement:
    return replace(statement(), testset=None, threshold=0)


def test_honest_proofs_are_accepted():
    verify(statement(), SCHEME, honest())
    fewer = replace(statement(), threshold=3)
    verify(fewer, SCHEME, prove(fewer, fewer.secret(network(), PREIMAGE), SCHEME))


def test_the_seal_alone():
    s = seal_only()
    verify(s, SCHEME, prove(s, s.secret(network(), PREIMAGE), SCHEME))


def test_two_proofs_share_no_element():
    other = prove(statement(), statement().secret(network(), PREIMAGE), SCHEME)
    start = len(honest()) - 32 * ((len(honest()) - 200) // 32)
    elements = [{p[i : i + 32] for i in range(start, len(p), 32)} for p in (honest(), other)]
    assert not elements[0] & elements[1]


def test_every_part_of_a_proof_counts():
    proof = honest()
    rng = np.random.default_rng(3)
    for place in [*range(0, 24), *rng.integers(24, len(proof), 60).tolist()]:
        damaged = bytearray(proof)
        damaged[place] ^= 1 << int(rng.integers(8))
        with pytest.raises((VerificationError, DecodeError)):
            verify(statement(), SCHEME, bytes(damaged))


@pytest.mark.parametrize("length", [0, 7, 16, 100, 2000, -33, -1])
def test_truncated_and_long_proofs(length):
    proof = honest()
    short = proof[:length]
    with pytest.raises((DecodeError, VerificationError)):
        verify(statement(), SCHEME, short)
    with pytest.raises((DecodeError, VerificationError)):
        verify(statement(), SCHEME, proof + proof[-32:])


def test_messages_swapped_or_of_another_proof():
    proof = honest()
    other = prove(statement(), statement().secret(network(), PREIMAGE), SCHEME)
    middle = len(proof) // 2
    a, b = proof[middle : middle + 32], proof[middle + 32 : middle + 64]
    for changed in (
        proof[:middle] + b + a + proof[middle + 64 :],
        proof[:middle] + other[middle:],
        other[:middle] + proof[middle:],
    ):
        with pytest.raises((DecodeError, VerificationError)):
            verify(statement(), SCHEME, changed)


def changed_labels(s: Statement) -> TestSet:
    assert s.testset is not None
    labels = s.testset.labels.copy()
    labels[0] = (labels[0] + 1) % 3
    return TestSet(s.testset.images, labels)


def changed_images(s: Statement) -> TestSet:
    assert s.testset is not None
    images = s.testset.images.copy()
    images[4, 0, 3, 3] ^= 1
    return TestSet(images, s.testset.labels)


def swapped_images(s: Statement) -> TestSet:
    assert s.testset is not None
    return s.testset.take([1, 0, 2, 3, 4])


def test_a_proof_is_of_one_statement_only():
    s = statement()
    cipher = s.ciphertext.copy()
    cipher[0, 0] ^= np.uint64(1)
    wrong = [
        replace(s, threshold=3),
        replace(s, context=bytes(32)),
        replace(s, commitment=bytes(32)),
        replace(s, ciphertext=cipher),
        replace(s, testset=changed_labels(s)),
        replace(s, testset=changed_images(s)),
        replace(s, testset=swapped_images(s)),
        seal_only(),
    ]
    for other in wrong:
        with pytest.raises((VerificationError, DecodeError)):
            verify(other, SCHEME, honest())
    with pytest.raises((VerificationError, DecodeError)):
        verify(s, Hyrax(7), honest())


# --- cheating provers: the honest code on a false statement --------------------------------------


def rejects(s: Statement, secret: Secret) -> None:
    with pytest.raises(VerificationError):
        verify(s, SCHEME, prove_unchecked(s, secret, SCHEME))


def with_block(secret: Secret, name: str, change) -> Secret:
    values = secret.blocks[name].to_ints()
    change(values)
    return replace(secret, blocks={**secret.blocks, name: FrVector.from_ints(values)})


def test_a_secret_that_does_not_fit_is_refused():
    with pytest.raises(VerificationError, match="commitment"):
        statement().secret(network(), bytes(32))
    with pytest.raises(VerificationError, match="ciphertext"):
        statement().secret(network(7), PREIMAGE)
    with pytest.raises(ZkcmpError, match="does not reach"):
        replace(statement(), threshold=5).secret(network(), PREIMAGE)


def test_a_proof_that_is_none_is_not_returned():
    """A reader of it could test guesses about the secret."""
    s = seal_only()
    secret = s.assign(network(7), PREIMAGE)
    with pytest.raises(VerificationError, match="self-check"):
        prove(s, secret, SCHEME)


def test_a_commitment_of_another_size_is_refused_before_its_points_are_read():
    points = bytes([statement().layout.n_vars, 3, 28]) + bytes(32) * 3000
    head = honest()[:12] + len(points).to_bytes(4, "little")
    with pytest.raises(VerificationError, match="commitment"):
        verify(statement(), SCHEME, head + points)


def test_another_network_than_the_sealed_one():
    """Its own images right, its own limbs, but the seal holds other weights."""
    s = statement()
    other = network(7)
    assert s.testset is not None
    easy = replace(s, testset=TestSet(s.testset.images, other.predict(s.testset.images)))
    rejects(easy, easy.assign(other, PREIMAGE))


def test_one_wrong_weight_in_the_seal():
    s = statement()
    tensors = [t.copy() for t in network().tensors]
    tensors[3][1] += 1 if tensors[3][1] < 0 else -1
    cipher = encrypt(Network(ARCHITECTURE, tensors), PREIMAGE).ciphertext
    rejects(replace(s, ciphertext=cipher), s.assign(network(), PREIMAGE))


def test_another_key_or_salt():
    s = statement()
    for place in (0, 31):
        preimage = bytearray(PREIMAGE)
        preimage[place] ^= 1
        rejects(s, s.assign(network(), bytes(preimage)))


def test_key_bits_of_one_key_and_cipher_states_of_another():
    s = statement()
    secret = s.assign(network(), PREIMAGE)
    other = bytes([9]) + PREIMAGE[1:]
    rejects(s, replace(secret, blocks={**secret.blocks, sha256.BITS: sha256.bits(other)}))
    states = mimc7.states(secret.key + 1, len(s.ciphertext))
    rejects(s, replace(secret, blocks={**secret.blocks, mimc7.STATES: states}))
    rejects(s, replace(secret, key=secret.key + 1))


def test_flags_that_are_no_bits():
    """Σ f = T by one flag of T and the rest 0, and by a flag of 2."""
    s = statement()
    secret = s.assign(network(), PREIMAGE)

    def all_in_one(values):
        values[:] = [4, *[0] * (len(values) - 1)]

    def two(values):
        values[:3] = [2, 0, 0]

    rejects(s, with_block(secret, FLAGS, all_in_one))
    rejects(s, with_block(secret, FLAGS, two))


def test_one_more_than_the_network_gets_right():
    s = replace(statement(), threshold=5)
    rejects(s, s.assign(network(), PREIMAGE, np.ones(5, np.int64)))


def test_a_weight_of_another_value():
    s = statement()
    secret = s.assign(network(), PREIMAGE)
    for tensor in s.ranges.tensors:
        first = int(tensor.places()[0])

        def change(values, place=first):
            values[place] += 1

        rejects(s, with_block(secret, tensor.name, change))


def test_wrong_activations():
    """Logits in which a wrong image wins."""
    s = replace(statement(), threshold=5)
    assert s.testset is not None
    relabelled = replace(s, testset=TestSet(s.testset.images, network().predict(s.testset.images)))
    good = relabelled.assign(network(), PREIMAGE)
    assert good.activations is not None
    logits = good.activations.logits.to_ints()
    label = int(s.testset.labels[2])
    logits[4 * 2 + label] = max(logits[8:11], key=lambda v: v if v < FR_MODULUS // 2 else -1) + 1
    activations = replace(good.activations, logits=FrVector.from_ints(logits))
    rejects(s, replace(good, activations=activations))


def test_wrong_multiplicities():
    s = statement()
    secret = s.assign(network(), PREIMAGE)

    def change(values):
        values[3] += 1
        values[4] -= 1

    rejects(s, with_block(secret, MULTIPLICITIES, change))


def test_every_block_of_the_commitment_counts():
    """One more in the last entry of each block, and nothing is proved.

    Free are an unused bit beside SHA-256's, the flags of images that there are not (they may be 1
    and are not counted) and states of rounds that there are not.
    """
    s = statement()
    secret = s.assign(network(), PREIMAGE)
    for name, block in s.layout.blocks.items():
        if name in secret.blocks and name not in (sha256.BITS, FLAGS, mimc7.STATES):

            def last(values, size=block.size):
                values += [0] * (size - len(values))
                values[-1] += 1

            rejects(s, with_block(secret, name, last))
