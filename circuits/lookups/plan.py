"""Which lookup tables a statement has, and how a range is made of their entries.

    v = Σ_i limb_i · 2^(o_i),   limb_i in [0, 2^t) for a table of 2^t entries

A value of b bits takes ⌊b/t⌋ limbs of t bits and, if something is left, one of b' < t bits: looked
up in a table of its own width where there is one, else twice, as it is and times 2^(t−b'), which
leaves nothing above its b' bits either way. Limbs add up to exactly b bits.

A lookup costs a constraint and a table of 2^t entries 2^t + 1 (ranges.py). `choose_tables` takes
the cheapest set of at most MAX_TABLES widths; ties go to the first in the order of the search, so
every party makes the same choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

MAX_TABLE_BITS = 16
MAX_TABLES = 3

Tables = tuple[int, ...]


@dataclass(frozen=True)
class Demand:
    """So many values of exactly so many bits."""

    bits: int
    count: int


@dataclass(frozen=True)
class Limb:
    """A digit of `bits` bits at the power 2^offset, looked up in the table of `table` bits."""

    offset: int
    bits: int
    table: int

    @property
    def shifts(self) -> tuple[int, ...]:
        """The limb is looked up times 2^shift, for each of these."""
        return (0,) if self.bits == self.table else (0, self.table - self.bits)


def split(bits: int, tables: Tables) -> tuple[Limb, ...]:
    """The limbs of a value of `bits` bits, lowest first, with the fewest lookups."""
    return min((_split_by(bits, table, tables) for table in tables), key=n_lookups)


def n_lookups(limbs: Sequence[Limb]) -> int:
    """How many lookups hold one value to its limbs."""
    return sum(len(limb.shifts) for limb in limbs)


def _split_by(bits: int, table: int, tables: Tables) -> tuple[Limb, ...]:
    full, rest = divmod(bits, table)
    limbs = [Limb(i * table, table, table) for i in range(full)]
    if rest:
        limbs.append(Limb(full * table, rest, rest if rest in tables else table))
    return tuple(limbs)


@cache
def choose_tables(demands: tuple[Demand, ...]) -> Tables:
    """The widths of the tables, increasing; none when nothing is demanded."""
    merged: dict[int, int] = {}
    for demand in demands:
        if demand.count:
            merged[demand.bits] = merged.get(demand.bits, 0) + demand.count
    if not merged:
        return ()
    widths = range(1, MAX_TABLE_BITS + 1)
    sets = [t for n in range(1, MAX_TABLES + 1) for t in combinations(widths, n)]
    return min(sets, key=lambda tables: _cost(merged, tables))


def _cost(merged: dict[int, int], tables: Tables) -> int:
    lookups = sum(count * _fewest(bits, tables) for bits, count in merged.items())
    return lookups + sum((1 << table) + 1 for table in tables)


def _fewest(bits: int, tables: Tables) -> int:
    """n_lookups(split(bits, tables)), without making the limbs."""
    counts = []
    for table in tables:
        full, rest = divmod(bits, table)
        counts.append(full + (0 if rest == 0 else 1 if rest in tables else 2))
    return min(counts)
