"""What a statement must be before it is verified, and that the challenges depend on all of it."""

from dataclasses import replace

import numpy as np
import pytest

from zkcmp.bn254.field.fr import FrVector, ints_to_words, words_to_ints
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.commitments.hyrax import Hyrax
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.libra.conversation.channel import ProverChannel, VerifierChannel
from zkcmp.libra.multilinear.sealed_tensor import SealedTensor
from zkcmp.libra.prove import prove, prove_unchecked, verify
from zkcmp.libra.relations import mimc7, sha256
from zkcmp.libra.relations.network import evaluate_network
from zkcmp.libra.statement import Secret, Statement
from zkcmp.mimc7 import ROUNDS
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Conv, Dense, Flatten, Square
from zkcmp.model.network import Network
from zkcmp.seal import encrypt, pack_layout
from zkcmp.transcript import Transcript

ARCHITECTURE = Architecture((1, 1, 2), 4, (Flatten(), Dense(2, 2, 4, 8)))
NETWORK = Network(ARCHITECTURE, [np.eye(2, dtype=np.int64), np.zeros(2, np.int64)])
PREIMAGE = bytes(range(1, 33))
SCHEME = Hyrax(6)
SEALED = encrypt(NETWORK, PREIMAGE)
IMAGES = np.array([[[[3, 1]]], [[[0, 2]]], [[[5, 4]]]])
LABELS = np.array([0, 1, 0])
STATEMENT = Statement(
    ARCHITECTURE, SEALED.ciphertext, SEALED.commitment, TestSet(IMAGES, LABELS), 3, bytes(32)
)
SEAL_ONLY = replace(STATEMENT, testset=None, threshold=0)
_WIDE = (Dense(2, 2, 32, 32), Square(), Square(), Square())
WRAPPING = Architecture((1, 1, 2), 4, (Flatten(), *_WIDE, Dense(2, 2, 32, 32)))


@pytest.mark.parametrize("statement", [STATEMENT, replace(STATEMENT, threshold=1), SEAL_ONLY])
def test_acceptable(statement: Statement) -> None:
    statement.check()
    assert statement.n_images == (0 if statement.testset is None else 3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"architecture": WRAPPING}, "wrap"),
        ({"ciphertext": SEALED.ciphertext[:1]}, "ciphertext shape"),
        ({"ciphertext": SEALED.ciphertext[:, :3]}, "ciphertext shape"),
        ({"commitment": bytes(31)}, "commitment: expected 32 bytes"),
        ({"context": bytes(33)}, "context: expected 32 bytes"),
        ({"testset": TestSet(IMAGES * 4, LABELS)}, "pixels"),
        ({"testset": TestSet(IMAGES, LABELS + 1)}, "labels"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": -1}, "threshold"),
        ({"threshold": 4}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"testset": None}, "threshold"),
    ],
)
def test_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(VerificationError, match=said):
        replace(STATEMENT, **changed).check()  # type: ignore[arg-type]


def test_blocks_above_the_modulus() -> None:
    large = np.full_like(SEALED.ciphertext, 2**64 - 1)
    with pytest.raises(DecodeError):
        _ = replace(STATEMENT, ciphertext=large).cipher


def test_a_statement_about_images_has_margins() -> None:
    assert STATEMENT.ranges.margins is not None
    assert SEAL_ONLY.ranges.margins is None
    channel = VerifierChannel(Transcript(b"statement"), b"")
    assert STATEMENT.testset is not None
    with pytest.raises(ValueError, match="has margins"):
        SEAL_ONLY._reduce_images(channel, STATEMENT.testset, None)


def test_the_challenges_depend_on_every_part() -> None:
    """A part that no challenge depends on could be chosen after the challenges are known."""
    other = Architecture((1, 1, 2), 5, (Flatten(), Dense(2, 2, 4, 8)))
    changed_block = SEALED.ciphertext.copy()
    changed_block[-1, 0] ^= np.uint64(1)
    statements = [
        STATEMENT,
        SEAL_ONLY,
        replace(STATEMENT, architecture=other),
        replace(STATEMENT, ciphertext=changed_block),
        replace(STATEMENT, commitment=bytes(32)),
        replace(STATEMENT, context=bytes(31) + b"\x01"),
        replace(STATEMENT, threshold=2),
        replace(STATEMENT, testset=TestSet(IMAGES + 1, LABELS)),
        replace(STATEMENT, testset=TestSet(IMAGES, 1 - LABELS)),
        replace(STATEMENT, testset=None),
    ]
    drawn = set()
    for statement in statements:
        transcript = Transcript(b"statement")
        statement.absorb(transcript)
        drawn.add(transcript.challenge(b"first"))
    assert len(drawn) == len(statements)


