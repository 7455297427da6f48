"""The limits of every message: the largest that is read, the next, and what is said of that."""

import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from sample_messages import TERMS, Sample

from zkcmp.errors import DecodeError, VerificationError
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages import envelope
from zkcmp.exchange.messages.encryption import CHUNK_BYTES
from zkcmp.exchange.messages.envelope import Kind, Route
from zkcmp.exchange.messages.identity import Identity
from zkcmp.exchange.messages.wire import Bytes, Integer, Line, Text

FIELDS = {
    "_OFFER": {
        "deal": (16, 16),
        "claim_key": (33, 33),
        "reading_key": (32, 32),
        "commitment": (32, 32),
        "ciphertext_digest": (32, 32),
        "n_blocks": (1, 16_777_216),
        "chain": ("regtest", "signet", "testnet", "main"),
        "price_sat": (1, 2_100_000_000_000_000),
        "timeout_blocks": (1, 65_535),
        "confirmations": (1, 1000),
        "min_blocks_left": (1, 65_535),
        "expires_at": (0, 1_099_511_627_776),
    },
    "_ROUTE": {
        "deal": (16, 16),
        "recipient": (32, 32),
        "answers": (32, 32),
        "encapsulated": (32, 32),
    },
    "_REQUEST": {
        "reading_key": (32, 32),
        "refund_key": (33, 33),
        "threshold": (1, 2_147_483_648),
        "method": "a pattern",
        "nonce": (16, 16),
    },
    "_KEY_MATERIAL": {"verifying_key_digest": (32, 32)},
    "_DELIVERY": {
        "proof_bytes": (1, 1_048_576),
        "request": (32, 32),
        "parameters_digest": (32, 32),
    },
    "_LOCK": {
        "deal": (16, 16),
        "answers": (32, 32),
        "redeem_script": (1, 520),
        "txid": (32, 32),
        "vout": (0, 1_048_576),
        "amount_sat": (1, 2_100_000_000_000_000),
        "timeout_height": (1, 499_999_999),
    },
}


def limits(field: object) -> object:
    if isinstance(field, Text):
        return field.choices
    if isinstance(field, Line):
        return "a pattern"
    assert isinstance(field, (Bytes, Integer))
    return field.low, field.high


@pytest.mark.parametrize("record", FIELDS)
def test_fields(record: str) -> None:
    """They are the format: a change is a new version of the protocol."""
    found = {name: limits(field) for name, field in getattr(messages, record).items()}
    assert found == FIELDS[record]


def test_sizes() -> None:
    assert envelope.MAX_BODY_BYTES == {
        Kind.OFFER: 2**20,
        Kind.REQUEST: 2**29,
        Kind.KEY_MATERIAL: 2**36,
        Kind.DELIVERY: 2**31,
        Kind.LOCK: 0,
    }
    assert (envelope.VERSION, envelope.MAX_HEADER_BYTES, messages.PROTOCOL_VERSION) == (1, 2**14, 2)
    assert [kind.value for kind in Kind] == [1, 2, 3, 4, 5]
    # magic, kind and version, sender, two lengths, signature
    assert envelope.max_file_bytes(Kind.LOCK) == 5 + 3 + 32 + 4 + 2**14 + 8 + 0 + 64
    assert envelope.max_file_bytes(Kind.OFFER) == envelope.max_file_bytes(Kind.LOCK) + 2**20


def test_the_largest_body_and_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Identity.generate()
    monkeypatch.setitem(envelope.MAX_BODY_BYTES, Kind.OFFER, 10)

    def write(header: bytes, body: bytes) -> bytes:
        return envelope.write(tmp_path / "m", Kind.OFFER, sender, header, [body], len(body))

    for header, body in ((b"{}", bytes(11)), (bytes(2**14 + 1), b"")):
        with pytest.raises(DecodeError, match="too long to send"):
            write(header, body)
    write(bytes(2**14), bytes(10))
    write(b"{}", bytes(10))
    assert envelope.read(tmp_path / "m", Kind.OFFER, {}).body_length == 10
    monkeypatch.setitem(envelope.MAX_BODY_BYTES, Kind.OFFER, 9)
    with pytest.raises(DecodeError, match="claims 10 bytes, which is too long"):
        envelope.read(tmp_path / "m", Kind.OFFER, {})
    for size, said in ((2**14, "not a flat JSON"), (2**14 + 1, "header claims 16385 bytes")):
        monkeypatch.setattr(envelope, "MAX_HEADER_BYTES", 1 << 20)
        write(bytes(size), b"")
        monkeypatch.setattr(envelope, "MAX_HEADER_BYTES", 1 << 14)
        with pytest.raises(DecodeError, match=said):
            envelope.read(tmp_path / "m", Kind.OFFER, {})


