"""The key of a private directory's secret files, and the passphrase that it is kept under.

    K       32 random bytes, one for all files of a directory; id = SHA-256("zkcmp key id" ‖ K)[:8]
    slot    log2 N (1) ‖ salt (16) ‖ sealed(scrypt(passphrase, salt, N, r = 8, p = 1), K)
    header  magic ‖ state (1) ‖ slots ‖ links ‖ HMAC-SHA-256(K, all before)
    sealed(key, text) = nonce (12) ‖ AES-256-GCM(key, nonce, text) ‖ tag (16)

So a command runs scrypt once, whatever it reads. In state CHANGING there are two keys, new and old,
each in a slot under its own passphrase, and a link from either to the other: whoever knows one of
the passphrases reads everything. The MAC covers the state, which says whether plain files are to be
believed (`secret_files`).
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from Crypto.Cipher import AES
from Crypto.Protocol.KDF import scrypt

from zkcmp.errors import DecodeError, WrongPassphraseError

HEADER_MAGIC = b"zkcmp passphrase 1\n"
LOG2_N = 17
"""128 MB of memory and about half a second."""
MAX_LOG2_N = 18
"""A file from elsewhere cannot make scrypt use more than 256 MB."""
MAX_HEADER_BYTES = 1024
KEY_ID_BYTES = 8

_SALT_BYTES, _NONCE_BYTES, _TAG_BYTES, _KEY_BYTES, _MAC_BYTES = 16, 12, 16, 32, 32
_SEALED_KEY_BYTES = _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES
_SLOT_BYTES = 1 + _SALT_BYTES + _SEALED_KEY_BYTES
_TO_OLD, _TO_NEW = b"zkcmp link to the old key", b"zkcmp link to the new key"

AskPassphrase = Callable[[str], str]
"""Gives the passphrase of what the text names."""


class Protection(IntEnum):
    """What a header says about the files of its directory."""

    SETTLED = 0
    SETTING = 1
    CHANGING = 2
    REMOVING = 3

    @property
    def n_keys(self) -> int:
        return 2 if self is Protection.CHANGING else 1

    @property
    def plain_files(self) -> bool:
        """Whether some files may still, or already, be as they are without a passphrase."""
        return self in (Protection.SETTING, Protection.REMOVING)


@dataclass(frozen=True)
class Slot:
    """One key, to be had with one passphrase."""

    log2_n: int
    salt: bytes
    sealed: bytes

    @classmethod
    def make(cls, passphrase: str, key: bytes, log2_n: int) -> Self:
        salt = secrets.token_bytes(_SALT_BYTES)
        wrapping = _stretch(passphrase, salt, log2_n)
        return cls(log2_n, salt, seal(wrapping, key, _slot_name(log2_n, salt)))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        if not 1 <= data[0] <= MAX_LOG2_N:
            raise DecodeError(
                f"a passphrase header asks for 2^{data[0]} rounds of scrypt, more than "
                f"2^{MAX_LOG2_N}; restore an undamaged copy"
            )
        return cls(data[0], data[1 : 1 + _SALT_BYTES], data[1 + _SALT_BYTES :])

    def encode(self) -> bytes:
        return bytes([self.log2_n]) + self.salt + self.sealed

    def open(self, passphrase: str) -> bytes | None:
        """The key; None when the passphrase is another one."""
        wrapping = _stretch(passphrase, self.salt, self.log2_n)
        return unseal(wrapping, self.sealed, _slot_name(self.log2_n, self.salt))


@dataclass(frozen=True, repr=False)
class Keyring:
    """An opened header. Files are written under the first of its keys, and read under any."""

    state: Protection
    slots: tuple[Slot, ...]
    keys: tuple[bytes, ...]

    @classmethod
    def new(cls, passphrase: str, log2_n: int = LOG2_N) -> Self:
        """A fresh key under a passphrase, for files that are all yet to be written."""
        key = secrets.token_bytes(_KEY_BYTES)
        return cls(Protection.SETTLED, (Slot.make(passphrase, key, log2_n),), (key,))

    def within(self, state: Protection) -> "Keyring":
        """The current key alone, under a header of another state."""
        return Keyring(state, self.slots[:1], self.keys[:1])

    def changing_to(self, new: "Keyring") -> "Keyring":
        """Files pass from the key of this keyring to the key of the `new` one."""
        slots, keys = new.slots[:1] + self.slots[:1], new.keys[:1] + self.keys[:1]
        return Keyring(Protection.CHANGING, slots, keys)

    def encode(self) -> bytes:
        """The header."""
        body = HEADER_MAGIC + bytes([self.state]) + b"".join(slot.encode() for slot in self.slots)
        if self.state is Protection.CHANGING:
            new, old = self.keys
            body += seal(new, old, _TO_OLD) + seal(old, new, _TO_NEW)
        return body + _mac(self.keys[0], body)

    @classmethod
    def decode(cls, header: bytes, ask: AskPassphrase, what: str) -> Self:
        """Open the header of `what`. Raises DecodeError, WrongPassphraseError."""
        damaged = DecodeError(f"the passphrase header of {what} is damaged; restore a copy of it")
        start = len(HEADER_MAGIC) + 1
        if len(header) < start or not header.startswith(HEADER_MAGIC):
            raise damaged
        if header[start - 1] not in list(Protection):
            raise damaged
        state = Protection(header[start - 1])
        links_at = start + state.n_keys * _SLOT_BYTES
        links = header[links_at:-_MAC_BYTES]
        if len(header) != links_at + 2 * (state.n_keys - 1) * _SEALED_KEY_BYTES + _MAC_BYTES:
            raise damaged
        places = range(start, links_at, _SLOT_BYTES)
        slots = tuple(Slot.decode(header[place : place + _SLOT_BYTES]) for place in places)
        passphrase = ask(what)
        for number, slot in enumerate(slots):
            key = slot.open(passphrase)
            if key is not None:
                keys = _follow(key, number, links)
                body, mac = header[:-_MAC_BYTES], header[-_MAC_BYTES:]
                if keys is None or not hmac.compare_digest(mac, _mac(keys[0], body)):
                    raise damaged
                return cls(state, slots, keys)
        raise WrongPassphraseError(f"that is not the passphrase of {what}; nothing was changed")


def key_id(key: bytes) -> bytes:
    """Names a key without telling anything about it."""
    return hashlib.sha256(b"zkcmp key id" + key).digest()[:KEY_ID_BYTES]


def seal(key: bytes, text: bytes, name: bytes) -> bytes:
    """Encrypt `text` so that it opens under this key and this name only."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES).update(name)
    ciphertext, tag = cipher.encrypt_and_digest(text)
    return nonce + bytes(ciphertext) + bytes(tag)


