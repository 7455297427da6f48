"""Limbs that make the number they are to make, one of which is none: each has to be looked up."""

import pytest
from test_libra_ranges import RANGES, TENSORS, attempt, extremes

from zkcmp.errors import VerificationError

(WIDE,) = (tensor for tensor in TENSORS if tensor.name == "wide")
LIMBS = RANGES.limb_names(WIDE)
PLACE = int(WIDE.places()[0])


@pytest.mark.parametrize(
    "limbs", [(0, 256, 7), (256, 255, 7), (0, 0, 8), (-256, 1, 8)], ids=["1", "0", "2", "2 and 0"]
)
def test_a_weight_one_past_its_width(limbs: tuple[int, ...]) -> None:
    """2^19 where 19 bits are allowed: one limb of 8 bits, or the last of 3, is too large."""
    blocks = extremes()
    blocks["wide"][PLACE] = 1 << 18
    parts = RANGES.limbs(blocks)
    for name, limb in zip(LIMBS, limbs, strict=True):
        parts[name][PLACE] = limb
    assert sum(limb << (8 * k) for k, limb in enumerate(limbs)) == 1 << 19
    with pytest.raises(VerificationError):
        attempt(blocks, parts)


@pytest.mark.parametrize("borrowed", [0, 1])
def test_a_weight_in_its_width_of_limbs_that_are_not(borrowed: int) -> None:
    blocks = extremes()
    parts = RANGES.limbs(blocks)
    for name, change in zip(LIMBS[borrowed:], (256, -1), strict=False):
        parts[name][PLACE] += change
    with pytest.raises(VerificationError):
        attempt(blocks, parts)
