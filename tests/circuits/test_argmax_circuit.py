"""Arg max margins and the accuracy count, against numpy."""

import itertools

import numpy as np
import pytest
from gadget_harness import free_wires, record_and_assign, violated_gadgets

from circuits.gadgets.accuracy import choose_flags, enforce_count, enforce_flags
from circuits.gadgets.argmax import arg_max, margin_bits
from circuits.signals import private, public
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError, ZkcmpError


def argmax_circuit(logits: np.ndarray, labels: list[int], correct: list[int], bound: int):
    one_hot = np.eye(logits.shape[1], dtype=np.int64)[labels]

    def make(system, with_values):
        def known(values):
            return values if with_values else None

        h = public(system, "labels", one_hot.shape, known(one_hot))
        y = private(system, "logits", logits.shape, known(logits))
        f = private(system, "flags", (len(labels),), known(np.array(correct)))
        arg_max(system, y, h, f, bound)

    return record_and_assign(make)


def test_every_small_logit_vector_and_label():
    """All vectors over {−2 … 2}^3: accepted exactly when numpy's arg max is the label."""
    vectors = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    for label in range(3):
        r1cs, witness = argmax_circuit(vectors, [label] * len(vectors), [1] * len(vectors), 2)
        margins = 3 * margin_bits(2)
        first = next(s.first for s in r1cs.gadgets if s.name == "argmax margin range")
        assert violated_gadgets(r1cs, witness) == {"argmax margin range"}
        low = len(vectors) * (margins - 3)  # boolean rows, then one row for each top bit
        bad_rows = r1cs.violated_rows(witness) - first - low
        assert (bad_rows >= 0).all()
        refused = set((bad_rows // 3).tolist())
        expected = {j for j, v in enumerate(vectors) if np.argmax(v) != label}
        assert refused == expected
        r1cs, witness = argmax_circuit(vectors, [label] * len(vectors), [0] * len(vectors), 2)
        r1cs.check(witness)


@pytest.mark.parametrize("bound", [1, 7, 8, (1 << 61) - 1, 1 << 61, (1 << 200) + 5])
def test_logits_at_the_bound(bound):
    logits = np.array([[-bound, bound], [bound, -bound], [bound, bound], [-bound, -bound]], object)
    r1cs, witness = argmax_circuit(logits, [1, 0, 0, 0], [1] * 4, bound)
    r1cs.check(witness)
    assert r1cs.n_constraints == 4 * 2 * (2 + margin_bits(bound))
    bad = argmax_circuit(logits, [0, 1, 1, 1], [1] * 4, bound)
    assert violated_gadgets(*bad) == {"argmax margin range"}


def test_margin_bits_hold_the_largest_margin_and_no_negative_one():
    for bound in (0, 1, 2, 3, 1 << 40, (1 << 251) - 1):
        n_bits = margin_bits(bound)
        assert 2 * bound < 1 << n_bits
        assert (1 << n_bits) - 1 < FR_MODULUS - 2 * bound - 1
    largest = (FR_MODULUS - (1 << 253) - 1) // 2
    assert margin_bits(largest) == 253
    for bound in (largest + 1, FR_MODULUS // 4, FR_MODULUS):
        with pytest.raises(VerificationError, match="use fewer bits"):
            margin_bits(bound)


def test_no_margin_wire_is_free():
    logits = np.array([[5, 3, -9], [1, 1, 0]])
    r1cs, witness = argmax_circuit(logits, [0, 2], [1, 0], 9)
    wires = range(1 + r1cs.n_public + 6 + 2, r1cs.n_wires)  # beyond logits and flags
    assert free_wires(r1cs, witness, wires) == []


def count_circuit(flags: list[int], threshold: int):
    def make(system, with_values):
        total = public(system, "T", (1,), np.array([threshold]) if with_values else None)
        correct = private(system, "flags", (len(flags),), np.array(flags) if with_values else None)
        enforce_flags(system, correct)
        enforce_count(system, correct, total)

    return record_and_assign(make)


def test_flags_are_counted_exactly():
    for flags in itertools.product([0, 1], repeat=4):
        for threshold in range(5):
            r1cs, witness = count_circuit(list(flags), threshold)
            broken = violated_gadgets(r1cs, witness)
            assert broken == (set() if sum(flags) == threshold else {"accuracy threshold"})
    assert r1cs.n_constraints == 5
    assert violated_gadgets(*count_circuit([2, 0, 0, 0], 2)) == {"accuracy flags"}


def test_choose_flags():
    correct = np.array([False, True, True, False, True])
    assert choose_flags(correct, 2).tolist() == [0, 1, 1, 0, 0]
    assert choose_flags(correct, 3).tolist() == [0, 1, 1, 0, 1]
    with pytest.raises(ZkcmpError, match="threshold"):
        choose_flags(correct, 4)
