"""ECDSA over secp256k1: s = (z + r d) / k mod n, with k by RFC 6979, low s and low r.

python-bitcoinlib signs through whatever libssl the loader finds, with random k. This file signs
with py_ecc's curve arithmetic instead: no system library, and the same transaction has the same
bytes on every run, so it can be pinned in tests and rebuilt after a crash. As in Bitcoin Core,
k is drawn again with a counter as RFC 6979's extra entropy until r needs no padding byte, so a
signature is at most 70 bytes and its size is known before it is made. It is not constant-time.

The caller must check the secret key (`keys.check_secret_key`) and choose the message digest.
"""

import hashlib
import hmac
from collections.abc import Iterator

from py_ecc.secp256k1 import secp256k1 as curve

FIELD_MODULUS = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141

MAX_SIGNATURE_BYTES = 70
"""DER of an (r, s) with both below 2^255: 2 + (2 + 32) + (2 + 32)."""


def base_multiple(scalar: int) -> tuple[int, int]:
    """scalar * G in affine coordinates, for 0 < scalar < ORDER."""
    x, y = curve.multiply(curve.G, scalar)
    return int(x), int(y)


def sign(secret_key: bytes, digest: bytes) -> bytes:
    """DER signature of the 32-byte `digest`, without a sighash byte."""
    d = int.from_bytes(secret_key, "big")
    z = int.from_bytes(digest, "big")
    counter = 0
    while True:
        extra = b"" if counter == 0 else counter.to_bytes(32, "little")
        for k in _nonces(secret_key, digest, extra):
            r = base_multiple(k)[0] % ORDER
            s = (z + r * d) * pow(k, -1, ORDER) % ORDER
            if r and s:
                break
        if r < 1 << 255:
            return _der(r, min(s, ORDER - s))
        counter += 1


def _nonces(secret_key: bytes, digest: bytes, extra: bytes) -> Iterator[int]:
    """RFC 6979, section 3.2 and 3.6, for SHA-256 and a 256-bit order."""
    reduced = (int.from_bytes(digest, "big") % ORDER).to_bytes(32, "big")
    seed = secret_key + reduced + extra
    key, value = bytes(32), b"\x01" * 32
    for separator in (b"\x00", b"\x01"):
        key = hmac.digest(key, value + separator + seed, hashlib.sha256)
        value = hmac.digest(key, value, hashlib.sha256)
    while True:
        value = hmac.digest(key, value, hashlib.sha256)
        k = int.from_bytes(value, "big")
        if 0 < k < ORDER:
            yield k
        key = hmac.digest(key, value + b"\x00", hashlib.sha256)
        value = hmac.digest(key, value, hashlib.sha256)


def _der(r: int, s: int) -> bytes:
    body = b""
    for number in (r, s):
        encoded = number.to_bytes(number.bit_length() // 8 + 1, "big")
        body += b"\x02" + bytes([len(encoded)]) + encoded
    return b"\x30" + bytes([len(body)]) + body
