"""Kernels of fixed_base.py: digits, and the sums of one table entry a window for many scalars.

The sums of a batch stay in lanes through all windows, (BATCH_GROUPS groups in the second-level
cache), so that only entries of the table are brought into lanes. In every window the batch shares
an inversion, as in pair_sums.py: six products an addition.

Invariant: a sum of fewer than all windows is N/2·G with N odd and |N| < r, hence finite, and never
± the entry of the next window, whose numerator is larger; only the last addition can meet P = ±Q.
"""

import numpy as np

from zkcmp.bn254.curve.group_law import add_affine, invert, lift, to_affine
from zkcmp.bn254.lanes.arithmetic import (
    any_lane,
    double,
    is_zero,
    mul,
    reduce,
    same_field_one,
    sqr,
    sub,
    sub_both,
    sub_reduced,
)
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.lanes.jit import inlined, kernel
from zkcmp.bn254.lanes.memory import keep, kept
from zkcmp.bn254.lanes.points import load_entries, prefetch_entries, store_points_canonical
from zkcmp.bn254.msm.bucket_plan import SIGN

# how many groups ahead entries are prefetched
AHEAD = 8
# values kept of a group: x and y of its sum, and three for the way back
KEPT = 5


@kernel
def half_digits(words, start, stop, window, window_bits, first, entries):
    """entries[j − start] names ±(k + 1/2) = digit − (2^c − 1)/2: place first + k, with its sign.

    The digit is that of words[:, j] in window `window` of c = window_bits bits.
    """
    c = np.uint64(window_bits)
    mask = (np.uint64(1) << c) - np.uint64(1)
    half = np.int64(1) << np.int64(window_bits - 1)
    bit = window * window_bits
    k, shift = bit >> 6, np.uint64(bit & 63)
    # what lies in the next word, if any; shifting by 64 is undefined
    straddles = shift + c > np.uint64(64) and k < 3
    after = k + 1 if straddles else k
    up = np.uint64(64) - shift if straddles else np.uint64(0)
    upper = mask if straddles else np.uint64(0)
    for j in range(stop - start):
        x = (words[k, start + j] >> shift) | ((words[after, start + j] << up) & upper)
        d = np.int64(x & mask) - half
        negative = d >> np.int64(63)
        entries[j] = np.uint32(first + (d ^ negative)) | (np.uint32(negative) & SIGN)


@kernel
def _start(table, entries, groups, space):
    """The entries themselves, as the first sums."""
    for i in range(groups):
        x, y = load_entries(table, entries, i * LANES)
        keep(space, KEPT * i, x)
        keep(space, KEPT * i + 1, y)


@inlined
def _prepare(table, entries, i, running, space):
    """The denominator of group i times the running product; keeps both, and the entry's y."""
    prefetch_entries(table, entries, (i + AHEAD) * LANES)
    q = load_entries(table, entries, i * LANES)
    denominator = sub(q[0], kept(space, KEPT * i, q[0]))
    keep(space, KEPT * i + 2, running)
    keep(space, KEPT * i + 3, denominator)
    keep(space, KEPT * i + 4, q[1])
    return reduce(mul(running, denominator))


@kernel
def _add(table, entries, groups, space):
    """Add an entry to every sum; False, with no sum changed, when some pair is exceptional.

    Two chains of running products, of the even and of the odd groups; `groups` is even.
    """
    p = load_entries(table, entries, 0)
    even = reduce(same_field_one(p[0]))
    odd, like = even, sub(p[0], p[0])
    for k in range(groups // 2):
        even = _prepare(table, entries, 2 * k, even, space)
        odd = _prepare(table, entries, 2 * k + 1, odd, space)
    product = reduce(mul(even, odd))
    if any_lane(is_zero(product)):
        return False
    inverse = invert(product)
    even, odd = reduce(mul(inverse, odd)), reduce(mul(inverse, even))
    for k in range(groups // 2 - 1, -1, -1):
        a, b = KEPT * 2 * k, KEPT * (2 * k + 1)
        inverse0 = mul(even, kept(space, a + 2, even))
        inverse1 = mul(odd, kept(space, b + 2, odd))
        difference0, difference1 = kept(space, a + 3, like), kept(space, b + 3, like)
        even, odd = reduce(mul(even, difference0)), reduce(mul(odd, difference1))
        x0, x1 = kept(space, a, even), kept(space, b, odd)
        y0, y1 = kept(space, a + 1, even), kept(space, b + 1, odd)
        slope0 = mul(sub(kept(space, a + 4, even), y0), inverse0)
        slope1 = mul(sub(kept(space, b + 4, odd), y1), inverse1)
        # the entry's x is x + difference
        sum0 = sub_both(sqr(slope0), double(x0), difference0)
        sum1 = sub_both(sqr(slope1), double(x1), difference1)
        keep(space, a, sum0)
        keep(space, b, sum1)
        keep(space, a + 1, sub_reduced(mul(slope0, sub(x0, sum0)), y0))
        keep(space, b + 1, sub_reduced(mul(slope1, sub(x1, sum1)), y1))
    return True


@kernel
def _add_any(table, entries, groups, space):
    """The same by complete formulas, an inversion a group."""
    for i in range(groups):
        q = load_entries(table, entries, i * LANES)
        p = kept(space, KEPT * i, q[0]), kept(space, KEPT * i + 1, q[0])
        x, y = to_affine(add_affine(lift(p), q))
        keep(space, KEPT * i, x)
        keep(space, KEPT * i + 1, y)


@kernel
def sum_entries(table, words, start, stop, windows, window_bits, entries, space, out):
    """out[j] = Σ_w (entry of digit w of words[:, j]), canonical, for j = start … stop − 1.

    start is a multiple of LANES, stop − start at most what `space` holds, an even number of groups;
    entries has AHEAD groups more than that, zeros. Records of out beyond stop are used up to a
    whole pair of groups.
    """
    size = 1 << (window_bits - 1)
    groups = (stop - start + 2 * LANES - 1) // (2 * LANES) * 2
    for w in range(windows):
        half_digits(words, start, stop, w, window_bits, w * size, entries)
        # the padding adds something regular too
        for j in range(stop - start, groups * LANES):
            entries[j] = np.uint32(w * size)
        if w == 0:
            _start(table, entries, groups, space)
        elif not _add(table, entries, groups, space):
            _add_any(table, entries, groups, space)
    first = start // LANES
    for i in range(groups):
        q = load_entries(table, entries, 0)
        x, y = kept(space, KEPT * i, q[0]), kept(space, KEPT * i + 1, q[0])
        store_points_canonical(out, first + i, x, y)
