"""Ranges by lookups: values outside the table, wrong multiplicities, and values that would wrap."""

import numpy as np
import pytest
from clear_scheme import run

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.libra.relations.lookup import MULTIPLICITIES, Column, Lookup, prove_lookup

BITS = 4
COLUMNS = (Column("u", 1, 0), Column("w", 1, 8), Column("w", 4, 0), Column("v", 1, 4))
N_VARS = {"u": 5, "w": 3, "v": 0, MULTIPLICITIES: BITS}
LOOKUP = Lookup(BITS, COLUMNS, N_VARS)


def values(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "u": rng.integers(0, 16, 32),
        "w": rng.integers(0, 4, 8),
        "v": rng.integers(-4, 12, 1),
    }


def attempt(given, multiplicities=None, **settings):
    m = LOOKUP.multiplicities(given) if multiplicities is None else multiplicities
    blocks = {name: FrVector.from_ints(list(v)) for name, v in given.items()}
    blocks[MULTIPLICITIES] = FrVector.from_ints(list(m))
    sizes = {name: 1 << n for name, n in N_VARS.items()}
    return run(lambda c, t: prove_lookup(c, LOOKUP, t), sizes, blocks, **settings)


@pytest.mark.parametrize("seed", range(3))
def test_values_in_the_table(seed):
    attempt(values(seed))


def test_multiplicities_count_missing_entries_of_a_block():
    short = {"u": np.array([3] * 30), "w": np.zeros(8, np.int64), "v": np.array([0])}
    counts = LOOKUP.multiplicities(short)
    assert counts.sum() == 32 + 8 + 8 + 1
    assert counts[3] == 30
    assert counts[0] == 2 + 8


@pytest.mark.parametrize(("name", "place", "value"), [("u", 7, 16), ("u", 0, -1), ("v", 0, 12)])
def test_a_value_outside_is_rejected(name, place, value):
    good = values()
    m = LOOKUP.multiplicities(good)
    bad = {k: v.copy() for k, v in good.items()}
    bad[name][place] = value
    with pytest.raises(ValueError, match="outside"):
        LOOKUP.multiplicities(bad)
    with pytest.raises(VerificationError):
        attempt(bad, m)


def test_a_value_that_fits_the_table_but_not_its_own_width():
    """w is held to two bits by the column that shifts it."""
    good = values()
    bad = {**good, "w": good["w"].copy()}
    m = LOOKUP.multiplicities(good)
    m[8 + good["w"][2]] -= 1
    m[8 + 5] += 1
    bad["w"][2] = 5
    with pytest.raises(VerificationError):
        attempt(bad, m)


def test_a_fraction_of_the_field_does_not_pass_for_a_shifted_value():
    """4·v in the table for v = 1/4 mod r, but then v is not."""
    good = values()
    m = LOOKUP.multiplicities(good)
    bad = {**good, "w": good["w"].astype(object)}
    bad["w"][0] = pow(4, -1, FR_MODULUS)
    with pytest.raises(VerificationError):
        attempt(bad, m)


def test_wrong_multiplicities_are_rejected():
    good = values()
    m = LOOKUP.multiplicities(good)
    for a, b in ((0, 1), (15, 3)):
        wrong = m.copy()
        wrong[a] += 1
        with pytest.raises(VerificationError):
            attempt(good, wrong)
        wrong[b] -= 1
        with pytest.raises(VerificationError):
            attempt(good, wrong)


def test_every_changed_element_is_rejected():
    given = values()
    proof = attempt(given)
    for at in range(0, len(proof), 32 * 5):

        def tamper(data, at=at):
            changed = (int.from_bytes(data[at : at + 32], "big") + 1) % FR_MODULUS
            return data[:at] + changed.to_bytes(32, "big") + data[at + 32 :]

        with pytest.raises(VerificationError):
            attempt(given, tamper=tamper)
