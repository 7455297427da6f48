"""Many multiples s_j·G of one generator: the work of a trusted setup.

The table holds T_w[d] = (d + 1)·2^(c·w)·G for every window w and digit d < 2^c. With
s' = s − Σ_w 2^(c·w) mod r and s' = Σ_w d_w·2^(c·w),

    s·G = Σ_w T_w[d_w],

one batch-affine addition a window and no special case for digit zero.
"""

import threading
from functools import cache
from typing import Any, Literal

import numpy as np

from zkcmp.bn254 import g1, g2, reference
from zkcmp.bn254.body import LANES
from zkcmp.bn254.bucket_plan import PAD_GROUPS, unsigned_digit_entries
from zkcmp.bn254.fr import FrVector, padded
from zkcmp.bn254.pair_sums import add_pairs, new_scratch
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.point_arrays import from_kernel_form, to_kernel_form
from zkcmp.bn254.threads import parallel_map

Group = Literal["g1", "g2"]

_WINDOW_BITS = 10
_WINDOWS = -(-254 // _WINDOW_BITS)
_OFFSET = sum(1 << (_WINDOW_BITS * w) for w in range(_WINDOWS)) % FR_MODULUS
_SLACK = (PAD_GROUPS + 2) * LANES
# points carried through all windows together, so that they stay in the second-level cache
_BLOCK = 4096


def _add_rows(points: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """points[left] + points[right] for index arrays of one length."""
    n = len(left)
    entries = [np.zeros(padded(n) + _SLACK, np.uint32) for _ in range(2)]
    entries[0][:n], entries[1][:n] = left, right
    out = np.zeros((padded(n), *points.shape[1:]), np.uint64)
    scratch = new_scratch(points.shape[1:])
    add_pairs(points, entries[0], points, entries[1], 0, padded(n) // LANES, out, scratch)
    return out[:n]


@cache
def _table(group: Group) -> np.ndarray:
    """T as one array of 2^c·windows points, window after window, in kernel form."""
    size = 1 << _WINDOW_BITS
    shape = (2, 4) if group == "g1" else (2, 2, 4)
    table = np.zeros((_WINDOWS, size, *shape), np.uint64)
    table[:, 0] = to_kernel_form(_window_bases(group))
    filled = 1
    flat = table.reshape(-1, *shape)
    while filled < size:
        # (d + 1 + filled)·B = (d + 1)·B + filled·B
        offsets = size * np.arange(_WINDOWS)[:, None]
        left = (offsets + np.arange(filled)[None, :]).ravel()
        right = (offsets + np.full(filled, filled - 1)[None, :]).ravel()
        sums = _add_rows(flat, left, right)
        table[:, filled : 2 * filled] = sums.reshape(_WINDOWS, filled, *shape)
        filled *= 2
    return flat


def _window_bases(group: Group) -> np.ndarray:
    """2^(c·w)·G for every window, by doubling in plain integers."""
    curve: Any = reference.G1 if group == "g1" else reference.G2
    encode: Any = g1.from_affine_ints if group == "g1" else g2.from_affine_ints
    point, bases = curve.generator, []
    for _ in range(_WINDOWS):
        bases.append(point)
        for _ in range(_WINDOW_BITS):
            point = curve.double(point)
    return encode(bases)


def fixed_base_mul(group: Group, scalars: FrVector) -> np.ndarray:
    """s_j·G for every scalar, at rest: (n, 2, 4) for "g1", (n, 2, 2, 4) for "g2"."""
    table = _table(group)
    words = np.ascontiguousarray((scalars - _OFFSET).to_words())
    n, shape = len(words), table.shape[1:]
    out = np.empty((padded(n), *shape), np.uint64)
    size = 1 << _WINDOW_BITS
    identity = np.arange(_BLOCK + _SLACK, dtype=np.uint32)
    identity[_BLOCK:] = 0
    spaces: dict[int, tuple[np.ndarray, ...]] = {}

    def run(start: int) -> None:
        key = threading.get_ident()
        if key not in spaces:
            spaces[key] = (
                np.empty((_BLOCK, *shape), np.uint64),
                np.zeros(_BLOCK + _SLACK, np.uint32),
                new_scratch(shape),
            )
        block, entries, scratch = spaces[key]
        stop = min(start + _BLOCK, n)
        groups = padded(stop - start) // LANES
        for w in range(_WINDOWS):
            unsigned_digit_entries(words, start, stop, w, _WINDOW_BITS, w * size, entries)
            if w == 0:
                block[: stop - start] = table[entries[: stop - start]]
                block[stop - start : groups * LANES] = block[0]
            else:
                add_pairs(block, identity, table, entries, 0, groups, block, scratch)
        out[start:stop] = block[: stop - start]

    parallel_map(run, range(0, n, _BLOCK))
    return from_kernel_form(out)[:n]
