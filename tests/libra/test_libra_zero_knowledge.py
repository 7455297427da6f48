"""Zero knowledge, with the verifier's challenges fixed beforehand.

The simulator of docs/libra.md: messages are random, and as the challenges are known, so is the
equation of the opening before anything is committed. A vector of zeros and a tail that satisfies
the equation are committed to, and opened honestly.
"""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from test_libra_proofs import PREIMAGE, SCHEME, network, statement

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.libra.conversation.channel import ELEMENT_BYTES, VerifierChannel
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.prove import _HEAD, MAGIC, VERSION, prove, prove_unchecked, verify
from zkcmp.libra.requirements.opening import Batch, OpeningClaim, reduce_to_opening, tail_length
from zkcmp.libra.requirements.products import prove_products
from zkcmp.libra.statement import Statement
from zkcmp.seal import encrypt
from zkcmp.transcript import Transcript


@contextmanager
def challenges(seed: int) -> Iterator[None]:
    """A verifier whose challenges depend on nothing that it is sent."""
    stream = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transcript, "challenge", lambda self, label: stream.randrange(FR_MODULUS))
        yield


class RandomMessages(VerifierChannel):
    """A verifier's channel that makes up what it reads."""

    def __init__(self) -> None:
        super().__init__(Transcript(b"simulator"), b"")
        self.made = bytearray()

    def _read(self, label: bytes, n: int) -> list[int]:
        elements = FrVector.random(n).to_ints()
        self.made += b"".join(x.to_bytes(ELEMENT_BYTES, "big") for x in elements)
        return elements


def simulated_messages(s: Statement) -> tuple[bytes, OpeningClaim]:
    channel = RandomMessages()
    s.reduce(channel, None)
    prove_products(channel)
    batch = Batch(channel, s.layout)
    channel.use_pads()
    claim = reduce_to_opening(channel, batch, None)
    return bytes(channel.made), claim


def simulate(s: Statement, seed: int) -> bytes:
    """A proof without a witness, accepted under the challenges of the seed."""
    with challenges(seed):
        messages, claim = simulated_messages(s)
    tail = FrVector.random(tail_length(s.layout)).to_ints()
    others = sum(w * t for w, t in zip(claim.tail_weights[1:], tail[1:], strict=True))
    inverse = pow(claim.tail_weights[0], -1, FR_MODULUS)
    tail[0] = (claim.value - others) * inverse % FR_MODULUS
    commitment, opening = SCHEME.commit(
        FrVector.zeros(1 << s.layout.n_vars), FrVector.from_ints(tail)
    )
    with challenges(seed):
        simulated_messages(s)  # uses up the challenges before the opening
        opened = SCHEME.open(
            opening, Transcript(b"simulator"), claim.point, claim.tail_weights, claim.value
        )
    encoded = commitment.to_bytes()
    return _HEAD.pack(MAGIC, VERSION, len(encoded)) + encoded + messages + opened


def test_a_simulator_without_the_witness_is_accepted():
    s = statement()
    proof = simulate(s, 1)
    with challenges(1):
        verify(s, SCHEME, proof)
    with challenges(2), pytest.raises(VerificationError):
        verify(s, SCHEME, proof)
    with pytest.raises(VerificationError):
        verify(s, SCHEME, proof)
    assert len(proof) == len(prove(s, s.secret(network(), PREIMAGE), SCHEME))


def test_the_same_inputs_and_challenges_twice_share_no_element():
    s = statement()
    secret = s.secret(network(), PREIMAGE)
    proofs = []
    for _ in range(2):
        with challenges(3):
            proofs.append(prove_unchecked(s, secret, SCHEME))
    # all elements begin after head and the commitment's header
    start = _HEAD.size + 3
    parts = [{p[i : i + 32] for i in range(start, len(p), 32)} for p in proofs]
    assert not parts[0] & parts[1]
    for proof in proofs:
        with challenges(3):
            verify(s, SCHEME, proof)


CHOSEN = {
    "minus one": [-1],
    "few": [2, 3, -1, (FR_MODULUS + 1) // 2, 5],
    "zero": [0],
    "one": [1],
    "an entry of the lookup's table": [5],
    "none at the end": [7, 11, 13, 0],
}


@pytest.mark.parametrize("chosen", CHOSEN.values(), ids=CHOSEN)
def test_a_live_verifier_that_chooses_its_challenges(chosen):
    """It gets elements that were never seen, or none: and that depends on no secret."""
    outcomes = []
    for seed, preimage in ((1, PREIMAGE), (7, bytes(reversed(PREIMAGE)))):
        sealed = encrypt(network(seed), preimage)
        s = replace(
            statement(), ciphertext=sealed.ciphertext, commitment=sealed.commitment, threshold=1
        )
        secret = s.secret(network(seed), preimage)
        made = []
        for _ in range(2):
            stream = itertools.cycle(c % FR_MODULUS for c in chosen)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Transcript, "challenge", lambda self, label, s=stream: next(s))
                try:
                    made.append(prove_unchecked(s, secret, SCHEME))
                except (ValueError, VerificationError) as error:
                    outcomes.append(str(error))
        if made:
            start = _HEAD.size + 3
            parts = [{p[i : i + 32] for i in range(start, len(p), 32)} for p in made]
            assert not parts[0] & parts[1]
            outcomes += [str(len(p)) for p in made]
    assert len(outcomes) == 4
    assert len(set(outcomes)) == 1


def test_forms_do_not_show_their_values():
    assert "7" not in repr(Form(1, {2: 3}, 7))
