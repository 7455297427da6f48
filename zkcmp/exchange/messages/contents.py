"""The five messages of a deal: what each says, how it is written and read back.

offer (public) <- request <- key material <- delivery <- lock (public): each names the digest of
the one it answers. The three in the middle are encrypted to their reader and bound to both
identities, the deal and the answered digest.

encrypted body = record length (4) | record | blob        (the plaintext inside `encryption`)

Readers raise DecodeError for bytes that are no such message and VerificationError for a message
that is well-formed but belongs elsewhere (another sender, reader, deal or answered message).
What a message claims (a test set in range, an architecture that cannot wrap) is checked in
`checks`.
"""

import io
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from zkcmp.disk import create, sync
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.exchange.messages import encryption, envelope
from zkcmp.exchange.messages.envelope import Envelope, Kind, Route
from zkcmp.exchange.messages.identity import Identity, ReadingKey
from zkcmp.exchange.messages.wire import (
    Bytes,
    Field,
    Integer,
    Line,
    Text,
    Value,
    exact,
    pack,
    unpack,
)
from zkcmp.exchange.method import PATTERN, Method
from zkcmp.progress import Progress, silent

PROTOCOL_VERSION = 2
CHAINS = ("regtest", "signet", "testnet", "main")
FILE_NAMES = {
    Kind.OFFER: "offer.zkcmp",
    Kind.REQUEST: "request.zkcmp",
    Kind.KEY_MATERIAL: "key-material.zkcmp",
    Kind.DELIVERY: "delivery.zkcmp",
    Kind.LOCK: "lock.zkcmp",
}
MAX_MONEY_SAT = 21_000_000 * 100_000_000
MAX_BLOCKS = 1 << 24
BLOCK_BYTES = 32
MAX_PROOF_BYTES = 1 << 20

_OFFER: dict[str, Field] = {
    "deal": exact(16),
    "claim_key": exact(33),
    "reading_key": exact(32),
    "commitment": exact(32),
    "ciphertext_digest": exact(32),
    "n_blocks": Integer(1, MAX_BLOCKS),
    "chain": Text(CHAINS),
    "price_sat": Integer(1, MAX_MONEY_SAT),
    "timeout_blocks": Integer(1, 65535),
    "confirmations": Integer(1, 1000),
    "min_blocks_left": Integer(1, 65535),
    "expires_at": Integer(0, 1 << 40),
}
_ROUTE: dict[str, Field] = {
    "deal": exact(16),
    "recipient": exact(32),
    "answers": exact(32),
    "encapsulated": exact(encryption.ENCAPSULATED_BYTES),
}
_REQUEST: dict[str, Field] = {
    "reading_key": exact(32),
    "refund_key": exact(33),
    "threshold": Integer(1, 1 << 31),
    "method": Line(PATTERN),
    "nonce": exact(16),
}
_KEY_MATERIAL: dict[str, Field] = {"verifying_key_digest": exact(32)}
_DELIVERY: dict[str, Field] = {
    "proof_bytes": Integer(1, MAX_PROOF_BYTES),
    "request": exact(32),
    "parameters_digest": exact(32),
}
_LOCK: dict[str, Field] = {
    "deal": exact(16),
    "answers": exact(32),
    "redeem_script": Bytes(1, 520),
    "txid": exact(32),
    "vout": Integer(0, 1 << 20),
    "amount_sat": Integer(1, MAX_MONEY_SAT),
    "timeout_height": Integer(1, 499_999_999),
}
_MAX_RECORD_BYTES = 1 << 12


@dataclass(frozen=True)
class Offer:
    """What the seller binds itself to before it knows any test set. `architecture` is encoded."""

    sender: bytes
    digest: bytes
    deal: bytes
    claim_key: bytes
    reading_key: bytes
    commitment: bytes
    ciphertext_digest: bytes
    n_blocks: int
    chain: str
    price_sat: int
    timeout_blocks: int
    confirmations: int
    min_blocks_left: int
    expires_at: int
    architecture: bytes


@dataclass(frozen=True)
class Request:
    """A buyer's test set (encoded), its threshold T, and the keys to answer and to refund to."""

    sender: bytes
    digest: bytes
    reading_key: bytes
    refund_key: bytes
    threshold: int
    method: str
    nonce: bytes
    test_set: bytes = field(repr=False)

    @property
    def proof_method(self) -> Method:
        """What `method` says."""
        return Method.from_line(self.method)


@dataclass(frozen=True)
class KeyMaterial:
    """Proves nothing by itself: the proving key's file is beside it, its claimed digest here."""

    sender: bytes
    digest: bytes
    verifying_key_digest: bytes


