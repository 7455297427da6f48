"""Arrays of affine points: the form on disk and in memory, and the form inside kernels.

At rest, every coordinate is x·2^260 mod p, canonical, four little-endian words, whatever the
machine; infinity is all zero. The IFMA body computes on exactly these bytes. The portable body has
R = 2^256, so it works on a converted copy (`to_kernel_form`) and converts results back
(`from_kernel_form`).
"""

from collections.abc import Sequence

import numpy as np

from zkcmp.bn254.curve.point_kernels import rescale
from zkcmp.bn254.field.fr import ints_to_words, padded, words_to_ints
from zkcmp.bn254.lanes.body import BODY, LANES
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.bn254.threads import parallel_ranges

REST_RADIX = 1 << 260
_KERNEL_RADIX = 1 << BODY.radix_bits


def to_rest(x: int) -> int:
    """An Fq integer to the form at rest."""
    return x * REST_RADIX % FQ_MODULUS


_REST_INVERSE = pow(REST_RADIX, -1, FQ_MODULUS)


def ints_to_coordinates(values: Sequence[int]) -> np.ndarray:
    """Fq integers to (n, 4) words at rest."""
    return ints_to_words([to_rest(v) for v in values])


def coordinates_to_ints(words: np.ndarray) -> list[int]:
    """(n, 4) words at rest to Fq integers."""
    return [v * _REST_INVERSE % FQ_MODULUS for v in words_to_ints(words)]


def _rescaled(points: np.ndarray, factor: int) -> np.ndarray:
    """Every coordinate times factor/R: a change of Montgomery radix."""
    flat = np.ascontiguousarray(points).reshape(-1, 4)
    out = np.empty_like(flat)
    constant = ints_to_words([factor % FQ_MODULUS] * LANES)
    parallel_ranges(lambda i, j: rescale(flat, constant, out, i, j), len(flat) // LANES)
    return out.reshape(points.shape)


def to_kernel_form(points: np.ndarray) -> np.ndarray:
    """Points at rest to what kernels compute on; the same array on IFMA."""
    if BODY.radix_bits == 260:
        return points
    return _rescaled(points, _KERNEL_RADIX * _KERNEL_RADIX * _REST_INVERSE)


def from_kernel_form(points: np.ndarray) -> np.ndarray:
    """The inverse, canonical; coordinates below 2p are allowed on the way in."""
    factor = REST_RADIX if BODY.radix_bits != 260 else _KERNEL_RADIX
    if len(points) * 2 % LANES:
        whole = np.zeros((padded(len(points)), *points.shape[1:]), np.uint64)
        whole[: len(points)] = points
        return _rescaled(whole, factor)[: len(points)]
    return _rescaled(points, factor)


def is_infinity(points: np.ndarray) -> np.ndarray:
    """Bool array (n,): which points are infinity."""
    return np.logical_not(points.reshape(len(points), -1).any(axis=1))
