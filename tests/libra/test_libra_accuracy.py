"""S4 and S5 by sumcheck, over logits that the test reveals as committed values."""

import numpy as np
import pytest
from clear_scheme import run

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.libra.relations.accuracy import FLAGS, Margins, limbs, margins, prove_accuracy
from zkcmp.libra.relations.lookup import MULTIPLICITIES, Column, Lookup, prove_lookup
from zkcmp.libra.requirements.opening import EqWeights

N, M, BOUND, T = 5, 3, 2000, 4


def shape(n: int = N, m: int = M) -> Margins:
    return Margins.plan(n, m, 2 * BOUND, T)


def padded(s: Margins, logits: np.ndarray) -> FrVector:
    table = np.zeros((1 << s.image_vars, 1 << s.class_vars), np.int64)
    table[: logits.shape[0], : logits.shape[1]] = logits
    return FrVector.from_int64(table.reshape(-1))


def attempt(logits, labels, flags, threshold, s=None, change=lambda blocks: None):
    """Prove with whatever limbs and multiplicities the margins have."""
    s = shape(*logits.shape) if s is None else s
    table = padded(s, logits)
    parts = limbs(s, margins(s, table, labels, np.asarray(flags)[:N]))
    n_vars = {b.name: b.row_vars + s.image_vars for b in s.blocks()}
    lookup = Lookup(T, tuple(Column(name, 1, 0) for name in n_vars), n_vars)
    blocks = {name: FrVector.from_int64(v.reshape(-1)) for name, v in parts.items()}
    blocks["logits"] = table
    blocks[FLAGS] = FrVector.from_ints([*flags, *[0] * ((1 << s.image_vars) - len(flags))])
    blocks[MULTIPLICITIES] = FrVector.from_int64(lookup.multiplicities(parts))
    change(blocks)
    sizes = {**s.sizes(), "logits": len(table), MULTIPLICITIES: 1 << T}

    def reduction(channel, tensors):
        secret = None if tensors is None else (tensors["logits"], tensors)
        point, form = prove_accuracy(channel, s, labels, threshold, secret)
        channel.require_opening("logits", EqWeights(point), form)
        prove_lookup(channel, lookup, tensors)

    run(reduction, sizes, blocks, n_pads=512)


def random_case(seed: int, n: int = N, m: int = M):
    rng = np.random.default_rng(seed)
    logits = rng.integers(-BOUND, BOUND + 1, (n, m))
    labels = logits.argmax(axis=1)
    return logits, labels


@pytest.mark.parametrize(("n", "m"), [(5, 3), (1, 2), (1, 1), (4, 4), (3, 1)])
def test_correct_images(n, m):
    logits, labels = random_case(n * m, n, m)
    attempt(logits, labels, np.ones(n, np.int64), n)
    if n > 1:
        attempt(logits, labels, np.r_[np.ones(n - 1, np.int64), 0], n - 1)


def test_images_that_are_not_flagged_may_be_wrong():
    logits, labels = random_case(3)
    labels = (labels + np.array([0, 1, 0, 2, 0])) % M
    attempt(logits, labels, np.array([1, 0, 1, 0, 1]), 3)
    with pytest.raises(VerificationError):
        attempt(logits, labels, np.array([1, 1, 1, 0, 1]), 4)


def test_ties_go_to_the_smallest_class():
    logits = np.array([[7, 7, 1]] * N)
    ones = np.ones(N, np.int64)
    attempt(logits, np.zeros(N, np.int64), ones, N)
    with pytest.raises(VerificationError):
        attempt(logits, np.ones(N, np.int64), ones, N)


def test_the_count_is_exact():
    logits, labels = random_case(4)
    for threshold in (3, 5):
        with pytest.raises(VerificationError):
            attempt(logits, labels, np.array([1, 1, 1, 1, 0]), threshold)


def test_flags_are_bits_and_those_of_no_image_do_not_count():
    logits, labels = random_case(5)
    wrong = (labels + 1) % M

    def flag(place, value):
        def change(blocks):
            values = [0] * 8
            values[place] = value
            blocks[FLAGS] = FrVector.from_ints(values)

        return change

    none = np.zeros(N, np.int64)
    with pytest.raises(VerificationError):
        attempt(logits, labels, none, 5, change=flag(0, 5))
    with pytest.raises(VerificationError):
        attempt(logits, wrong, none, 1, change=flag(N, 1))


def test_a_limb_one_too_large_is_rejected():
    logits, labels = random_case(6)

    def change(blocks):
        low = blocks["margin limbs 0"].to_ints()
        low[next(k for k, limb in enumerate(low) if limb)] += 16
        blocks["margin limbs 0"] = FrVector.from_ints(low)

    with pytest.raises(VerificationError):
        attempt(logits, labels, np.ones(N, np.int64), N, change=change)


def test_margins_that_could_wrap_are_refused():
    with pytest.raises(VerificationError, match="margins"):
        Margins.plan(2, 2, 1 << 253, 16)
