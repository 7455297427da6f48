"""Sumcheck with padded messages: from a sum over the hypercube to one evaluation.

    Σ_{x ∈ {0,1}^n} g(x) = claim                                     (plain)
    Σ_{x ∈ {0,1}^n} eq(τ, x)·g(x) = claim                            (with eq_point τ)

In round i the prover sends q_i, of degree d in X, as its values at 0, 2, …, d; the one at 1 follows
from the claim, which is a form (conversation/forms.py). Plain: q_i(X) = Σ g(r_1 … r_(i−1), X, x')
and

    claim_i = q_i(0) + q_i(1),                    claim_(i+1) = q_i(r_i).

With eq_point, eq is factored out (Gruen, ePrint 2024/108, §3),
q_i(X) = Σ_x' eq(τ', x')·g(…, X, x'),

    claim_i = (1 − τ_i)·q_i(0) + τ_i·q_i(1),      claim_(i+1) = q_i(r_i),

so the degree is that of g and the claim at the end is g(r) itself, in both cases.

Source: Lund, Fortnow, Karloff, Nisan 1992; the paper's §2.3 and Libra (ePrint 2019/317), §2.2.
Soundness error: n·d/r for each sumcheck (d + 1 with eq_point).
"""

from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from operator import mul
from typing import Protocol

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.rows import sums_of_slots
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.sumcheck import table_kernels as kernels
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.forms import Form, combine
from zkcmp.libra.multilinear.tables import Point, eq_table, fold, halves

_GRAIN = 1024  # groups of lanes worth a thread
_FEW = 64  # entries of a table from which on Python's integers are faster than kernels


class RoundProver(Protocol):
    """The prover's side of one sumcheck."""

    def round_values(self) -> list[int]:
        """q_i(0), q_i(2), …, q_i(d)."""
        ...

    def bind(self, r: int) -> None:
        """Fix the first free variable."""
        ...


def sumcheck(
    channel: Channel,
    label: bytes,
    claim: Form,
    n_vars: int,
    degree: int,
    prover: RoundProver | None,
    eq_point: Sequence[int] | None = None,
) -> tuple[Point, Form]:
    """Reduce the claim about the sum to one about g at a random point; both are returned."""
    point: Point = []
    nodes = range(degree + 1)
    inverses = None if eq_point is None else _inverses(eq_point)
    for i in range(n_vars):
        values = None if prover is None else prover.round_values()
        at_zero, *others = channel.send(label, values, degree)
        r = channel.challenge(label)
        basis = lagrange(nodes, r)
        # q(1) = scale·claim + shift·q(0)
        scale, shift = 1, -1
        if eq_point is not None and inverses is not None:
            scale, shift = inverses[i], (eq_point[i] - 1) * inverses[i] % FR_MODULUS
        terms = [(basis[1] * scale % FR_MODULUS, claim), (basis[0] + basis[1] * shift, at_zero)]
        claim = combine([*terms, *zip(basis[2:], others, strict=True)])
        if prover is not None:
            prover.bind(r)
        point.append(r)
    return point, claim


def _inverses(point: Sequence[int]) -> list[int]:
    """1/τ_i by one inversion; the τ_i are challenges, 0 with probability 1/r."""
    products = [1]
    for x in point:
        products.append(products[-1] * x % FR_MODULUS)
    inverse = pow(products[-1], -1, FR_MODULUS)
    out = []
    for x, before in zip(reversed(point), reversed(products[:-1]), strict=True):
        out.append(inverse * before % FR_MODULUS)
        inverse = inverse * x % FR_MODULUS
    return out[::-1]


def lagrange(nodes: Sequence[int], x: int) -> list[int]:
    """The Lagrange basis over the nodes at x."""
    out = []
    for k, denominator in zip(nodes, _denominators(tuple(nodes)), strict=True):
        value = denominator
        for j in nodes:
            if j != k:
                value = value * (x - j) % FR_MODULUS
        out.append(value)
    return out


@cache
def _denominators(nodes: tuple[int, ...]) -> list[int]:
    """1/Π_{j ≠ k} (k − j) for every node k."""
    products = [prod(k - j for j in nodes if j != k) for k in nodes]
    return [pow(product, -1, FR_MODULUS) for product in products]


class EqTables:
    """eq(τ_(i+1) …, x') for the variables after the current one, as they are bound."""

    def __init__(self, point: Sequence[int]):
        self.table = eq_table(point[1:])

    def bind(self) -> None:
        if len(self.table) > 1:
            low, high = halves(self.table)
            self.table = low + high


