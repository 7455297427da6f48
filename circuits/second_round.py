"""The second round of a statement: wires computed from committed wires and challenges.

    z = [1 | public | challenges | committed | second round]

`CommittedValues` stands between the constraint system and whoever answers it: it keeps the
committed values, and what the second round computes, it computes from those and from nothing else.
So a prover who commits to something dishonest is led to the best second round there is for it.
"""

from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import IntArray, LinearCombination
from zkcmp.r1cs import SparseMatrix
from zkcmp.r1cs_builder import ConstraintSystem, Respond

GAMMA, POWER, POSITION = "gamma", "u", "s"  # of lookups, of images, of positions in an image


@dataclass(frozen=True, eq=False)
class FieldSignals:
    """Flat wires, and their values as field elements; None while recording."""

    wires: IntArray
    values: FrVector | None

    def __repr__(self) -> str:
        return f"FieldSignals({len(self)})"  # values may be secret

    def __len__(self) -> int:
        return len(self.wires)

    @property
    def known(self) -> FrVector:
        """The values. Raises ValueError while constraints are being recorded."""
        if self.values is None:
            raise ValueError("values are not available while constraints are recorded")
        return self.values

    def take(self, index: IntArray) -> "FieldSignals":
        """The signals at these positions."""
        return FieldSignals(
            self.wires[index], None if self.values is None else self.values.take(index)
        )

    def join(self, other: "FieldSignals") -> "FieldSignals":
        """These, then the others."""
        values = None if self.values is None else FrVector.concat([self.known, other.known])
        return FieldSignals(np.concatenate([self.wires, other.wires]), values)

    def times(self, other: "FieldSignals") -> FrVector | None:
        """The values of the products, one by one; None while recording."""
        return None if self.values is None else self.known * other.known


class CommittedValues:
    """Hands the committed values to `respond`, and keeps them."""

    def __init__(self, respond: Respond):
        self._respond = respond
        self._values: FrVector | None = None

    def __call__(self, values: FrVector) -> list[int]:
        self._values = values
        return self._respond(values)

    def take(self, positions: IntArray) -> FrVector:
        """Values by position among the committed wires."""
        if self._values is None:
            raise ValueError("nothing was committed to yet")
        return self._values.take(positions)


class SecondRound:
    """Allocates and knows the wires of the second round; made after `system.commit()`."""

    def __init__(
        self,
        system: ConstraintSystem,
        challenges: dict[str, int],
        committed: CommittedValues | None,
    ):
        """challenges: the wire of each, in the order they were allocated."""
        self.system = system
        self._challenges = challenges
        self._committed = committed

    def challenge(self, name: str) -> FieldSignals:
        """One challenge."""
        wires = np.array([self._challenges[name]])
        if not self.system.with_values:
            return FieldSignals(wires, None)
        drawn = self.system.challenge_values[list(self._challenges).index(name)]
        return FieldSignals(wires, FrVector.from_ints([drawn]))

    def committed(self, wires: IntArray) -> FieldSignals:
        """Committed wires, flat, with what was committed to."""
        wires = wires.reshape(-1)
        if self._committed is None:
            return FieldSignals(wires, None)
        return FieldSignals(wires, self._committed.take(wires - 1 - self.system.n_public))

    def private(self, n: int, name: str, values: FrVector | None) -> FieldSignals:
        """n new wires."""
        signals = FieldSignals(np.zeros(0, np.int64), values)
        return FieldSignals(self.system.private(n, name, lambda: signals.known), values)

    def product(
        self, gadget: str, name: str, left: FieldSignals, right: FieldSignals
    ) -> FieldSignals:
        """New wires left · right, a constraint each. The left ones may be of full size."""
        out = self.private(len(left), name, left.times(right))
        wires = self.system.wires
        self.system.enforce(gadget, wires(left.wires), wires(right.wires), wires(out.wires))
        return out

    def powers(self, base: str, n: int, name: str) -> FieldSignals:
        """1, x, x², …, x^(n−1) of a challenge x; the first two are no new wires."""
        one = FieldSignals(
            np.zeros(1, np.int64), FrVector.from_ints([1]) if self.system.with_values else None
        )
        if n == 1:
            return one
        x = self.challenge(base)
        if n == 2:
            return one.join(x)
        values = None
        if x.values is not None:
            values = FrVector.powers(x.values[0], n).slice(2, n)
        higher = self.private(n - 2, name, values)
        result = one.join(x).join(higher)
        wires = self.system.wires
        self.system.enforce(
            name,
            wires(result.wires[1 : n - 1]),
            wires(np.repeat(x.wires, n - 2)),
            wires(higher.wires),
        )
        return result


def row_sums(counts: IntArray, members: IntArray, values: FrVector) -> FrVector:
    """Row i is the sum of the next counts[i] of values[members]."""
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    flat = members.reshape(-1).astype(np.uint32)
    matrix = SparseMatrix(indptr, flat, np.zeros(len(flat), np.uint32))
    return matrix.multiply(FrVector.from_ints([1]), values)


def grouped(
    system: ConstraintSystem, wires: IntArray, coefficient: int | None = None
) -> LinearCombination:
    """Row i is the sum of the wires (n, k) in row i, times a coefficient."""
    n, k = wires.shape
    rows = np.repeat(np.arange(n), k)
    return system.combination(rows, wires.reshape(-1), coefficient, n)
