"""The quotient H of a satisfied system: A(X)·B(X) − C(X) = H(X)·(X^N − 1).

A, B, C are the polynomials of degree below N whose values on the N-th roots of unity are Az, Bz, Cz
(and, in A, the consistency rows). The coset g·⟨w⟩ has X^N = g^N throughout, so a product computed
there is known modulo X^N − g^N. H and C have degrees below N, hence

    P = interpolation of A·B on the coset,     H = (P − C) / (g^N − 1)   coefficient by coefficient

and C is never evaluated on the coset: six transforms. All coefficients stay in bit-reversed order.
"""

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import COSET_SHIFT, from_reversed, scale_reversed, to_reversed
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.overlap import overlapped


def consistency_rows(az: FrVector, public_wires: FrVector, n: int) -> FrVector:
    """Az with z_0 … z_ℓ below it, filled with zeros to n rows.

    The rows are z_i·0 = 0. They hold always, and make A_0 … A_ℓ nonzero and linearly independent.
    Without them a public input that occurs in no constraint has A_i = B_i = C_i = 0, so that
    gamma_abc_g1[i] = O, and a proof verifies for every value of that input; inputs whose columns
    are proportional can be traded against each other.
    """
    out = FrVector.zeros(n)
    out.assign(0, az)
    out.assign(len(az), public_wires)
    return out


def quotient(a: FrVector, bz: FrVector, cz: FrVector) -> FrVector:
    """Coefficients of H in bit-reversed order, the last (of X^(N−1)) 0.

    a: N values with the consistency rows; bz, cz: values of the constraints only. `a` is destroyed.
    Memory: four vectors of N beside the inputs.
    """
    n = len(a)
    # 1/(g^N − 1), and the factor 1/N that the transforms leave out
    scale = pow((pow(COSET_SHIFT, n, FR_MODULUS) - 1) * n, -1, FR_MODULUS)

    def coefficients_of_c() -> FrVector:
        return to_reversed(_filled(cz, n), inverse=True)

    parts = overlapped(
        lambda job: job(),
        (lambda: to_coset(a), lambda: to_coset(_filled(bz, n)), coefficients_of_c),
    )
    product = next(parts) * next(parts)
    to_reversed(product, inverse=True)
    scale_reversed(product, pow(COSET_SHIFT, -1, FR_MODULUS), scale)
    return product - next(parts) * scale


def _filled(values: FrVector, n: int) -> FrVector:
    """The values and zeros after them, n in all."""
    out = FrVector.zeros(n)
    out.assign(0, values)
    return out


def to_coset(v: FrVector, shift: int = COSET_SHIFT) -> FrVector:
    """Values on the roots of unity to values on the coset shift·⟨w⟩, in place; returns v."""
    to_reversed(v, inverse=True)
    scale_reversed(v, shift, pow(len(v), -1, FR_MODULUS))
    return from_reversed(v)
