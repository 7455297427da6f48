"""Zero-knowledge proof that a committed vector satisfies a linear equation.

    U = <a, G>   and   <a, w> = y,      w and y public, a secret

The blinder of U is an element of a like the others: its base is one of the G_i, its weight is 0.
With Q another base (Bulletproofs, ePrint 2017/1066; masked as in Hyrax, ePrint 2017/1132, fig. 6):

    verifier  ξ
    prover    d uniform,  D = <d, G> + ξ·<d, w>·Q
    verifier  c
    prover    z = c·a + d
    both      inner_product.py for  c·(U + ξ·y·Q) + D = <z, G> + ξ·<z, w>·Q

Zero knowledge: z is uniform whatever a is, D follows from z, c, U and y, and the rest is computed
from z and the challenges; so whoever knows the challenges beforehand can make the whole
conversation without a. Soundness: two answers with different c give an a with
U + ξ·y·Q = <a, G> + ξ·<a, w>·Q, and two values of ξ give U = <a, G> and y = <a, w>, or a relation
between the bases. docs/commitments.md has the argument.

The caller has absorbed the bases, U (or what it is computed from), w and y.
"""

from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.curve.encoding import G1_BYTES
from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.curve.point_bytes import decode_g1_points, encode_g1_points
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.commitments import inner_product
from zkcmp.commitments.inner_product import Bases
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.transcript import Transcript

_XI, _MASK, _C = b"dot-product/xi", b"dot-product/mask", b"dot-product/c"


@dataclass(frozen=True, eq=False)
class Combination:
    """U = Σ scalars[i]·points[i]: the verifier adds it up together with everything else."""

    points: np.ndarray
    scalars: FrVector


def proof_bytes(n: int) -> int:
    """Size of a proof for n elements, the blinder included."""
    return G1_BYTES + inner_product.proof_bytes(n)


def prove(bases: Bases, transcript: Transcript, a: FrVector, w: FrVector) -> bytes:
    """Mask ‖ inner-product proof, for U = <a, G> and y = <a, w>.

    bases.n = len(a) = len(w); the blinder is a random element of a with weight 0.
    """
    xi = transcript.challenge(_XI)
    d = FrVector.random(len(a))
    mask = encode_g1_points(bases.commit([xi * inner_product.inner_product(d, w)], [d]))
    transcript.absorb(_MASK, mask)
    z = a * transcript.challenge(_C) + d
    return mask + inner_product.prove(bases, transcript, z, w, xi)


def verify(
    bases: Bases, transcript: Transcript, u: Combination, w: FrVector, y: int, proof: bytes
) -> None:
    """Check a proof that U's vector satisfies <a, w> = y, in one multi-scalar multiplication.

    Raises:
        DecodeError: the proof is not a canonical encoding of the size for bases.n elements.
        VerificationError: the equation does not hold.
    """
    if len(proof) != proof_bytes(bases.n):
        raise DecodeError(
            f"dot-product proof: need {proof_bytes(bases.n)} bytes, got {len(proof)}; get it again"
        )
    xi = transcript.challenge(_XI)
    mask = decode_g1_points(proof[:G1_BYTES])
    transcript.absorb(_MASK, proof[:G1_BYTES])
    c = transcript.challenge(_C)
    claim = inner_product.reduce(transcript, bases.n, proof[G1_BYTES:])
    value = xi * (inner_product.inner_product(claim.scalars, w) - claim.p_scale * c * y)
    scalars = [
        FrVector.from_ints([value]),
        claim.scalars,
        u.scalars * (-claim.p_scale * c % FR_MODULUS),
        FrVector.from_ints([-claim.p_scale]),
        -claim.cross_scalars,
    ]
    points = np.concatenate([bases.points, u.points, mask, claim.cross])
    if not is_infinity(msm(points, FrVector.concat(scalars)))[0]:
        raise VerificationError(
            "dot-product proof", hint="the commitment does not open to the claimed value"
        )
