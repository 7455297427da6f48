"""Many multiples s_j·G of one generator: the work of a trusted setup.

The table holds T_w[k] = (k + 1/2)·2^(c·w)·G for every one of the W windows and k < 2^(c−1). With
s' = s + (2^(c·W) − 1)/2 mod r and s' = Σ_w e_w·2^(c·w), 0 ≤ e_w < 2^c,

    s·G = Σ_w D_w·2^(c·w)·G,     D_w = e_w − (2^c − 1)/2 = ±(k + 1/2),

one batch-affine addition a window, half a table, and no special case for digit zero. Large tables
mean fewer windows, and are worth making for many scalars only.
"""

import threading
from functools import cache
from typing import Any, Literal

import numpy as np

from zkcmp.bn254 import aligned, g1, g2, reference
from zkcmp.bn254.body import LANES
from zkcmp.bn254.bucket_plan import half_digit_entries
from zkcmp.bn254.bucket_sums import copy_entries
from zkcmp.bn254.bucket_tree import SLACK
from zkcmp.bn254.fr import FrVector, padded
from zkcmp.bn254.pair_sums import add_pairs, new_scratch
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.point_arrays import from_kernel_form, to_kernel_form
from zkcmp.bn254.threads import parallel_map

Group = Literal["g1", "g2"]

_SCALAR_BITS = 254
# window bits for few scalars, and for many
_SMALL = 8
_LARGE = {"g1": 15, "g2": 14}
_MANY = 1 << 14
# points carried through all windows together, so that they stay in the second-level cache
_BLOCK = 8192


def _windows(bits: int) -> int:
    return -(-_SCALAR_BITS // bits)


def _add(
    augends: np.ndarray, left: np.ndarray, addends: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """augends[left] + addends[right] for index arrays of one length."""
    n = len(left)
    entries = np.zeros((2, padded(n) + SLACK), np.uint32)
    entries[0, :n], entries[1, :n] = left, right
    out = aligned.empty((padded(n), *augends.shape[1:]))
    scratch = new_scratch(augends.shape[1:])
    add_pairs(augends, entries[0], addends, entries[1], 0, padded(n) // LANES, out, scratch)
    return out[:n]


@cache
def _table(group: Group, bits: int) -> np.ndarray:
    """T as one array of windows·2^(bits − 1) points, window after window, in kernel form."""
    size, windows = 1 << (bits - 1), _windows(bits)
    doubles = to_kernel_form(_doubles_of_half(group, bits * windows))
    shape = doubles.shape[1:]
    table = aligned.empty((windows, size, *shape))
    table[:, 0] = doubles[::bits]
    filled = 1
    flat = table.reshape(-1, *shape)
    while filled < size:
        # T_w[k + 2^i] = T_w[k] + 2^(c·w + i)·G
        first = np.arange(windows)[:, None]
        left = (size * first + np.arange(filled)[None, :]).ravel()
        right = np.repeat(bits * first.ravel() + filled.bit_length(), filled)
        sums = _add(flat, left, doubles, right)
        table[:, filled : 2 * filled] = sums.reshape(windows, filled, *shape)
        filled *= 2
    return flat


def _doubles_of_half(group: Group, count: int) -> np.ndarray:
    """2^i·(G/2) for i < count, by doubling in plain integers."""
    curve: Any = reference.G1 if group == "g1" else reference.G2
    encode: Any = g1.from_affine_ints if group == "g1" else g2.from_affine_ints
    points = [curve.mul(curve.generator, (FR_MODULUS + 1) // 2)]
    while len(points) < count:
        points.append(curve.double(points[-1]))
    return encode(points)


def fixed_base_mul(group: Group, scalars: FrVector) -> np.ndarray:
    """s_j·G for every scalar, at rest: (n, 2, 4) for "g1", (n, 2, 2, 4) for "g2"."""
    bits = _LARGE[group] if len(scalars) >= _MANY else _SMALL
    table, windows, size = _table(group, bits), _windows(bits), 1 << (bits - 1)
    middle = ((1 << (bits * windows)) - 1) * pow(2, -1, FR_MODULUS) % FR_MODULUS
    words = np.ascontiguousarray((scalars + middle).to_words())
    n, shape = len(words), table.shape[1:]
    out = aligned.empty((padded(n), *shape))
    identity = np.arange(_BLOCK + SLACK, dtype=np.uint32)
    identity[_BLOCK:] = 0
    spaces: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def run(start: int) -> None:
        key = threading.get_ident()
        if key not in spaces:
            spaces[key] = np.zeros(_BLOCK + SLACK, np.uint32), new_scratch(shape)
        entries, scratch = spaces[key]
        stop = min(start + _BLOCK, n)
        block = out[start : start + padded(stop - start)]
        groups = len(block) // LANES
        for w in range(windows):
            half_digit_entries(words, start, stop, w, bits, w * size, entries)
            if w == 0:
                copy_entries(table, entries, stop - start, block, 0)
            else:
                add_pairs(block, identity, table, entries, 0, groups, block, scratch)

    parallel_map(run, range(0, n, _BLOCK))
    return from_kernel_form(out)[:n]
