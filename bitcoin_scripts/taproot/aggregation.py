"""One key of several: P = Σ a_i P_i, with coefficients that no single party controls (BIP 327).

    L = H("KeyAgg list", P_1, P_2, …)      a_i = H("KeyAgg coefficient", L, P_i), but 1 for every
                                           key that equals the first one unlike P_1

Every coefficient but one depends on all keys, so nobody can choose P_i = x G - Σ of the others and
have the aggregate to himself. Whoever knows all the secret keys knows the aggregate's.
"""

from collections.abc import Sequence

from bitcoin_scripts.ecdsa import ORDER
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.taproot.schnorr import INFINITY, Point, add, multiple, point_of, tagged_hash


def aggregate(public_keys: Sequence[bytes]) -> Point:
    """The aggregate of compressed keys; their order counts. Raises SettlementError if bad."""
    total = INFINITY
    for key, coefficient in zip(public_keys, coefficients(public_keys), strict=True):
        total = add(total, multiple(point_of(key), coefficient))
    if total == INFINITY:
        raise SettlementError("the shares cancel out; both parties need new ones")
    return total


def aggregate_secret(secret_keys: Sequence[bytes], public_keys: Sequence[bytes]) -> int:
    """The discrete logarithm of `aggregate(public_keys)`, from the keys' own in the same order."""
    pairs = zip(secret_keys, coefficients(public_keys), strict=True)
    return sum(int.from_bytes(key, "big") * a for key, a in pairs) % ORDER


def coefficients(public_keys: Sequence[bytes]) -> list[int]:
    """The a_i, each below the order."""
    keys_hash = tagged_hash("KeyAgg list", *public_keys)
    second = next((key for key in public_keys if key != public_keys[0]), None)
    return [
        1
        if key == second
        else int.from_bytes(tagged_hash("KeyAgg coefficient", keys_hash, key), "big") % ORDER
        for key in public_keys
    ]
