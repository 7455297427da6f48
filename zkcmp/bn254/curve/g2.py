"""G2 as arrays (n, 2, 2, 4) uint64 of affine points (x, y) over Fq², at rest (point_arrays.py)."""

from collections.abc import Sequence

import numpy as np

from zkcmp.bn254.curve.g1 import membership
from zkcmp.bn254.curve.point_arrays import coordinates_to_ints, ints_to_coordinates
from zkcmp.bn254.curve.point_kernels import check_curve
from zkcmp.bn254.curve.subgroup_kernels import X_DIGITS, check_subgroup
from zkcmp.bn254.params import G2_GENERATOR

Fq2 = tuple[int, int]
Point = tuple[Fq2, Fq2] | None


def from_affine_ints(points: Sequence[Point]) -> np.ndarray:
    """((x0, x1), (y0, y1)) integers, None for infinity, to an array (n, 2, 2, 4)."""
    flat = [c for point in points for pair in (point or ((0, 0), (0, 0))) for c in pair]
    return ints_to_coordinates(flat).reshape(-1, 2, 2, 4)


def to_affine_ints(points: np.ndarray) -> list[Point]:
    """An array (n, 2, 2, 4) to integers, None for infinity."""
    flat = coordinates_to_ints(points.reshape(-1, 4))
    out: list[Point] = []
    for i in range(0, len(flat), 4):
        x0, x1, y0, y1 = flat[i : i + 4]
        out.append(((x0, x1), (y0, y1)) if any(flat[i : i + 4]) else None)
    return out


def is_on_curve(points: np.ndarray) -> np.ndarray:
    """Bool array (n,): which points are on the twist y² = x³ + 3/(9+u), or infinity."""
    return membership(points, check_curve)


def in_subgroup(points: np.ndarray) -> np.ndarray:
    """Bool array (n,): which points of the twist are in G2; infinity is.

    The twist has r·(2p − r) points, so a point on it need not be in G2. The test is exact for every
    point of the twist (subgroup_kernels.py), and means nothing for others.
    """
    return membership(points, check_subgroup, X_DIGITS)


def generator() -> np.ndarray:
    """The generator as an array (1, 2, 2, 4)."""
    return from_affine_ints([G2_GENERATOR])