class TableProver:
    """g = term(V_1~, …, V_k~) for tables V and any polynomial `term`, element by element."""

    def __init__(
        self,
        tables: list[FrVector],
        term: Callable[[list[FrVector]], FrVector],
        degree: int,
        eq_point: Sequence[int] | None = None,
    ):
        self.tables, self._term, self._degree = tables, term, degree
        self._eq = None if eq_point is None else EqTables(eq_point)

    def round_values(self) -> list[int]:
        pairs = [halves(table) for table in self.tables]
        steps = [high - low for low, high in pairs]
        values = [self._sum([low for low, _ in pairs])]
        at = [high for _, high in pairs]
        for _ in range(2, self._degree + 1):
            at = [x + step for x, step in zip(at, steps, strict=True)]
            values.append(self._sum(at))
        return values

    def _sum(self, tables: list[FrVector]) -> int:
        terms = self._term(tables)
        return (terms if self._eq is None else terms * self._eq.table).sum()

    def bind(self, r: int) -> None:
        self.tables = [fold(table, r) for table in self.tables]
        if self._eq is not None:
            self._eq.bind()

    @property
    def finals(self) -> list[int]:
        """The values of all tables at the point, after the last round."""
        return [table[0] for table in self.tables]


class ProductProver:
    """g = a~·b~ for two tables, plain, degree 2; each round is fused with the folding before it."""

    def __init__(self, a: FrVector, b: FrVector):
        self._tables, self._size = [a, b], len(a)
        self._are_ours = False  # the tables may be overwritten
        self._bound: int | None = None  # the variable's value that the tables are to be folded by
        self._ints: list[list[int]] = []  # both tables, when few entries are left

    def round_values(self) -> list[int]:
        if self._size <= _FEW:
            return self._few_values()
        if self._bound is not None:
            return self._fold_and_sum(self._bound)
        half = self._size // 2 // LANES
        a, b = self._tables
        return sums_of_slots(
            half,
            _GRAIN,
            2,
            lambda acc, slot, i, j: kernels.product_sums(
                a.data, b.data, half, acc.data, slot, i, j
            ),
        )

    def _fold_and_sum(self, r: int) -> list[int]:
        self._bound = None
        a, b = self._tables
        if not self._are_ours:
            self._tables = [FrVector.zeros(self._size), FrVector.zeros(self._size)]
            self._are_ours = True
        a_out, b_out = self._tables
        quarter, factor = self._size // 2 // LANES, FrVector.from_ints([r])
        return sums_of_slots(
            quarter,
            _GRAIN,
            2,
            lambda acc, slot, i, j: kernels.fold_product_sums(
                a.data, b.data, factor.data, quarter, a_out.data, b_out.data, acc.data, slot, i, j
            ),
        )

    def _few_values(self) -> list[int]:
        if not self._ints:
            self._to_ints()
        (a, b), half = self._ints, self._size // 2
        twos = [(2 * a[half + i] - a[i]) * (2 * b[half + i] - b[i]) for i in range(half)]
        return [sum(map(mul, a[:half], b[:half])) % FR_MODULUS, sum(twos) % FR_MODULUS]

    def _to_ints(self) -> None:
        tables = self._tables
        if self._bound is not None:
            tables = [fold(t.slice(0, 2 * self._size), self._bound) for t in tables]
        self._ints = [table.slice(0, self._size).to_ints() for table in tables]

    def bind(self, r: int) -> None:
        self._size //= 2
        if not self._ints:
            self._bound = r
            return
        half = self._size
        self._ints = [
            [(t[i] + r * (t[half + i] - t[i])) % FR_MODULUS for i in range(half)]
            for t in self._ints
        ]

    @property
    def finals(self) -> list[int]:
        """a~ and b~ at the point, after the last round."""
        if not self._ints:
            self._to_ints()
        return [table[0] for table in self._ints]


class SumProver:
    """g = g_1 + g_2 + … of other provers."""

    def __init__(self, provers: Sequence[RoundProver]):
        self._provers = provers

    def round_values(self) -> list[int]:
        columns = zip(*(prover.round_values() for prover in self._provers), strict=True)
        return [sum(column) % FR_MODULUS for column in columns]

    def bind(self, r: int) -> None:
        for prover in self._provers:
            prover.bind(r)


class Phases:
    """A sumcheck whose prover changes on the way: so many rounds of each, made from the point."""

    def __init__(self, phases: Sequence[tuple[int, Callable[[Point], RoundProver]]]):
        self._phases = [phase for phase in phases if phase[0] > 0]
        self.point: Point = []
        self._left = 0
        self.current: RoundProver | None = None

    def round_values(self) -> list[int]:
        if self._left == 0:
            self._left, make = self._phases.pop(0)
            self.current = make(list(self.point))
        if self.current is None:
            raise ValueError("a sumcheck of no rounds")
        return self.current.round_values()

    def bind(self, r: int) -> None:
        if self.current is None:
            raise ValueError("a variable is bound before its round")
        self.current.bind(r)
        self.point.append(r)
        self._left -= 1