def unseal(key: bytes, sealed: bytes, name: bytes) -> bytes | None:
    """What `seal` was given; None when any of the three was another."""
    if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
        return None
    nonce, text, tag = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:-_TAG_BYTES], sealed[-_TAG_BYTES:]
    cipher = AES.new(key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES).update(name)
    try:
        return bytes(cipher.decrypt_and_verify(text, tag))
    except ValueError:
        return None


def _stretch(passphrase: str, salt: bytes, log2_n: int) -> bytes:
    stretched: bytes = scrypt(passphrase.encode(), salt, _KEY_BYTES, N=1 << log2_n, r=8, p=1)  # type: ignore[assignment]
    return stretched


def _slot_name(log2_n: int, salt: bytes) -> bytes:
    return HEADER_MAGIC + bytes([log2_n]) + salt


def _follow(key: bytes, number: int, links: bytes) -> tuple[bytes, ...] | None:
    """All keys of a header from the key of one slot; None where a link is damaged."""
    if not links:
        return (key,)
    to_old, to_new = links[:_SEALED_KEY_BYTES], links[_SEALED_KEY_BYTES:]
    other = unseal(key, to_old, _TO_OLD) if number == 0 else unseal(key, to_new, _TO_NEW)
    if other is None:
        return None
    return (key, other) if number == 0 else (other, key)


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, b"zkcmp header" + body, "sha256")
