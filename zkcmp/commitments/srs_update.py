"""A further party's secrets in parameters that exist: s_k ← σ_k·s_k, t ← τ·t.

The new secrets are unknown to everyone who does not know both the old ones and σ, τ. So whoever
updates parameters that were well-formed before, and uses the result and no later one, may trust
them like parameters of its own making; it needs no proof of what it did itself.

Products of secrets scale by products of σ's, but eq tables contain factors 1 − s_k. So the first
table is taken to the monomials M_S = [Π_{k∈S} s_k]₁ and back, variable by variable,

    M_0 = E_0 + E_1,  M_1 = E_1        M_S ← Π_{k∈S} σ_k · M_S        E_1 = M_1,  E_0 = M_0 − M_1

and each further table is the sum of the halves of the one before. It takes 2^m multiples of points
and about m·2^m additions.
"""

import numpy as np

from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.field.fr import FrVector, ints_to_words
from zkcmp.bn254.msm.point_multiples import multiples, sums
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.commitments.srs import Srs, assemble, random_secret
from zkcmp.commitments.srs_audit import audit
from zkcmp.progress import Progress, silent

_MODULUS = ints_to_words([FQ_MODULUS])[0]


def update(srs: Srs, progress: Progress = silent) -> Srs:
    """The parameters with fresh factors, which are not kept, in every secret.

    Raises:
        VerificationError: from the audit that comes first; what is not well-formed may not
            become sound by an update.
    """
    audit(srs, progress)
    m = srs.n_vars
    factors = [random_secret() for _ in range(m + 1)]
    scalars = FrVector.from_ints(factors)
    table = _from_monomials(
        multiples(_to_monomials(srs.table(m), m), _subset_products(factors[:m])), m
    )
    tables = [table]
    while len(table) > 1:
        half = len(table) // 2
        table = sums(table[:half], table[half:])
        tables.append(table)
    return assemble(
        multiples(srs.key.secrets_g1, scalars),
        multiples(srs.key.secrets_g2, scalars),
        np.concatenate(tables),
    )


def _subset_products(factors: list[int]) -> FrVector:
    """Π of the factors whose bit is set in the index, the first factor on the top bit."""
    out = FrVector.from_ints([1])
    for x in reversed(factors):
        out = FrVector.concat([out, out * x])
    return out


def _to_monomials(table: np.ndarray, m: int) -> np.ndarray:
    out = table.copy()
    for k in range(m):
        low, high = _halves(out, k)
        low[:] = sums(_flat(low), _flat(high)).reshape(low.shape)
    return out


def _from_monomials(table: np.ndarray, m: int) -> np.ndarray:
    out = table.copy()
    for k in range(m):
        low, high = _halves(out, k)
        low[:] = sums(_flat(low), negated(_flat(high))).reshape(low.shape)
    return out


def _halves(table: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Views of the places whose bit k, counted from the top, is 0, and is 1."""
    view = table.reshape(1 << k, 2, -1, 2, 4)
    return view[:, 0], view[:, 1]


def _flat(points: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(points).reshape(-1, 2, 4)


def negated(points: np.ndarray) -> np.ndarray:
    """−P_j for canonical points (n, 2, 4) at rest: p − y word by word, with borrows."""
    out = points.copy()
    borrow = np.zeros(len(points), np.uint64)
    for k in range(4):
        y = points[:, 1, k]
        difference = _MODULUS[k] - y
        out[:, 1, k] = difference - borrow
        borrow = ((_MODULUS[k] < y) | (difference < borrow)).astype(np.uint64)
    out[is_infinity(points)] = 0
    return out
