"""Who signs a message (Ed25519) and who can read it (X25519).

An identity lives as long as a party's private directory; people compare its fingerprint by a
channel of their own, because a key that arrives with a message proves nothing about its sender.
Reading keys and coin keys are made afresh for every deal (`DealKeys`).
"""

import hashlib
import secrets

from Crypto.Protocol.DH import import_x25519_private_key, import_x25519_public_key
from Crypto.PublicKey import ECC
from Crypto.PublicKey.ECC import EccKey
from Crypto.Signature import eddsa

from zkcmp.errors import DecodeError

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64


class Identity:
    """A signing key. Its secret never appears in its representation."""

    def __init__(self, seed: bytes):
        if len(seed) != 32:
            raise DecodeError("an identity's seed has 32 bytes")
        self._seed = seed
        self._key = ECC.construct(curve="Ed25519", seed=seed)
        self.public_key: bytes = self._key.public_key().export_key(format="raw")

    @classmethod
    def generate(cls) -> "Identity":
        return cls(secrets.token_bytes(32))

    @property
    def seed(self) -> bytes:
        return self._seed

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public_key)

    def sign(self, message: bytes) -> bytes:
        signature: bytes = eddsa.new(self._key, "rfc8032").sign(message)
        return signature

    def __repr__(self) -> str:
        return f"Identity({self.fingerprint})"


def verify_signature(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Raise DecodeError unless `signature` is `public_key`'s over `message`."""
    try:
        eddsa.new(eddsa.import_public_key(public_key), "rfc8032").verify(message, signature)
    except (ValueError, TypeError):
        raise DecodeError("the signature does not verify; ask the sender for the file") from None


def fingerprint(public_key: bytes) -> str:
    """128 bits of the key's hash as eight groups of four digits, to be read aloud."""
    digits = hashlib.sha256(b"zkcmp identity" + public_key).hexdigest()[:32]
    return " ".join(digits[i : i + 4] for i in range(0, 32, 4))


def is_fingerprint_of(typed: str, public_key: bytes) -> bool:
    """Whether a fingerprint as people write it, in any grouping and case, is this key's."""
    return "".join(typed.split()).lower() == fingerprint(public_key).replace(" ", "")


class ReadingKey:
    """The X25519 key that the other party encrypts one deal's messages to."""

    def __init__(self, secret: bytes):
        try:
            self.private: EccKey = import_x25519_private_key(secret)
        except ValueError:
            raise DecodeError("a reading key is not an X25519 secret") from None
        self._secret = secret
        self.public_key: bytes = self.private.public_key().export_key(format="raw")

    @classmethod
    def generate(cls) -> "ReadingKey":
        return cls(secrets.token_bytes(32))

    @property
    def secret(self) -> bytes:
        return self._secret

    def __repr__(self) -> str:
        return f"ReadingKey({self.public_key.hex()})"


def import_reading_key(public_key: bytes) -> EccKey:
    """The public X25519 key in 32 bytes. Raises DecodeError for one that anybody can read."""
    try:
        return import_x25519_public_key(public_key)
    except (ValueError, TypeError):
        raise DecodeError("an encryption key is not a usable X25519 key") from None
