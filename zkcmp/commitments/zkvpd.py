"""zkVPD: a hiding commitment of one point to a multilinear polynomial, opened with pairings.

Papamanthou, Shi and Tamassia (ePrint 2011/587) commit to V~(s) for a secret s; Libra (Xie et al.,
ePrint 2019/317, §4.1) hides it with one more variable t. Parameters: srs.py. With uniform ξ's, ζ's
and the opening's point p,

    C      = [V~(s) + ξ·t]₁,    C_tail = <tail, T> + ξ_tail·[t]₁
    C_y    = [V~(p) + ξ_y·t]₁
    Q_k    = [q_k(s_(k+1), …, s_m) + ζ_k·t]₁,    V~ − V~(p) = Σ_k (X_k − p_k)·q_k(X_(k+1), …, X_m)
    Q_t    = [ξ − ξ_y − Σ_k ζ_k·(s_k − p_k)]₁

    e(C − C_y + Σ_k p_k·Q_k, G2) = Π_k e(Q_k, [s_k]₂) · e(Q_t, [t]₂)

says that C_y commits to V~(p). A challenge μ follows, and dot_product.py shows for C_y + μ·C_tail,
over the bases ([t]₁, G1, T), that <a, (0, μ, g)> = μ·claim: V~(p) + <g, tail> = claim. μ keeps
parts over T out of C and parts over G1 out of C_tail, as in hyrax.py.

C, C_tail, C_y and the Q_k are uniform, and Q_t is what the equation makes of them; so nothing is
revealed under any parameters that pass the audit (srs_audit.py), not even to their maker. Soundness
is in the algebraic group model, for a verifier who knows that no cheat has the secrets.
docs/commitments.md has both arguments.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.encoding import G1_BYTES
from zkcmp.bn254.curve.point_bytes import decode_g1_points, encode_g1_points
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.msm.row_msm import add_points
from zkcmp.bn254.pairing.ate import pairing_product_is_one
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.commitments import dot_product
from zkcmp.commitments.dot_product import Combination
from zkcmp.commitments.generators import generators
from zkcmp.commitments.inner_product import Bases
from zkcmp.commitments.scheme import MAX_TAIL, absorb_claim
from zkcmp.commitments.srs import MAX_VARS, Srs, VerifierKey
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.transcript import Transcript

_VALUE, _TAIL = b"zkcmp/zkvpd/value", b"zkcmp/zkvpd/tail"
_QUOTIENTS, _MU = b"zkvpd/quotients", b"zkvpd/mu"
_HEADER_BYTES, _COMMITMENT_BYTES = 2, 2 + 2 * G1_BYTES


@dataclass(frozen=True, eq=False)
class ZkvpdCommitment:
    """C and C_tail, (2, 2, 4) at rest."""

    n_vars: int
    tail_length: int
    points: np.ndarray = field(repr=False)

    def to_bytes(self) -> bytes:
        """n_vars ‖ tail length, a byte each, ‖ two compressed points."""
        return bytes([self.n_vars, self.tail_length]) + encode_g1_points(self.points)

    @classmethod
    def from_bytes(cls, data: bytes) -> "ZkvpdCommitment":
        """The inverse.

        Raises:
            DecodeError: another length, sizes out of range, or a point that is not canonical.
        """
        if len(data) != _COMMITMENT_BYTES or data[0] > MAX_VARS or data[1] > MAX_TAIL:
            raise DecodeError(f"zkvpd commitment: not one, {len(data)} bytes; get it again")
        return cls(data[0], data[1], decode_g1_points(data[_HEADER_BYTES:]))


@dataclass(frozen=True, eq=False)
class ZkvpdOpening:
    """Secret: what was committed, and ξ, ξ_tail."""

    commitment: ZkvpdCommitment
    values: FrVector = field(repr=False)
    tail: FrVector = field(repr=False)
    blinders: tuple[int, int] = field(repr=False)


@lru_cache(maxsize=8)
def _bases(t_g1: bytes, tail_length: int) -> Bases:
    """Q, [t]₁, G1, T_0 …."""
    t = np.frombuffer(bytearray(t_g1), np.uint64).reshape(1, 2, 4)
    tail = generators(_TAIL, MAX_TAIL)[:tail_length]
    return Bases(np.concatenate([generators(_VALUE, 1), t, g1.generator(), tail]))


class Zkvpd:
    """The scheme (scheme.py) over one set of parameters; a verifier's key is enough to verify."""

    def __init__(self, parameters: Srs | VerifierKey):
        """The parameters have been audited by who commits, made or updated by who verifies."""
        self._srs = parameters if isinstance(parameters, Srs) else None
        self.key = parameters.key if isinstance(parameters, Srs) else parameters

    @property
    def digest(self) -> bytes:
        """That of the parameters: it names the scheme and every element of theirs."""
        return self.key.digest

    def commitment_bytes(self, n_vars: int, tail_length: int) -> int:
        return _COMMITMENT_BYTES

    def decode(self, data: bytes) -> ZkvpdCommitment:
        return ZkvpdCommitment.from_bytes(data)

    def proof_bytes(self, n_vars: int, tail_length: int) -> int:
        return G1_BYTES * (n_vars + 2) + dot_product.proof_bytes(2 + tail_length)

    def commit(self, values: FrVector, tail: FrVector) -> tuple[ZkvpdCommitment, ZkvpdOpening]:
        """Commit to 2^m values and a tail. The opening keeps `values` and `tail`, not copies.

        Raises:
            ValueError: when the number of values is no power of two or above the parameters', or
                the tail is too long.
        """
        n = len(values)
        if n < 1 or n & (n - 1) or n > 1 << self.key.n_vars or len(tail) > MAX_TAIL:
            raise ValueError(f"cannot commit to {n} values and a tail of {len(tail)}")
        blinders = FrVector.random(2).to_ints()
        bases = self._bases(len(tail))
        short = FrVector.zeros(len(tail))
        vectors = [
            FrVector.concat([FrVector.from_ints([xi, 0]), part])
            for xi, part in zip(blinders, (short, tail), strict=True)
        ]
        points = bases.commit([0, 0], vectors)
        points[:1] = add_points(points[:1], msm(self._table(n.bit_length() - 1), values))
        commitment = ZkvpdCommitment(n.bit_length() - 1, len(tail), points)
        return commitment, ZkvpdOpening(commitment, values, tail, (blinders[0], blinders[1]))

    def open(
        self,
        opening: ZkvpdOpening,
        transcript: Transcript,
        point: Sequence[int],
        tail_weights: Sequence[int],
        claim: int,
    ) -> bytes:
        """A proof that V~(point) + <tail_weights, tail> = claim. Integers are taken mod r."""
        commitment = opening.commitment
        if (len(point), len(tail_weights)) != (commitment.n_vars, commitment.tail_length):
            raise ValueError(
                f"{len(point)} variables, {len(tail_weights)} weights for {commitment}"
            )
        point, weights = self._absorb(commitment, transcript, point, tail_weights, claim)
        xi, xi_tail = opening.blinders
        xi_y, points, y = self._quotients(opening.values, point, xi)
        quotients = encode_g1_points(points)
        transcript.absorb(_QUOTIENTS, quotients)
        mu = transcript.challenge(_MU)
        a = FrVector.concat([FrVector.from_ints([xi_y + mu * xi_tail, y]), opening.tail * mu])
        bases = self._bases(len(tail_weights))
        return quotients + dot_product.prove(bases, transcript, a, _weights(mu, weights))

    def verify(
        self,
        commitment: ZkvpdCommitment,
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
        m, n_tail = commitment.n_vars, commitment.tail_length
        if (m, n_tail) != (len(point), len(tail_weights)) or m > self.key.n_vars:
            raise VerificationError(
                "zkvpd commitment",
                f"{len(point)} variables, tail of {len(tail_weights)}",
                commitment,
            )
        if len(proof) != self.proof_bytes(m, n_tail):
            raise DecodeError(
                f"zkvpd opening: need {self.proof_bytes(m, n_tail)} bytes, got {len(proof)}; "
                "get it again"
            )
        point, weights = self._absorb(commitment, transcript, point, tail_weights, claim)
        end = G1_BYTES * (m + 2)
        points = decode_g1_points(proof[:end])
        transcript.absorb(_QUOTIENTS, proof[:end])
        mu = transcript.challenge(_MU)
        self._check_quotients(commitment.points[:1], points, point)
        u = Combination(
            np.concatenate([points[:1], commitment.points[1:]]), FrVector.from_ints([1, mu])
        )
        dot_product.verify(
            self._bases(n_tail), transcript, u, _weights(mu, weights), mu * claim, proof[end:]
        )

    # --- parts ----------------------------------------------------------------------------

    def _absorb(
        self,
        commitment: ZkvpdCommitment,
        transcript: Transcript,
        point: Sequence[int],
        tail_weights: Sequence[int],
        claim: int,
    ) -> tuple[list[int], list[int]]:
        """Absorb the statement; point and weights reduced mod r."""
        reduced, weights = ([v % FR_MODULUS for v in vs] for vs in (point, tail_weights))
        claim %= FR_MODULUS
        absorb_claim(transcript, self.digest, commitment, reduced, weights, claim)
        return reduced, weights

    def _quotients(
        self, values: FrVector, point: list[int], xi: int
    ) -> tuple[int, np.ndarray, int]:
        """ξ_y, the points C_y, Q_1 … Q_m, Q_t, and V~(point)."""
        m = len(point)
        xi_y, *zetas = FrVector.random(m + 1).to_ints()
        quotients = []
        for p in point:
            half = len(values) // 2
            low, high = values.slice(0, half), values.slice(half, 2 * half)
            q = high - low
            quotients.append(msm(self._table(half.bit_length() - 1), q))
            values = low + q * p
        y = values[0]
        pairs = [(xi_y, y), *((zeta, 0) for zeta in zetas)]
        points = self._bases(0).commit([0] * (m + 1), [FrVector.from_ints(p) for p in pairs])
        if m:
            points[1:] = add_points(points[1:], np.concatenate(quotients))
        # over G1 and the [s_k]₁ of the last m variables
        correction = xi - xi_y + sum(z * p for z, p in zip(zetas, point, strict=True))
        secrets_g1 = self.key.secrets_g1[self.key.n_vars - m : self.key.n_vars]
        q_t = msm(
            np.concatenate([g1.generator(), secrets_g1]),
            FrVector.from_ints([correction, *(-z for z in zetas)]),
        )
        return xi_y, np.concatenate([points, q_t]), y

    def _check_quotients(self, c: np.ndarray, points: np.ndarray, point: list[int]) -> None:
        """The pairing equation, with everything on one side."""
        m = len(point)
        scalars = FrVector.from_ints([-1, 1, *(-p for p in point)])
        left = msm(np.concatenate([c, points[: m + 1]]), scalars)
        first = self.key.n_vars - m
        pairs = [(left, g2.generator())]
        pairs += [(points[1 + k], self.key.secrets_g2[first + k]) for k in range(m + 1)]
        if not pairing_product_is_one(pairs):
            raise VerificationError(
                "zkvpd opening", hint="the quotients do not fit the commitment and the point"
            )

    def _bases(self, tail_length: int) -> Bases:
        return _bases(self.key.t_g1.tobytes(), tail_length)

    def _table(self, variables: int) -> np.ndarray:
        if self._srs is None:
            raise ValueError("a verifier's key commits to nothing: the tables are needed")
        return self._srs.table(variables)


def _weights(mu: int, tail_weights: list[int]) -> FrVector:
    return FrVector.from_ints([0, mu, *tail_weights])