@dataclass(frozen=True)
class Delivery:
    """The seal's ciphertext (see `statement`) and the proof about it, one after the other.

    parameters_digest names what the proof is verified with.
    """

    sender: bytes
    digest: bytes
    request: bytes
    parameters_digest: bytes
    ciphertext: bytes
    proof: bytes


@dataclass(frozen=True)
class Lock:
    """Where the coins are; the txid is in the order that explorers and nodes display."""

    sender: bytes
    digest: bytes
    deal: bytes
    answers: bytes
    redeem_script: bytes
    txid: bytes
    vout: int
    amount_sat: int
    timeout_height: int


def write_offer(
    path: Path, seller: Identity, terms: Mapping[str, Value], architecture: bytes
) -> bytes:
    """Write an offer with the fields of `Offer`; return its digest."""
    header = pack(terms, _OFFER)
    return envelope.write(path, Kind.OFFER, seller, header, [architecture], len(architecture))


def read_offer(path: Path) -> Offer:
    message = envelope.read(path, Kind.OFFER, _OFFER)
    fields: dict[str, object] = dict(message.header)
    return Offer(message.sender, message.digest, architecture=message.read_body(), **fields)  # type: ignore[arg-type]


def write_request(
    path: Path, buyer: Identity, offer: Offer, record: Mapping[str, Value], test_set: bytes
) -> bytes:
    """Encrypt a request (fields of `Request`) to the offer's reading key; return its digest."""
    route = Route(Kind.REQUEST, offer.deal, buyer.public_key, offer.sender, offer.digest)
    plain = pack(record, _REQUEST)
    return _write(path, buyer, route, offer.reading_key, plain, [test_set], len(test_set))


def read_request(path: Path, offer: Offer, reading_key: ReadingKey) -> Request:
    """The request to this offer; its sender is whoever the signature says.

    Its method is canonical, or a DecodeError says that it is not.
    """
    message = envelope.read(path, Kind.REQUEST, _ROUTE)
    _check_route(message, None, offer.sender, offer.deal, offer.digest)
    test_set = io.BytesIO()
    record = _read(message, reading_key, _REQUEST, test_set)
    request = Request(message.sender, message.digest, test_set=test_set.getvalue(), **record)  # type: ignore[arg-type]
    Method.from_line(request.method)
    return request


def write_key_material(
    path: Path,
    buyer: Identity,
    offer: Offer,
    request_digest: bytes,
    verifying_key_digest: bytes,
    proving_key: Path,
    progress: Progress = silent,
) -> bytes:
    """Encrypt the proving key's file to the seller; return the message's digest."""
    route = Route(Kind.KEY_MATERIAL, offer.deal, buyer.public_key, offer.sender, request_digest)
    plain = pack({"verifying_key_digest": verifying_key_digest}, _KEY_MATERIAL)
    with proving_key.open("rb") as file:
        pieces = iter(lambda: file.read(encryption.CHUNK_BYTES), b"")
        size = proving_key.stat().st_size
        return _write(path, buyer, route, offer.reading_key, plain, pieces, size, progress)


def read_key_material(
    path: Path,
    offer: Offer,
    request: Request,
    reading_key: ReadingKey,
    proving_key: Path,
    progress: Progress = silent,
) -> KeyMaterial:
    """Decrypt the proving key into the file `proving_key`, synced; incomplete after an error."""
    message = envelope.read(path, Kind.KEY_MATERIAL, _ROUTE, progress)
    _check_route(message, request.sender, offer.sender, offer.deal, request.digest)
    with create(proving_key) as file:
        record = _read(message, reading_key, _KEY_MATERIAL, file, progress)
        sync(file, proving_key)
    return KeyMaterial(message.sender, message.digest, **record)  # type: ignore[arg-type]


def write_delivery(
    path: Path,
    seller: Identity,
    offer: Offer,
    request: Request,
    answered_digest: bytes,
    parameters_digest: bytes,
    ciphertext: bytes,
    proof: bytes,
) -> bytes:
    """Encrypt ciphertext and proof to the buyer; return the digest.

    It answers the key material, or the request itself where the method has none.
    """
    route = Route(Kind.DELIVERY, offer.deal, seller.public_key, request.sender, answered_digest)
    record: dict[str, Value] = {
        "proof_bytes": len(proof),
        "request": request.digest,
        "parameters_digest": parameters_digest,
    }
    plain, blob = pack(record, _DELIVERY), [ciphertext, proof]
    size = len(ciphertext) + len(proof)
    return _write(path, seller, route, request.reading_key, plain, blob, size)


