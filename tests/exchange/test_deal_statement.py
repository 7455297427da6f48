"""Thresholds are exact, ciphertexts canonical, and the context depends on every part."""

import numpy as np
import pytest

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.exchange.method import FREIVALDS, FULL
from zkcmp.exchange.statement import (
    ciphertext_bytes,
    ciphertext_words,
    parse_threshold,
    statement_context,
)
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Dense, Flatten


@pytest.mark.parametrize(
    ("accuracy", "n", "threshold"),
    [
        ("1", 7, 7),
        ("100%", 7, 7),
        ("0.5", 7, 4),
        ("0.5", 8, 4),
        ("0.9", 10, 9),
        ("90%", 10, 9),
        ("0.29", 100, 29),  # as floats, 0.29 * 100 = 28.999999999999996
        ("0.57", 100, 57),  # as floats, 0.57 * 100 = 56.99999999999999
        ("0.07", 100, 7),  # as floats, 0.07 * 100 = 7.000000000000001
        ("0.070000000000000000000000000001", 100, 8),
        ("0.000001", 3, 1),
        ("99.5%", 1000, 995),
        ("0.97", 100, 97),
        ("0.97", 10, 10),
        ("0.1", 10, 1),
        ("0.3", 10, 3),
        ("1.0", 7, 7),
    ],
)
def test_threshold_is_exact(accuracy: str, n: int, threshold: int) -> None:
    assert parse_threshold(accuracy, n) == threshold


NO_ACCURACIES = (
    *("", "0", "0.0", "0%", "1.01", "101%", "-0.5", "1e-1", "nan", "½"),
    *("19/20", ".5", "1.", "0.5%%", "0 .5", "٠.٥", "0.5\n0.5"),
)


@pytest.mark.parametrize("accuracy", NO_ACCURACIES)
def test_no_accuracy(accuracy: str) -> None:
    with pytest.raises(ZkcmpError):
        parse_threshold(accuracy, 10)


def words_of(value: int) -> list[int]:
    return [(value >> (64 * k)) & (2**64 - 1) for k in range(4)]


def test_ciphertext_round_trip_and_limits() -> None:
    words = np.array([words_of(v) for v in (0, 1, FR_MODULUS - 1)], np.uint64)
    data = ciphertext_bytes(words)
    assert data[32:64] == (1).to_bytes(32, "little")
    assert np.array_equal(ciphertext_words(data, 3), words)
    for wrong in (data[:-1], data + b"\0", b""):
        with pytest.raises(DecodeError):
            ciphertext_words(wrong, 3)
    with pytest.raises(DecodeError):
        ciphertext_words(data[:64] + FR_MODULUS.to_bytes(32, "little"), 3)


def test_context_depends_on_every_part() -> None:
    images, labels = np.zeros((2, 1, 1, 2), np.int64), np.array([0, 1])

    def architecture(bits: int) -> Architecture:
        return Architecture((1, 1, 2), bits, (Flatten(), Dense(2, 2, 8, 8)))

    parts = {
        "architecture": (architecture(4), architecture(5)),
        "ciphertext": (bytes(64), bytes(63) + b"\x01"),
        "commitment": (bytes(32), bytes(31) + b"\x01"),
        "test_set": (TestSet(images, labels), TestSet(images, labels[::-1])),
        "threshold": (1, 2),
        "method": (FULL, FREIVALDS),
        "request_digest": (bytes(32), b"\x01" * 32),
        "parameters_digest": (bytes(32), b"\x01" * 32),
    }
    honest = {name: values[0] for name, values in parts.items()}
    contexts = {statement_context(**honest)}
    contexts |= {statement_context(**{**honest, name: v[1]}) for name, v in parts.items()}
    assert len(contexts) == 1 + len(parts)
