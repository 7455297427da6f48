"""S3 by lookups: every width exactly, at, below and above the table's, and zero padding."""

import numpy as np
import pytest
from clear_scheme import run

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.libra.multilinear.sealed_tensor import SealedTensor
from zkcmp.libra.relations.lookup import MULTIPLICITIES, prove_lookup
from zkcmp.libra.relations.ranges import Ranges, prove_padding

TENSORS = (
    SealedTensor("narrow", (3, 2), 5),
    SealedTensor("equal", (4,), 8),
    SealedTensor("wide", (5,), 19),
    SealedTensor("whole", (1,), 16),
)
RANGES = Ranges(8, TENSORS, None)


def extremes() -> dict[str, np.ndarray]:
    out = {}
    for t in TENSORS:
        n = int(np.prod(t.shape))
        low, high = -(1 << (t.bits - 1)), (1 << (t.bits - 1)) - 1
        out[t.name] = t.block(np.resize([low, high, 0, -1, 1], n))
    return out


def attempt(blocks, parts=None):
    parts = RANGES.limbs(blocks) if parts is None else parts
    lookup = RANGES.lookup
    table = 1 << RANGES.table_bits
    given = {**blocks, **parts}
    counts = np.zeros(table, np.int64)
    for c in lookup.columns:
        seen = c.scale * given[c.block] + c.offset
        counts += np.bincount(seen[(seen >= 0) & (seen < table)], minlength=table)
    secret = {name: FrVector.from_int64(v) for name, v in given.items()}
    secret[MULTIPLICITIES] = FrVector.from_int64(counts)

    def reduction(channel, tensors):
        RANGES.prove_limbs(channel, tensors)
        prove_padding(channel, TENSORS)
        prove_lookup(channel, lookup, tensors)

    run(reduction, {name: len(v) for name, v in secret.items()}, secret, n_pads=512)


def test_extremes_of_every_width_are_accepted():
    attempt(extremes())


@pytest.mark.parametrize("tensor", TENSORS, ids=lambda t: t.name)
@pytest.mark.parametrize("side", [0, 1])
def test_one_past_the_width_is_rejected(tensor, side):
    blocks = extremes()
    place = int(tensor.places()[0])
    limit = 1 << (tensor.bits - 1)
    blocks[tensor.name][place] = limit if side else -limit - 1
    with pytest.raises(VerificationError):
        attempt(blocks)


def test_limbs_of_another_number_are_rejected():
    blocks = extremes()
    parts = RANGES.limbs(blocks)
    parts["wide limb 1"][0] ^= 1
    with pytest.raises(VerificationError):
        attempt(blocks, parts)


@pytest.mark.parametrize("tensor", [TENSORS[0], TENSORS[2]], ids=lambda t: t.name)
def test_a_weight_in_the_padding_is_rejected(tensor):
    blocks = extremes()
    outside = np.setdiff1d(np.arange(1 << tensor.n_vars), tensor.places())
    blocks[tensor.name][outside[-1]] = 1
    with pytest.raises(VerificationError):
        attempt(blocks)


def test_the_cheaper_table_is_chosen():
    assert Ranges.plan(TENSORS, 2, 10, 1 << 60).table_bits == 8
    assert Ranges.plan(TENSORS, 10_000, 10, 1 << 60).table_bits == 16
    assert Ranges.plan(TENSORS, 0, 10, 1 << 60).margins is None


def test_wide_margins_take_the_table_that_fits():
    assert Ranges.plan(TENSORS, 10_000, 10, (1 << 245) - 1).table_bits == 8
    with pytest.raises(VerificationError, match="margins"):
        Ranges.plan(TENSORS, 2, 10, 1 << 252)
