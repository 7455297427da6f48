"""The form of an encrypted body: which lengths there are; keys that nobody should encrypt to."""

import io

import pytest
from Crypto.Cipher import AES

from zkcmp.errors import DecodeError
from zkcmp.exchange.messages.encryption import (
    CHUNK_BYTES,
    ENCAPSULATED_BYTES,
    TAG_BYTES,
    decrypt,
    encrypt,
    encrypted_length,
    plaintext_length,
    reader_key,
    sender_key,
)
from zkcmp.exchange.messages.identity import ReadingKey

FULL = CHUNK_BYTES + TAG_BYTES
# of order 1, 2, 4 and 8 on the curve or its twist: everybody knows what they agree on
LOW_ORDER = (
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
)


def test_the_form() -> None:
    assert (CHUNK_BYTES, TAG_BYTES, ENCAPSULATED_BYTES) == (1_048_576, 16, 32)
    reader = ReadingKey.generate()
    encapsulated, key = sender_key(reader.public_key, b"info")
    assert (len(encapsulated), len(key)) == (ENCAPSULATED_BYTES, 32)
    assert reader_key(reader, encapsulated, b"info") == key
    assert reader_key(reader, encapsulated, b"other") != key


def test_nonces_count_the_chunks_and_tell_the_last() -> None:
    key, plaintext = bytes(range(32)), bytes(CHUNK_BYTES) + b"end"
    expected = b""
    for nonce, piece in (
        (bytes(11) + b"\x00", plaintext[:CHUNK_BYTES]),
        (bytes(10) + b"\x01\x01", b"end"),
    ):
        cipher = AES.new(key, AES.MODE_GCM, nonce=nonce).update(b"header")
        expected += b"".join(cipher.encrypt_and_digest(piece))
    assert b"".join(encrypt(key, b"header", [plaintext])) == expected


@pytest.mark.parametrize(
    "n", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES]
)
def test_lengths_that_there_are(n: int) -> None:
    sealed = b"".join(encrypt(bytes(32), b"", [bytes(n)]))
    assert encrypted_length(n) == len(sealed)
    assert plaintext_length(len(sealed)) == n
    assert b"".join(decrypt(bytes(32), b"", io.BytesIO(sealed), len(sealed))) == bytes(n)


@pytest.mark.parametrize("n", [0, 1, 15, FULL + 1, FULL + 15, FULL + 16, 2 * FULL + 16])
def test_lengths_that_there_are_not(n: int) -> None:
    """A last chunk of no bytes after a full one, and less than a tag."""
    with pytest.raises(DecodeError, match="cut off"):
        plaintext_length(n)


@pytest.mark.parametrize("point", LOW_ORDER)
def test_keys_that_anybody_can_read(point: bytes) -> None:
    with pytest.raises(DecodeError):
        sender_key(point, b"info")
    with pytest.raises(DecodeError):
        reader_key(ReadingKey.generate(), point, b"info")


@pytest.mark.parametrize("n", [0, 31, 33])
def test_keys_of_another_length(n: int) -> None:
    with pytest.raises(DecodeError):
        sender_key(b"\x09" * n, b"info")
    with pytest.raises(DecodeError):
        reader_key(ReadingKey.generate(), b"\x09" * n, b"info")


@pytest.mark.parametrize("left", [0, 15])
def test_a_source_that_ends_early(left: int) -> None:
    """Of a body whose length is right: the file became shorter after that was read."""
    sealed = b"".join(encrypt(bytes(32), b"", [b"body"]))
    with pytest.raises(DecodeError, match="cut off"):
        list(decrypt(bytes(32), b"", io.BytesIO(sealed[:left]), len(sealed)))