def test_both_sides_hold_the_same_conversation() -> None:
    """What the verifier collects is what the prover collected, and all of the proof is read."""
    for statement in (STATEMENT, SEAL_ONLY):
        pads = [7] * statement.layout.blocks["pads"].size
        prover = ProverChannel(Transcript(b"statement"), pads)
        statement.reduce(prover, statement.secret(NETWORK, PREIMAGE))
        verifier = VerifierChannel(Transcript(b"statement"), bytes(prover.proof))
        statement.reduce(verifier, None)
        assert verifier.rest == b""
        assert verifier.n_pads == prover.n_pads
        sizes = [
            (len(c.zeros), len(c.products), [x.block for x in c.claims]) for c in (prover, verifier)
        ]
        assert sizes[0] == sizes[1]
        assert verifier.challenge(b"last") == prover.challenge(b"last")


class TestEachRelationAlone:
    """All of the statement but one relation is true: that one is what refuses the proof."""

    def refused(self, statement: Statement, secret: Secret) -> None:
        with pytest.raises(VerificationError):
            verify(statement, SCHEME, prove_unchecked(statement, secret, SCHEME))

    def test_honest(self) -> None:
        for statement, network in (
            (STATEMENT, NETWORK),
            (SEAL_ONLY, NETWORK),
            (PADDED_SEAL, PADDED_NETWORK),
        ):
            secret = statement.secret(network, PREIMAGE)
            verify(statement, SCHEME, prove_unchecked(statement, secret, SCHEME))

    def test_the_key_of_the_cipher_is_the_hashed_one(self) -> None:
        """The buyer would pay for a key that opens nothing."""
        other = bytes([9]) + PREIMAGE[1:]
        statement = replace(SEAL_ONLY, ciphertext=encrypt(NETWORK, other).ciphertext)
        secret = statement.assign(NETWORK, other)
        self.refused(statement, with_blocks(secret, sha256.BITS, sha256.bits(PREIMAGE)))

    def test_the_key_is_hashed_at_all(self) -> None:
        statement = replace(SEAL_ONLY, commitment=bytes(32))
        self.refused(statement, statement.assign(NETWORK, PREIMAGE))

    def test_the_keystream_is_mimc7(self) -> None:
        """Last states that are ciphertext − weights − k, whatever that is."""
        changed = FrVector.from_words(SEALED.ciphertext) + FrVector.from_ints([5, 7])
        statement = replace(SEAL_ONLY, ciphertext=changed.to_words())
        secret = statement.assign(NETWORK, PREIMAGE)
        states = secret.blocks[mimc7.STATES].to_ints()
        width = len(states) >> mimc7.ROUND_VARS
        for block, difference in enumerate((5, 7)):
            states[(ROUNDS - 1) * width + block] += difference
        self.refused(statement, with_blocks(secret, mimc7.STATES, FrVector.from_ints(states)))

    def test_the_weights_are_the_sealed_ones(self) -> None:
        other = Network(ARCHITECTURE, [1 - np.eye(2, dtype=np.int64), np.zeros(2, np.int64)])
        self.refused(SEAL_ONLY, SEAL_ONLY.assign(other, PREIMAGE))

    def test_the_images_are_classified(self) -> None:
        statement = replace(STATEMENT, testset=TestSet(IMAGES, 1 - LABELS))
        self.refused(statement, statement.assign(NETWORK, PREIMAGE, np.ones(3, np.int64)))

    def test_the_logits_are_those_of_the_sealed_network(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another network's, which is right where the sealed one is wrong."""
        other = Network(ARCHITECTURE, [1 - np.eye(2, dtype=np.int64), np.zeros(2, np.int64)])
        monkeypatch.setattr(
            "zkcmp.libra.statement.evaluate_network",
            lambda _, images: evaluate_network(other, images),
        )
        statement = replace(STATEMENT, testset=TestSet(IMAGES, 1 - LABELS))
        self.refused(statement, statement.assign(NETWORK, PREIMAGE))

    @pytest.mark.parametrize(("name", "bits"), [("weight", 4), ("bias", 12)])
    def test_every_weight_has_its_width(self, name: str, bits: int) -> None:
        """A weight 5·2^b too large, in the seal too: it is looked up, or not what its limbs say."""
        (place,) = (k for k, t in enumerate(PADDED.tensors()) if t.bits == bits)
        statement = replace(PADDED_SEAL, ciphertext=PADDED_SEAL.ciphertext.copy())
        run = pack_layout(PADDED)[place]
        blocks = words_to_ints(statement.ciphertext)
        blocks[run.first_block] = (blocks[run.first_block] + (5 << bits)) % FR_MODULUS
        statement = replace(statement, ciphertext=ints_to_words(blocks))
        secret = statement.assign(PADDED_NETWORK, PREIMAGE)
        tensor = statement.ranges.tensors[place]
        assert (name in tensor.name, statement.ranges.table_bits) == (True, 8)
        values = secret.blocks[tensor.name].to_ints()
        values[tensor.places()[0]] += 5 << bits
        self.refused(statement, with_blocks(secret, tensor.name, FrVector.from_ints(values)))

    @pytest.mark.parametrize("place", [0, 1])
    def test_there_are_no_more_weights(self, monkeypatch: pytest.MonkeyPatch, place: int) -> None:
        """A value in the padding of a tensor, in its width, with its limbs, and looked up."""
        honest = SealedTensor.block

        def forged(tensor: SealedTensor, values: np.ndarray) -> np.ndarray:
            out = honest(tensor, values)
            if tensor.name == PADDED_SEAL.ranges.tensors[place].name:
                (outside, *_) = set(range(len(out))) - set(tensor.places().tolist())
                out[outside] = 1
            return out

        monkeypatch.setattr(SealedTensor, "block", forged)
        self.refused(PADDED_SEAL, PADDED_SEAL.assign(PADDED_NETWORK, PREIMAGE))


PADDED = Architecture((1, 1, 3), 4, (Flatten(), Dense(3, 3, 4, 12)))
PADDED_NETWORK = Network(PADDED, [np.eye(3, dtype=np.int64), np.array([7, -7, 700])])
PADDED_SEAL = replace(
    SEAL_ONLY, architecture=PADDED, ciphertext=encrypt(PADDED_NETWORK, PREIMAGE).ciphertext
)


# widths below, at and above those of both tables, and a square that fills most of the field
_LIMITS = (Conv(2, 2, (1, 2), (1, 1), (0, 0, 0, 0), 8, 1, groups=2), Square(), Flatten())
LIMITS = Architecture((2, 1, 3), 16, (*_LIMITS, Dense(4, 3, 17, 62), Dense(3, 3, 9, 16)))


@pytest.mark.parametrize("fill", ["low", "high", "alternating", "zero"])
@pytest.mark.parametrize("pixel", [0, (1 << 16) - 1])
def test_weights_and_images_at_their_limits(fill: str, pixel: int) -> None:
    """An honest proof that failed for some weights would tell of them by its absence."""
    choices = {
        "low": lambda spec: [spec.low],
        "high": lambda spec: [spec.high],
        "alternating": lambda spec: [spec.low, spec.high, spec.low],
        "zero": lambda spec: [0],
    }
    specs = LIMITS.tensors()
    network = Network(
        LIMITS, [np.resize(choices[fill](s), s.shape).astype(np.int64) for s in specs]
    )
    images = np.full((3, 2, 1, 3), pixel)
    labels = network.predict(images)
    labels[2] = (labels[2] + 1) % 3
    sealed = encrypt(network, PREIMAGE)
    statement = Statement(
        LIMITS, sealed.ciphertext, sealed.commitment, TestSet(images, labels), 2, bytes(32)
    )
    verify(statement, SCHEME, prove(statement, statement.secret(network, PREIMAGE), SCHEME))
    more = replace(statement, threshold=3)
    false = prove_unchecked(more, more.assign(network, PREIMAGE, np.ones(3, np.int64)), SCHEME)
    with pytest.raises(VerificationError):
        verify(more, SCHEME, false)


def with_blocks(secret: Secret, name: str, values: FrVector) -> Secret:
    return replace(secret, blocks={**secret.blocks, name: values})
