"""Straight-line programs over Fq²: formulas are recorded once and run by one kernel.

A formula is a plain function from lists of `Value` to a list of `Value`, written with + − * and the
methods below (tower.py has the formulas of Fq⁶ and Fq¹²). `Program.call` records it as a segment on
given registers, once for the same formula and registers, and appends the segment to the schedule;
loops are repeated calls. `Program.run` executes the schedule on LANES independent inputs at once.

Values outside the kernel: arrays (n, 2·LIMBS, LANES) uint64, n elements of Fq² for each lane: limbs
of c0, then of c1, in the lane body's Montgomery form, below 2p.
"""

from collections.abc import Callable, Sequence

import numpy as np

from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.pairing import fq2_kernels as kernels
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.bn254.reference import Fq2Element

_RADIX = 1 << BODY.radix_bits
_RADIX_INVERSE: int = pow(_RADIX, -1, FQ_MODULUS)
_LIMB_MASK = (1 << BODY.bits) - 1
# the operation of a value that is read from a register when the segment starts
_INPUT = -1


class Value:
    """An element of Fq² while a formula is recorded: an input, a constant or a result."""

    __slots__ = ("code", "operands", "operation", "register")

    def __init__(
        self,
        code: list["Value"],
        operation: int,
        operands: tuple["Value", ...] = (),
        register: int = -1,
    ):
        self.code, self.operation, self.operands = code, operation, operands
        self.register = register
        if operation != _INPUT:
            code.append(self)

    def _apply(self, operation: int, *others: "Value") -> "Value":
        return Value(self.code, operation, (self, *others))

    def __add__(self, other: "Value") -> "Value":
        return self._apply(kernels.ADD, other)

    def __sub__(self, other: "Value") -> "Value":
        return self._apply(kernels.SUB, other)

    def __mul__(self, other: "Value") -> "Value":
        return self._apply(kernels.MUL, other)

    def __neg__(self) -> "Value":
        return self._apply(kernels.NEGATE)

    def square(self) -> "Value":
        return self._apply(kernels.SQUARE)

    def double(self) -> "Value":
        return self + self

    def times_xi(self) -> "Value":
        """Times ξ = 9 + u."""
        return self._apply(kernels.TIMES_XI)

    def times_fq(self, other: "Value") -> "Value":
        """Times the Fq coefficient c0 of `other`, whose c1 is ignored."""
        return self._apply(kernels.TIMES_FQ, other)

    def conjugate(self) -> "Value":
        return self._apply(kernels.CONJUGATE)

    def inverse(self) -> "Value":
        """1/x; 0 gives 0."""
        return self._apply(kernels.INVERSE)


Formula = Callable[..., list[Value]]
Registers = Sequence[int]


