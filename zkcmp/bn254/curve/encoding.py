"""Canonical compressed bytes of single points: 32 for G1, 64 for G2, one encoding a point.

    G1   x                 big-endian
    G2   x.c1 ‖ x.c0       each 32 bytes big-endian

p has 254 bits, so the two top bits of the first byte are free and carry, as in gnark,

    10   y is the smaller of y and −y
    11   y is the larger
    01   infinity: every other bit is 0
    00   uncompressed in gnark; refused here

An element c0 + c1·u of Fq² is larger than its negative when c1 is, or when c1 = 0 and c0 is; an
element of Fq is larger when it exceeds (p − 1)/2. Decoding checks everything: length, flags, x < p,
the curve equation, and for G2 the subgroup (G1 has cofactor 1). In memory a point is an array of
length one, (1, 2, 4) or (1, 2, 2, 4), as in g1.py and g2.py.
"""

from typing import Any

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.params import CURVE_B, FQ_MODULUS, TWIST_B
from zkcmp.bn254.reference import G2, Fq2Element, fq2_add, fq2_mul, fq2_sqrt, fq_sqrt
from zkcmp.errors import DecodeError

G1_BYTES, G2_BYTES = 32, 64
_INFINITY, _SMALLER, _LARGER = 0b01, 0b10, 0b11
_ADVICE = "the bytes are damaged or forged, get them again"


def one_point(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A point given with or without a leading axis of length one, as (1, *shape)."""
    array = np.asarray(array)
    if array.dtype != np.uint64 or array.shape not in (shape, (1, *shape)):
        raise ValueError(f"need one uint64 point of shape {shape}, got {array.dtype} {array.shape}")
    return array.reshape(1, *shape)


def encode_g1(array: np.ndarray) -> bytes:
    """One G1 point, (1, 2, 4) or (2, 4), to 32 bytes."""
    point = g1.to_affine_ints(one_point(array, (2, 4)))[0]
    if point is None:
        return _pack(_INFINITY, [0])
    return _pack(_sign_flag(point[1]), [point[0]])


def encode_g2(array: np.ndarray) -> bytes:
    """One G2 point, (1, 2, 2, 4) or (2, 2, 4), to 64 bytes."""
    point = g2.to_affine_ints(one_point(array, (2, 2, 4)))[0]
    if point is None:
        return _pack(_INFINITY, [0, 0])
    (x0, x1), y = point
    return _pack(_sign_flag_fq2(y), [x1, x0])


def decode_g1(data: bytes) -> np.ndarray:
    """32 bytes to a (1, 2, 4) array.

    Raises:
        DecodeError: not the canonical encoding of a point of G1.
    """
    flag, values = _unpack(data, G1_BYTES, "G1")
    if flag == _INFINITY:
        return g1.from_affine_ints([None])
    x = values[0]
    y = fq_sqrt((x * x * x + CURVE_B) % FQ_MODULUS)
    if y is None:
        raise DecodeError(f"G1 point: x is not on the curve; {_ADVICE}")
    return g1.from_affine_ints([(x, y if _sign_flag(y) == flag else -y % FQ_MODULUS)])


def decode_g2(data: bytes) -> np.ndarray:
    """64 bytes to a (1, 2, 2, 4) array.

    Raises:
        DecodeError: not the canonical encoding of a point of G2.
    """
    flag, values = _unpack(data, G2_BYTES, "G2")
    if flag == _INFINITY:
        return g2.from_affine_ints([None])
    x = (values[1], values[0])
    y = fq2_sqrt(fq2_add(fq2_mul(fq2_mul(x, x), x), TWIST_B))
    if y is None:
        raise DecodeError(f"G2 point: x is not on the curve; {_ADVICE}")
    point: Any = (x, y)
    array = g2.from_affine_ints([point if _sign_flag_fq2(y) == flag else G2.neg(point)])
    if not g2.in_subgroup(array)[0]:
        raise DecodeError(f"G2 point: on the curve but not in the subgroup of order r; {_ADVICE}")
    return array


def _sign_flag(y: int) -> int:
    return _LARGER if y > (FQ_MODULUS - 1) // 2 else _SMALLER


def _sign_flag_fq2(y: Fq2Element) -> int:
    return _sign_flag(y[1] or y[0])


def _pack(flag: int, values: list[int]) -> bytes:
    body = bytearray(b"".join(v.to_bytes(32, "big") for v in values))
    body[0] |= flag << 6
    return bytes(body)


def _unpack(data: bytes, size: int, group: str) -> tuple[int, list[int]]:
    """Flag and 32-byte integers, all below p; after the infinity flag all zero."""
    if len(data) != size:
        raise DecodeError(f"{group} point: need {size} bytes, got {len(data)}; {_ADVICE}")
    flag, first = data[0] >> 6, data[0] & 0x3F
    body = bytes([first]) + bytes(data[1:])
    values = [int.from_bytes(body[i : i + 32], "big") for i in range(0, size, 32)]
    if flag == 0:
        raise DecodeError(f"{group} point: not the flag of a compressed point; {_ADVICE}")
    if flag == _INFINITY and any(values):
        raise DecodeError(f"{group} point: infinity with a coordinate; {_ADVICE}")
    if any(v >= FQ_MODULUS for v in values):
        raise DecodeError(f"{group} point: x is not below the field modulus; {_ADVICE}")
    return flag, values
