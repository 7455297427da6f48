"""Kernels behind ntt.py: butterflies over regions of one SoA array, and the moves around them.

A region of `size` elements is block number `block` of the transform's current stage. With t the
bit-reversed root table, t[j] = w^bitrev(j), a stage of half-length h splits every block b of 2h
elements by

    forward  (natural -> bit-reversed)   (x, y) -> (x + t[b]·y, x − t[b]·y)      h = size/2 … 1
    backward (bit-reversed -> natural)   (x, y) -> (x + y, t[b]·(x − y))         h = 1 … size/2

The twiddle belongs to a block, so it is one broadcast for every stride of at least LANES, and each
stage reads a prefix of the same table. Two stages are done per pass over memory. Strides below
LANES are done inside registers, on 16 elements at a time (`TAIL`), by permuting the lanes of two
groups.

Invariant: between passes elements are below LAZY·r (a carried conditional subtraction is saved by
not insisting on 2r). forward_tail leaves them below 2r; after a backward transform `settle` does.
Table entries are canonical.
"""

import numpy as np

from zkcmp.bn254.lanes.arithmetic import add, canonical, mul, sub
from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import (
    broadcast_fr,
    broadcast_fr_below,
    load_fr,
    load_fr_below,
    load_fr_pattern,
    pick_lanes,
    store_fr,
    store_fr_below,
)

# the bound of elements between passes: what the lane body can carry without reducing more often
LAZY = 4 if BODY.product_bound >= 16 else 2
# a strip of the strided stages: columns per row, a few cache lines each
STRIP = 32
# elements whose last stages are done in registers
TAIL = 2 * LANES if LANES > 1 else 1
TILE_LOG = 5

_load = load_fr_below(LAZY)
_store = store_fr_below(LAZY)
_twiddle = broadcast_fr_below(1)


@kernel
def forward_stages(a, first, size, block, stop, t):
    """Stages h = size/2 … stop of the region that starts at element `first`."""
    h, blocks = size // 2, 1
    while h >= 2 * stop:
        quarter = h // (2 * LANES)
        for b in range(blocks):
            k = block * blocks + b
            w1, w2, w3 = _twiddle(t, k), _twiddle(t, 2 * k), _twiddle(t, 2 * k + 1)
            i0 = (first + 2 * h * b) // LANES
            i1, i2, i3 = i0 + quarter, i0 + 2 * quarter, i0 + 3 * quarter
            for j in range(quarter):
                x0, x1 = _load(a, i0 + j), _load(a, i1 + j)
                x2, x3 = mul(_load(a, i2 + j), w1), mul(_load(a, i3 + j), w1)
                y0, y2 = add(x0, x2), sub(x0, x2)
                y1, y3 = mul(add(x1, x3), w2), mul(sub(x1, x3), w3)
                _store(a, i0 + j, add(y0, y1))
                _store(a, i1 + j, sub(y0, y1))
                _store(a, i2 + j, add(y2, y3))
                _store(a, i3 + j, sub(y2, y3))
        h //= 4
        blocks *= 4
    if h >= stop:
        half = h // LANES
        for b in range(blocks):
            w = _twiddle(t, block * blocks + b)
            i0 = (first + 2 * h * b) // LANES
            for j in range(half):
                x, y = _load(a, i0 + j), mul(_load(a, i0 + half + j), w)
                _store(a, i0 + j, add(x, y))
                _store(a, i0 + half + j, sub(x, y))


@kernel
def backward_stages(a, first, size, block, start, t):
    """Stages h = start … size/2 of the region: forward_stages backwards."""
    h = start
    blocks = size // (2 * h)
    odd = 0
    while (size >> odd) > 2 * start:
        odd += 1
    if odd % 2 == 0 and h < size:
        half = h // LANES
        for b in range(blocks):
            w = _twiddle(t, block * blocks + b)
            i0 = (first + 2 * h * b) // LANES
            for j in range(half):
                x, y = _load(a, i0 + j), _load(a, i0 + half + j)
                _store(a, i0 + j, add(x, y))
                _store(a, i0 + half + j, mul(sub(x, y), w))
        h *= 2
        blocks //= 2
    while h < size:
        quarter = h // LANES
        blocks //= 2
        for b in range(blocks):
            k = block * blocks + b
            w1, w2, w3 = _twiddle(t, k), _twiddle(t, 2 * k), _twiddle(t, 2 * k + 1)
            i0 = (first + 4 * h * b) // LANES
            i1, i2, i3 = i0 + quarter, i0 + 2 * quarter, i0 + 3 * quarter
            for j in range(quarter):
                x0, x1 = _load(a, i0 + j), _load(a, i1 + j)
                x2, x3 = _load(a, i2 + j), _load(a, i3 + j)
                y0, y1 = add(x0, x1), mul(sub(x0, x1), w2)
                y2, y3 = add(x2, x3), mul(sub(x2, x3), w3)
                _store(a, i0 + j, add(y0, y2))
                _store(a, i1 + j, add(y1, y3))
                _store(a, i2 + j, mul(sub(y0, y2), w1))
                _store(a, i3 + j, mul(sub(y1, y3), w1))
        h *= 4
        blocks //= 2


