"""Ranges by lookup: exact widths, and what a prover gains who knows the challenge too early."""

import numpy as np
import pytest
from gadget_harness import free_wires, named_wires, violated_gadgets
from two_rounds import Change, Hashing, Tampering, added

from circuits.lookups.plan import Demand, Limb, choose_tables, n_lookups, split
from circuits.lookups.ranges import Lookups, digits
from circuits.second_round import GAMMA, CommittedValues, SecondRound
from circuits.signals import private
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.model.layers import TensorSpec
from zkcmp.r1cs import R1CS
from zkcmp.r1cs_builder import ConstraintSystem

WEIGHTS = "weights"


def synthesise(system, committed, weights, ranged, bits, tables):
    """Signed weights of `bits` bits and ranged values of as many, over the given tables."""
    challenge = system.challenges(1, "challenge")
    lookups = Lookups(system, tables)
    spec = TensorSpec(WEIGHTS, weights.shape, bits)
    known = system.with_values
    signals = private(system, WEIGHTS, weights.shape, weights if known else None)
    lookups.enforce_widths(system, spec, signals)
    values = private(system, "values", ranged.shape, ranged if known else None)
    limbs = lookups.ranged("ranged", len(ranged), bits, ranged if known else None)
    system.enforce("sum of limbs", limbs, 1, system.wires(values.wires))
    lookups.commit_multiplicities()
    system.commit()
    lookups.enforce(SecondRound(system, {GAMMA: int(challenge[0])}, committed))


class Case:
    """The gadget with values, recorded once."""

    def __init__(self, weights, ranged, bits, tables):
        self.parts = (np.array(weights), np.array(ranged), bits, tables)
        system = ConstraintSystem()
        synthesise(system, None, *self.parts)
        self.r1cs: R1CS = system.build()

    def witness(self, respond=None, changes=None) -> FrVector:
        committed = CommittedValues(respond or Hashing(1))
        system = Tampering(committed, changes or {})
        synthesise(system, committed, *self.parts)
        return system.finished()

    def broken(self, **arguments) -> set[str]:
        return violated_gadgets(self.r1cs, self.witness(**arguments))


# --- which tables, which limbs ----------------------------------------------------------------


@pytest.mark.parametrize("tables", [(1,), (2, 5), (3, 4, 8), (8, 16)])
@pytest.mark.parametrize("bits", [1, 2, 3, 7, 8, 9, 16, 17, 61, 117, 253])
def test_limbs_add_up_to_exactly_the_width(bits, tables):
    limbs = split(bits, tables)
    assert sum(limb.bits for limb in limbs) == bits
    assert [limb.offset for limb in limbs] == np.cumsum([0, *(x.bits for x in limbs)])[:-1].tolist()
    assert all(limb.table in tables and limb.bits <= limb.table for limb in limbs)
    assert n_lookups(limbs) == sum(1 if x.bits in tables else 2 for x in limbs)


def test_a_short_limb_has_its_own_table_or_is_looked_up_twice():
    assert split(20, (8,)) == (Limb(0, 8, 8), Limb(8, 8, 8), Limb(16, 4, 8))
    assert split(20, (8,))[-1].shifts == (0, 4)
    assert split(20, (4, 8))[-1] == Limb(16, 4, 4)
    assert split(3, (8,))[0].shifts == (0, 5)


def test_the_chosen_tables_are_the_cheapest_of_all_small_sets():
    demands = (Demand(2, 500), Demand(7, 90), Demand(30, 40), Demand(9, 0))
    best = choose_tables(demands)

    def cost(tables):
        return sum(d.count * n_lookups(split(d.bits, tables)) for d in demands) + sum(
            2**t + 1 for t in tables
        )

    others = [(a, b, c) for a in range(1, 9) for b in range(a + 1, 10) for c in range(b + 1, 12)]
    others += [(a, b) for a in range(1, 9) for b in range(a + 1, 10)] + [(a,) for a in range(1, 17)]
    assert cost(best) <= min(cost(tables) for tables in others)
    assert 2 in best


def test_tables_grow_with_what_is_asked_of_them():
    few, many = choose_tables((Demand(117, 9),)), choose_tables((Demand(117, 10**6),))
    assert max(few) < max(many) <= 16
    assert n_lookups(split(117, few)) > n_lookups(split(117, many)) == 8
    assert choose_tables(()) == choose_tables((Demand(5, 0),)) == ()


@pytest.mark.parametrize("kind", [np.int64, object])
def test_digits(kind):
    values = [0, 1, 2**40 - 1, 2**62 - 3, -1, -(2**40)]
    limbs = split(70, (3, 13))
    found = digits(np.array(values, kind), limbs)
    for limb, array in zip(limbs, found, strict=True):
        assert array.dtype == np.int64
        expected = [(v % 2**70 >> limb.offset) % 2**limb.bits for v in values]
        assert array.tolist() == expected


# --- the gadget -------------------------------------------------------------------------------


def edges(bits: int) -> tuple[list[int], list[int]]:
    return [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, -1, 0], [0, 2**bits - 1, 1]


LAYOUTS = [(4, (4,)), (3, (4,)), (9, (4,)), (9, (1, 4)), (14, (2, 4)), (20, (6, 7)), (1, (1,))]


@pytest.mark.parametrize(("bits", "tables"), LAYOUTS)
def test_values_at_both_ends_pass(bits, tables):
    case = Case(*edges(bits), bits, tables)
    hashing = Hashing(1)
    witness = case.witness(hashing)
    case.r1cs.check(witness)
    assert hashing.n_asked == 1
    inverses = n_lookups(split(bits, tables)) * 7
    assert case.r1cs.n_constraints == 3 + inverses + sum(2**t + 1 for t in tables)


