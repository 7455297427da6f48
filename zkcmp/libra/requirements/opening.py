"""Everything that was required of the committed vector, reduced to one opening of it.

What a channel collected are linear equations in V, of which the pads P are a block:

    form = 0                 Σ_i weights_i·P_i = −constant
    <w, block> = form        <w, block> − Σ_i weights_i·P_i = constant

A random combination, with powers of one challenge, is <F, V> = Y for a public F. The sumcheck over

    Σ_x F(x)·V(x) = Y

ends at F~(r)·V~(r) = y. Its messages are padded with a second committed vector, the tail T, so y is
a form c + Σ_i t_i·T_i, and what a commitment scheme has to prove is, with public numbers only,

    V~(r) − Σ_i (t_i/F~(r))·T_i = c/F~(r).

F~(r) is 0 with a probability of at most m/r.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.libra.conversation.channel import Channel, Weights
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.multilinear.layout import Block, Layout
from zkcmp.libra.multilinear.tables import Point, eq, eq_table, evaluate
from zkcmp.libra.sumcheck.protocol import ProductProver, sumcheck

PADS = "pads"
BATCH = b"batch"
_DEGREE = 2


@dataclass(frozen=True)
class EqWeights:
    """Weights of an evaluation: eq(point, ·)."""

    point: Point

    def table(self) -> FrVector:
        return eq_table(self.point)

    def evaluate(self, point: Sequence[int]) -> int:
        return eq(self.point, point)


@dataclass(frozen=True, eq=False)
class TableWeights:
    """Any public weights; evaluating them takes time in their number."""

    values: FrVector

    def table(self) -> FrVector:
        return self.values

    def evaluate(self, point: Sequence[int]) -> int:
        return evaluate(self.values, point)


@dataclass(frozen=True)
class OpeningClaim:
    """V~(point) + <tail_weights, T> = value."""

    point: Point
    tail_weights: list[int]
    value: int


def tail_length(layout: Layout) -> int:
    """Pads of the batching sumcheck."""
    return _DEGREE * layout.n_vars


class Batch:
    """F and Y, the random combination of all equations of a channel."""

    def __init__(self, channel: Channel, layout: Layout):
        if channel.products:
            raise ValueError("products must be proved before the opening")
        self.layout = layout
        self.pad_weights = [0] * layout.blocks[PADS].size
        self.parts: list[tuple[int, Block, Weights]] = []
        self.value = 0
        step, factor = channel.challenge(BATCH), 1
        for form in channel.zeros:
            self._add_form(form, factor)
            factor = factor * step % FR_MODULUS
        for claim in channel.claims:
            block = layout.blocks[claim.block]
            self.parts.append((factor, block, claim.weights))
            self._add_form(claim.form, -factor)
            factor = factor * step % FR_MODULUS
        channel.zeros, channel.claims = [], []

    def _add_form(self, form: Form, factor: int) -> None:
        for pad, weight in form.weights.items():
            self.pad_weights[pad] = (self.pad_weights[pad] + factor * weight) % FR_MODULUS
        self.value = (self.value - factor * form.constant) % FR_MODULUS

    def table(self) -> FrVector:
        """F."""
        out = FrVector.zeros(1 << self.layout.n_vars)
        sums: dict[str, FrVector] = {PADS: FrVector.from_ints(self.pad_weights)}
        blocks = {PADS: self.layout.blocks[PADS]}
        for factor, block, weights in self.parts:
            part = weights.table() * factor
            sums[block.name] = part if block.name not in sums else sums[block.name] + part
            blocks[block.name] = block
        for name, block in blocks.items():
            out.assign(block.offset, sums[name])
        return out

    def evaluate(self, point: Point) -> int:
        """F~ at a point."""
        pads = self.layout.blocks[PADS]
        outer, inner = self.layout.split(pads, point)
        total = eq(self.layout.prefix(pads), outer) * evaluate(
            FrVector.from_ints(self.pad_weights), inner
        )
        for factor, block, weights in self.parts:
            outer, inner = self.layout.split(block, point)
            total += factor * eq(self.layout.prefix(block), outer) * weights.evaluate(inner)
        return total % FR_MODULUS


def reduce_to_opening(channel: Channel, batch: Batch, vector: FrVector | None) -> OpeningClaim:
    """The batching sumcheck; the channel must use the tail's pads by now.

    `vector` is V on the prover's side. Raises VerificationError when F~(r) = 0.
    """
    prover = None
    if vector is not None:
        prover = ProductProver(batch.table(), vector)
    n_vars = batch.layout.n_vars
    claim = Form.public(batch.value)
    point, form = sumcheck(channel, BATCH, claim, n_vars, _DEGREE, prover)
    scale = batch.evaluate(point)
    if scale == 0:
        raise VerificationError("batch", "weights that do not vanish", 0, "prove once more")
    inverse = pow(scale, -1, FR_MODULUS)
    weights = [0] * tail_length(batch.layout)
    for pad, weight in form.weights.items():
        weights[pad] = -weight * inverse % FR_MODULUS
    return OpeningClaim(point, weights, form.constant * inverse % FR_MODULUS)