if LANES > 1:
    # two groups x = elements 0…7, y = 8…15, and for h = 4, 2, 1 the lanes of both butterfly inputs
    _first_4 = pick_lanes([0, 1, 2, 3, 8, 9, 10, 11])
    _second_4 = pick_lanes([4, 5, 6, 7, 12, 13, 14, 15])
    # the groups are now {0…3, 8…11} and {4…7, 12…15}
    _first_2 = pick_lanes([0, 1, 8, 9, 4, 5, 12, 13])
    _second_2 = pick_lanes([2, 3, 10, 11, 6, 7, 14, 15])
    # now {0,1,4,5,8,9,12,13} and {2,3,6,7,…}
    _first_1 = pick_lanes([0, 8, 2, 10, 4, 12, 6, 14])
    _second_1 = pick_lanes([1, 9, 3, 11, 5, 13, 7, 15])
    # now even and odd elements; back to x and y
    _low_half = pick_lanes([0, 8, 1, 9, 2, 10, 3, 11])
    _high_half = pick_lanes([4, 12, 5, 13, 6, 14, 7, 15])
    _even = pick_lanes([0, 2, 4, 6, 8, 10, 12, 14])
    _odd = pick_lanes([1, 3, 5, 7, 9, 11, 13, 15])
    _twiddle_4 = load_fr_pattern([0, 0, 0, 0, 1, 1, 1, 1], 1)
    _twiddle_2 = load_fr_pattern([0, 0, 1, 1, 2, 2, 3, 3], 1)
    _twiddle_1 = load_fr_pattern([0, 1, 2, 3, 4, 5, 6, 7], 1)

    @kernel
    def forward_tail(a, start, stop, t):
        """Stages h = 8, 4, 2, 1 of the 16-element blocks start … stop − 1."""
        for c in range(start, stop):
            x, y = _load(a, 2 * c), mul(_load(a, 2 * c + 1), _twiddle(t, c))
            x, y = add(x, y), sub(x, y)
            u, v = _first_4(x, y), mul(_second_4(x, y), _twiddle_4(t, 2 * c))
            u, v = add(u, v), sub(u, v)
            p, q = _first_2(u, v), mul(_second_2(u, v), _twiddle_2(t, 4 * c))
            p, q = add(p, q), sub(p, q)
            e, o = _first_1(p, q), mul(_second_1(p, q), _twiddle_1(t, 8 * c))
            e, o = add(e, o), sub(e, o)
            store_fr(a, 2 * c, _low_half(e, o))
            store_fr(a, 2 * c + 1, _high_half(e, o))

    @kernel
    def backward_tail(a, start, stop, t):
        """Stages h = 1, 2, 4, 8 of the 16-element blocks start … stop − 1."""
        for c in range(start, stop):
            x, y = load_fr(a, 2 * c), load_fr(a, 2 * c + 1)
            e, o = _even(x, y), _odd(x, y)
            e, o = add(e, o), mul(sub(e, o), _twiddle_1(t, 8 * c))
            p, q = _first_1(e, o), _second_1(e, o)
            p, q = add(p, q), mul(sub(p, q), _twiddle_2(t, 4 * c))
            u, v = _first_2(p, q), _second_2(p, q)
            u, v = add(u, v), mul(sub(u, v), _twiddle_4(t, 2 * c))
            x, y = _first_4(u, v), _second_4(u, v)
            _store(a, 2 * c, add(x, y))
            _store(a, 2 * c + 1, mul(sub(x, y), _twiddle(t, c)))

else:

    @kernel
    def forward_tail(a, start, stop, t):
        """One lane: the ordinary stages reach h = 1."""

    @kernel
    def backward_tail(a, start, stop, t):
        """One lane: the ordinary stages start at h = 1."""


