"""Inversion by division steps against Python's own, one number and lanes of them."""

import random

import numpy as np
import pytest

from zkcmp.bn254.field.fr import ints_to_words, words_to_ints
from zkcmp.bn254.lanes.body import BODY, LANES
from zkcmp.bn254.lanes.inversion import invert_fq, invert_words
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import load_words_fq, store_words
from zkcmp.bn254.params import FQ_MODULUS as P

EDGES = [0, 1, 2, 3, P - 1, P - 2, P // 2, (P + 1) // 2, (1 << 30) - 1, 1 << 30, 1 << 253]
EDGES += [1 << (30 * k) for k in range(2, 9)] + [(1 << (64 * k)) - 1 for k in range(1, 4)]


def inverse(x: int) -> int:
    return pow(x, -1, P) if x % P else 0


@kernel
def _invert_groups(words, out):
    for i in range(len(words) // LANES):
        store_words(out, i, invert_fq(load_words_fq(words, i)))


def test_one_number() -> None:
    rng = random.Random(1)
    for x in EDGES + [rng.randrange(P) >> rng.randrange(250) for _ in range(2000)]:
        words = ints_to_words([x])
        invert_words(words[0])
        (found,) = words_to_ints(words)
        assert found < 2 * P
        assert found % P == inverse(x)


@pytest.mark.parametrize("kind", ["random", "edges", "zeros", "one zero", "not canonical"])
def test_lanes(kind: str) -> None:
    """Every lane by itself: a zero in one does not disturb the others."""
    rng = random.Random(kind)
    n = 8 * 4
    values = {
        "random": [rng.randrange(P) for _ in range(n)],
        "edges": [rng.choice(EDGES) for _ in range(n)],
        "zeros": [0] * n,
        "one zero": [0 if j % 9 == 4 else rng.randrange(1, P) for j in range(n)],
        "not canonical": [rng.choice([P, 2 * P, P + 1, 2 * P - 1, 4 * P + 3]) for _ in range(n)],
    }[kind]
    out = np.zeros((n, 4), np.uint64)
    _invert_groups(ints_to_words(values), out)
    # x stands for x/R, whose inverse is R/x, which R²/x stands for
    scale = pow(1 << BODY.radix_bits, 2, P)
    assert words_to_ints(out) == [inverse(x) * scale % P for x in values]
