"""Which wires could move together: the derivative of a constraint system at a witness, modulo r.

    d(a·b − c) = (B z)_i·A_i + (A z)_i·B_i − C_i        row i, over the wires that may move

Where these rows have full rank, no lies make up for each other: the witness is isolated, however
many wires are changed. (`gadget_harness.free_wires` changes one wire alone, by any amount.) Jumps
to another isolated witness are for boolean and range gadgets to exclude, which have tests.

A lookup is taken for what it shows: that the value does not move. By itself its derivative would
let equal values move in opposite directions, which changes Σ 1/(γ − v) in the second order only.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.r1cs import R1CS

Row = dict[int, int]
Side = list[tuple[int, int]]  # wires and their coefficients


def derivatives(
    r1cs: R1CS,
    witness: FrVector,
    number: Callable[[int], int | None],
    skipped: Sequence[str] = (),
    looked_up: Sequence[str] = (),
) -> list[Row]:
    """The rows that are not 0. number: the unknown of a wire, None for one that stays where it is.

    skipped, looked_up: how the names of gadgets begin that are left out, or are lookups.
    """
    z, table = witness.to_ints(), r1cs.coefficients
    rows = []
    for span in r1cs.gadgets:
        if span.name.startswith(tuple(skipped)):
            continue
        is_lookup = span.name.startswith(tuple(looked_up))
        for i in range(span.first, span.last):
            a, b, c = ([(wire, table[k]) for wire, k in m.row(i)] for m in r1cs.matrices)
            # of a lookup, inverse · (γ − v) = 1, only v
            sides = [(b, 1)] if is_lookup else [(a, _value(b, z)), (b, _value(a, z)), (c, -1)]
            rows.append(_combined(sides, number))
    return [row for row in rows if row]


def _value(side: Side, z: list[int]) -> int:
    return sum(k * z[wire] for wire, k in side) % FR_MODULUS


def _combined(sides: list[tuple[Side, int]], number: Callable[[int], int | None]) -> Row:
    total: defaultdict[int, int] = defaultdict(int)
    for side, factor in sides:
        for wire, k in side:
            unknown = number(wire)
            if unknown is not None:
                total[unknown] += k * factor
    return {unknown: k % FR_MODULUS for unknown, k in total.items() if k % FR_MODULUS}


def without_pivot(rows: Iterable[Row], unknowns: Iterable[int]) -> list[int]:
    """The unknowns that elimination leaves over, as many as there are independent solutions."""
    distinct = {tuple(sorted(row.items())) for row in rows}
    elimination = _Elimination([dict(row) for row in distinct])
    return [unknown for unknown in unknowns if unknown not in elimination.pivots]


class _Elimination:
    """Shortest rows first, so that most of them name the one unknown that they have left."""

    def __init__(self, rows: list[Row]):
        self._rows = rows
        self._places: defaultdict[int, set[int]] = defaultdict(set)
        for i, row in enumerate(rows):
            for unknown in row:
                self._places[unknown].add(i)
        self._waiting = [(len(row), i) for i, row in enumerate(rows)]
        heapq.heapify(self._waiting)
        self.pivots: set[int] = set()
        while self._waiting:
            length, i = heapq.heappop(self._waiting)
            if length == len(rows[i]) > 0:  # else it was changed since, and waits elsewhere
                self._take(i)

    def _take(self, i: int) -> None:
        row, self._rows[i] = self._rows[i], {}
        pivot = min(row, key=lambda unknown: len(self._places[unknown]))
        self.pivots.add(pivot)
        for unknown in row:
            self._places[unknown].discard(i)
        over = pow(row[pivot], -1, FR_MODULUS)
        for j in list(self._places[pivot]):
            self._subtract(j, row, self._rows[j][pivot] * over)
            heapq.heappush(self._waiting, (len(self._rows[j]), j))

    def _subtract(self, j: int, row: Row, factor: int) -> None:
        target = self._rows[j]
        for unknown, k in row.items():
            rest = (target.pop(unknown, 0) - factor * k) % FR_MODULUS
            if rest:
                target[unknown] = rest
                self._places[unknown].add(j)
            else:
                self._places[unknown].discard(j)
