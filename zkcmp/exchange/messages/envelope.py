"""The outer form of every message file: magic, kind, version, sender, header, body, signature.

file = "ZKCMP" | kind (1) | version (2) | sender (32) | header length (4) | header
       | body length (8) | body | signature (64)             integers are big-endian
digest    = SHA-256 of everything before the signature; messages name each other by it
signature = Ed25519(sender, "zkcmp message signature" ‖ digest)

The header is a `wire` record, the body one blob, of which encrypted messages make ciphertext
first: what is signed is what is sent, and the sender's key enters the encryption key (see
`Route.info`), so a stripped and re-signed message no longer decrypts. Files are hashed as they
stream by. The caller must still check *who* signed and which digest is answered.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from zkcmp.disk import create, sync
from zkcmp.errors import DecodeError
from zkcmp.exchange.messages.identity import (
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    Identity,
    verify_signature,
)
from zkcmp.exchange.messages.wire import Field, Value, pack, unpack
from zkcmp.progress import Progress, silent

MAGIC = b"ZKCMP"
VERSION = 1
MAX_HEADER_BYTES = 1 << 14
_READ_BYTES = 1 << 20
_SIGNED = b"zkcmp message signature"


class Kind(IntEnum):
    """What a message is; the value is its byte in the file."""

    OFFER = 1
    REQUEST = 2
    KEY_MATERIAL = 3
    DELIVERY = 4
    LOCK = 5

    @property
    def title(self) -> str:
        return self.name.lower().replace("_", " ")


MAX_BODY_BYTES = {
    Kind.OFFER: 1 << 20,
    Kind.REQUEST: 1 << 29,
    Kind.KEY_MATERIAL: 1 << 36,
    Kind.DELIVERY: 1 << 31,
    Kind.LOCK: 0,
}


def max_file_bytes(kind: Kind) -> int:
    """No valid message file of this kind is longer."""
    fixed = len(MAGIC) + 3 + PUBLIC_KEY_BYTES + 4 + 8 + SIGNATURE_BYTES
    return fixed + MAX_HEADER_BYTES + MAX_BODY_BYTES[kind]


@dataclass(frozen=True)
class Envelope:
    """A message file whose signature was verified: who sent it, what it says, where its body is."""

    path: Path
    kind: Kind
    sender: bytes
    header: dict[str, Value]
    body_offset: int
    body_length: int
    digest: bytes

    def open_body(self) -> BinaryIO:
        """The file, placed at the first byte of the body. The caller closes it."""
        file = self.path.open("rb")
        file.seek(self.body_offset)
        return file

    def read_body(self) -> bytes:
        with self.open_body() as file:
            return file.read(self.body_length)


def write(
    path: Path,
    kind: Kind,
    sender: Identity,
    header: bytes,
    body: Iterable[bytes],
    body_length: int,
    progress: Progress = silent,
) -> bytes:
    """Write a signed message to `path`, synced; return its digest.

    Interrupted, it leaves half a message: `path` is a temporary name of `store.replacing`.
    """
    if body_length > MAX_BODY_BYTES[kind] or len(header) > MAX_HEADER_BYTES:
        raise DecodeError(f"a {kind.title} of {body_length} bytes is too long to send")
    running = hashlib.sha256()
    with create(path) as file:
        for part in (_prefix(kind, sender.public_key, header), struct.pack(">Q", body_length)):
            running.update(part)
            file.write(part)
        done = 0
        for piece in body:
            running.update(piece)
            file.write(piece)
            done += len(piece)
            progress(f"writing the {kind.title}", done, body_length)
        if done != body_length:
            raise DecodeError(f"the {kind.title} changed while it was written; repeat the command")
        digest = running.digest()
        file.write(sender.sign(_SIGNED + digest))
        sync(file, path)
    return digest


def read(
    path: Path, kind: Kind, fields: Mapping[str, Field], progress: Progress = silent
) -> Envelope:
    """Check form and signature of the message at `path`. Raises DecodeError, nothing else."""
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = _take(file, len(MAGIC) + 3 + PUBLIC_KEY_BYTES + 4, kind)
        sender, header_length = _check_prefix(prefix, kind)
        header = _take(file, header_length, kind)
        length_bytes = _take(file, 8, kind)
        (body_length,) = struct.unpack(">Q", length_bytes)
        if body_length > MAX_BODY_BYTES[kind]:
            raise DecodeError(f"the {kind.title} claims {body_length} bytes, which is too long")
        body_offset = file.tell()
        if size != body_offset + body_length + SIGNATURE_BYTES:
            raise DecodeError(
                f"the {kind.title} is cut off or has bytes after its end; ask the sender for the "
                "file again"
            )
        running = hashlib.sha256(prefix + header + length_bytes)
        done = 0
        while done < body_length:
            piece = _take(file, min(_READ_BYTES, body_length - done), kind)
            running.update(piece)
            done += len(piece)
            progress(f"reading the {kind.title}", done, body_length)
        signature = _take(file, SIGNATURE_BYTES, kind)
    digest = running.digest()
    verify_signature(sender, _SIGNED + digest, signature)
    return Envelope(path, kind, sender, unpack(header, fields), body_offset, body_length, digest)


@dataclass(frozen=True)
class Route:
    """Between whom an encrypted message goes, in which deal, and what it answers."""

    kind: Kind
    deal: bytes
    sender: bytes
    recipient: bytes
    answers: bytes

    def info(self) -> bytes:
        """The HPKE info string and associated data: every field has a fixed length."""
        head = b"zkcmp route" + MAGIC + struct.pack(">BH", self.kind, VERSION)
        return head + self.deal + self.sender + self.recipient + self.answers

    def header(self, fields: Mapping[str, Field], encapsulated: bytes) -> bytes:
        values = {
            "deal": self.deal,
            "recipient": self.recipient,
            "answers": self.answers,
            "encapsulated": encapsulated,
        }
        return pack(values, fields)


def _prefix(kind: Kind, sender: bytes, header: bytes) -> bytes:
    return (
        MAGIC
        + struct.pack(">BH", kind, VERSION)
        + sender
        + struct.pack(">I", len(header))
        + (header)
    )


def _check_prefix(prefix: bytes, kind: Kind) -> tuple[bytes, int]:
    """The sender's key and the header's length."""
    if prefix[:5] != MAGIC:
        raise DecodeError(
            f"this is not a zkcmp message, and the {kind.title} is expected; ask the sender for "
            "the file again"
        )
    found_kind, version = struct.unpack(">BH", prefix[5:8])
    if version != VERSION:
        raise DecodeError(f"message version {version} is not supported, only version {VERSION}")
    if found_kind != kind:
        known = {int(k): k.title for k in Kind}
        found = known.get(found_kind, "message of an unknown kind")
        raise DecodeError(
            f"the {kind.title} is expected, and this is the {found}; ask the sender for the file "
            "again"
        )
    (header_length,) = struct.unpack(">I", prefix[40:44])
    if header_length > MAX_HEADER_BYTES:
        raise DecodeError(f"the {kind.title}'s header claims {header_length} bytes")
    return prefix[8:40], header_length


def _take(file: BinaryIO, n_bytes: int, kind: Kind) -> bytes:
    data = file.read(n_bytes)
    if len(data) != n_bytes:
        raise DecodeError(f"the {kind.title} is cut off; ask the sender for the file again")
    return data