def read_delivery(
    path: Path,
    offer: Offer,
    buyer: bytes,
    request_digest: bytes,
    answered_digest: bytes,
    reading_key: ReadingKey,
) -> Delivery:
    message = envelope.read(path, Kind.DELIVERY, _ROUTE)
    _check_route(message, offer.sender, buyer, offer.deal, answered_digest)
    blob = io.BytesIO()
    record = _read(message, reading_key, _DELIVERY, blob)
    if record["request"] != request_digest:
        raise VerificationError("the delivery answers another request")
    data, proof_bytes = blob.getvalue(), record.pop("proof_bytes")
    if not isinstance(proof_bytes, int) or proof_bytes > len(data):
        raise DecodeError("the delivery ends inside its proof")
    ciphertext, proof = data[:-proof_bytes], data[-proof_bytes:]
    return Delivery(message.sender, message.digest, ciphertext=ciphertext, proof=proof, **record)  # type: ignore[arg-type]


def is_delivery_in(path: Path, offer: Offer) -> bool:
    """Whether the file is a delivery in this offer's deal, signed by its seller, to anybody."""
    try:
        message = envelope.read(path, Kind.DELIVERY, _ROUTE)
    except DecodeError:
        return False
    return message.sender == offer.sender and message.header["deal"] == offer.deal


def delivery_limit(offer: Offer) -> int:
    """No delivery in this deal has more bytes than this, encryption included."""
    return (offer.n_blocks * BLOCK_BYTES + MAX_PROOF_BYTES) * 11 // 10 + (1 << 16)


def write_lock(path: Path, buyer: Identity, fields: Mapping[str, Value]) -> bytes:
    """Write a lock with the fields of `Lock`; return its digest."""
    return envelope.write(path, Kind.LOCK, buyer, pack(fields, _LOCK), [], 0)


def read_lock(path: Path, deal: bytes, buyer: bytes, delivery_digest: bytes) -> Lock:
    message = envelope.read(path, Kind.LOCK, _LOCK)
    fields: dict[str, object] = dict(message.header)
    lock = Lock(message.sender, message.digest, **fields)  # type: ignore[arg-type]
    _check_names(message, buyer, deal, delivery_digest)
    return lock


def _write(
    path: Path,
    sender: Identity,
    route: Route,
    reading_key: bytes,
    record: bytes,
    blob: Iterable[bytes],
    blob_length: int,
    progress: Progress = silent,
) -> bytes:
    info = route.info()
    encapsulated, key = encryption.sender_key(reading_key, info)

    def plaintext() -> Iterator[bytes]:
        yield struct.pack(">I", len(record)) + record
        yield from blob

    return envelope.write(
        path,
        route.kind,
        sender,
        route.header(_ROUTE, encapsulated),
        encryption.encrypt(key, info, plaintext()),
        encryption.encrypted_length(4 + len(record) + blob_length),
        progress,
    )


def _read(
    message: Envelope,
    reading_key: ReadingKey,
    fields: Mapping[str, Field],
    blob: BinaryIO,
    progress: Progress = silent,
) -> dict[str, Value]:
    """Decrypt the body: the record is returned, the blob written to `blob`."""
    route = Route(
        message.kind,
        _field(message, "deal"),
        message.sender,
        _field(message, "recipient"),
        _field(message, "answers"),
    )
    info = route.info()
    key = encryption.reader_key(reading_key, _field(message, "encapsulated"), info)
    record, done = b"", 0
    with message.open_body() as file:
        for index, chunk in enumerate(encryption.decrypt(key, info, file, message.body_length)):
            if index == 0:
                record, chunk = _split(chunk)
            blob.write(chunk)
            done += len(chunk)
            progress(f"decrypting the {message.kind.title}", done, message.body_length)
    return unpack(record, fields)


def _split(first: bytes) -> tuple[bytes, bytes]:
    """The record and the start of the blob in the first chunk."""
    if len(first) < 4:
        raise DecodeError("a message has no record")
    (length,) = struct.unpack(">I", first[:4])
    if length > _MAX_RECORD_BYTES or 4 + length > len(first):
        raise DecodeError("a message's record is cut off")
    return first[4 : 4 + length], first[4 + length :]


def _check_route(
    message: Envelope, sender: bytes | None, recipient: bytes, deal: bytes, answers: bytes
) -> None:
    _check_names(message, sender, deal, answers)
    if message.header["recipient"] != recipient:
        raise VerificationError(f"the {message.kind.title} is meant for somebody else")


def _check_names(message: Envelope, sender: bytes | None, deal: bytes, answers: bytes) -> None:
    title = message.kind.title
    if sender is not None and message.sender != sender:
        raise VerificationError(f"the {title} is signed by somebody else than the rest of the deal")
    if message.header["deal"] != deal:
        raise VerificationError(
            f"the {title} belongs to another deal; put that of this deal in its place"
        )
    if message.header["answers"] != answers:
        raise VerificationError(f"the {title} answers another message than the one we hold")


def _field(message: Envelope, name: str) -> bytes:
    value = message.header[name]
    if not isinstance(value, bytes):
        raise DecodeError(f"field {name} is not bytes")
    return value
