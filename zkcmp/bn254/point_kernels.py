"""Kernels over whole point arrays: change of radix, curve and subgroup membership."""

from zkcmp.bn254.body import LANES
from zkcmp.bn254.curve import (
    add_projective,
    double_projective,
    infinity_like,
    lift,
    on_curve,
)
from zkcmp.bn254.jit import kernel
from zkcmp.bn254.lane_points import load_points
from zkcmp.bn254.lanes import (
    is_exact_zero,
    is_zero,
    load_words_fq,
    mask_or,
    mask_to_bits,
    mul,
    store_words,
)


@kernel
def rescale(words, constant, out, start, stop):
    """out = words·constant/R for (n, 4) records, canonical."""
    factor = load_words_fq(constant, 0)
    for i in range(start, stop):
        store_words(out, i, mul(load_words_fq(words, i), factor))


@kernel
def check_curve(points, good, start, stop):
    """good[j] = 1 when point j is on the curve or infinity."""
    for i in range(start, stop):
        x, y = load_points(points, i)
        bits = mask_to_bits(mask_or(is_exact_zero(x), on_curve(x, y)))
        for lane in range(LANES):
            good[i * LANES + lane] = (bits >> lane) & 1


@kernel
def check_order(points, order_bits, good, start, stop):
    """good[j] = 1 when r·P_j is infinity; order_bits most significant first."""
    for i in range(start, stop):
        p = lift(load_points(points, i))
        q = infinity_like(p[0])
        for k in range(len(order_bits)):
            q = double_projective(q)
            if order_bits[k] == 1:
                q = add_projective(q, p)
        bits = mask_to_bits(is_zero(q[2]))
        for lane in range(LANES):
            good[i * LANES + lane] = (bits >> lane) & 1
