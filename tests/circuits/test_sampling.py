"""Which constraints are kept: exactly ⌈u·N⌉, as the text of sampling.py says, without bias."""

import hashlib
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuits.sampled.sampling import (
    kept_count,
    kept_rows,
    parse_selecting_parameter,
    sample,
)
from zkcmp.errors import ZkcmpError

SEED = bytes(range(32))
VECTOR = [117, 126, 244, 302, 317, 599, 707, 992, 1121, 1322]
VECTOR_DIGEST = "bd07a17f539d64e3513f684209c6885089116cac952a376dee0da6bf9b51018f"


def plain_kept_rows(seed: bytes, image: int, n_rows: int, n_kept: int) -> list[int]:
    """The module's docstring, word by word and without numpy."""
    draws = min(n_kept, n_rows - n_kept)
    message = b"zkcmp sample v1" + seed + image.to_bytes(8, "little")
    found: list[int] = []
    position = 0
    while len(found) < draws:
        position += 8
        word = int.from_bytes(hashlib.shake_256(message).digest(position)[-8:], "little")
        if word < n_rows * (2**64 // n_rows) and word % n_rows not in found:
            found.append(word % n_rows)
    if 2 * n_kept <= n_rows:
        return sorted(found)
    return [row for row in range(n_rows) if row not in found]


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**40), st.integers(1, 90), st.data())
def test_the_description_gives_the_same_rows(seed, image, n_rows, data):
    n_kept = data.draw(st.integers(0, n_rows))
    rows = kept_rows(seed, image, n_rows, n_kept)
    assert rows.tolist() == plain_kept_rows(seed, image, n_rows, n_kept)
    assert len(rows) == n_kept


def test_a_vector_for_other_implementations():
    assert kept_rows(SEED, 0, 1485, 10).tolist() == VECTOR
    rows = kept_rows(SEED, 3999, 106_925, 3208)
    assert hashlib.sha256(rows.astype("<u4").tobytes()).hexdigest() == VECTOR_DIGEST


def test_words_that_would_favour_some_rows_are_skipped():
    """Of 2^62 + 1 rows, a quarter of all words."""
    n_rows = 2**62 + 1
    assert kept_rows(SEED, 5, n_rows, 40).tolist() == plain_kept_rows(SEED, 5, n_rows, 40)


@pytest.mark.parametrize("n_kept", [2, 3, 4])
def test_every_set_of_rows_is_as_likely(n_kept):
    """All subsets of 6 rows over 6,000 images: chi squared below its 1 - 10^-6 quantile."""
    subsets = {subset: 0 for subset in combinations(range(6), n_kept)}
    for image in range(6000):
        subsets[tuple(kept_rows(SEED, image, 6, n_kept).tolist())] += 1
    expected = 6000 / len(subsets)
    chi_squared = sum((count - expected) ** 2 / expected for count in subsets.values())
    assert chi_squared < {15: 56.5, 20: 65.4}[len(subsets)]


def test_images_and_seeds_have_samples_of_their_own():
    kept = sample(SEED, 3, 1485, Fraction(3, 100))
    other = sample(bytes(32), 3, 1485, Fraction(3, 100))
    lines = {tuple(line) for line in [*kept.tolist(), *other.tolist()]}
    assert len(lines) == 6
    assert kept.shape == (3, 45)
    assert np.array_equal(kept[2], kept_rows(SEED, 2, 1485, 45))


def test_counts_are_exact():
    assert kept_count(106_925, Fraction("0.03")) == 3208  # 3207.75
    assert kept_count(100, Fraction("0.03")) == 3
    assert kept_count(100, Fraction("0.07")) == 7  # in floats, 0.07 * 100 is above 7
    assert kept_count(5, Fraction("1e-30")) == 1
    assert kept_count(1485, Fraction(1)) == 1485


@pytest.mark.parametrize(
    ("text", "u"),
    [("0.03", Fraction(3, 100)), ("3%", Fraction(3, 100)), ("1", Fraction(1)), ("100%", 1)],
)
def test_selecting_parameters_are_read_exactly(text, u):
    assert parse_selecting_parameter(text) == u


@pytest.mark.parametrize(
    "text", ["0", "0%", "1.01", "101%", "-0.1", "3e-2", "1/3", "nan", "", "٣%"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(ZkcmpError, match="selecting parameter"):
        parse_selecting_parameter(text)


def test_floats_and_other_seeds_are_refused():
    with pytest.raises(ZkcmpError, match="exact fraction"):
        kept_count(100, 0.03)  # type: ignore[arg-type]
    with pytest.raises(ZkcmpError, match="32 bytes"):
        kept_rows(bytes(31), 0, 10, 5)
