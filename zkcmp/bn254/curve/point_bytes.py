"""Many G1 points as bytes at once: encoding.py's 32-byte form, square roots in lanes.

Decoding is as strict as `decode_g1`, point by point: flags, x < p, the curve equation, one encoding
of infinity. G1 has cofactor 1, so a point of the curve is in the group.
"""

import numpy as np

from zkcmp.bn254.curve.encoding import G1_BYTES, encode_g1
from zkcmp.bn254.curve.square_root import points_from_x
from zkcmp.errors import DecodeError

_INFINITY, _LARGER = 0b01, 0b11
_ADVICE = "the bytes are damaged or forged, get them again"


def encode_g1_points(points: np.ndarray) -> bytes:
    """(n, 2, 4) points at rest to 32·n bytes."""
    return b"".join(encode_g1(point) for point in points)


def decode_g1_points(data: bytes) -> np.ndarray:
    """32·n bytes to (n, 2, 4) points at rest.

    Raises:
        DecodeError: some 32 bytes are not the canonical encoding of a point of G1; says which.
    """
    if len(data) % G1_BYTES:
        raise DecodeError(f"G1 points: {len(data)} bytes are not whole points; {_ADVICE}")
    records = np.frombuffer(bytearray(data), np.uint8).reshape(-1, G1_BYTES)
    flags = records[:, 0] >> 6
    records[:, 0] &= 0x3F
    xs = np.ascontiguousarray(records[:, ::-1]).view("<u8").astype(np.uint64, copy=False)
    infinite = flags == _INFINITY
    points, found = points_from_x(xs, flags == _LARGER)
    points[infinite] = 0
    _refuse("not the flag of a compressed point", flags == 0)
    _refuse("infinity with a coordinate", infinite & xs.any(axis=1))
    _refuse("x is not the canonical coordinate of a point of the curve", ~(found | infinite))
    return points


def _refuse(what: str, bad: np.ndarray) -> None:
    if bad.any():
        raise DecodeError(f"G1 point {np.flatnonzero(bad)[0]}: {what}; {_ADVICE}")
