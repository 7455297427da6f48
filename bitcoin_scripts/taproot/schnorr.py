"""BIP 340 signatures over secp256k1: s G = R + H(R, P, m) P, for x-only P and R with even y.

On py_ecc's arithmetic, as `ecdsa` is, and like it not constant-time. The nonce is a hash of key,
message and fresh randomness, so a fault or a side channel in one signature does not repeat. A
signature is checked before it is returned: a wrong one could give the key away.
"""

import hashlib
import secrets

from py_ecc.secp256k1 import secp256k1 as curve

from bitcoin_scripts.ecdsa import FIELD_MODULUS, ORDER, base_multiple
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import check_secret_key

SIGNATURE_BYTES = 64

Point = tuple[int, int]
INFINITY: Point = (0, 0)
"""Not on the curve; how py_ecc writes the neutral element."""


def tagged_hash(tag: str, *parts: bytes) -> bytes:
    """SHA256(SHA256(tag) ‖ SHA256(tag) ‖ parts)."""
    prefix = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(prefix * 2 + b"".join(parts)).digest()


def add(one: Point, other: Point) -> Point:
    """The sum of two points, either of which may be `INFINITY`, as may the sum."""
    if INFINITY in (one, other):
        return other if one == INFINITY else one
    if one[0] == other[0] and one[1] != other[1]:
        return INFINITY
    x, y = curve.add(one, other)
    return int(x), int(y)


def multiple(point: Point, scalar: int) -> Point:
    """scalar * point, for a point of the curve and 0 <= scalar < ORDER."""
    if not scalar:
        return INFINITY
    x, y = curve.multiply(point, scalar)
    return int(x), int(y)


def lift_x(x: int) -> Point | None:
    """The point with this x and an even y, if there is one."""
    if not 0 <= x < FIELD_MODULUS:
        return None
    y_squared = (pow(x, 3, FIELD_MODULUS) + 7) % FIELD_MODULUS
    y = pow(y_squared, (FIELD_MODULUS + 1) // 4, FIELD_MODULUS)
    if y * y % FIELD_MODULUS != y_squared:
        return None
    return x, y if y % 2 == 0 else FIELD_MODULUS - y


def point_of(public_key: bytes) -> Point:
    """The point of a compressed public key. Raises SettlementError if it is none."""
    lifted = lift_x(int.from_bytes(public_key[1:], "big")) if len(public_key) == 33 else None
    if lifted is None or public_key[0] not in (2, 3):
        raise SettlementError("not a public key of secp256k1; ask its owner for it again")
    x, y = lifted
    return x, y if public_key[0] == 2 else FIELD_MODULUS - y


def sign(secret_key: bytes, digest: bytes, aux: bytes | None = None) -> bytes:
    """The 64-byte signature of a 32-byte digest; `aux` is 32 fresh random bytes unless given.

    Raises SettlementError for an invalid secret key.
    """
    check_secret_key(secret_key)
    d, public = int.from_bytes(secret_key, "big"), base_multiple(int.from_bytes(secret_key, "big"))
    d = d if public[1] % 2 == 0 else ORDER - d
    x = public[0].to_bytes(32, "big")
    aux = secrets.token_bytes(32) if aux is None else aux
    mask = int.from_bytes(tagged_hash("BIP0340/aux", aux), "big")
    seed = tagged_hash("BIP0340/nonce", (d ^ mask).to_bytes(32, "big"), x, digest)
    k = int.from_bytes(seed, "big") % ORDER
    if not k:
        raise SettlementError("the nonce is zero; repeat the command")
    nonce = base_multiple(k)
    k = k if nonce[1] % 2 == 0 else ORDER - k
    r = nonce[0].to_bytes(32, "big")
    s = (k + _challenge(r, x, digest) * d) % ORDER
    signature = r + s.to_bytes(32, "big")
    if not verify(x, digest, signature):
        raise SettlementError("the signature that was made is wrong; this machine miscomputes")
    return signature


def verify(x_only_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether it is a signature of the digest under the key. Any bytes are allowed."""
    if len(signature) != SIGNATURE_BYTES or len(x_only_key) != 32:
        return False
    public = lift_x(int.from_bytes(x_only_key, "big"))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if public is None or r >= FIELD_MODULUS or s >= ORDER:
        return False
    e = _challenge(signature[:32], x_only_key, digest)
    left = base_multiple(s) if s else INFINITY
    nonce = add(left, multiple(public, (ORDER - e) % ORDER))
    return nonce != INFINITY and nonce[1] % 2 == 0 and nonce[0] == r


def _challenge(r: bytes, x_only_key: bytes, digest: bytes) -> int:
    return int.from_bytes(tagged_hash("BIP0340/challenge", r, x_only_key, digest), "big") % ORDER
