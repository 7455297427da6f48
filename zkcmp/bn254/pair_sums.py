"""Batch-affine addition: out[q] = augends[left q] + addends[right q], an inversion for many pairs.

For P ≠ ±Q, both finite:  λ = (y2 − y1)/(x2 − x1),  x3 = λ² − x1 − x2,  y3 = λ(x1 − x3) − y1.

The denominators of a batch are inverted together (Montgomery's trick: running products forward,
one exponentiation, products backward), which makes six products an addition. The batch is first
added as if no pair were exceptional; an infinite operand or a zero product of denominators shows
that one is, and then the same batch is done again with every case distinguished. So the result is
right for every input, and the price is paid only where it is due.
"""

from zkcmp.bn254.body import LANES
from zkcmp.bn254.curve import invert
from zkcmp.bn254.jit import inlined, kernel
from zkcmp.bn254.lane_memory import load_scratch, store_scratch
from zkcmp.bn254.lane_points import load_entries, prefetch_entries, store_points
from zkcmp.bn254.lanes import (
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

# groups of LANES pairs that share an inversion, and how far ahead operands are prefetched
BATCH_GROUPS = 256
AHEAD = 15  # below bucket_plan.PAD_GROUPS


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
def _any_denominator(p, q):
    """x2 − x1; for a doubling 2y; 1 where the sum needs no division."""
    doubling, opposite = _doubling_opposite(p, q)
    d = select(doubling, double(p[1]), sub(q[0], p[0]))
    idle = mask_or(opposite, mask_or(is_exact_zero(p[0]), is_exact_zero(q[0])))
    return reduce(select(idle, same_field_one(d), d))


@kernel
def _any_sum(p, q, inverse):
    """P + Q for every pair, from the inverse of `_any_denominator`."""
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
        running = reduce(mul(running, _any_denominator(p, q)))
    running = reduce(invert(running))
    for i in range(stop - 1, start - 1, -1):
        p = load_entries(augends, left, i * LANES)
        q = load_entries(addends, right, i * LANES)
        inverse = reduce(mul(running, load_scratch(scratch, i - start, running)))
        running = reduce(mul(running, _any_denominator(p, q)))
        x3, y3 = _any_sum(p, q, inverse)
        store_points(out, i, x3, y3)


@kernel
def _add_batch(augends, left, addends, right, start, stop, out, scratch):
    """A batch of ordinary pairs; False, with nothing written, when one is not."""
    p = load_entries(augends, left, start * LANES)
    running = reduce(same_field_one(p[0]))
    infinite = is_exact_zero(running)
    for i in range(start, stop):
        prefetch_entries(augends, left, (i + AHEAD) * LANES)
        prefetch_entries(addends, right, (i + AHEAD) * LANES)
        p = load_entries(augends, left, i * LANES)
        q = load_entries(addends, right, i * LANES)
        infinite = mask_or(infinite, mask_or(is_exact_zero(p[0]), is_exact_zero(q[0])))
        store_scratch(scratch, i - start, running)
        running = reduce(mul(running, sub(q[0], p[0])))
    if any_lane(mask_or(infinite, is_zero(running))):
        return False
    running = reduce(invert(running))
    for i in range(stop - 1, start - 1, -1):
        p = load_entries(augends, left, i * LANES)
        q = load_entries(addends, right, i * LANES)
        inverse = mul(running, load_scratch(scratch, i - start, running))
        running = reduce(mul(running, sub(q[0], p[0])))
        x3, y3 = _sum_of_pair(p, q, sub(q[1], p[1]), inverse)
        store_points(out, i, x3, y3)
    return True


@kernel
def add_pairs(augends, left, addends, right, start, stop, out, scratch):
    """Groups start … stop − 1 of LANES pairs each; results to out, records LANES·i….

    left, right: entries (lane_points.py), valid up to AHEAD groups beyond stop. out may be augends
    when left is the identity.
    scratch: (BATCH_GROUPS, LIMBS, LANES) uint64, for G2 (BATCH_GROUPS, 2·LIMBS, LANES).
    """
    i = start
    while i < stop:
        j = min(i + BATCH_GROUPS, stop)
        if not _add_batch(augends, left, addends, right, i, j, out, scratch):
            _add_any_batch(augends, left, addends, right, i, j, out, scratch)
        i = j
