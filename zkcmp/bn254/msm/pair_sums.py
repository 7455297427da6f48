"""Batch-affine addition: out[q] = augends[left q] + addends[right q], an inversion for many pairs.

For P ≠ ±Q, both finite:  λ = (y2 − y1)/(x2 − x1),  x3 = λ² − x1 − x2,  y3 = λ(x1 − x3) − y1.

The denominators of a batch are inverted together (Montgomery's trick: running products forward,
one exponentiation, products backward), which makes six products an addition. The batch is first
added as if no pair were exceptional; an infinite operand or a zero product of denominators shows
that one is, and then the same batch is done again with every case distinguished. So the result is
right for every input, and the price is paid only where it is due.
"""

import numpy as np

from zkcmp.bn254 import aligned
from zkcmp.bn254.curve.group_law import invert
from zkcmp.bn254.lanes.arithmetic import (
    add,
    any_lane,
    double,
    is_exact_zero,
    is_zero,
    mask_and,
    mask_not,
    mask_or,
    mul,
    reduce,
    same_field_one,
    same_field_zero,
    select,
    sqr,
    sub,
    sub_both,
    sub_reduced,
)
from zkcmp.bn254.lanes.body import LANES, LIMBS
from zkcmp.bn254.lanes.jit import inlined, kernel
from zkcmp.bn254.lanes.memory import keep, kept, load_scratch, store_scratch
from zkcmp.bn254.lanes.points import (
    load_entries,
    load_unsigned_entries,
    prefetch_entries,
    store_points,
)

# groups of LANES pairs that share an inversion, an even number; what is kept of each must stay in
# the second-level cache
_BATCH_GROUPS = 128
# values kept for the way back
_KEPT = 5
# how far ahead operands are prefetched; below bucket_plan.PAD_GROUPS
AHEAD = 8


def new_scratch(point_shape: tuple[int, ...]) -> np.ndarray:
    """What `add_pairs` works in, for points (2, 4) or (2, 2, 4)."""
    return aligned.empty((_BATCH_GROUPS * _KEPT, LIMBS * (len(point_shape) - 1), LANES))


@inlined
def _sum_of_pair(p, q, numerator, inverse):
    """The chord or tangent: slope = numerator·inverse."""
    slope = mul(numerator, inverse)
    x3 = sub_both(sqr(slope), p[0], q[0])
    return x3, sub_reduced(mul(slope, sub(p[0], x3)), p[1])


@kernel
def _doubling_opposite(p, q):
    """Masks of lanes where P = Q and where P = −Q, both finite or not."""
    same_x = is_zero(sub(q[0], p[0]))
    same_y = is_zero(sub(q[1], p[1]))
    return mask_and(same_x, same_y), mask_and(same_x, mask_not(same_y))


@kernel
def any_denominator(p, q):
    """x2 − x1; for a doubling 2y; 1 where the sum needs no division."""
    doubling, opposite = _doubling_opposite(p, q)
    d = select(doubling, double(p[1]), sub(q[0], p[0]))
    idle = mask_or(opposite, mask_or(is_exact_zero(p[0]), is_exact_zero(q[0])))
    return reduce(select(idle, same_field_one(d), d))


@kernel
def any_sum(p, q, inverse):
    """P + Q for every pair, from the inverse of `any_denominator`."""
    doubling, opposite = _doubling_opposite(p, q)
    square = sqr(p[0])
    tangent = add(double(square), square)
    numerator = reduce(select(doubling, tangent, sub(q[1], p[1])))
    x3, y3 = _sum_of_pair(p, q, numerator, inverse)
    zero = same_field_zero(x3)
    x3, y3 = reduce(select(opposite, zero, x3)), reduce(select(opposite, zero, y3))
    infinite = is_exact_zero(q[0])
    x3, y3 = reduce(select(infinite, p[0], x3)), reduce(select(infinite, p[1], y3))
    infinite = is_exact_zero(p[0])
    return reduce(select(infinite, q[0], x3)), reduce(select(infinite, q[1], y3))


@kernel
def _add_any_batch(augends, left, addends, right, start, stop, out, scratch):
    """A batch in which every kind of pair may occur."""
    p = load_entries(augends, left, start * LANES)
    running = reduce(same_field_one(p[0]))
    for i in range(start, stop):
        p = load_entries(augends, left, i * LANES)
        q = load_entries(addends, right, i * LANES)
        store_scratch(scratch, i - start, running)
        running = reduce(mul(running, any_denominator(p, q)))
    running = reduce(invert(running))
    for i in range(stop - 1, start - 1, -1):
        p = load_entries(augends, left, i * LANES)
        q = load_entries(addends, right, i * LANES)
        inverse = reduce(mul(running, load_scratch(scratch, i - start, running)))
        running = reduce(mul(running, any_denominator(p, q)))
        x3, y3 = any_sum(p, q, inverse)
        store_points(out, i, x3, y3)


