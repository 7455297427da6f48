"""Builds a constraint system block by block, and its witness along the same path.

    with values    each allocation asks for its wires' values; constraints are skipped
    without        values are never asked for; constraints are recorded

One piece of code (a gadget) thus fixes both what is constrained and what an honest prover assigns,
and the structure cannot depend on the witness: nothing a gadget sees while it records depends on
values. Every call handles n wires or n constraints at once; the cost per wire is array arithmetic.

Wires: z = [1 | public | private], so every public wire is allocated before the first private one.

A system of two rounds allocates its challenges as the last public wires, then the wires that a
prover commits to, and calls `commit`. Only then are the challenges known: while a witness is being
collected, `respond` gives them for the values of the committed wires.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import (
    ONE_ID,
    CoefficientTable,
    IntArray,
    LinearCombination,
    Scalars,
    constants,
)
from zkcmp.r1cs import R1CS, Span, SparseMatrix

# what a gadget may return for the wires it allocates: one scalar each
WireValues = FrVector | np.ndarray | list[int]
Values = Callable[[], WireValues]
Respond = Callable[[FrVector], list[int]]

_NOTHING = np.zeros(0, np.int64)
_MAX_WIRES = 1 << 32  # wires are uint32 in the matrices


class ConstraintSystem:
    """Collects wires and constraints; `with_values` makes it collect the witness instead."""

    def __init__(self, with_values: bool = False, respond: Respond | None = None):
        self.with_values = with_values
        self._respond = respond
        self.n_challenges = 0
        self.n_committed = 0
        self._challenge_values: list[int] | None = None
        self.table = CoefficientTable()
        self.n_wires = 1
        self.n_public = 0
        self.n_constraints = 0
        self._private_started = False
        self._wire_spans: list[Span] = []
        self._gadget_spans: list[Span] = []
        self._blocks: tuple[list[_Block], list[_Block], list[_Block]] = ([], [], [])
        self._values = _WitnessParts()

    # --- wires ----------------------------------------------------------------------------

    def public(self, n: int, name: str, values: Values) -> IntArray:
        """n public wires. Raises ValueError after a private wire was allocated."""
        if self._private_started or self.n_challenges:
            raise ValueError(f"public wires {name!r} must come before challenges and private wires")
        wires = self._allocate(n, name, values)
        self.n_public += n
        return wires

    def challenges(self, n: int, name: str) -> IntArray:
        """n public wires for what is drawn after `commit`; their values are known only then."""
        if self._private_started or self.n_challenges:
            raise ValueError(f"challenges {name!r} must come once, before every private wire")
        wires = self._allocate(n, name, lambda: np.zeros(n, np.int64))
        self.n_public += n
        self.n_challenges = n
        return wires

    def commit(self) -> None:
        """All private wires so far are committed to, and the challenges are drawn."""
        if not self.n_challenges or self.n_committed:
            raise ValueError("a system commits once, and has challenges")
        self.n_committed = self.n_wires - 1 - self.n_public
        if not self.with_values:
            return
        if self._respond is None:
            raise ValueError("values of a system of two rounds need `respond`")
        values = self._values.vector()
        start = self.n_public + 1
        drawn = self._respond(values.slice(start, self.n_wires))
        if len(drawn) != self.n_challenges:
            raise ValueError(f"{len(drawn)} challenges for {self.n_challenges} wires")
        values.assign(start - self.n_challenges, FrVector.from_ints(drawn))
        self._challenge_values = drawn

    @property
    def challenge_values(self) -> list[int]:
        """Raises ValueError before `commit`, and while constraints are recorded."""
        if self._challenge_values is None:
            raise ValueError("challenges are not known yet")
        return self._challenge_values

    def private(self, n: int, name: str, values: Values) -> IntArray:
        """n private wires; `values` is called only when a witness is being collected."""
        self._private_started = True
        return self._allocate(n, name, values)

    def _allocate(self, n: int, name: str, values: Values) -> IntArray:
        first, last = self.n_wires, self.n_wires + n
        if last > _MAX_WIRES:
            raise ValueError("a constraint system has at most 2^32 wires")
        self.n_wires = last
        self._wire_spans.append(Span(name, first, last))
        if self.with_values:
            self._values.append(n, name, values())
        return np.arange(first, last)

    # --- linear combinations --------------------------------------------------------------

    def wires(self, wires: IntArray) -> LinearCombination:
        """One row a wire, with coefficient 1."""
        return self.combination(np.arange(wires.size), wires, None, wires.size)

    def combination(
        self, rows: IntArray, wires: IntArray, coefficients: Scalars | None, n: int
    ) -> LinearCombination:
        """n rows from entries (row, wire, coefficient); None means coefficients of 1."""
        if coefficients is None:
            ids = np.full(wires.size, ONE_ID, np.int64)
        elif isinstance(coefficients, int):
            ids = np.full(wires.size, self.table.id_of(coefficients), np.int64)
        else:
            ids = self.table.ids_of(coefficients)
        return self.combination_of_ids(rows, wires, ids, n)

    def combination_of_ids(
        self, rows: IntArray, wires: IntArray, ids: IntArray, n: int
    ) -> LinearCombination:
        """n rows from entries (row, wire, id in `table`)."""
        if self.with_values:
            return LinearCombination(self.table, n, _NOTHING, _NOTHING, _NOTHING)
        rows = np.asarray(rows, np.int64).reshape(-1)
        return LinearCombination(self.table, n, rows, wires.reshape(-1), ids)

    def constant(self, values: Scalars, n: int) -> LinearCombination:
        """n constant rows."""
        if self.with_values:
            return LinearCombination(self.table, n, _NOTHING, _NOTHING, _NOTHING)
        return constants(self.table, values, n)

    # --- constraints ----------------------------------------------------------------------

    def enforce(
        self,
        gadget: str,
        a: LinearCombination | int,
        b: LinearCombination | int,
        c: LinearCombination | int,
    ) -> None:
        """a · b = c, row by row, under the gadget's name; an integer stands for every row."""
        n = max(len(x) for x in (a, b, c) if isinstance(x, LinearCombination))
        for x in (a, b, c):
            if isinstance(x, LinearCombination) and x.n != n:
                raise ValueError(f"{gadget}: batches of {x.n} and {n} rows")
        if self.with_values or n == 0:
            return
        for blocks, x in zip(self._blocks, (a, b, c), strict=True):
            side = constants(self.table, x, n) if isinstance(x, int) else x
            blocks.append(_Block(side.canonical()))
        first, self.n_constraints = self.n_constraints, self.n_constraints + n
        if self._gadget_spans and self._gadget_spans[-1].name == gadget:
            first = self._gadget_spans.pop().first
        self._gadget_spans.append(Span(gadget, first, self.n_constraints))

    # --- results --------------------------------------------------------------------------

    def build(self) -> R1CS:
        """The finished system, its table cut to the coefficients in use.

        Raises ValueError when values were collected instead.
        """
        if self.with_values:
            raise ValueError("this system collected a witness; build one without values")
        if self.n_challenges and not self.n_committed:
            raise ValueError("a system with challenges must commit to the wires they depend on")
        n_values = len(self.table.values)
        used = np.zeros(n_values, bool)
        for blocks in self._blocks:
            for block in blocks:
                used |= np.bincount(block.ids, minlength=n_values) > 0
        renumbered = (np.cumsum(used) - 1).astype(np.uint32)
        a, b, c = (_matrix(blocks, renumbered) for blocks in self._blocks)
        return R1CS(
            self.n_public,
            self.n_wires,
            a,
            b,
            c,
            [self.table.values[i] for i in np.flatnonzero(used)],
            list(self._gadget_spans),
            list(self._wire_spans),
            self.n_challenges,
            self.n_committed,
        )

    def witness(self) -> FrVector:
        """All wires, the constant 1 first."""
        if not self.with_values:
            raise ValueError("this system recorded constraints; make one with values")
        return self._values.vector()