@pytest.mark.parametrize(("bits", "tables"), LAYOUTS)
@pytest.mark.parametrize("past", ["low", "high"])
def test_a_weight_one_past_its_width(bits, tables, past):
    weights, ranged = edges(bits)
    weights[0 if past == "low" else 1] += -1 if past == "low" else 1
    broken = Case(weights, ranged, bits, tables).broken()
    assert broken == {f"table of {split(bits, tables)[-1].table} bits"}


@pytest.mark.parametrize(("bits", "tables"), LAYOUTS)
@pytest.mark.parametrize("value", [-1, "2^bits", "r - 2"])
def test_a_value_that_is_no_sum_of_limbs(bits, tables, value):
    """The prover puts what the low limbs leave into the top one, whatever it is modulo r."""
    number = {"2^bits": 2**bits, "r - 2": FR_MODULUS - 2}.get(value, value)
    case = Case(edges(bits)[0], np.array([0, number, 0], object), bits, tables)
    assert case.broken() == {"sum of limbs"}
    limbs = split(bits, tables)
    top = limbs[-1]
    low = sum((number >> x.offset) % 2**x.bits << x.offset for x in limbs[:-1])
    rest = (number - low) * pow(2, -top.offset, FR_MODULUS) % FR_MODULUS
    changes = {("ranged limbs", len(limbs) - 1): lambda v: [v[0], rest, v[2]]}
    assert case.broken(changes=changes) == {f"table of {top.table} bits"}


def test_a_short_limb_that_fits_only_after_the_shift_wraps():
    """v = 2^(−3): not in the table, though 8·v = 1 is."""
    case = Case([0], [1, 2], 3, (6,))
    wrapped = pow(8, -1, FR_MODULUS)
    limb = {"ranged limbs": lambda v: [wrapped, v[1]], "values": lambda v: [wrapped, v[1]]}
    assert case.broken(changes=limb) == {"table of 6 bits"}
    # nor does it help to count 8·v = 1 where v itself was counted before
    counts = {"table of 6 bits multiplicities": moved(1, 8)}
    assert case.broken(changes={**limb, **counts}) == {"table of 6 bits"}


def moved(start: int, end: int) -> Change:
    """One occurrence of an entry counted as one of another."""

    def change(counts: list[int]) -> list[int]:
        counts[start] -= 1
        counts[end] += 1
        return counts

    return change


def test_a_limb_out_of_range_that_the_next_one_makes_up_for():
    case = Case([0], [0x51, 0x35], 8, (4,))
    low, high = ("ranged limbs", 0), ("ranged limbs", 1)
    changes = {low: added(0, 16), high: added(0, -1)}
    assert case.broken(changes=changes) == {"table of 4 bits"}


@pytest.mark.parametrize("change", [added(0, 1), added(5, -1), moved(3, 4)])
def test_a_wrong_multiplicity(change):
    case = Case([0, 3], [3, 9], 4, (4,))
    assert case.broken(changes={"table of 4 bits multiplicities": change}) == {"table of 4 bits"}


def forged_multiplicity(case: Case, gamma: int, counts: list[int], outside: int) -> int:
    """m_0 that balances the table for one value `outside` that is in no table.

    The sum over the table is wrong by 1/(γ − outside), and m_0/γ may be anything.
    """
    r = FR_MODULUS
    return (counts[0] + gamma * pow(gamma - outside, -1, r)) % r


def test_a_prover_who_knows_gamma_forges_and_one_who_commits_first_does_not():
    outside = 77
    case = Case([0, 3], [3, 9], 4, (4,))
    gamma, counts = 123456789, []
    honest = {
        "ranged limbs": lambda v: [v[0], outside],
        "values": lambda v: [v[0], outside],
    }

    def forge(values: list[int]) -> list[int]:
        counts[:] = values
        values[9] -= 1  # the honest limb is gone
        return [forged_multiplicity(case, gamma, values, outside), *values[1:]]

    changes = {**honest, "table of 4 bits multiplicities": forge}
    # γ known before the multiplicities are chosen: every constraint holds
    case.r1cs.check(case.witness(lambda committed: [gamma], changes))
    assert len(counts) == 16
    # γ drawn after them, as the answer to a commitment that contains them: it does not
    assert case.broken(respond=Hashing(1), changes=changes) == {"table of 4 bits"}
    committed = range(1 + case.r1cs.n_public, 1 + case.r1cs.n_public + case.r1cs.n_committed)
    for name in ("table of 4 bits multiplicities", "ranged limbs", "values", WEIGHTS):
        assert set(named_wires(case.r1cs, name).tolist()) <= set(committed)


def test_gamma_that_hits_an_entry_or_a_value_is_no_way_out():
    case = Case([0, 3], [3, 9], 4, (4,))
    # γ = 9 is looked up: its inverse does not exist, so even an honest prover must draw again
    assert "ranged" in case.broken(respond=lambda committed: [9])
    # γ = 5 is an entry that nobody looks up: its term is free, and is rightly 0
    case.r1cs.check(case.witness(lambda committed: [5]))


def test_no_wire_is_free():
    case = Case(*edges(9), 9, (1, 4))
    witness = case.witness()
    assert free_wires(case.r1cs, witness) == []
    used = set(np.concatenate([m.indices for m in case.r1cs.matrices]).tolist())
    assert set(range(1, case.r1cs.n_wires)) <= used
