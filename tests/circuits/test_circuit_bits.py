"""Boolean wires and exact ranges, at every boundary."""

import numpy as np
import pytest
from gadget_harness import changed, free_wires, record_and_assign, violated_gadgets

from circuits.gadgets.bits import (
    bit_matrix,
    boolean,
    enforce_range,
    enforce_signed,
)
from circuits.signals import private
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.r1cs_builder import ConstraintSystem


def ranged(values: list[int], n_bits: int, signed: bool):
    numbers = np.array(values, object)

    def make(system, with_values):
        signals = private(system, "value", (len(values),), numbers if with_values else None)
        if signed:
            enforce_signed(system, "range", signals, n_bits)
        else:
            enforce_range(system, "range", system.wires(signals.wires), n_bits, signals.values)

    return record_and_assign(make)


WIDTHS = [1, 2, 3, 8, 31, 62, 63, 64, 65, 252, 253]


@pytest.mark.parametrize("n_bits", WIDTHS)
def test_unsigned_range_ends_exactly(n_bits):
    top = (1 << n_bits) - 1
    good = sorted({0, 1, top // 2, top - 1, top})
    r1cs, witness = ranged(good, n_bits, signed=False)
    r1cs.check(witness)
    assert r1cs.n_constraints == n_bits * len(good)
    assert r1cs.n_wires == 1 + n_bits * len(good)
    for bad in (-1, top + 1, 2 * top + 2, FR_MODULUS - 1, -(1 << (n_bits - 1))):
        if 0 <= bad % FR_MODULUS <= top:
            continue
        assert violated_gadgets(*ranged([0, bad, top], n_bits, signed=False)) == {"range"}


@pytest.mark.parametrize("n_bits", WIDTHS)
def test_signed_range_ends_exactly(n_bits):
    low, high = -(1 << (n_bits - 1)), (1 << (n_bits - 1)) - 1
    good = sorted({low, -1, min(0, high), high})
    r1cs, witness = ranged(good, n_bits, signed=True)
    r1cs.check(witness)
    assert r1cs.n_constraints == n_bits * len(good)
    for bad in (low - 1, high + 1, 2 * low - 1, 2 * high + 2):
        assert violated_gadgets(*ranged([bad], n_bits, signed=True)) == {"range"}


def test_all_bit_patterns_of_a_short_range():
    """Every assignment of the bit wires: exactly the right one is accepted."""
    n_bits = 3
    for value in range(-2, 10):
        r1cs, witness = ranged([value], n_bits, signed=False)
        accepted = []
        for low in range(4):
            trial = changed(changed(witness, 2, low & 1), 3, low >> 1)
            if not violated_gadgets(r1cs, trial):
                accepted.append(low)
        assert accepted == ([value & 3] if 0 <= value < 8 else [])


@pytest.mark.parametrize("signed", [False, True])
def test_no_bit_is_free(signed):
    r1cs, witness = ranged([0, 1, 5, 100], 8, signed)
    # the value itself may gain or lose the top bit, which is not a wire: that is its range
    assert free_wires(r1cs, witness, range(5, r1cs.n_wires)) == []
    assert len(free_wires(r1cs, witness)) == 4


def test_the_detector_finds_a_free_wire():
    def make(system, with_values):
        signals = private(system, "value", (2,), np.array([1, 0]) if with_values else None)
        boolean(system, "boolean", signals)

    r1cs, witness = record_and_assign(make)
    assert free_wires(r1cs, witness) == ["wire 1: value", "wire 2: value"]


@pytest.mark.parametrize("value", [-1, 2, 1 << 64, FR_MODULUS - 1, FR_MODULUS // 2])
def test_boolean_refuses_everything_but_bits(value):
    def make(system, with_values):
        numbers = np.array([0, 1, value], object)
        boolean(system, "boolean", private(system, "b", (3,), numbers if with_values else None))

    assert violated_gadgets(*record_and_assign(make)) == {"boolean"}


def test_bit_matrix():
    values = [0, 1, 5, 255, 256, -1, (1 << 100) + 3]
    for n_bits in (0, 1, 8, 9, 101):
        expected = [[(v >> i) & 1 for i in range(n_bits)] for v in values]
        assert bit_matrix(np.array(values, object), n_bits).tolist() == expected


def test_a_range_the_field_cannot_hold_is_refused():
    system = ConstraintSystem()
    value = system.wires(system.private(1, "v", list))
    for n_bits in (0, 254):
        with pytest.raises(ValueError, match="1 to 253"):
            enforce_range(system, "range", value, n_bits, None)
