"""Every looked-up value is in the table 0 … 2^t − 1: LogUp, its fractions added up by a tree.

A column is an affine map of a whole committed block, v = scale·V_block + offset. All values of all
columns are in the table if (and, with probability 1 − leaves/r over γ, only if)

    Σ_columns Σ_x 1/(γ − v(x)) = Σ_i m_i/(γ − i)

where the multiplicities m are committed before γ is drawn. One binary tree adds all fractions p/q:
leaves (1, γ − v), (−m_i, γ − i) and (0, 1) where no column is, and

    p = p₀·q₁ + p₁·q₀,   q = q₀·q₁            for the nodes 0x and 1x under x.

The root must have p = 0 and q ≠ 0 (its inverse is shown to exist). Going down, claims on p~ and q~
at a point become, by Σ_x eq(r, x)·(p₀q₁ + p₁q₀ + λ·q₀q₁)(x), claims one level below, and at the
leaves openings of the blocks.

Source: Haböck, ePrint 2022/1530; the tree: Papini, Haböck, ePrint 2023/1284.
Soundness error: (leaves + Σ_levels (4·level + 2))/r.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.sumcheck.fraction_kernels import fraction_round
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.forms import Form, combine
from zkcmp.libra.multilinear.layout import Layout
from zkcmp.libra.multilinear.tables import Point, eq, evaluate, halves
from zkcmp.libra.requirements.opening import EqWeights
from zkcmp.libra.sumcheck.fused import FusedProver
from zkcmp.libra.sumcheck.protocol import sumcheck

MULTIPLICITIES = "multiplicities"
LABEL = b"lookup"


@dataclass(frozen=True)
class Column:
    """scale·V + offset for all entries V of a block."""

    block: str
    scale: int
    offset: int


@dataclass(frozen=True)
class Lookup:
    """Which columns are held to the table of 2^table_bits; `n_vars` of each block by name."""

    table_bits: int
    columns: tuple[Column, ...]
    n_vars: Mapping[str, int]

    def leaves(self) -> Layout:
        """Where each column (by its number) and the table lie among the leaves."""
        sizes = {str(k): 1 << self.n_vars[c.block] for k, c in enumerate(self.columns)}
        return Layout({**sizes, MULTIPLICITIES: 1 << self.table_bits})

    def multiplicities(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """How often each table entry is looked up, for the int64 entries of every block.

        Raises ValueError when a value is outside the table.
        """
        counts = np.zeros(1 << self.table_bits, np.int64)
        for column in self.columns:
            looked_up = column.scale * values[column.block].reshape(-1) + column.offset
            missing = (1 << self.n_vars[column.block]) - len(looked_up)
            if len(looked_up) and not (
                int(looked_up.min()) >= 0 and int(looked_up.max()) < len(counts)
            ):
                raise ValueError(f"a value of {column.block} is outside its range")
            counts += np.bincount(looked_up, minlength=len(counts))
            counts[column.offset] += missing
        return counts


def prove_lookup(channel: Channel, lookup: Lookup, blocks: Mapping[str, FrVector] | None) -> None:
    """`blocks`: all entries of each block, on the prover's side."""
    gamma = channel.challenge(LABEL)
    leaves = lookup.leaves()
    levels = None if blocks is None else _tree(*_leaves(lookup, leaves, gamma, blocks))
    root = None
    if levels is not None:
        q = levels[0][1][0]
        root = [q, pow(q, -1, FR_MODULUS)]
    top, inverse = channel.send(LABEL, root, 2)
    channel.require_product(top, inverse, Form.public(1))
    p, q_form, point = Form.public(0), top, list[int]()
    for level in range(leaves.n_vars):
        below = None if levels is None else levels[level + 1]
        p, q_form, point = _descend(channel, p, q_form, point, below)
    _open_leaves(channel, lookup, leaves, gamma, p, q_form, point, blocks)


def _leaves(
    lookup: Lookup, leaves: Layout, gamma: int, blocks: Mapping[str, FrVector]
) -> tuple[FrVector, FrVector]:
    """Numerators and denominators."""
    size = 1 << leaves.n_vars
    p = np.zeros(size, np.int64)
    q = FrVector.from_ints([1]).take(np.zeros(size, np.int64))
    for k, column in enumerate(lookup.columns):
        place = leaves.blocks[str(k)]
        p[place.offset : place.offset + place.size] = 1
        q.assign(place.offset, blocks[column.block] * -column.scale + (gamma - column.offset))
    place = leaves.blocks[MULTIPLICITIES]
    table = FrVector.from_int64(-np.arange(place.size)) + gamma
    q.assign(place.offset, table)
    numerators = FrVector.from_int64(p)
    numerators.assign(place.offset, -blocks[MULTIPLICITIES])
    return numerators, q


