"""Every message: what is written is read, and no changed, foreign or misplaced message is."""

import hashlib
import os
import random
import struct
from pathlib import Path

import pytest
from sample_messages import TERMS, Sample, build_sample

from zkcmp.errors import DecodeError, VerificationError
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages import envelope
from zkcmp.exchange.messages.encryption import CHUNK_BYTES, TAG_BYTES
from zkcmp.exchange.messages.identity import Identity, ReadingKey

NAMES = ("offer", "request", "key_material", "delivery", "lock")
PREFIX_BYTES = 44


def read(sample: Sample, name: str, path: Path) -> object:
    return getattr(sample, f"read_{name}")(path)


def resigned(data: bytes, signer: Identity) -> bytes:
    """The same message under another key: stripped of its signature and signed again."""
    body = data[:8] + signer.public_key + data[40:-64]
    digest = hashlib.sha256(body).digest()
    return body + signer.sign(b"zkcmp message signature" + digest)


def test_fields_come_back(sample: Sample) -> None:
    assert sample.offer.architecture == b"an architecture"
    assert sample.offer.price_sat == TERMS["price_sat"]
    assert sample.offer.sender == sample.seller.public_key
    assert sample.request.test_set == b"a test set"
    assert (sample.request.threshold, sample.request.method) == (2, "full")
    assert sample.request.sender == sample.buyer.public_key
    assert (sample.folder / "proving.key.out").read_bytes() == sample.proving_key
    assert sample.delivery.ciphertext == b"\x09" * 64
    assert sample.lock.amount_sat == TERMS["price_sat"]


def test_secrets_are_not_in_the_files(sample: Sample) -> None:
    everything = b"".join((sample.folder / name).read_bytes() for name in NAMES)
    for secret in (b"a test set", b"\x09" * 64, b"\x08" * 128, sample.proving_key[:64]):
        assert secret not in everything


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_matters(sample: Sample, name: str) -> None:
    path = sample.folder / name
    data = path.read_bytes()
    chosen = random.Random(1).sample(range(len(data)), 60)
    for position in {*range(0, PREFIX_BYTES), *chosen}:
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        with pytest.raises(DecodeError):
            read(sample, name, path)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_lengths(sample: Sample, name: str) -> None:
    path = sample.folder / name
    data = path.read_bytes()
    for changed in (b"", data[:3], data[:PREFIX_BYTES], data[:100], data[:-1], data + b"\0"):
        path.write_bytes(changed)
        with pytest.raises(DecodeError):
            read(sample, name, path)


@pytest.mark.parametrize("name", NAMES)
def test_garbage(sample: Sample, name: str) -> None:
    path = sample.folder / name
    for seed in range(20):
        noise = random.Random(seed).randbytes(400)
        path.write_bytes(noise if seed % 2 else path.read_bytes()[:44] + noise)
        with pytest.raises(DecodeError):
            read(sample, name, path)


@pytest.mark.parametrize("name", NAMES)
def test_claimed_lengths_are_bounded(sample: Sample, name: str) -> None:
    path = sample.folder / name
    data = path.read_bytes()
    (header_length,) = struct.unpack(">I", data[40:44])
    at = PREFIX_BYTES + header_length
    path.write_bytes(data[:at] + struct.pack(">Q", 2**63) + data[at + 8 :])
    with pytest.raises(DecodeError, match="too long"):
        read(sample, name, path)
    path.write_bytes(data[:40] + struct.pack(">I", 2**31) + data[44:])
    with pytest.raises(DecodeError, match="header claims"):
        read(sample, name, path)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_version_and_kind(sample: Sample, name: str) -> None:
    path = sample.folder / name
    data = path.read_bytes()
    path.write_bytes(data[:6] + struct.pack(">H", 2) + data[8:])
    with pytest.raises(DecodeError, match="version 2 is not supported"):
        read(sample, name, path)
    for other in NAMES:
        if other != name:
            with pytest.raises(DecodeError, match="is expected, and this is the"):
                read(sample, name, build(sample, other))


def build(sample: Sample, name: str) -> Path:
    """A fresh valid message of another kind."""
    folder = sample.folder / "fresh"
    folder.mkdir(exist_ok=True)
    build_sample(folder)
    return folder / name


