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

from zkcmp.bn254 import aligned, reference
from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.point_arrays import from_kernel_form, to_kernel_form
from zkcmp.bn254.field.fr import FrVector, padded
from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.msm.bucket_tree import SLACK
from zkcmp.bn254.msm.fixed_base_kernels import AHEAD, KEPT, sum_entries
from zkcmp.bn254.msm.pair_sums import add_pairs, new_scratch
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.threads import parallel_map

Group = Literal["g1", "g2"]

_SCALAR_BITS = 254
# window bits to choose from: up to tables of 18 and 20 MB, a window of which stays in the caches;
# larger ones save additions, and lose as much to the memory
_WINDOW_BITS = {"g1": (8, 12, 15), "g2": (8, 11, 14)}
# scalars carried through all windows together: they share inversions, and stay in the caches
_BATCH = {"g1": 4096, "g2": 1024}


def _windows(bits: int) -> int:
    return -(-_SCALAR_BITS // bits)


def _window_bits(group: Group, count: int) -> int:
    """The c with the fewest additions for so many scalars, those of the table included."""
    return min(_WINDOW_BITS[group], key=lambda c: _windows(c) * (count + (1 << (c - 1))))


@cache
def _table(group: Group, bits: int) -> np.ndarray:
    """T as one array of windows·2^(bits − 1) points, window after window, in kernel form."""
    size, windows = 1 << (bits - 1), _windows(bits)
    doubles = to_kernel_form(_doubles_of_half(group, bits * windows))
    table = aligned.empty((windows, size, *doubles.shape[1:]))
    parallel_map(
        lambda w: _fill_window(table[w], doubles[bits * w : bits * (w + 1)]), range(windows)
    )
    return table.reshape(-1, *doubles.shape[1:])


def _fill_window(window: np.ndarray, doubles: np.ndarray) -> None:
    """(k + 1/2)·P for every k, from 2^i·P/2 at place i of `doubles`."""
    window[0] = doubles[0]
    size, filled = len(window), 1
    scratch = new_scratch(window.shape[1:])
    out = aligned.empty((padded(size), *window.shape[1:]))
    left, right = np.zeros((2, padded(size) + SLACK), np.uint32)
    while filled < size:
        # T[k + 2^i] = T[k] + 2^i·P
        left[:filled], left[filled:] = np.arange(filled), 0
        right[:] = filled.bit_length()
        add_pairs(window, left, doubles, right, 0, padded(filled) // LANES, out, scratch)
        window[filled : 2 * filled] = out[:filled]
        filled *= 2


def _doubles_of_half(group: Group, count: int) -> np.ndarray:
    """2^i·(G/2) for i < count, by doubling in plain integers."""
    curve: Any = reference.G1 if group == "g1" else reference.G2
    encode: Any = g1.from_affine_ints if group == "g1" else g2.from_affine_ints
    points = [curve.mul(curve.generator, (FR_MODULUS + 1) // 2)]
    while len(points) < count:
        points.append(curve.double(points[-1]))
    return encode(points)


def fixed_base_mul(group: Group, scalars: FrVector, in_all: int = 0) -> np.ndarray:
    """s_j·G for every scalar, at rest: (n, 2, 4) for "g1", (n, 2, 2, 4) for "g2".

    in_all: how many scalars will come in this and further calls, if more than these.
    """
    bits = _window_bits(group, max(len(scalars), in_all))
    table, windows = _table(group, bits), _windows(bits)
    middle = ((1 << (bits * windows)) - 1) * pow(2, -1, FR_MODULUS) % FR_MODULUS
    # a row for each word, so that the digits of neighbours are side by side
    words = np.ascontiguousarray((scalars + middle).to_words().T)
    n, shape, batch = len(scalars), table.shape[1:], _BATCH[group]
    out = aligned.empty((padded(n) + LANES, *shape))
    spaces: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def run(start: int) -> None:
        key = threading.get_ident()
        if key not in spaces:
            spaces[key] = _workspace(shape, batch)
        entries, space = spaces[key]
        stop = min(start + batch, n)
        sum_entries(table, words, start, stop, windows, bits, entries, space, out)

    parallel_map(run, range(0, n, batch))
    if BODY.radix_bits == 260:
        return out[:n]
    return from_kernel_form(out)[:n]


def _workspace(point_shape: tuple[int, ...], batch: int) -> tuple[np.ndarray, np.ndarray]:
    """A thread's entries and what is kept of a batch."""
    limbs = LIMBS * (len(point_shape) - 1)
    entries = np.zeros(batch + AHEAD * LANES, np.uint32)
    return entries, aligned.empty((batch // LANES * KEPT, limbs, LANES))
