"""The statement from Python: honest proofs pass, every other combination is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zkcmp import api
from zkcmp.api.statements import _asked, _statement
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.exchange.proofs import DealStatement
from zkcmp.exchange.proofs.groth16 import Groth16
from zkcmp.model.architecture import Architecture
from zkcmp.model.layers import Dense, Flatten
from zkcmp.model.network import Network

ARCHITECTURE = Architecture((1, 2, 2), 4, (Flatten(), Dense(4, 3, 6, 8)))


def _network(seed: int) -> Network:
    rng = np.random.default_rng(seed)
    specs = ARCHITECTURE.tensors()
    return Network(ARCHITECTURE, [rng.integers(s.low, s.high + 1, s.shape) for s in specs])


NETWORK = _network(1)
IMAGES = np.random.default_rng(2).integers(0, 16, (5, 2, 2))
LABELS = NETWORK.predict(IMAGES[:, None])
LABELS[4] = (LABELS[4] + 1) % 3  # 4 of 5 are right


@pytest.fixture(scope="module")
def sealed() -> api.Sealed:
    return api.seal(NETWORK)


@pytest.fixture(scope="module")
def proof(sealed: api.Sealed) -> bytes:
    return api.prove(sealed, IMAGES, LABELS, accuracy="80%", context=b"ours")


def test_an_honest_proof_and_what_it_is_worth(sealed: api.Sealed, proof: bytes) -> None:
    worth = api.verify(sealed.public, IMAGES, LABELS, proof, threshold=4, context=b"ours")
    assert worth.startswith("statistical error: at most 2^-")
    assert api.open_seal(sealed.public, sealed.preimage) == NETWORK


@pytest.mark.parametrize("what", ["threshold", "labels", "images", "context", "seal", "proof"])
def test_a_proof_shows_nothing_else(sealed: api.Sealed, proof: bytes, what: str) -> None:
    public, images, labels, threshold, context = sealed.public, IMAGES, LABELS, 4, b"ours"
    if what == "threshold":
        threshold = 5
    elif what == "labels":
        labels = (LABELS + 1) % 3
    elif what == "images":
        images = IMAGES[::-1]
    elif what == "context":
        context = b"theirs"
    elif what == "seal":
        public = api.seal(NETWORK).public
    else:
        proof = proof[:-1] + bytes([proof[-1] ^ 1])
    with pytest.raises((VerificationError, DecodeError)):
        api.verify(public, images, labels, proof, threshold=threshold, context=context)


def test_a_network_below_the_threshold_is_not_proved(sealed: api.Sealed) -> None:
    with pytest.raises(ZkcmpError, match="gets 4 of 5 right, not 5"):
        api.prove(sealed, IMAGES, LABELS, accuracy="1")


def test_another_network_under_the_same_seal_is_not_proved(sealed: api.Sealed) -> None:
    other = _network(3)
    labels = other.predict(IMAGES[:, None])
    swapped = api.Sealed(sealed.public, other, sealed.preimage)
    with pytest.raises(VerificationError):
        api.prove(swapped, IMAGES, labels, threshold=5)


def test_keys_are_audited_and_asked_for(sealed: api.Sealed, tmp_path: Path) -> None:
    key = tmp_path / "key"
    verifying_key = api.setup(ARCHITECTURE, IMAGES, LABELS, "freivalds", key)
    proof = api.prove(sealed, IMAGES, LABELS, threshold=4, method="freivalds", key=key)
    asked = {"threshold": 4, "method": "freivalds"}
    api.verify(sealed.public, IMAGES, LABELS, proof, verifying_key=verifying_key, **asked)
    with pytest.raises(ZkcmpError, match="needs a verifying key"):
        api.verify(sealed.public, IMAGES, LABELS, proof, **asked)
    with pytest.raises(ZkcmpError, match="needs a key"):
        api.prove(sealed, IMAGES, LABELS, **asked)
    damaged = bytearray(key.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    key.write_bytes(damaged)
    with pytest.raises((VerificationError, DecodeError)):
        api.prove(sealed, IMAGES, LABELS, key=key, **asked)


class OfOtherImages(DealStatement):
    """States what a key is for, under the context of the images that the verifier means."""

    @property
    def context(self) -> bytes:
        labels = (LABELS + 1) % 3
        meant = replace(self, asked=_asked(ARCHITECTURE, IMAGES, labels, "freivalds"))
        return DealStatement(**meant.__dict__).context


def test_a_verifying_key_of_other_images(sealed: api.Sealed, tmp_path: Path) -> None:
    """Mode freivalds: what is proved is about the images that the key was made for."""
    verifying_key = api.setup(ARCHITECTURE, IMAGES, LABELS, "freivalds", tmp_path / "key")
    asked = _asked(ARCHITECTURE, IMAGES, LABELS, "freivalds")
    parameters = Groth16().parameters_digest(verifying_key)
    honest = _statement(sealed.public, asked, 4, b"", parameters)
    lie = OfOtherImages(**honest.__dict__)
    proof = Groth16().prove(lie, NETWORK, sealed.preimage, tmp_path / "key")
    with pytest.raises(VerificationError, match="made for these images"):
        api.verify(
            sealed.public,
            IMAGES,
            (LABELS + 1) % 3,
            proof,
            threshold=4,
            method="freivalds",
            verifying_key=verifying_key,
        )


def test_methods_without_keys_take_none(sealed: api.Sealed, tmp_path: Path) -> None:
    with pytest.raises(ZkcmpError, match="has no key material"):
        api.setup(ARCHITECTURE, IMAGES, LABELS, "libra hyrax", tmp_path / "key")
    with pytest.raises(ZkcmpError, match="has no key"):
        api.prove(sealed, IMAGES, LABELS, threshold=4, key=tmp_path / "key")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["sampled", "sampled 1/2", "libra", "", "FULL"])
def test_only_sound_methods(sealed: api.Sealed, method: str) -> None:
    with pytest.raises(ZkcmpError, match="is not one of freivalds, full, libra hyrax"):
        api.prove(sealed, IMAGES, LABELS, threshold=4, method=method)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "give one of accuracy"),
        ({"accuracy": "0.8", "threshold": 4}, "give one of accuracy"),
        ({"accuracy": 0.8}, "accuracy must be text, so that it is exact: '0.8'"),
        ({"accuracy": "80"}, "accuracy 80 is not above 0 and at most 1"),
        ({"threshold": 6}, "expected an integer from 1 to 5, got 6"),
        ({"threshold": 0}, "expected an integer from 1 to 5, got 0"),
        ({"threshold": True}, "expected an integer from 1 to 5, got True"),
    ],
)
def test_thresholds_that_mean_nothing(sealed: api.Sealed, asked: dict, said: str) -> None:
    with pytest.raises(ZkcmpError, match=said):
        api.prove(sealed, IMAGES, LABELS, **asked)


def test_secrets_do_not_show(sealed: api.Sealed) -> None:
    assert sealed.preimage.hex() not in repr(sealed)
    assert repr(NETWORK) not in repr(sealed)


def test_quantise_needs_both_or_neither() -> None:
    with pytest.raises(ZkcmpError, match="give images and labels, or neither"):
        api.quantize(_digits(), images=IMAGES)
    with pytest.raises(ZkcmpError, match="leave out images or weight_bits"):
        api.quantize(_digits(), IMAGES, LABELS, weight_bits=4)


def _digits() -> Path:
    from zkcmp.model.data_files import digits_onnx

    return digits_onnx()
