"""Constraint systems of two rounds in tests: challenges by hashing, and provers who tamper."""

import hashlib
from collections.abc import Callable
from typing import Any

from circuits.freivalds.statement import Assignment, Statement, synthesise
from circuits.second_round import CommittedValues
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.r1cs_builder import ConstraintSystem

# new values of the wires of one allocation, from the honest ones as integers in [0, r)
Change = Callable[[list[int]], list[int]]


class Hashing:
    """Answers with the hash of the committed values; counts how often it was asked."""

    def __init__(self, n_challenges: int):
        self.n_challenges, self.n_asked = n_challenges, 0

    def __call__(self, committed: FrVector) -> list[int]:
        self.n_asked += 1
        seed = hashlib.sha256(committed.to_words().tobytes()).digest()
        digests = [hashlib.sha512(seed + bytes([i])).digest() for i in range(self.n_challenges)]
        return [int.from_bytes(digest, "big") % FR_MODULUS for digest in digests]


class Tampering(ConstraintSystem):
    """Collects a witness in which allocations have other values than the gadgets give them.

    changes: by the name of the allocation; where a name is used several times, by name and number.
    """

    def __init__(self, respond: Any, changes: dict[str | tuple[str, int], Change]):
        super().__init__(with_values=True, respond=respond)
        self._changes = dict(changes)
        self._seen: dict[str, int] = {}

    def private(self, n: int, name: str, values: Any) -> Any:
        number = self._seen.get(name, 0)
        self._seen[name] = number + 1
        change = self._changes.pop((name, number), None) or self._changes.pop(name, None)
        if change is None:
            return super().private(n, name, values)

        def changed() -> list[int]:
            found = values()
            if not isinstance(found, FrVector):
                found = FrVector.from_ints([int(v) for v in found.reshape(-1)])
            return change(found.to_ints())

        return super().private(n, name, changed)

    def finished(self) -> FrVector:
        """The witness; every change must have been made."""
        assert not self._changes
        return self.witness()


def tampered(
    statement: Statement, assignment: Assignment, changes: dict[str | tuple[str, int], Change]
) -> FrVector:
    """The witness of a prover who changes committed wires, and then does the best it can."""
    committed = CommittedValues(Hashing(statement.r1cs.n_challenges))
    system = Tampering(committed, changes)
    synthesise(system, statement.architecture, statement.testset, assignment, committed)
    return system.finished()


def added(position: int, amount: int) -> Change:
    """One value changed by `amount`."""

    def change(values: list[int]) -> list[int]:
        return [(v + amount * (i == position)) % FR_MODULUS for i, v in enumerate(values)]

    return change
