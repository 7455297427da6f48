"""How many limbs margins need, and when a negative one could look like limbs."""

import pytest

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.libra.multilinear.sealed_tensor import SealedTensor
from zkcmp.libra.relations.accuracy import Margins
from zkcmp.libra.relations.ranges import Ranges

# limbs of 253 bits: r − bound, the largest negative margin, is just above all of them
LARGEST = FR_MODULUS - (1 << 253) - 1


def test_the_largest_bound_that_fits() -> None:
    assert Margins.fit(LARGEST, 1)
    assert not Margins.fit(LARGEST + 1, 1)
    assert (LARGEST + 1).bit_length() == 253


@pytest.mark.parametrize(
    ("bound", "bits", "limbs"), [(0, 1, 1), (1, 1, 1), (2, 1, 2), (255, 8, 1), (256, 8, 2)]
)
def test_limbs_hold_every_margin_and_no_more(bound: int, bits: int, limbs: int) -> None:
    assert Margins.plan(2, 2, bound, bits).n_limbs == limbs


def test_a_statement_without_images_has_no_margins_to_fit() -> None:
    tensors = [SealedTensor("w", (3, 2), 5), SealedTensor("v", (5,), 19)]
    plan = Ranges.plan(tensors, 0, 10, FR_MODULUS)
    assert plan.margins is None
    # twice 4·2 entries of 5 bits, three limbs of 8 entries, the last of them twice, and the table
    assert (plan.table_bits, plan.n_leaves) == (8, 2 * 8 + 4 * 8 + 256)
