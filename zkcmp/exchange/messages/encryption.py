"""Encryption of a message's body to its reader: HPKE for a key, chunked AES-256-GCM under it.

key = HPKE-Export(reader, info, "zkcmp body key")       (RFC 9180, X25519, HKDF-SHA256, base mode)
chunk_i = AES-256-GCM(key, nonce = i (11 bytes) ‖ last (1 byte), associated data, plaintext_i)

Every chunk but the last has CHUNK_BYTES of plaintext, and the number of chunks follows from the
length, so truncation, extension, reordering and duplication all fail a tag (the STREAM
construction; age uses the same nonces). `info` and the associated data carry the kind, version,
both identities and the answered digest: see `envelope`. A gigabyte is never in memory.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from Crypto.Cipher import AES
from Crypto.Protocol import HPKE

from zkcmp.errors import DecodeError
from zkcmp.exchange.messages.identity import ReadingKey, import_reading_key

CHUNK_BYTES = 1 << 20
TAG_BYTES = 16
ENCAPSULATED_BYTES = 32
_EXPORT_CONTEXT = b"zkcmp body key"


def sender_key(reader_public_key: bytes, info: bytes) -> tuple[bytes, bytes]:
    """(encapsulated key, body key) of a fresh HPKE context towards the reader."""
    try:
        context = HPKE.new(
            receiver_key=import_reading_key(reader_public_key),
            aead_id=HPKE.AEAD.EXPORT_ONLY,
            info=info,
        )
        return context.enc, context.export(_EXPORT_CONTEXT, 32)
    except ValueError:
        raise DecodeError("an encryption key is not a usable X25519 key") from None


def reader_key(reader: ReadingKey, encapsulated: bytes, info: bytes) -> bytes:
    """The body key that the sender derived. Raises DecodeError for an unusable encapsulation."""
    try:
        context = HPKE.new(
            receiver_key=reader.private,
            aead_id=HPKE.AEAD.EXPORT_ONLY,
            enc=encapsulated,
            info=info,
        )
        key: bytes = context.export(_EXPORT_CONTEXT, 32)
        return key
    except (ValueError, TypeError):
        raise DecodeError("the encapsulated key of a message is not usable") from None


def encrypted_length(plaintext_length: int) -> int:
    """Bytes of ciphertext for so many bytes of plaintext, tags included."""
    return plaintext_length + TAG_BYTES * _n_chunks(plaintext_length)


def plaintext_length(ciphertext_length: int) -> int:
    """The inverse of `encrypted_length`. Raises DecodeError for a length that it never gives."""
    full, rest = divmod(ciphertext_length, CHUNK_BYTES + TAG_BYTES)
    length = full * CHUNK_BYTES + max(rest - TAG_BYTES, 0)
    if length < 0 or encrypted_length(length) != ciphertext_length:
        raise DecodeError("an encrypted body is cut off")
    return length


def encrypt(key: bytes, associated: bytes, plaintext: Iterable[bytes]) -> Iterator[bytes]:
    """The ciphertext of the concatenation of `plaintext`, piece by piece."""
    chunks = _rechunk(plaintext)
    counter, pending = 0, next(chunks, b"")
    for chunk in chunks:
        yield _seal(key, associated, counter, False, pending)
        counter, pending = counter + 1, chunk
    yield _seal(key, associated, counter, True, pending)


def decrypt(key: bytes, associated: bytes, source: BinaryIO, length: int) -> Iterator[bytes]:
    """The plaintext of the `length` bytes at `source`. Raises DecodeError at the first false tag.

    What was yielded before the error is authentic but incomplete: the caller must drop it.
    """
    n_chunks = _n_chunks(plaintext_length(length))
    for counter in range(n_chunks):
        sealed = source.read(min(CHUNK_BYTES + TAG_BYTES, length))
        length -= len(sealed)
        if len(sealed) < TAG_BYTES:
            raise DecodeError("an encrypted body is cut off")
        cipher = _cipher(key, associated, counter, counter == n_chunks - 1)
        try:
            yield cipher.decrypt_and_verify(sealed[:-TAG_BYTES], sealed[-TAG_BYTES:])
        except ValueError:
            raise DecodeError("an encrypted body is damaged or was not meant for us") from None


def _rechunk(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of CHUNK_BYTES, the last one shorter and not empty."""
    pending = bytearray()
    for piece in pieces:
        pending += piece
        while len(pending) >= CHUNK_BYTES:
            yield bytes(pending[:CHUNK_BYTES])
            del pending[:CHUNK_BYTES]
    if pending:
        yield bytes(pending)


def _n_chunks(length: int) -> int:
    return max(1, -(-length // CHUNK_BYTES))


def _seal(key: bytes, associated: bytes, counter: int, last: bool, plaintext: bytes) -> bytes:
    ciphertext, tag = _cipher(key, associated, counter, last).encrypt_and_digest(plaintext)
    sealed: bytes = ciphertext + tag
    return sealed


def _cipher(key: bytes, associated: bytes, counter: int, last: bool):  # type: ignore[no-untyped-def]
    nonce = counter.to_bytes(11, "big") + bytes([last])
    return AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=TAG_BYTES).update(associated)