@inlined
def _keep_pair(augends, left, addends, right, i, running, infinite, scratch, slot, far):
    """What the way back needs of group i goes to the slot; the product and the mask so far."""
    if far:
        prefetch_entries(augends, left, (i + AHEAD) * LANES)
        prefetch_entries(addends, right, (i + AHEAD) * LANES)
        p = load_entries(augends, left, i * LANES)
        q = load_entries(addends, right, i * LANES)
    else:
        p = load_unsigned_entries(augends, left, i * LANES)
        q = load_unsigned_entries(addends, right, i * LANES)
    denominator = sub(q[0], p[0])
    keep(scratch, _KEPT * slot, running)
    keep(scratch, _KEPT * slot + 1, denominator)
    keep(scratch, _KEPT * slot + 2, sub(q[1], p[1]))
    keep(scratch, _KEPT * slot + 3, p[0])
    keep(scratch, _KEPT * slot + 4, p[1])
    infinite = mask_or(infinite, mask_or(is_exact_zero(p[0]), is_exact_zero(q[0])))
    return reduce(mul(running, denominator)), infinite


@kernel
def _add_batch(augends, left, addends, right, start, stop, out, scratch, far):
    """A batch of ordinary pairs; False, with nothing written, when one is not.

    Two chains of running products, of the even and of the odd groups, so that there is always a
    product that does not wait for the one before. Of an odd number of groups the last is in both.
    """
    p = load_entries(augends, left, start * LANES)
    even = reduce(same_field_one(p[0]))
    odd, difference = even, sub(p[0], p[0])
    infinite = is_exact_zero(even)
    steps = (stop - start + 1) // 2
    for k in range(steps):
        i = start + 2 * k
        j = min(i + 1, stop - 1)
        even, infinite = _keep_pair(
            augends, left, addends, right, i, even, infinite, scratch, 2 * k, far
        )
        odd, infinite = _keep_pair(
            augends, left, addends, right, j, odd, infinite, scratch, 2 * k + 1, far
        )
    product = reduce(mul(even, odd))
    if any_lane(mask_or(infinite, is_zero(product))):
        return False
    inverse = invert(product)
    even, odd = reduce(mul(inverse, odd)), reduce(mul(inverse, even))
    for k in range(steps - 1, -1, -1):
        i = start + 2 * k
        j = min(i + 1, stop - 1)
        a, b = _KEPT * 2 * k, _KEPT * (2 * k + 1)
        inverse0 = mul(even, kept(scratch, a, even))
        inverse1 = mul(odd, kept(scratch, b, odd))
        even = reduce(mul(even, kept(scratch, a + 1, difference)))
        odd = reduce(mul(odd, kept(scratch, b + 1, difference)))
        slope0 = mul(kept(scratch, a + 2, difference), inverse0)
        slope1 = mul(kept(scratch, b + 2, difference), inverse1)
        square0, square1 = sqr(slope0), sqr(slope1)
        x0, x1 = kept(scratch, a + 3, even), kept(scratch, b + 3, odd)
        # x2 = x1 + difference
        sum0 = sub_both(square0, double(x0), kept(scratch, a + 1, difference))
        sum1 = sub_both(square1, double(x1), kept(scratch, b + 1, difference))
        y0 = mul(slope0, sub(x0, sum0))
        y1 = mul(slope1, sub(x1, sum1))
        store_points(out, i, sum0, sub_reduced(y0, kept(scratch, a + 4, even)))
        store_points(out, j, sum1, sub_reduced(y1, kept(scratch, b + 4, odd)))
    return True


@kernel
def add_pairs(augends, left, addends, right, start, stop, out, scratch, far=True):
    """Groups start … stop − 1 of LANES pairs each; results to out, records LANES·i….

    left, right: entries (points.py), valid up to AHEAD groups beyond stop. out may be augends
    when left is the identity.
    scratch: new_scratch(shape of a point).
    far: whether to prefetch, and to expect signs: False for operands in the cache, none negated.
    """
    i = start
    while i < stop:
        j = min(i + _BATCH_GROUPS, stop)
        if not _add_batch(augends, left, addends, right, i, j, out, scratch, far):
            _add_any_batch(augends, left, addends, right, i, j, out, scratch)
        i = j
