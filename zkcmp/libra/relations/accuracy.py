"""S4 and S5: T flagged images, and a flagged image's label is the arg max of its logits.

For images j < n, classes i < m, labels L_j (public), logits y, committed flags f and limbs:

    Σ_{j < n} f_j = T,    f_j ∈ {0, 1}
    f_j·D_{j,i} = Σ_k 2^(t·k)·limb_{k,i,j},    D_{j,i} = y_{j,L_j} − y_{j,i} − [i < L_j]

with every limb in [0, 2^t) (lookup.py). So a flagged image has margins D ≥ 0 over the integers, as
|D| ≤ bound and 2^(t·K) + bound + 1 ≤ r: L_j is the first arg max. Entries with j ≥ n or i ≥ m are 0
in y and D; flags of j ≥ n are not counted.

    limbs~ at τ = Σ_{j,i} eq(τ, (j, i))·f_j·D_{j,i}                        one sumcheck, degree 2
    D~(s) = [i < m]~(s_i)·ȳ(s_j) − y~(s) − before~(s),    ȳ_j = y_{j,L_j}
    ρ·y~(s) + ȳ~(s_j) = Σ_x (ρ·eq(s, x) + eq(s_j, j)·[i = L_j])·y(x)       another one

which leaves one claim on the logits.

Limbs lie in blocks of 2^a rows, row k·m + i over the images; the blocks' sizes are the binary
digits of the number of rows, so that little is wasted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.forms import Form, combine
from zkcmp.libra.multilinear.tables import Point, below, eq, eq_table, evaluate, log_size, outer
from zkcmp.libra.requirements.opening import EqWeights
from zkcmp.libra.sumcheck.protocol import TableProver, sumcheck

FLAGS = "flags"
LABEL = b"accuracy"


@dataclass(frozen=True)
class LimbBlock:
    """Rows first_row … first_row + 2^row_vars − 1 of the limbs, over all padded images."""

    name: str
    first_row: int
    row_vars: int


def _limbs_of(difference_bound: int, limb_bits: int) -> int:
    return -(-max(difference_bound.bit_length(), 1) // limb_bits)


@dataclass(frozen=True)
class Margins:
    """The shape of the margins' limbs."""

    n_images: int
    n_classes: int
    limb_bits: int  # a divisor of 64
    n_limbs: int

    @classmethod
    def plan(
        cls, n_images: int, n_classes: int, difference_bound: int, limb_bits: int
    ) -> "Margins":
        """Limbs for margins of at most `difference_bound`.

        Raises VerificationError when a negative margin could look like limbs.
        """
        if not cls.fit(difference_bound, limb_bits):
            raise VerificationError(
                "margins",
                "margins far below the field modulus",
                f"{difference_bound.bit_length()} bits",
                "use fewer bits, smaller layers or fewer squares",
            )
        n_limbs = _limbs_of(difference_bound, limb_bits)
        return cls(n_images, n_classes, limb_bits, n_limbs)

    @staticmethod
    def fit(difference_bound: int, limb_bits: int) -> bool:
        """Whether a negative margin cannot look like limbs."""
        n_bits = limb_bits * _limbs_of(difference_bound, limb_bits)
        return (1 << n_bits) + difference_bound + 1 <= FR_MODULUS

    @property
    def image_vars(self) -> int:
        return log_size(self.n_images)

    @property
    def class_vars(self) -> int:
        return log_size(self.n_classes)

    def blocks(self) -> list[LimbBlock]:
        n_rows = self.n_limbs * self.n_classes
        blocks: list[LimbBlock] = []
        first = 0
        for a in range(n_rows.bit_length() - 1, -1, -1):
            if n_rows >> a & 1:
                blocks.append(LimbBlock(f"margin limbs {len(blocks)}", first, a))
                first += 1 << a
        return blocks

    def sizes(self) -> dict[str, int]:
        """Entries of every block this part commits to."""
        sizes = {b.name: 1 << (b.row_vars + self.image_vars) for b in self.blocks()}
        return {**sizes, FLAGS: 1 << self.image_vars}

    def row_weights(self, class_weights: FrVector) -> FrVector:
        """2^(t·k)·weights[i] for every row k·m + i."""
        rows = np.arange(self.n_limbs * self.n_classes)
        powers = FrVector.from_ints([1 << (self.limb_bits * k) for k in range(self.n_limbs)])
        return powers.take(rows // self.n_classes) * class_weights.take(rows % self.n_classes)


@dataclass(frozen=True)
class _RowWeights:
    """rows ⊗ eq(image point, ·)."""

    rows: FrVector
    image_point: Point

    def table(self) -> FrVector:
        return outer(self.rows, eq_table(self.image_point))

    def evaluate(self, point: Sequence[int]) -> int:
        n = log_size(len(self.rows))
        return evaluate(self.rows, point[:n]) * eq(self.image_point, point[n:]) % FR_MODULUS


@dataclass(frozen=True)
class _FirstImages:
    """[j < n]."""

    n_images: int
    n_vars: int

    def table(self) -> FrVector:
        return FrVector.from_int64((np.arange(1 << self.n_vars) < self.n_images).astype(np.int64))

    def evaluate(self, point: Sequence[int]) -> int:
        return below(self.n_images, point)


def margins(shape: Margins, logits: FrVector, labels: np.ndarray, flags: np.ndarray) -> FrVector:
    """f·D over (image, class), both padded."""
    return _flag_table(shape, FrVector.from_int64(flags)) * _differences(shape, logits, labels)


def limbs(shape: Margins, table: FrVector) -> dict[str, np.ndarray]:
    """The limbs of margins by block, int64 (rows, padded images), whatever the margins are.

    A margin that is negative has limbs of its residue's low bits, which no honest statement has.
    """
    words = table.to_words().reshape(1 << shape.image_vars, -1, 4)[:, : shape.n_classes]
    values = []
    for k in range(shape.n_limbs):
        word, shift = divmod(k * shape.limb_bits, 64)
        part = words[:, :, word] >> np.uint64(shift) & np.uint64((1 << shape.limb_bits) - 1)
        values.append(part.astype(np.int64).T)  # (class, image)
    rows = np.concatenate(values)
    return {b.name: rows[b.first_row : b.first_row + (1 << b.row_vars)] for b in shape.blocks()}


def prove_accuracy(
    channel: Channel,
    shape: Margins,
    labels: np.ndarray,
    threshold: int,
    secret: tuple[FrVector, Mapping[str, FrVector]] | None,
) -> tuple[Point, Form]:
    """A claim on the logits, over (image, class).

    labels: int64 (n,); `secret`: the logits' table and the committed blocks, on the prover's side.
    """
    logits = None if secret is None else secret[0]
    flags = None if secret is None else secret[1][FLAGS]
    n_vars = shape.image_vars
    channel.require_opening(FLAGS, _FirstImages(shape.n_images, n_vars), Form.public(threshold))
    _prove_flags(channel, n_vars, flags)
    tau = channel.challenges(LABEL, n_vars + shape.class_vars)
    claim = _send_margins(channel, shape, tau, None if secret is None else secret[1])
    prover = None
    if logits is not None and flags is not None:
        tables = [_flag_table(shape, flags), _differences(shape, logits, labels)]
        prover = TableProver(tables, lambda v: v[0] * v[1], 2, tau)
    point, claim = sumcheck(channel, LABEL, claim, len(tau), 2, prover, tau)
    image, cls = point[:n_vars], point[n_vars:]
    values = None
    if logits is not None and prover is not None:
        mean = (eq_table(image) * _at_labels(shape, logits, labels)).sum()
        values = [prover.finals[0], mean, evaluate(logits, point)]
    flag, at_label, logit = channel.send(LABEL, values, 3)
    channel.require_opening(FLAGS, EqWeights(image), flag)
    real = below(shape.n_classes, cls)
    difference = combine([(real, at_label), (-1, logit)]) - _before(shape, labels, image, cls)
    channel.require_product(flag, difference, claim)
    return _merge(channel, shape, labels, point, at_label, logit, logits)


def _prove_flags(channel: Channel, n_vars: int, flags: FrVector | None) -> None:
    tau = channel.challenges(LABEL, n_vars)
    prover = None
    if flags is not None:
        prover = TableProver([flags], lambda v: v[0] * v[0] - v[0], 2, tau)
    point, claim = sumcheck(channel, LABEL, Form.public(0), n_vars, 2, prover, tau)
    (value,) = channel.send(LABEL, None if prover is None else prover.finals, 1)
    channel.require_opening(FLAGS, EqWeights(point), value)
    channel.require_product(value, value, claim + value)


def _send_margins(
    channel: Channel, shape: Margins, tau: Point, blocks: Mapping[str, FrVector] | None
) -> Form:
    """Σ over (j, i) of eq(τ, ·) times the number that the limbs make."""
    image, cls = tau[: shape.image_vars], tau[shape.image_vars :]
    rows = shape.row_weights(eq_table(cls))
    weights = [
        _RowWeights(rows.slice(b.first_row, b.first_row + (1 << b.row_vars)), image)
        for b in shape.blocks()
    ]
    names = [b.name for b in shape.blocks()]
    values = None
    if blocks is not None:
        values = [(w.table() * blocks[name]).sum() for w, name in zip(weights, names, strict=True)]
    forms = channel.send(LABEL, values, len(names))
    for name, weight, form in zip(names, weights, forms, strict=True):
        channel.require_opening(name, weight, form)
    return combine([(1, form) for form in forms])


def _merge(
    channel: Channel,
    shape: Margins,
    labels: np.ndarray,
    point: Point,
    at_label: Form,
    logit: Form,
    logits: FrVector | None,
) -> tuple[Point, Form]:
    """Both claims on the logits to one."""
    factor = channel.challenge(LABEL)
    image = point[: shape.image_vars]
    claim = combine([(factor, logit), (1, at_label)])
    prover = None
    if logits is not None:
        weights = eq_table(point) * factor
        chosen = _label_places(shape, labels)
        ours = FrVector.zeros(len(weights))
        ours.data[:, chosen] = eq_table(image).data[:, : shape.n_images]
        prover = TableProver([weights + ours, logits], lambda v: v[0] * v[1], 2)
    merged, claim = sumcheck(channel, LABEL, claim, len(point), 2, prover)
    last_image, last_class = merged[: shape.image_vars], merged[shape.image_vars :]
    images = (eq_table(image) * eq_table(last_image)).slice(0, shape.n_images)
    weight = (images * eq_table(last_class).take(labels)).sum() + factor * eq(point, merged)
    # claim = weight·y~(merged), and a challenge makes the weight 0 with negligible probability
    return merged, claim * pow(weight, -1, FR_MODULUS)


def _flag_table(shape: Margins, flags: FrVector) -> FrVector:
    """f_j over (image, class)."""
    size = 1 << (shape.image_vars + shape.class_vars)
    padded = FrVector.zeros(1 << shape.image_vars)
    padded.assign(0, flags)
    return padded.take(np.arange(size) >> shape.class_vars)


def _label_places(shape: Margins, labels: np.ndarray) -> np.ndarray:
    places: np.ndarray = (np.arange(shape.n_images) << shape.class_vars) + labels
    return places


def _at_labels(shape: Margins, logits: FrVector, labels: np.ndarray) -> FrVector:
    """y_{j, L_j}, zeros for padding."""
    out = FrVector.zeros(1 << shape.image_vars)
    out.assign(0, logits.take(_label_places(shape, labels)))
    return out


def _differences(shape: Margins, logits: FrVector, labels: np.ndarray) -> FrVector:
    """D over (image, class)."""
    classes = np.arange(1 << shape.class_vars)
    padded = np.zeros(1 << shape.image_vars, np.int64)
    padded[: shape.n_images] = labels
    before = (classes < padded[:, None]).astype(np.int64)
    before[shape.n_images :] = 0
    real = FrVector.from_int64(
        np.tile((classes < shape.n_classes).astype(np.int64), 1 << shape.image_vars)
    )
    selected = _at_labels(shape, logits, labels).take(np.arange(len(logits)) >> shape.class_vars)
    return selected * real - logits - FrVector.from_int64(before.reshape(-1))


def _before(shape: Margins, labels: np.ndarray, image: Point, cls: Point) -> int:
    """The extension of [i < L_j]·[j < n]."""
    of_label = FrVector.from_ints([below(label, cls) for label in range(shape.n_classes)])
    return (eq_table(image).slice(0, shape.n_images) * of_label.take(labels)).sum()
