"""Kernels over whole point arrays: change of radix, curve and subgroup membership."""

from zkcmp.bn254.body import LANES
from zkcmp.bn254.curve import (
    add_projective,
    double_projective,
    frobenius_x,
    frobenius_y,
    lift,
    on_curve,
)
from zkcmp.bn254.jit import kernel
from zkcmp.bn254.lane_memory import load_words_fq, store_words
from zkcmp.bn254.lane_points import load_points
from zkcmp.bn254.lanes import (
    conjugate,
    is_exact_zero,
    is_zero,
    mask_and,
    mask_or,
    mask_to_bits,
    mul,
    sub,
)


@kernel
def rescale(words, constant, out, start, stop):
    """out = words·constant/R for (n, 4) records, canonical."""
    factor = load_words_fq(constant, 0)
    for i in range(start, stop):
        store_words(out, i, mul(load_words_fq(words, i), factor))


@kernel
def _is_infinity(x, y):
    """Mask of all-zero records; x = 0 alone is enough only for a point known to be on the curve."""
    return mask_and(is_exact_zero(x), is_exact_zero(y))


@kernel
def check_curve(points, good, start, stop):
    """good[j] = 1 when point j is on the curve or infinity."""
    for i in range(start, stop):
        x, y = load_points(points, i)
        bits = mask_to_bits(mask_or(_is_infinity(x, y), on_curve(x, y)))
        for lane in range(LANES):
            good[i * LANES + lane] = (bits >> lane) & 1


@kernel
def _multiply(p, bits):
    """k·P for the integer with these bits, most significant first."""
    q = p
    for k in range(1, len(bits)):
        q = double_projective(q)
        if bits[k] == 1:
            q = add_projective(q, p)
    return q


@kernel
def check_subgroup(points, x_bits, good, start, stop):
    """good[j] = 1 when ψ(P_j) = [6x²]P_j, for points of the twist; infinity is good."""
    for i in range(start, stop):
        x, y = load_points(points, i)
        p = lift((x, y))
        double_p = double_projective(p)
        q = double_projective(add_projective(double_p, p))
        q = _multiply(_multiply(q, x_bits), x_bits)
        same_x = is_zero(sub(mul(frobenius_x(conjugate(x)), q[2]), q[0]))
        same_y = is_zero(sub(mul(frobenius_y(conjugate(y)), q[2]), q[1]))
        bits = mask_to_bits(mask_or(_is_infinity(x, y), mask_and(same_x, same_y)))
        for lane in range(LANES):
            good[i * LANES + lane] = (bits >> lane) & 1
