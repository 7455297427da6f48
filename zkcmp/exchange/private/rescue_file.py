"""A rescue file: what one deal needs on another machine, with a passphrase header of its own.

    file = magic ‖ header length (2) ‖ header ‖ sealed(K, payload)          under a passphrase
         = magic ‖ 0 (2) ‖ payload ‖ SHA-256(payload)                       without one
    payload = (name length (1) ‖ name ‖ length (4) ‖ contents) for every file, sorted by name

The header is the private directory's (`keyring`), in state SETTLED: the passphrase of the directory
at the time opens the file. What the files are, and how a deal goes on from them, is `rescue`.
"""

import hashlib
import re
import struct
from pathlib import Path

from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange.private.keyring import (
    MAX_HEADER_BYTES,
    AskPassphrase,
    Keyring,
    Protection,
    seal,
    unseal,
)

MAGIC = b"zkcmp rescue 1\n"
MAX_FILE_BYTES = 1 << 25
"""No rescue file is longer, and none is read further."""

_DIGEST_BYTES = 32
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


def is_one(path: Path) -> bool:
    """Whether the file at `path` begins as a rescue file does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def encode(payload: bytes, keyring: Keyring | None) -> bytes:
    """The file, under the passphrase of `keyring` if there is one."""
    if keyring is None:
        return MAGIC + struct.pack(">H", 0) + payload + hashlib.sha256(payload).digest()
    header = keyring.within(Protection.SETTLED).encode()
    return MAGIC + struct.pack(">H", len(header)) + header + seal(keyring.keys[0], payload, MAGIC)


def decode(data: bytes, keyring: Keyring | None, what: str) -> bytes:
    """The payload of a file that `keyring` opens. Raises DecodeError for any other."""
    header, body = _split(data, what)
    if not header:
        return _checked(body, what)
    for key in keyring.keys if keyring else ():
        payload = unseal(key, body, MAGIC)
        if payload is not None:
            return payload
    raise _damaged(what)


def open_file(path: Path, ask: AskPassphrase) -> tuple[bytes, Keyring | None]:
    """Payload of the file at `path` and what protected it; asks for its passphrase if it has one.

    Raises DealError for a wrong passphrase, DecodeError for a file that is none or damaged.
    """
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise DecodeError(f"{path} is too long for a rescue file; name the file of a deal")
    header, _ = _split(data, str(path))
    keyring = Keyring.decode(header, ask, str(path)) if header else None
    if keyring is not None and keyring.state is not Protection.SETTLED:
        raise _damaged(str(path))
    return decode(data, keyring, str(path)), keyring


def is_name(name: str) -> bool:
    """Whether a file in a rescue file can have this name: it leads to no other directory."""
    return _NAME.fullmatch(name) is not None


def pack(files: dict[str, bytes]) -> bytes:
    """The payload that holds these files."""
    parts = []
    for name, contents in sorted(files.items()):
        encoded = name.encode("ascii")
        parts += [bytes([len(encoded)]), encoded, struct.pack(">I", len(contents)), contents]
    payload = b"".join(parts)
    if len(payload) > MAX_FILE_BYTES - MAX_HEADER_BYTES:
        raise DealError("this deal has too much in its private directory for a rescue file")
    return payload


def unpack(payload: bytes, what: str) -> dict[str, bytes]:
    """The files in a payload. Raises DecodeError unless it is what `pack` makes of them."""
    files: dict[str, bytes] = {}
    place = 0
    while place < len(payload):
        name_end = place + 1 + payload[place]
        name, start = payload[place + 1 : name_end], name_end + 4
        if start > len(payload) or not is_name(name.decode("latin-1")):
            raise _damaged(what)
        (length,) = struct.unpack(">I", payload[name_end:start])
        place = start + length
        files[name.decode("ascii")] = payload[start:place]
    if pack(files) != payload:
        raise _damaged(what)
    return files


def _split(data: bytes, what: str) -> tuple[bytes, bytes]:
    start = len(MAGIC) + 2
    if not data.startswith(MAGIC) or len(data) < start:
        raise DecodeError(f"{what} is not a rescue file; `zkcmp seller rescue` writes one")
    (length,) = struct.unpack(">H", data[len(MAGIC) : start])
    if length > MAX_HEADER_BYTES or start + length > len(data):
        raise _damaged(what)
    return data[start : start + length], data[start + length :]


def _checked(body: bytes, what: str) -> bytes:
    payload, digest = body[:-_DIGEST_BYTES], body[-_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        raise _damaged(what)
    return payload


def _damaged(what: str) -> DecodeError:
    return DecodeError(f"{what} is damaged; use another copy of it")
