"""No set of wires can move together: lies that make up for each other, in every mode.

In mode freivalds, what the second round computes is another for each challenge, and the committed
wires are not. The question is whether these could move such that *every* challenge finds a second
round, so the systems of many challenges are put side by side with the committed wires in common. A
layer's check is one equation for n images, and where it is projected for p positions as well, so it
takes n·p challenges; fewer leave outputs free, as they must.
"""

import hashlib
from collections import Counter
from fractions import Fraction
from functools import cache

import pytest
import small_statement
from freivalds_case import NETWORKS, Case, make_case
from jacobian import derivatives, without_pivot

from circuits.freivalds.plan import Check, make_plan
from circuits.sampled import statement as sampled_statement
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Square
from zkcmp.r1cs import R1CS

# --- one round -----------------------------------------------------------------------------------


@cache
def full_case() -> small_statement.Case:
    return small_statement.make_case(small_statement.small_network())


def free(r1cs: R1CS, witness: FrVector) -> Counter[str]:
    private = range(r1cs.n_public + 1, r1cs.n_wires)
    rows = derivatives(r1cs, witness, lambda wire: wire if wire in private else None)
    return Counter(r1cs.wire_name(wire) for wire in without_pivot(rows, private))


def test_full():
    case = full_case()
    assert free(case.statement.r1cs, case.witness) == {}


def test_sampled():
    """The detector finds what a seller moves when rows are dropped (docs/sampling.md)."""
    case = full_case()
    architecture, n = small_statement.ARCHITECTURE, small_statement.N_IMAGES
    sampled = sampled_statement.build(architecture, n, Fraction(9, 10), bytes(32))
    witness = sampled.assign(case.honest)
    sampled.check(witness)
    assert free(sampled.r1cs, witness)["dense3 sums"] > 0


# --- two rounds ----------------------------------------------------------------------------------

# S1 and S2 are as in `full`; sums over the tables are taken for what they show
SEAL = ("preimage bits", "key", "sha256", "commitment", "mimc7", "ciphertext")
LOOKUPS = ("range ", "argmax margin range")


def n_equations(case: Case) -> int:
    """How many challenges tell the images and positions of a layer apart."""
    architecture, n = case.statement.architecture, case.statement.n_images
    steps = make_plan(architecture, n).checked
    projected = [s.layer_shape.n_positions for s in steps if s.check is Check.PROJECTED]
    return n * max([1, *projected])


def drawn(copy: int, n_challenges: int) -> list[int]:
    digests = [hashlib.sha512(bytes([copy, i])).digest() for i in range(n_challenges)]
    return [int.from_bytes(digest, "big") % FR_MODULUS for digest in digests]


def free_for_every_challenge(case: Case, n_draws: int, dropped: str = "table of") -> Counter[str]:
    """What could move without the constraints of one gadget more than the lookups' sums."""
    r1cs = case.statement.r1cs
    first, second = r1cs.n_public + 1, r1cs.n_public + 1 + r1cs.n_committed
    wires = moving(r1cs)
    rows, unknowns = [], [wire for wire in wires if wire < second]
    for copy in range(n_draws):
        shift = copy * r1cs.n_wires

        def number(wire: int, shift: int = shift) -> int | None:
            if wire < first or wire not in wires:
                return None
            return wire if wire < second else wire + shift

        witness = case.statement.assign(case.honest, lambda _, k=copy: drawn(k, r1cs.n_challenges))
        rows += derivatives(r1cs, witness, number, (*SEAL, "table of", dropped), LOOKUPS)
        unknowns += [wire + shift for wire in wires if wire >= second]
    left = without_pivot(rows, unknowns)
    return Counter(r1cs.wire_name(unknown % r1cs.n_wires) for unknown in left)


def moving(r1cs: R1CS) -> set[int]:
    """The private wires but those of the seal's key and cipher, and of the lookups' sums."""
    spans = [
        range(span.first, span.last)
        for span in r1cs.wires
        if span.first > r1cs.n_public
        and not span.name.startswith(SEAL)
        and not (span.name.endswith("inverses") or span.name.startswith("table of"))
    ]
    return {wire for span in spans for wire in span}


ARCHITECTURES = {
    **NETWORKS,
    "moments": Architecture(
        (1, 2, 3),
        2,
        (Conv(1, 1, (1, 2), (1, 1), (0, 0, 0, 0), 2, 2), Square(), Flatten(), Dense(4, 2, 2, 2)),
    ),
}
CASES = [
    ("small", 3),
    ("moments", 8),
    ("dense first", 1),
    ("dense after dense", 2),
    ("many channels", 1),
    ("grouped first", 2),
    ("pools", 2),
    ("two squares", 2),
    ("squares first", 1),
]


@pytest.mark.parametrize(("name", "n"), CASES)
def test_freivalds(name, n):
    case = make_case(ARCHITECTURES[name], n)
    assert free_for_every_challenge(case, n_equations(case)) == {}
    assert make_plan(ARCHITECTURES[name], n).has_moments == (name == "moments")


def test_freivalds_with_fewer_challenges_than_images():
    """The detector finds errors that cancel for all challenges that were drawn."""
    case = make_case(NETWORKS["small"], 3)
    assert free_for_every_challenge(case, n_equations(case) - 1) != {}


NEEDED = [
    "square1",
    "square1 scaled weights",
    "image powers sum",
    "dense3 scaled",
    "square4",
    "dense5 products",
    "range dense3.weight",
    "argmax margin range",
]


@pytest.mark.parametrize("gadget", NEEDED)
def test_freivalds_without_one_of_its_gadgets(gadget):
    case = make_case(NETWORKS["small"], 3)
    assert free_for_every_challenge(case, n_equations(case), gadget) != {}
