"""Kernels over whole point arrays: change of radix, membership of the curve."""

from zkcmp.bn254.curve.group_law import on_curve
from zkcmp.bn254.lanes.arithmetic import is_exact_zero, mask_and, mask_or, mask_to_bits, mul
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import load_words_fq, store_words
from zkcmp.bn254.lanes.points import load_points


@kernel
def rescale(words, constant, out, start, stop):
    """out = words·constant/R for (n, 4) records, canonical."""
    factor = load_words_fq(constant, 0)
    for i in range(start, stop):
        store_words(out, i, mul(load_words_fq(words, i), factor))


@kernel
def is_infinity_record(x, y):
    """Mask of all-zero records; x = 0 alone is enough only for a point known to be on the curve."""
    return mask_and(is_exact_zero(x), is_exact_zero(y))


@kernel
def check_curve(points, good, start, stop):
    """good[j] = 1 when point j is on the curve or infinity."""
    for i in range(start, stop):
        x, y = load_points(points, i)
        bits = mask_to_bits(mask_or(is_infinity_record(x, y), on_curve(x, y)))
        for lane in range(LANES):
            good[i * LANES + lane] = (bits >> lane) & 1