class _Block:
    """The entries of consecutive rows of one matrix."""

    def __init__(self, side: LinearCombination):
        self.counts = np.bincount(side.rows, minlength=side.n)
        self.indices = side.wires.astype(np.uint32)
        self.ids = side.ids.astype(np.uint32)


def _matrix(blocks: list[_Block], renumbered: np.ndarray) -> SparseMatrix:
    counts = np.concatenate([_NOTHING, *(block.counts for block in blocks)])
    empty = np.zeros(0, np.uint32)
    return SparseMatrix(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([empty, *(block.indices for block in blocks)]),
        renumbered[np.concatenate([empty, *(block.ids for block in blocks)])],
    )


class _WitnessParts:
    """Values in wire order; runs of machine integers are converted together."""

    def __init__(self) -> None:
        self._vectors: list[FrVector] = []
        self._small: list[Any] = [np.ones(1, np.int64)]

    def append(self, n: int, name: str, values: WireValues) -> None:
        if isinstance(values, np.ndarray):
            values = values.reshape(-1)
            if values.dtype.kind in "iub" and values.dtype != np.uint64:
                values = values.astype(np.int64)
            else:
                values = FrVector.from_ints([int(v) for v in values])
        elif not isinstance(values, FrVector):
            values = FrVector.from_ints(values)
        if len(values) != n:
            raise ValueError(f"{len(values)} values for {n} wires of {name!r}")
        if isinstance(values, FrVector):
            self._flush()
            self._vectors.append(values)
        else:
            self._small.append(values)

    def _flush(self) -> None:
        if self._small:
            self._vectors.append(FrVector.from_int64(np.concatenate(self._small)))
            self._small = []

    def vector(self) -> FrVector:
        """All values so far; what is changed in it stays changed."""
        self._flush()
        self._vectors = [FrVector.concat(self._vectors)]
        return self._vectors[0]
