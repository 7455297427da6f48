"""Hyrax: a transparent, hiding commitment to a multilinear polynomial (ePrint 2017/1132, §6).

V's 2^m values are the matrix M of 2^(m−c) rows and 2^c columns; a row and the tail have a Pedersen
commitment each, with uniform ρ:

    C_i = <M_i, G> + ρ_i·h,     C_tail = <tail, T> + ρ_tail·h

With L = eq(point's first m − c entries), R = eq(its last c), V~(point) = Σ_i L_i·<M_i, R>. A
challenge μ follows once claim, point and weights g are absorbed. The combination

    U = Σ_i L_i·C_i + μ·C_tail  commits to  a = (Σ_i L_i·ρ_i + μ·ρ_tail, Σ_i L_i·M_i, μ·tail)

over (h, G, T), and dot_product.py shows <a, (0, μ·R, g)> = μ·claim.

Why μ: nothing says that a cheat's C_i are free of T, and its C_tail of G. With e_i over T in C_i
and f over G in C_tail, what is shown reads

    μ²·<f, R> + μ·(V~(point) + <g, tail>) + <g, Σ_i L_i·e_i> = μ·claim,

which holds for more than two μ only if the strange terms vanish and the claim is true. Without μ
the tail could depend on the point, so on challenges that it was to precede.

Generators are hashed to the curve; h is the standard generator, whose multiples cost least. There
is nothing to set up and nobody to trust. A row costs the prover what its values' bits cost
(row_msm.py).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from zkcmp.bn254.curve import g1
from zkcmp.bn254.curve.encoding import G1_BYTES
from zkcmp.bn254.curve.point_bytes import decode_g1_points, encode_g1_points
from zkcmp.bn254.field.fr import FrVector, padded
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.row_msm import add_points, msm_rows
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.threads import parallel_ranges
from zkcmp.commitments import dot_product
from zkcmp.commitments.dot_product import Combination
from zkcmp.commitments.generators import generators
from zkcmp.commitments.inner_product import Bases, inner_product
from zkcmp.commitments.multilinear import eq_table
from zkcmp.commitments.row_kernels import combine_rows
from zkcmp.commitments.scheme import MAX_TAIL, absorb_claim
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.transcript import Transcript

_NAME = b"zkcmp hyrax 1"
_DOMAINS = b"zkcmp/hyrax/value", b"zkcmp/hyrax/columns", b"zkcmp/hyrax/tail"
_MU = b"hyrax/mu"
_HEADER_BYTES = 3
# where the columns, then the tail, stand among the bases; Q and h come first
_COLUMNS = 2
# a row fills whole groups of lanes, and one set of window tables stays small enough for a cache
_COLUMN_BITS = range(3, 14)
_MAX_VARS = 40


@dataclass(frozen=True)
class Shape:
    """Sizes of a commitment: 2^n_vars values in rows of at most 2^column_bits, and a tail."""

    n_vars: int
    column_bits: int
    tail_length: int

    @property
    def row_vars(self) -> int:
        return max(self.n_vars - self.column_bits, 0)

    @property
    def rows(self) -> int:
        return 1 << self.row_vars

    @property
    def columns(self) -> int:
        return 1 << min(self.n_vars, self.column_bits)

    def bases(self) -> Bases:
        """Q, h, G_0 …, T_0 …."""
        return _bases(self.columns, self.tail_length)


@lru_cache(maxsize=8)
def _bases(columns: int, tail_length: int) -> Bases:
    value, column, tail = _DOMAINS
    parts = [generators(value, 1), g1.generator(), generators(column, columns)]
    return Bases(np.concatenate([*parts, generators(tail, MAX_TAIL)[:tail_length]]))


@dataclass(frozen=True, eq=False)
class HyraxCommitment:
    """C_0 … C_(rows − 1) and C_tail, (n, 2, 4) at rest."""

    shape: Shape
    points: np.ndarray = field(repr=False)

    @property
    def n_vars(self) -> int:
        return self.shape.n_vars

    @property
    def tail_length(self) -> int:
        return self.shape.tail_length

    def to_bytes(self) -> bytes:
        """n_vars ‖ column_bits ‖ tail length, a byte each, ‖ compressed points."""
        shape = self.shape
        header = bytes([shape.n_vars, shape.column_bits, shape.tail_length])
        return header + encode_g1_points(self.points)

    @classmethod
    def from_bytes(cls, data: bytes) -> "HyraxCommitment":
        """The inverse.

        Raises:
            DecodeError: sizes out of range, another length than they say, or a point that is not
                canonical.
        """
        if len(data) < _HEADER_BYTES:
            raise DecodeError(f"Hyrax commitment: {len(data)} bytes are no header; get it again")
        shape = Shape(*data[:_HEADER_BYTES])
        if (
            shape.n_vars > _MAX_VARS
            or shape.column_bits not in _COLUMN_BITS
            or shape.tail_length > MAX_TAIL
        ):
            raise DecodeError(f"Hyrax commitment: sizes out of range, {shape}; get it again")
        size = _HEADER_BYTES + G1_BYTES * (shape.rows + 1)
        if len(data) != size:
            raise DecodeError(
                f"Hyrax commitment: need {size} bytes for {shape}, got {len(data)}; get it again"
            )
        return cls(shape, decode_g1_points(data[_HEADER_BYTES:]))


@dataclass(frozen=True, eq=False)
class HyraxOpening:
    """Secret: what was committed, and the blinders of rows and tail."""

    commitment: HyraxCommitment
    values: FrVector = field(repr=False)
    tail: FrVector = field(repr=False)
    blinders: FrVector = field(repr=False)


class Hyrax:
    """The scheme (scheme.py) with rows of at most 2^column_bits values."""

    def __init__(self, column_bits: int = 13):
        """More columns make a smaller commitment and a slower verifier: it pays for one row."""
        if column_bits not in _COLUMN_BITS:
            raise ValueError(f"column_bits is {column_bits}, not in {_COLUMN_BITS}")
        self.column_bits = column_bits

    @property
    def digest(self) -> bytes:
        """Names the scheme, its sizes, and by their domains its generators."""
        names = b"".join(bytes([len(d)]) + d for d in (_NAME, *_DOMAINS))
        return hashlib.sha256(names + bytes([self.column_bits, MAX_TAIL])).digest()

    def commitment_bytes(self, n_vars: int, tail_length: int) -> int:
        shape = Shape(n_vars, self.column_bits, tail_length)
        return _HEADER_BYTES + G1_BYTES * (shape.rows + 1)

    def decode(self, data: bytes) -> HyraxCommitment:
        return HyraxCommitment.from_bytes(data)

    def proof_bytes(self, n_vars: int, tail_length: int) -> int:
        shape = Shape(n_vars, self.column_bits, tail_length)
        return dot_product.proof_bytes(1 + shape.columns + tail_length)

    def commit(self, values: FrVector, tail: FrVector) -> tuple[HyraxCommitment, HyraxOpening]:
        """Commit to 2^m values and a tail. The opening keeps `values` and `tail`, not copies.

        Raises:
            ValueError: when the number of values is no power of two, or the tail is too long.
        """
        if len(values) < 1 or len(values) & (len(values) - 1) or len(tail) > MAX_TAIL:
            raise ValueError(f"cannot commit to {len(values)} values and a tail of {len(tail)}")
        shape = Shape(len(values).bit_length() - 1, self.column_bits, len(tail))
        bases = shape.bases().fixed
        points = [
            msm_rows(bases, values, shape.rows, first=_COLUMNS),
            msm_rows(bases, tail, 1, first=_COLUMNS + shape.columns),
        ]
        blinders = FrVector.random(shape.rows + 1)
        blinded = add_points(np.concatenate(points), fixed_base_mul("g1", blinders))
        commitment = HyraxCommitment(shape, blinded)
        return commitment, HyraxOpening(commitment, values, tail, blinders)

    def open(
        self,
        opening: HyraxOpening,
        transcript: Transcript,
        point: Sequence[int],
        tail_weights: Sequence[int],
        claim: int,
    ) -> bytes:
        """A proof that V~(point) + <tail_weights, tail> = claim. Integers are taken mod r."""
        shape = opening.commitment.shape
        if (len(point), len(tail_weights)) != (shape.n_vars, shape.tail_length):
            raise ValueError(f"{len(point)} variables, {len(tail_weights)} weights for {shape}")
        left, weights, _, mu = self._statement(
            opening.commitment, transcript, point, tail_weights, claim
        )
        blinder = inner_product(opening.blinders, FrVector.concat([left, FrVector.from_ints([mu])]))
        rows = _combined_rows(opening.values, left, shape.columns)
        a = FrVector.concat([FrVector.from_ints([blinder]), rows, opening.tail * mu])
        return dot_product.prove(shape.bases(), transcript, a, weights)

    def verify(
        self,
        commitment: HyraxCommitment,
        transcript: Transcript,
        point: Sequence[int],
        tail_weights: Sequence[int],
        claim: int,
        proof: bytes,
    ) -> None:
        """Check a proof that V~(point) + <tail_weights, tail> = claim.

        Raises:
            DecodeError: the proof's bytes are not canonical.
            VerificationError: the commitment is of other sizes, or the claim is not proved.
        """
        shape = commitment.shape
        expected = Shape(len(point), self.column_bits, len(tail_weights))
        if shape != expected:
            raise VerificationError("Hyrax commitment", expected, shape)
        left, weights, y, mu = self._statement(commitment, transcript, point, tail_weights, claim)
        u = Combination(commitment.points, FrVector.concat([left, FrVector.from_ints([mu])]))
        dot_product.verify(shape.bases(), transcript, u, weights, y, proof)

    def _statement(
        self,
        commitment: HyraxCommitment,
        transcript: Transcript,
        point: Sequence[int],
        tail_weights: Sequence[int],
        claim: int,
    ) -> tuple[FrVector, FrVector, int, int]:
        """L, the weights (0, μ·R, g), μ·claim, and μ."""
        point, tail_weights = ([v % FR_MODULUS for v in vs] for vs in (point, tail_weights))
        claim %= FR_MODULUS
        absorb_claim(transcript, self.digest, commitment, point, tail_weights, claim)
        mu = transcript.challenge(_MU)
        rows = commitment.shape.row_vars
        left, right = eq_table(point[:rows]), eq_table(point[rows:])
        weights = FrVector.concat([FrVector.zeros(1), right * mu, FrVector.from_ints(tail_weights)])
        return left, weights, mu * claim % FR_MODULUS, mu


def _combined_rows(values: FrVector, weights: FrVector, columns: int) -> FrVector:
    """Σ_i weights[i]·(row i of `values`)."""
    out = FrVector.zeros(columns)
    groups = padded(columns) // LANES
    parallel_ranges(
        lambda i, j: combine_rows(values.data, groups, weights.data, len(weights), out.data, i, j),
        groups,
        grain=64,
    )
    return out
