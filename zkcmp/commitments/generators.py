"""Points of G1 that nobody knows a relation between: hashed to the curve by trying.

    (s ‖ x) = SHA-256(len(domain) ‖ domain ‖ i ‖ k),  k = 0, 1, …: the first with x < p on the curve

s is the top bit, the next is ignored, x has 254 bits; s = 1 takes the larger root y > (p − 1)/2.
Numbers are unsigned 32-bit little-endian. G1 has cofactor 1, so every point of the curve will do.
With SHA-256 as a random oracle each G_i is a uniform point other than infinity, independent of all
others, and whoever finds a relation Σ a_i·G_i = O has found a discrete logarithm. The inputs
are public, so it does not matter that the number of attempts varies. G_i does not depend on how
many are made.

Ten thousand generators take a twentieth of a second, so they are not kept on disk.
"""

import hashlib
import struct
from functools import lru_cache

import numpy as np

from zkcmp.bn254.curve.square_root import points_from_x

_LARGER, _X_BITS = 0x80, 0x3F


def hash_to_g1(domain: bytes, index: int, attempt: int) -> bytes:
    """The 32 bytes s ‖ x of one attempt."""
    prefix = struct.pack("<I", len(domain)) + domain
    return hashlib.sha256(prefix + struct.pack("<II", index, attempt)).digest()


def generators(domain: bytes, count: int) -> np.ndarray:
    """G_0 … G_(count−1) of a domain: (count, 2, 4) at rest."""
    # a copy: kernels are compiled for writable arrays, and the cached one must stay as it is
    return _generators(domain, count).copy()


@lru_cache(maxsize=16)
def _generators(domain: bytes, count: int) -> np.ndarray:
    points = np.zeros((count, 2, 4), np.uint64)
    missing, attempt = np.arange(count), 0
    while len(missing):
        digests = b"".join(hash_to_g1(domain, i, attempt) for i in missing.tolist())
        records = np.frombuffer(bytearray(digests), np.uint8).reshape(-1, 32)
        larger = records[:, 0] & _LARGER != 0
        records[:, 0] &= _X_BITS
        xs = np.ascontiguousarray(records[:, ::-1]).view("<u8").astype(np.uint64, copy=False)
        found, good = points_from_x(xs, larger)
        points[missing[good]] = found[good]
        missing, attempt = missing[~good], attempt + 1
    return points