@pytest.mark.parametrize("name", NAMES[1:])
def test_signed_by_another_key(sample: Sample, name: str) -> None:
    """Stripped and signed again: a known sender is missed, a first sender cannot decrypt."""
    path = sample.folder / name
    path.write_bytes(resigned(path.read_bytes(), Identity.generate()))
    error = DecodeError if name == "request" else VerificationError
    with pytest.raises(error, match=r"damaged or was not meant|signed by somebody else"):
        read(sample, name, path)


@pytest.mark.parametrize("name", NAMES)
def test_unsigned(sample: Sample, name: str) -> None:
    path = sample.folder / name
    path.write_bytes(path.read_bytes()[:-64] + bytes(64))
    with pytest.raises(DecodeError, match="signature"):
        read(sample, name, path)


@pytest.mark.parametrize("name", NAMES[1:])
def test_replay_from_another_deal(sample: Sample, name: str, tmp_path: Path) -> None:
    with pytest.raises((VerificationError, DecodeError)):
        read(sample, name, build(sample, name))


def test_replay_between_deals_of_the_same_parties(sample: Sample) -> None:
    """Same keys, other deal: the route differs even where signature and reader are right."""
    terms = {**TERMS, "deal": b"\x0b" * 16, "reading_key": sample.seller_reading.public_key}
    messages.write_offer(sample.folder / "offer2", sample.seller, terms, b"an architecture")
    offer = messages.read_offer(sample.folder / "offer2")
    with pytest.raises(VerificationError, match="another deal"):
        messages.read_request(sample.folder / "request", offer, sample.seller_reading)


def test_only_the_reader_reads(sample: Sample) -> None:
    with pytest.raises(DecodeError, match="not meant for us"):
        messages.read_request(sample.folder / "request", sample.offer, ReadingKey.generate())


def test_weak_encryption_key_is_refused(sample: Sample) -> None:
    weak = messages.Offer(**{**vars(sample.offer), "reading_key": bytes(32)})
    record = {
        "reading_key": bytes(32),
        "refund_key": b"\x02" * 33,
        "threshold": 1,
        "method": "full",
        "nonce": bytes(16),
    }
    with pytest.raises(DecodeError, match="X25519"):
        messages.write_request(sample.folder / "weak", sample.buyer, weak, record, b"")


class TestChunks:
    """A body of several chunks: order, number and end are authenticated, not only each chunk."""

    @pytest.fixture
    def long(self, tmp_path: Path) -> Sample:
        folder = tmp_path / "long"
        folder.mkdir()
        return build_sample(folder, key_bytes=2 * CHUNK_BYTES + 5)

    def rewrite(self, sample: Sample, body: list[bytes]) -> Path:
        """The key material with another body, under the buyer's own valid signature."""
        path = sample.folder / "key_material"
        old = envelope.read(path, envelope.Kind.KEY_MATERIAL, messages._ROUTE)
        header = path.read_bytes()[PREFIX_BYTES : old.body_offset - 8]
        total = sum(map(len, body))
        out = sample.folder / "rewritten"
        envelope.write(out, envelope.Kind.KEY_MATERIAL, sample.buyer, header, body, total)
        return out

    def chunks(self, sample: Sample) -> list[bytes]:
        path = sample.folder / "key_material"
        message = envelope.read(path, envelope.Kind.KEY_MATERIAL, messages._ROUTE)
        body, size = message.read_body(), CHUNK_BYTES + TAG_BYTES
        return [body[i : i + size] for i in range(0, len(body), size)]

    def test_unchanged(self, long: Sample) -> None:
        chunks = self.chunks(long)
        assert len(chunks) == 3
        long.read_key_material(self.rewrite(long, chunks))

    @pytest.mark.parametrize(
        "order", [(0, 1), (1, 0, 2), (0, 0, 1, 2), (0, 2), (2,), (0, 1, 1), (0, 1, 2, 2), ()]
    )
    def test_changed(self, long: Sample, order: tuple[int, ...]) -> None:
        chunks = self.chunks(long)
        with pytest.raises(DecodeError):
            long.read_key_material(self.rewrite(long, [chunks[i] for i in order]))


def test_proving_key_is_on_disk_before_it_is_used(
    sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, int]] = []

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        synced.append((status.st_ino, status.st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    sample.read_key_material(sample.folder / "key_material")
    status = (sample.folder / "proving.key.out").stat()
    assert (status.st_ino, len(sample.proving_key)) in synced
