"""Kernel of point_multiples.py: a different multiple of every point, one point a lane."""

from zkcmp.bn254.curve.group_law import add_affine, double_projective, lift, to_affine
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.points import load_entries, store_points

WINDOW_BITS = 4


@kernel
def multiply_points(tables, entries, n_windows, stride, out, start, stop):
    """out group i = Σ_w 2^(WINDOW_BITS·w)·tables[entries[w·stride + LANES·i + lane]].

    No entry may name infinity, which `add_affine` does not know.
    """
    for i in range(start, stop):
        acc = lift(load_entries(tables, entries, (n_windows - 1) * stride + i * LANES))
        for w in range(n_windows - 2, -1, -1):
            for _ in range(WINDOW_BITS):
                acc = double_projective(acc)
            acc = add_affine(acc, load_entries(tables, entries, w * stride + i * LANES))
        x, y = to_affine(acc)
        store_points(out, i, x, y)
