"""From bucket sums to the multi-scalar product: Σ_b b·B_b for a window, Horner over the windows."""

import numpy as np

from zkcmp.bn254.curve.group_law import (
    add_affine,
    add_projective,
    double_projective,
    infinity_like,
    lift,
    select_point,
    sum_lanes,
    sum_lanes_weighted,
    to_affine,
)
from zkcmp.bn254.lanes.arithmetic import is_exact_zero
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.points import (
    copy_record,
    load_entries,
    load_strided,
    store_points,
    store_points_canonical,
)


@kernel
def copy_entries(points, entries, count, out, first_group):
    """Records of the given entries, signs applied, to groups first_group… of out."""
    for i in range((count + LANES - 1) // LANES):
        x, y = load_entries(points, entries, i * LANES)
        store_points(out, first_group + i, x, y)


@kernel
def scatter(records, numbers, count, table):
    """table[numbers[k]] = records[k]."""
    for k in range(count):
        copy_record(records, k, table, np.int64(numbers[k]))


@kernel
def gather(records, numbers, out, infinite):
    """out[k] = records[numbers[k]]; infinite[k]: whether it is infinity."""
    words = out.reshape(len(out), -1)
    for k in range(len(numbers)):
        copy_record(records, np.int64(numbers[k]), out, k)
        bits = np.uint64(0)
        for word in range(words.shape[1]):
            bits |= words[k, word]
        infinite[k] = bits == np.uint64(0)


@kernel
def _run_down(buckets, start, segment):
    """Lane l runs down its segment of L buckets: (Σ_j B_j, Σ_j (j + 1)·B_j), B_j = record l·L + j.

    Counted from record `start`.
    """
    x, _ = load_strided(buckets, start, segment)
    running = infinity_like(x)
    total = infinity_like(x)
    for j in range(segment - 1, -1, -1):
        q = load_strided(buckets, start + j, segment)
        running = select_point(is_exact_zero(q[0]), running, add_affine(running, q))
        total = add_projective(total, running)
    return running, total


@kernel
def weighted_bucket_sum(buckets, out):
    """out[0] = Σ_b (b + 1)·buckets[b], affine; len(buckets) is LANES times a power of two.

    With R and A of `_run_down`, lane by lane: Σ_l A_l + L·Σ_l l·R_l.
    """
    segment = len(buckets) // LANES
    running, total = _run_down(buckets, 0, segment)
    if LANES > 1:
        total = sum_lanes(total)
        spread = sum_lanes_weighted(running)
        while segment > 1:
            spread = double_projective(spread)
            segment >>= 1
        total = add_projective(total, spread)
    x3, y3 = to_affine(total)
    store_points(out, 0, x3, y3)


@kernel
def weighted_bucket_sums(buckets, width, start, stop, out):
    """out[w] = Σ_b (b + 1)·buckets[w·width + b], affine: a window for each lane.

    For groups start … stop − 1 of LANES windows.
    """
    for i in range(start, stop):
        _, total = _run_down(buckets, i * LANES * width, width)
        x3, y3 = to_affine(total)
        store_points(out, i, x3, y3)


@kernel
def horner(points, count, doublings, out):
    """out[0] = Σ_w 2^(doublings·w)·points[w], canonical affine."""
    x, _ = load_strided(points, 0, 0)
    acc = infinity_like(x)
    for w in range(count - 1, -1, -1):
        for _ in range(doublings):
            acc = double_projective(acc)
        acc = add_projective(acc, lift(load_strided(points, w, 0)))
    x3, y3 = to_affine(acc)
    store_points_canonical(out, 0, x3, y3)
