"""Short proof that a z is known with P = <z, G> + <z, w>·Q; it does not hide z.

Bulletproofs' inner-product argument (Bünz et al., ePrint 2017/1066, protocol 2) for a public w.
With lower and upper halves z = (z₀, z₁), and so for G and w, one round is

    prover    L = <z₁, G₀> + <z₁, w₀>·Q       R = <z₀, G₁> + <z₀, w₁>·Q
    verifier  x
    both      P' = x·P + L + x²·R,   z' = x·z₀ + z₁,   G' = G₀ + x·G₁,   w' = w₀ + x·w₁

(the paper's up to a factor: nothing is inverted). The length is rounded up to a power of two in
thought only: places that do not exist have G = O and w = 0, and nobody computes with them. When
at most FINAL = 4 elements are left they are sent as they are; two more rounds would be longer.

Generators are never folded. After rounds with challenges x_1, …, x_t, block b of the bases carries
s_b = Π x_i over the bits set in b, x_1 the top bit; so L and R are sums over the original bases,
whose window tables (row_msm.py) exist already, and the verifier checks

    Σ_i s_i·z_i·G_i + (Σ_i s_i·z_i·w_i)·Q = X·P + Σ_j X_j·(L_j + x_j²·R_j),   X_j = Π_{i>j} x_i

with s_i that of i's block, z_i the last z at i's place in its block, and X the product of all x.

Soundness: from four accepting answers to a round with different x, z of the round before follows,
or a relation between the bases: the coefficients of G₀ and G₁ give z' = x·z₀ + z₁ where both exist,
and x's coefficient in that of Q is P's inner product, places without a partner included. Nobody
may know a relation between Q and the G_i; that is the caller's to see to.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zkcmp.bn254.curve.encoding import G1_BYTES
from zkcmp.bn254.curve.point_bytes import decode_g1_points, encode_g1_points
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.row_msm import FixedBases, msm_rows
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError
from zkcmp.transcript import Transcript

FINAL = 4
_FR_BYTES = 32
_ROUND, _X, _LAST = b"inner-product/round", b"inner-product/x", b"inner-product/last"


@dataclass(frozen=True, eq=False)
class Bases:
    """Q, G_0, G_1, …: (1 + n, 2, 4) points at rest, none infinite, without a known relation."""

    points: np.ndarray

    @property
    def n(self) -> int:
        return len(self.points) - 1

    @cached_property
    def fixed(self) -> FixedBases:
        """Their window tables; only provers need them."""
        return FixedBases(self.points)

    def commit(self, values: list[int], vectors: list[FrVector]) -> np.ndarray:
        """values[i]·Q + <vectors[i], G> for each i; vectors of one length, at most n."""
        rows = [part for y, v in zip(values, vectors, strict=True) for part in (_scalar(y), v)]
        return msm_rows(self.fixed, FrVector.concat(rows), len(vectors))


@dataclass(frozen=True, eq=False)
class Reduction:
    """What a proof claims: <scalars, G> + <scalars, w>·Q = p_scale·P + Σ cross_scalars·cross."""

    scalars: FrVector
    p_scale: int
    cross: np.ndarray
    cross_scalars: FrVector


def rounds(n: int) -> int:
    """Rounds until at most FINAL of n elements are left."""
    return max(0, (n - 1).bit_length() - (FINAL - 1).bit_length())


def proof_bytes(n: int) -> int:
    """Size of a proof for n elements."""
    return 2 * G1_BYTES * rounds(n) + _FR_BYTES * min(n, FINAL)


def inner_product(x: FrVector, y: FrVector) -> int:
    """Σ x_i·y_i over the places that both have."""
    n = min(len(x), len(y))
    return (x.slice(0, n) * y.slice(0, n)).sum()


def prove(bases: Bases, transcript: Transcript, z: FrVector, w: FrVector, scale: int) -> bytes:
    """L_1 ‖ R_1 ‖ L_2 ‖ … ‖ last z, for P = <z, G> + <z, w>·(scale·Q).

    The caller has absorbed the bases, w, scale and P.
    """
    place = np.arange(len(z))
    block = FINAL << rounds(len(z))
    scales = _scalar(1)
    proof = bytearray()
    while block > FINAL:
        half = block // 2
        (z0, z1), (w0, w1) = _halves(z, half), _halves(w, half)
        gap = FrVector.zeros(half - len(z1))
        crossed = FrVector.concat([z1, gap, z0]).take(place % block)
        crossed = crossed * scales.take(place // block)
        lower = place % block < half
        values = [inner_product(z1, w0) * scale, inner_product(z0, w1) * scale]
        points = bases.commit(values, [_only(crossed, lower), _only(crossed, ~lower)])
        message = encode_g1_points(points)
        proof += message
        x = _answer(transcript, message)
        z, w = _add_prefix(z0 * x, z1), _add_prefix(w0, w1 * x)
        scales = _doubled(scales, x)
        block = half
    last = z.to_words().astype("<u8").tobytes()
    transcript.absorb(_LAST, last)
    return bytes(proof) + last


def reduce(transcript: Transcript, n: int, proof: bytes) -> Reduction:
    """The equation that a proof for n elements comes to.

    Raises:
        DecodeError: the proof has another size, or a point or scalar in it is not canonical.
    """
    if len(proof) != proof_bytes(n):
        raise DecodeError(
            f"inner-product proof: need {proof_bytes(n)} bytes for {n} elements, got {len(proof)}; "
            "get it again"
        )
    size = 2 * G1_BYTES
    split = rounds(n) * size
    cross = decode_g1_points(proof[:split])
    last = FrVector.from_words(np.frombuffer(bytearray(proof[split:]), "<u8").reshape(-1, 4))
    challenges, scales = [], _scalar(1)
    for j in range(rounds(n)):
        x = _answer(transcript, proof[j * size : (j + 1) * size])
        challenges.append(x)
        scales = _doubled(scales, x)
    transcript.absorb(_LAST, proof[split:])
    place = np.arange(n)
    scalars = last.take(place % FINAL) * scales.take(place // FINAL)
    product, cross_scalars = 1, []
    for x in reversed(challenges):
        cross_scalars.append((product, product * x * x % FR_MODULUS))
        product = product * x % FR_MODULUS
    flat = [s for pair in reversed(cross_scalars) for s in pair]
    return Reduction(scalars, product, cross, FrVector.from_ints(flat))


def _answer(transcript: Transcript, message: bytes) -> int:
    transcript.absorb(_ROUND, message)
    return transcript.challenge(_X)


def _scalar(x: int) -> FrVector:
    return FrVector.from_ints([x])


def _halves(v: FrVector, half: int) -> tuple[FrVector, FrVector]:
    return v.slice(0, half), v.slice(half, len(v))


def _add_prefix(long: FrVector, short: FrVector) -> FrVector:
    """long + (short, 0, …, 0)."""
    out = long.copy()
    out.assign(0, long.slice(0, len(short)) + short)
    return out


def _only(v: FrVector, where: np.ndarray) -> FrVector:
    """v with zeros elsewhere."""
    out = v.copy()
    out.data[:, np.flatnonzero(~where)] = 0
    return out


def _doubled(scales: FrVector, x: int) -> FrVector:
    """s_(2b) = s_b, s_(2b+1) = x·s_b."""
    order = np.arange(2 * len(scales)).reshape(2, -1).T.reshape(-1)
    return FrVector.concat([scales, scales * x]).take(order)
