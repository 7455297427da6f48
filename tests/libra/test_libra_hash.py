"""S1 by sumcheck: SHA-256 of 32 bytes over committed bits."""

import hashlib

import numpy as np
import pytest
from clear_scheme import run

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.libra.multilinear.tables import evaluate
from zkcmp.libra.relations import sha256
from zkcmp.seal import key_of

PREIMAGE = bytes(range(200, 232))


def attempt(digest: bytes, bits: FrVector, key: int | None = None):
    def reduction(channel, tensors):
        table = None if tensors is None else tensors[sha256.BITS]
        sha256.prove_hash(channel, digest, table)
        (form,) = channel.send(b"key", None if tensors is None else [tensors["key"][0]], 1)
        sha256.require_key(channel, form)

    known = key_of(PREIMAGE) if key is None else key
    secret = {sha256.BITS: bits, "key": FrVector.from_ints([known])}
    return run(reduction, {name: len(v) for name, v in secret.items()}, secret)


def test_an_honest_preimage():
    attempt(hashlib.sha256(PREIMAGE).digest(), sha256.bits(PREIMAGE))


def test_the_last_rows_are_the_digest():
    table = np.array(sha256.bits(PREIMAGE).to_ints()).reshape(256, 32)
    words = [int(sum(int(b) << i for i, b in enumerate(row))) for row in table]
    last_a = words[sha256._A + 4 + 63]
    expected = int.from_bytes(hashlib.sha256(PREIMAGE).digest()[:4], "big")
    assert (last_a + sha256.INITIAL_STATE[0]) % 2**32 == expected


def test_views_are_openings():
    table, point = FrVector.random(sha256.SIZE), FrVector.random(11).to_ints()
    for view in sha256._ALL_VIEWS:
        assert (view.weights(point).values * table).sum() == evaluate(view.of(table), point)


def test_another_digest_or_key_is_rejected():
    for digest in (hashlib.sha256(b"").digest(), hashlib.sha256(PREIMAGE).digest()[::-1]):
        with pytest.raises(VerificationError):
            attempt(digest, sha256.bits(PREIMAGE))
    with pytest.raises(VerificationError):
        attempt(hashlib.sha256(PREIMAGE).digest(), sha256.bits(PREIMAGE), key=5)


def changed(place: int, to: int | None = None) -> FrVector:
    values = sha256.bits(PREIMAGE).to_ints()
    values[place] = 1 - values[place] if to is None else to
    return FrVector.from_ints(values)


@pytest.mark.parametrize(
    "place",
    [
        0,  # a message bit
        8 * 32 + 31,  # the padding's one
        12 * 32,  # the padding's zeros
        40 * 32 + 3,  # the schedule
        (sha256._A + 1) * 32,  # the initial state
        (sha256._A + 20) * 32 + 7,
        (sha256._E + 3) * 32,
        (sha256._E + 67) * 32 + 31,
        sha256._CARRY * 32,
        sha256._CARRY * 32 + 8 * 20 + 3,
        sha256._CARRY * 32 + 8 * 30 + 6,
        sha256._DIGEST_CARRIES + 7,
    ],
)
def test_every_kind_of_bit_counts(place):
    with pytest.raises(VerificationError):
        attempt(hashlib.sha256(PREIMAGE).digest(), changed(place))


def test_values_that_are_no_bits_are_rejected():
    """In an unused entry nothing else could see it."""
    with pytest.raises(VerificationError):
        attempt(hashlib.sha256(PREIMAGE).digest(), changed(sha256.SIZE - 1, to=2))