def test_a_message_is_on_disk_before_its_digest_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    envelope.write(tmp_path / "m", Kind.OFFER, Identity.generate(), b"{}", [b"body"], 4)
    assert synced == [(tmp_path / "m").stat().st_size]


@pytest.mark.parametrize("body", [[b"123"], [b"12345"], [b"12", b"3"], []])
def test_a_body_of_another_length_than_said(tmp_path: Path, body: list[bytes]) -> None:
    with pytest.raises(DecodeError, match="changed while it was written"):
        envelope.write(tmp_path / "m", Kind.OFFER, Identity.generate(), b"{}", body, 4)


@pytest.mark.parametrize("size", [1, 2**20 - 1, 2**20])
def test_a_body_of_one_read_and_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(envelope, "_READ_BYTES", 2**20 - 1)
    sender, body, told = Identity.generate(), bytes(size), []
    path = tmp_path / "m"
    digest = envelope.write(path, Kind.OFFER, sender, b"{}", [body[:7], body[7:]], size)
    found = envelope.read(path, Kind.OFFER, {}, lambda *said: told.append(said))
    assert (found.digest, found.sender) == (digest, sender.public_key)
    assert found.read_body() == body
    assert told[-1] == ("reading the offer", size, size)


def test_what_is_wrong_is_said(sample: Sample) -> None:
    path = sample.folder / "offer"
    data = path.read_bytes()
    for changed, said in (
        (
            b"ZKCMX" + data[5:],
            "this is not a zkcmp message, and the offer is expected; ask the sender",
        ),
        (
            data[:5] + b"\x02" + data[6:],
            "the offer is expected, and this is the request; ask the sender",
        ),
        (data[:5] + b"\x03" + data[6:], "this is the key material"),
        (data[:5] + b"\x09" + data[6:], "this is the message of an unknown kind"),
        (data[:6] + b"\x00\x02" + data[8:], "version 2 is not supported, only version 1"),
        (data[:-1], "cut off or has bytes after its end"),
        (data + b"\0", "cut off or has bytes after its end"),
        (data[:20], "the offer is cut off; ask the sender"),
        (b"", "the offer is cut off; ask the sender"),
    ):
        path.write_bytes(changed)
        with pytest.raises(DecodeError, match=said):
            sample.read_offer(path)


def test_every_part_of_a_route_is_in_its_info() -> None:
    route = Route(Kind.REQUEST, b"d" * 16, b"s" * 32, b"r" * 32, b"a" * 32)
    expected = b"zkcmp route" + b"ZKCMP" + bytes([2, 0, 1])
    assert route.info() == expected + b"d" * 16 + b"s" * 32 + b"r" * 32 + b"a" * 32


class TestBelonging:
    """A valid message of the same parties in another place is refused, whatever differs."""

    def test_of_another_deal(self, sample: Sample) -> None:
        with pytest.raises(VerificationError):
            messages.read_lock(
                sample.folder / "lock",
                bytes(16),
                sample.buyer.public_key,
                sample.delivery.digest,
            )

    def test_of_another_sender(self, sample: Sample) -> None:
        with pytest.raises(VerificationError):
            messages.read_lock(
                sample.folder / "lock",
                sample.offer.deal,
                sample.seller.public_key,
                sample.delivery.digest,
            )

    def test_answer_to_another(self, sample: Sample) -> None:
        with pytest.raises(VerificationError):
            messages.read_lock(
                sample.folder / "lock",
                sample.offer.deal,
                sample.buyer.public_key,
                sample.request.digest,
            )

    def test_a_delivery_for_another_reader(self, sample: Sample) -> None:
        with pytest.raises(VerificationError, match="meant for somebody else"):
            messages.read_delivery(
                sample.folder / "delivery",
                sample.offer,
                sample.seller.public_key,
                sample.request.digest,
                sample.key_material.digest,
                sample.buyer_reading,
            )

    def test_a_delivery_for_another_request(self, sample: Sample) -> None:
        with pytest.raises(VerificationError, match="answers another request"):
            messages.read_delivery(
                sample.folder / "delivery",
                sample.offer,
                sample.buyer.public_key,
                bytes(32),
                sample.key_material.digest,
                sample.buyer_reading,
            )

    def test_is_delivery_in(self, sample: Sample) -> None:
        path = sample.folder / "delivery"
        assert messages.is_delivery_in(path, sample.offer)
        assert not messages.is_delivery_in(path, replace(sample.offer, deal=bytes(16)))
        assert not messages.is_delivery_in(path, replace(sample.offer, sender=bytes(32)))
        assert not messages.is_delivery_in(sample.folder / "request", sample.offer)


