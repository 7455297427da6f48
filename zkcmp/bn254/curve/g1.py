"""G1 as arrays (n, 2, 4) uint64 of affine points (x, y) at rest (point_arrays.py)."""

from collections.abc import Sequence

import numpy as np

from zkcmp.bn254.curve.point_arrays import coordinates_to_ints, ints_to_coordinates, to_kernel_form
from zkcmp.bn254.curve.point_kernels import check_curve
from zkcmp.bn254.field.fr import padded
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.params import G1_GENERATOR
from zkcmp.bn254.threads import parallel_ranges

Point = tuple[int, int] | None


def from_affine_ints(points: Sequence[Point]) -> np.ndarray:
    """(x, y) integers, None for infinity, to an array (n, 2, 4)."""
    flat = [c for point in points for c in (point or (0, 0))]
    return ints_to_coordinates(flat).reshape(-1, 2, 4)


def to_affine_ints(points: np.ndarray) -> list[Point]:
    """An array (n, 2, 4) to (x, y) integers, None for infinity."""
    flat = coordinates_to_ints(points.reshape(-1, 4))
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return [None if pair == (0, 0) else pair for pair in pairs]


def is_on_curve(points: np.ndarray) -> np.ndarray:
    """Bool array (n,): which points satisfy y² = x³ + 3 or are infinity.

    G1 has cofactor 1: on the curve is in the group.
    """
    return membership(points, check_curve)


def membership(points: np.ndarray, check: object, *arguments: object) -> np.ndarray:
    """Run a membership kernel over all points; bool array (n,)."""
    whole = np.zeros((padded(len(points)), *points.shape[1:]), np.uint64)
    whole[: len(points)] = points
    whole = to_kernel_form(whole)
    good = np.zeros(len(whole), np.uint8)
    parallel_ranges(
        lambda i, j: check(whole, *arguments, good, i, j),  # type: ignore[operator]
        len(whole) // LANES,
    )
    return good[: len(points)].astype(bool)


def generator() -> np.ndarray:
    """The generator as an array (1, 2, 4)."""
    return from_affine_ints([G1_GENERATOR])
