"""Each check of a point stands alone: below q, on the curve, in the subgroup, not infinity."""

import numpy as np
import pytest

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.errors import DecodeError
from zkcmp.groth16 import verifying_key
from zkcmp.groth16.verifying_key import bad_points, check_points

CHECKS = [(g1, "is_on_curve"), (g2, "is_on_curve"), (g2, "in_subgroup")]


def generators(n: int, of_g2: bool = False) -> np.ndarray:
    return np.concatenate([g2.generator() if of_g2 else g1.generator()] * n)


def off_curve(points: np.ndarray, position: int) -> np.ndarray:
    """Another x: still below q, no longer on the curve."""
    changed = points.copy()
    changed[(position, *[0] * (points.ndim - 1))] ^= np.uint64(1)
    return changed


@pytest.mark.parametrize("of_g2", [False, True], ids=["G1", "G2"])
class TestOneBadPoint:
    def test_none(self, of_g2: bool) -> None:
        assert list(bad_points(generators(3, of_g2))) == []

    def test_infinity(self, of_g2: bool) -> None:
        points = generators(3, of_g2)
        points[1] = 0
        assert list(bad_points(points)) == [1]

    def test_off_the_curve_whatever_the_subgroup_check_says(
        self, of_g2: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(g2, "in_subgroup", lambda points: np.ones(len(points), bool))
        assert list(bad_points(off_curve(generators(3, of_g2), 2))) == [2]

    @pytest.mark.parametrize("coordinate", [0, 1, -1])
    def test_a_coordinate_of_q_or_more(
        self, of_g2: bool, coordinate: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module, name in CHECKS:
            monkeypatch.setattr(module, name, lambda points: np.ones(len(points), bool))
        points = generators(3, of_g2)
        flat = points.reshape(3, -1, 4)
        for value, bad in ((FQ_MODULUS - 1, []), (FQ_MODULUS, [1]), (2**256 - 1, [1])):
            flat[1, coordinate] = [value >> 64 * k & 2**64 - 1 for k in range(4)]
            assert list(bad_points(points)) == bad


def test_outside_the_subgroup_whatever_the_others_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(g2, "in_subgroup", lambda points: np.arange(len(points)) != 1)
    assert list(bad_points(generators(3, True))) == [1]


@pytest.mark.parametrize("position", range(5))
def test_the_bad_point_is_named(monkeypatch: pytest.MonkeyPatch, position: int) -> None:
    """Points are checked in parts; none lies between two."""
    monkeypatch.setattr(verifying_key, "_CHUNK", 2)
    check_points(generators(5), "table")
    with pytest.raises(DecodeError, match=f"table, point {position} is not in its group"):
        check_points(off_curve(generators(5), position), "table")