class Program:
    """Registers, recorded segments and the order in which they run."""

    def __init__(self) -> None:
        self._count = 0
        self._temporaries: list[int] = []
        self._constants: dict[Fq2Element, int] = {}
        self._code: list[tuple[int, int, int, int]] = []
        self._segments: dict[object, int] = {}
        self._ends = [0]
        self._schedule: list[int] = []
        self._tables: tuple[np.ndarray, ...] = ()
        self.inputs: list[int] = []
        self.outputs: list[int] = []

    # --- recording ------------------------------------------------------------------------

    def registers(self, n: int) -> list[int]:
        """n registers that keep their values between segments."""
        self._count += n
        return list(range(self._count - n, self._count))

    def constants(self, values: Sequence[Fq2Element]) -> list[int]:
        """Registers that hold the given elements and must not be written."""
        for value in values:
            if value not in self._constants:
                self._constants[value] = self.registers(1)[0]
        return [self._constants[value] for value in values]

    def call(self, formula: Formula, outputs: Registers, *inputs: Registers) -> None:
        """Append outputs := formula(*inputs); outputs may overlap the inputs."""
        key = (formula, tuple(outputs), tuple(tuple(i) for i in inputs))
        if key not in self._segments:
            self._segments[key] = len(self._ends) - 1
            self._record(formula, outputs, inputs)
            self._ends.append(len(self._code))
        self._schedule.append(self._segments[key])

    def _record(self, formula: Formula, outputs: Registers, inputs: Sequence[Registers]) -> None:
        code: list[Value] = []
        leaves = {r: Value(code, _INPUT, (), r) for group in inputs for r in group}
        results = list(formula(*([leaves[r] for r in group] for group in inputs)))
        # a result that is an input, or that goes to two registers, is copied first: then every
        # output is a value of its own
        distinct: dict[int, int] = {}
        for k, (value, register) in enumerate(zip(results, outputs, strict=True)):
            if value.operation == _INPUT or id(value) in distinct:
                results[k] = Value(code, kernels.COPY, (value,))
            distinct[id(results[k])] = register
        self._allocate(code, distinct)

    def _allocate(self, code: list[Value], goals: dict[int, int]) -> None:
        """Give every value its goal register if that is not read later, else a temporary.

        The kernel reads all operands before it writes the result, so a register may be both.
        """
        last_use: dict[int, int] = {}
        last_read: dict[int, int] = {}
        for at, value in enumerate(code):
            for operand in value.operands:
                last_use[id(operand)] = at
                if operand.operation == _INPUT:
                    last_read[operand.register] = at
        free, moves = list(self._temporaries), []
        pool = set(self._temporaries)
        for at, value in enumerate(code):
            operands = value.operands
            registers = [operand.register for operand in operands]
            for operand in {id(o): o for o in operands}.values():
                releasable = operand.register in pool and id(operand) not in goals
                if releasable and last_use[id(operand)] == at:
                    free.append(operand.register)
            goal = goals.get(id(value))
            if goal is not None and last_read.get(goal, -1) <= at:
                value.register = goal
            else:
                if not free:
                    free = self.registers(1)
                    self._temporaries += free
                    pool.update(free)
                value.register = free.pop()
                if goal is not None:
                    moves.append((value.register, goal))
            a, b = registers[0], registers[-1]
            self._code.append((value.operation, value.register, a, b))
        self._code += [(kernels.COPY, goal, source, source) for source, goal in moves]

    # --- running --------------------------------------------------------------------------

    def run(self, values: np.ndarray) -> np.ndarray:
        """Execute on input values (len(inputs), 2·LIMBS, LANES); returns the outputs likewise."""
        if not self._tables:
            self._tables = self._freeze()
        *tables, template = self._tables
        registers = template.copy()
        registers[self.inputs] = values
        kernels.run(*tables, registers)
        return registers[self.outputs]

    def _freeze(self) -> tuple[np.ndarray, ...]:
        template = np.zeros((self._count, 2 * LIMBS, LANES), np.uint64)
        if self._constants:
            template[list(self._constants.values())] = to_lanes([list(self._constants)] * LANES)
        code, ends = np.array(self._code, np.int64), np.array(self._ends, np.int64)
        schedule = np.array(self._schedule, np.int64)
        return code, ends[:-1].copy(), ends[1:].copy(), schedule, template


def to_lanes(elements: Sequence[Sequence[Fq2Element]]) -> np.ndarray:
    """elements[lane][k], at most LANES rows, to values; missing lanes are 0."""
    out = np.zeros((len(elements[0]), 2 * LIMBS, LANES), np.uint64)
    for lane, row in enumerate(elements):
        out[:, :, lane] = [[limb for c in element for limb in _limbs(c)] for element in row]
    return out


def _limbs(c: int) -> list[int]:
    residue = c * _RADIX % FQ_MODULUS
    return [(residue >> (BODY.bits * k)) & _LIMB_MASK for k in range(LIMBS)]


def from_lane(values: np.ndarray, lane: int) -> list[Fq2Element]:
    """The elements in one lane of values, as integers."""
    rows = values[:, :, lane].tolist()
    return [(_integer(row[:LIMBS]), _integer(row[LIMBS:])) for row in rows]


def _integer(limbs: list[int]) -> int:
    residue: int = sum(limb << (BODY.bits * k) for k, limb in enumerate(limbs))
    return residue * _RADIX_INVERSE % FQ_MODULUS