def delivered(sample: Sample, ciphertext: bytes, proof: bytes) -> messages.Delivery:
    messages.write_delivery(
        sample.folder / "delivery",
        sample.seller,
        sample.offer,
        sample.request,
        sample.key_material.digest,
        b"\x06" * 32,
        ciphertext,
        proof,
    )
    return sample.read_delivery(sample.folder / "delivery")


@pytest.mark.parametrize(
    ("ciphertext", "proof"), [(b"c" * 64, b"p"), (b"", b"proof"), (b"c", b"p" * CHUNK_BYTES)]
)
def test_where_the_ciphertext_ends(sample: Sample, ciphertext: bytes, proof: bytes) -> None:
    found = delivered(sample, ciphertext, proof)
    assert (found.ciphertext, found.proof) == (ciphertext, proof)
    assert found.parameters_digest == b"\x06" * 32
    assert found.request == sample.request.digest


def test_a_proof_longer_than_its_message(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = messages.pack

    def one_more(values, fields):  # type: ignore[no-untyped-def]
        if "proof_bytes" in values:
            values = {**values, "proof_bytes": values["proof_bytes"] + 1}
        return pack(values, fields)

    assert delivered(sample, b"", b"proof").proof == b"proof"
    monkeypatch.setattr(messages, "pack", one_more)
    with pytest.raises(DecodeError, match="ends inside its proof"):
        delivered(sample, b"", b"proof")


def test_no_delivery_is_longer_than_its_limit(sample: Sample) -> None:
    blocks = sample.offer.n_blocks
    assert messages.delivery_limit(sample.offer) == (32 * blocks + 2**20) * 11 // 10 + 2**16
    delivered(sample, b"c" * 32 * blocks, b"p" * 2**20)
    assert (sample.folder / "delivery").stat().st_size < messages.delivery_limit(sample.offer)


def test_a_record_inside_the_encryption() -> None:
    """Only a party of the deal can get so far; it is bounded all the same."""
    for record, blob in ((b"", b""), (b"r", b"blob"), (b"r" * 2**12, b"")):
        assert messages._split(struct.pack(">I", len(record)) + record + blob) == (record, blob)
    with pytest.raises(DecodeError, match="has no record"):
        messages._split(bytes(3))
    for length, rest in ((1, b""), (5, b"1234"), (2**12 + 1, bytes(2**13)), (2**32 - 1, b"12")):
        with pytest.raises(DecodeError, match="record is cut off"):
            messages._split(struct.pack(">I", length) + rest)


def test_an_offer_is_read_back_whole(sample: Sample) -> None:
    found = sample.read_offer(sample.folder / "offer")
    assert {name: getattr(found, name) for name in TERMS} == TERMS


@pytest.mark.parametrize("method", ["sampled 2/4 " + "00" * 32, "sampled 3/2 " + "00" * 32])
def test_a_method_has_one_line(sample: Sample, method: str) -> None:
    record = {
        "reading_key": sample.buyer_reading.public_key,
        "refund_key": b"\x02" * 33,
        "threshold": 2,
        "method": method,
        "nonce": b"\x05" * 16,
    }
    path = sample.folder / "request"
    messages.write_request(path, sample.buyer, sample.offer, record, b"a test set")
    with pytest.raises(DecodeError):
        sample.read_request(path)
