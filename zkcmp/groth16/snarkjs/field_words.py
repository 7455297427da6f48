"""Scalars and points as iden3's binary files hold them, to and from the engine's forms.

    scalars   32 bytes little-endian, canonical; inside a .zkey times 2^512 mod r
    points    affine coordinates x·2^256 mod p, 32 bytes little-endian, c0 before c1; infinity is
              all zero

The engine keeps coordinates times 2^260 (point_arrays.py), so a point changes by a factor of 16.
"""

from collections.abc import Iterator

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.curve.point_kernels import rescale
from zkcmp.bn254.field.fr import below_modulus, ints_to_words, padded
from zkcmp.bn254.lanes.body import BODY, LANES
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS
from zkcmp.bn254.threads import parallel_ranges
from zkcmp.errors import DecodeError

G1_SHAPE, G2_SHAPE = (2, 4), (2, 2, 4)
G1_BYTES, G2_BYTES, FR_BYTES = 64, 128, 32

_FQ_WORDS = ints_to_words([FQ_MODULUS])[0]
_RADIX = 1 << BODY.radix_bits
_TO_REST = ints_to_words([16 * _RADIX % FQ_MODULUS] * LANES)
_FROM_REST = ints_to_words([pow(16, -1, FQ_MODULUS) * _RADIX % FQ_MODULUS] * LANES)
_CHUNK = 1 << 16
_ADVICE = "the file is damaged or forged, get it again"

ZKEY_SCALAR_FACTOR = pow(2, 512, FR_MODULUS)


def _times(points: np.ndarray, constant: np.ndarray) -> np.ndarray:
    flat = points.reshape(-1, 4)
    words = np.zeros((padded(len(flat)), 4), np.uint64)
    words[: len(flat)] = flat
    out = np.empty_like(words)
    parallel_ranges(lambda i, j: rescale(words, constant, out, i, j), len(words) // LANES)
    return out[: len(flat)].reshape(points.shape)


def point_bytes(shape: tuple[int, ...]) -> int:
    """Bytes of a point of this shape in a file."""
    return G1_BYTES if shape == G1_SHAPE else G2_BYTES


def read_points(
    data: np.ndarray, shape: tuple[int, ...], name: str, subgroup: bool = True
) -> np.ndarray:
    """A section of points as (n, *shape) at rest; infinity stays all zero.

    `data` is a whole number of points. Every point is checked to be canonical and on its curve,
    and with `subgroup` those of G2 to be in their subgroup.

    Raises:
        DecodeError: naming the first point that is not.
    """
    size = point_bytes(shape)
    if len(data) % size:
        raise DecodeError(f"{name} ends inside a point; {_ADVICE}")
    out = np.empty((len(data) // size, *shape), np.uint64)
    for start in range(0, len(out), _CHUNK):
        stop = min(start + _CHUNK, len(out))
        raw = np.array(data[start * size : stop * size]).view("<u8").reshape(-1, *shape)
        good = below_modulus(raw.reshape(-1, 4), _FQ_WORDS).reshape(len(raw), -1).all(axis=1)
        points = _times(raw, _TO_REST)
        good &= is_infinity(points) | _in_group(points, subgroup)
        if not good.all():
            bad = start + int(np.argmin(good))
            raise DecodeError(f"{name}, point {bad} is not in its group; {_ADVICE}")
        out[start:stop] = points
    return out


def _in_group(points: np.ndarray, subgroup: bool) -> np.ndarray:
    if points.ndim == 3:
        return g1.is_on_curve(points)
    good = g2.is_on_curve(points)
    return good & g2.in_subgroup(points) if subgroup else good


def point_chunks(points: np.ndarray) -> Iterator[np.ndarray]:
    """Points at rest as arrays of words to write."""
    for start in range(0, len(points), _CHUNK):
        yield _times(points[start : start + _CHUNK], _FROM_REST).astype("<u8", copy=False)


def read_words(data: np.ndarray) -> np.ndarray:
    """Bytes of 32-byte integers to (n, 4) uint64 words, copied."""
    return np.array(data).view("<u8").reshape(-1, 4).astype(np.uint64, copy=False)


def distinct(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The table (k, 4) of different records among (n, 4) words, and each record's index, uint32.

    The table is in increasing order. Circuits have few coefficients that are not one word long, so
    those are told apart by one word.
    """
    ids = np.empty(len(words), np.uint32)
    short = ~words[:, 1:].any(axis=1)
    small, small_ids = np.unique(words[short, 0], return_inverse=True)
    records = np.ascontiguousarray(words[~short][:, ::-1].astype(">u8")).view("V32").reshape(-1)
    large, large_ids = np.unique(records, return_inverse=True)
    ids[short] = small_ids
    ids[~short] = large_ids + len(small)
    table = np.zeros((len(small) + len(large), 4), np.uint64)
    table[: len(small), 0] = small
    table[len(small) :] = large.view(">u8").reshape(-1, 4)[:, ::-1]
    return table, ids