def _tree(p: FrVector, q: FrVector) -> list[tuple[FrVector, FrVector]]:
    """All levels, the root first."""
    levels = [(p, q)]
    while len(q) > 1:
        (p0, p1), (q0, q1) = halves(p), halves(q)
        p, q = p0 * q1 + p1 * q0, q0 * q1
        levels.append((p, q))
    return levels[::-1]


def _descend(
    channel: Channel,
    p: Form,
    q: Form,
    point: Point,
    below: tuple[FrVector, FrVector] | None,
) -> tuple[Form, Form, Point]:
    """Claims p, q at a point of one level to claims at a point of the level below."""
    factor = channel.challenge(LABEL)
    claim = combine([(1, p), (factor, q)])
    prover = None
    if below is not None:
        prover = FractionProver(*halves(below[0]), *halves(below[1]), factor, point)
    inner, claim = sumcheck(channel, LABEL, claim, len(point), 2, prover, point)
    values = None
    if prover is not None:
        p0, p1, q0, q1 = prover.finals
        values = [p0, p1, q0, q1, p0 * q1]
    at_p0, at_p1, at_q0, at_q1, crossed = channel.send(LABEL, values, 5)
    channel.require_product(at_p0, at_q1, crossed)
    channel.require_product(combine([(1, at_p1), (factor, at_q1)]), at_q0, claim - crossed)
    r = channel.challenge(LABEL)
    p = combine([(1 - r, at_p0), (r, at_p1)])
    q = combine([(1 - r, at_q0), (r, at_q1)])
    return p, q, [r, *inner]


class FractionProver(FusedProver):
    """The round prover of p₀q₁ + s·q₀, s = p₁ + λq₁, weighed with eq."""

    kernel = fraction_round

    def __init__(
        self, p0: FrVector, p1: FrVector, q0: FrVector, q1: FrVector, factor: int, point: Point
    ):
        tables = [p0, p1 + q1 * factor, q0, q1]
        super().__init__(tables, lambda v: v[0] * v[3] + v[1] * v[2], 2, point)
        self._factor = factor

    @property
    def finals(self) -> list[int]:
        """p₀, p₁, q₀, q₁ at the point."""
        p0, s, q0, q1 = super().finals
        return [p0, (s - self._factor * q1) % FR_MODULUS, q0, q1]


def _open_leaves(
    channel: Channel,
    lookup: Lookup,
    leaves: Layout,
    gamma: int,
    p: Form,
    q: Form,
    point: Point,
    blocks: Mapping[str, FrVector] | None,
) -> None:
    """p~ and q~ of the leaves at the point, from openings of the blocks."""
    place = leaves.blocks[MULTIPLICITIES]
    outer, inner = leaves.split(place, point)
    weight = eq(leaves.prefix(place), outer)
    (m,) = _opened(channel, [(MULTIPLICITIES, inner)], blocks)
    p_terms: list[tuple[int, Form]] = [(1, p), (weight, m)]
    q_terms: list[tuple[int, Form]] = [(1, q)]
    covered = weight
    p_public, q_public = 0, weight * (gamma - _identity(inner))
    points = []
    for k, column in enumerate(lookup.columns):
        outer, inner = leaves.split(leaves.blocks[str(k)], point)
        points.append((column.block, inner))
    for k, (column, form) in enumerate(
        zip(lookup.columns, _opened(channel, points, blocks), strict=True)
    ):
        place = leaves.blocks[str(k)]
        weight = eq(leaves.prefix(place), leaves.split(place, point)[0])
        covered += weight
        p_public += weight
        q_public += weight * (gamma - column.offset)
        q_terms.append((weight * column.scale, form))
    q_public += 1 - covered  # leaves of no column
    channel.require_zero(combine(p_terms) - p_public)
    channel.require_zero(combine(q_terms) - q_public)


def _opened(
    channel: Channel, points: Sequence[tuple[str, Point]], blocks: Mapping[str, FrVector] | None
) -> list[Form]:
    """Openings of blocks at points, each distinct pair once."""
    distinct = list(dict.fromkeys((block, tuple(point)) for block, point in points))
    weights = [EqWeights(list(point)) for _, point in distinct]
    values = None
    if blocks is not None:
        values = [evaluate(blocks[block], point) for block, point in distinct]
    forms = dict(zip(distinct, channel.send(LABEL, values, len(distinct)), strict=True))
    for (block, _), w in zip(distinct, weights, strict=True):
        channel.require_opening(block, w, forms[block, tuple(w.point)])
    return [forms[block, tuple(point)] for block, point in points]


def _identity(point: Point) -> int:
    """The extension of i ↦ i."""
    n = len(point)
    return sum(x << (n - 1 - k) for k, x in enumerate(point)) % FR_MODULUS