@kernel
def forward_blocks(a, size, start, stop, t):
    """All remaining stages of the contiguous blocks start … stop − 1 of `size` elements."""
    for block in range(start, stop):
        forward_stages(a, block * size, size, block, TAIL, t)
        forward_tail(a, block * (size // TAIL), (block + 1) * (size // TAIL), t)


@kernel
def backward_blocks(a, size, start, stop, t):
    """The first stages, h = 1 … size/2, of the contiguous blocks start … stop − 1."""
    for block in range(start, stop):
        backward_tail(a, block * (size // TAIL), (block + 1) * (size // TAIL), t)
        backward_stages(a, block * size, size, block, TAIL, t)


@kernel
def _move_strip(a, buffer, at, stride, rows, out):
    """Columns at … at + STRIP − 1 of `rows` rows, to the buffer or (out) back."""
    for k in range(LIMBS):
        for i in range(rows):
            if out:
                for j in range(STRIP):
                    a[k, at + i * stride + j] = buffer[k, i * STRIP + j]
            else:
                for j in range(STRIP):
                    buffer[k, i * STRIP + j] = a[k, at + i * stride + j]


@kernel
def strided_stages(a, size, rows, start, stop, backward, t):
    """The log2(rows) stages of largest stride of every block of `size`, strip after strip.

    Unit u is strip u mod (strips per block) of block u div that. A strip is copied to a
    contiguous buffer first: its rows lie a power of two apart, which caches map to one set.
    """
    # on whole cache lines
    size_in_words = LIMBS * rows * STRIP
    raw = np.empty(size_in_words + 8, np.uint64)
    first = (-raw.ctypes.data & 63) >> 3
    buffer = raw[first : first + size_in_words].reshape(LIMBS, rows * STRIP)
    stride = size // rows
    strips = stride // STRIP
    for unit in range(start, stop):
        block = unit // strips
        at = block * size + (unit % strips) * STRIP
        _move_strip(a, buffer, at, stride, rows, False)
        if backward:
            backward_stages(buffer, 0, rows * STRIP, block, STRIP, t)
        else:
            forward_stages(buffer, 0, rows * STRIP, block, STRIP, t)
        _move_strip(a, buffer, at, stride, rows, True)


@kernel
def settle(a, start, stop):
    """From below LAZY·r to below 2r."""
    for i in range(start, stop):
        store_fr(a, i, _load(a, i))


@kernel
def extend_table(t, width, factor, start, stop):
    """t[width + j] = factor·t[j], canonical, for the groups start … stop − 1."""
    for i in range(start, stop):
        x = canonical(mul(load_fr(t, i), broadcast_fr(factor, 0)))
        store_fr(t, width // LANES + i, x)


@kernel
def scale_outer(a, block, scales, start, stop):
    """a[w·s + j] *= block[j]·scales[s], w the width of block; elements below LAZY·r come in."""
    width = block.shape[1] // LANES
    for i in range(start, stop):
        factor = mul(load_fr(block, i % width), broadcast_fr(scales, i // width))
        store_fr(a, i, mul(_load(a, i), factor))


@kernel
def _reverse(x, bits):
    y = 0
    for _ in range(bits):
        y = (y << 1) | (x & 1)
        x >>= 1
    return y


@kernel
def bit_reverse_small(a, bits):
    """Bit-reversal permutation, in place, element by element."""
    for i in range(1 << bits):
        j = _reverse(i, bits)
        if i < j:
            for k in range(LIMBS):
                a[k, i], a[k, j] = a[k, j], a[k, i]


@kernel
def bit_reverse_tiles(a, bits, start, stop):
    """The same for bits >= 2·TILE_LOG, by tiles: index = (row, middle, column).

    Tile m goes, transposed and with rows and columns reversed, to tile reverse(m). The pair is
    swapped by whoever owns the smaller middle.
    """
    side = 1 << TILE_LOG
    middle_bits = bits - 2 * TILE_LOG
    step = 1 << (bits - TILE_LOG)
    reversed_index = np.empty(side, np.int64)
    for i in range(side):
        reversed_index[i] = _reverse(i, TILE_LOG)
    here = np.empty((side, side), np.uint64)
    there = np.empty((side, side), np.uint64)
    for m in range(start, stop):
        n = _reverse(m, middle_bits)
        if n < m:
            continue
        for k in range(LIMBS):
            for i in range(side):
                p, q = i * step + m * side, i * step + n * side
                for j in range(side):
                    here[i, j] = a[k, p + j]
                    there[i, j] = a[k, q + j]
            for i in range(side):
                p, q = i * step + m * side, i * step + n * side
                column = reversed_index[i]
                for j in range(side):
                    row = reversed_index[j]
                    a[k, q + j] = here[row, column]
                    a[k, p + j] = there[row, column]
