"""Do these parameters hide what is committed under them? The check by the one who commits.

A commitment and its openings (zkvpd.py) are uniform, or determined by the verifier's equation, if
some s_1 … s_m and some t ≠ 0 explain every element; who knows them does not matter. The audit:

    points    canonical, on the curve, not infinity; in G2 also in the subgroup, one by one,
              because the cofactor of G2 has small factors
    secrets   e([s_k]₁, G2) = e(G1, [s_k]₂), and the same for t
    root      E_m[0] = G1
    tables    for k = m, …, 1, with E_(k−1) = (lower half | upper half) by its top bit,
                  lower_i + upper_i = E_k[i]      e(upper_i, G2) = e(E_k[i], [s_k]₂)

From E_m = (G1) on, each table determines the next: they are the eq tables of (s_1, …, s_m). A test
is of a random combination, with weights of 128 bits drawn after the parameters were fixed, so a
wrong element passes with probability 2^-128. The audit speaks of the array it was given: audit and
use a copy that nobody else can change, and name it by its digest.
"""

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.field.fr import below_modulus, ints_to_words
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.msm.row_msm import add_points
from zkcmp.bn254.pairing.ate import pairing_product_is_one
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.commitments.srs import Srs
from zkcmp.errors import VerificationError
from zkcmp.progress import Progress, silent
from zkcmp.random_weights import random_weights

_CHUNK = 1 << 16
_MODULUS = ints_to_words([FQ_MODULUS])[0]
_HINT = "these parameters could make an opening reveal what is committed, refuse them"
_STAGE = "auditing the parameters"


def audit(srs: Srs, progress: Progress = silent) -> None:
    """Raise a VerificationError, naming the first wrong place, unless the parameters are good."""
    m = srs.n_vars
    chunks = range(0, len(srs.tables), _CHUNK)
    total, done = len(chunks) + m + 2, 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(_STAGE, done, total)

    _check_points("secrets in G1", srs.key.secrets_g1, 0)
    _check_points("secrets in G2", srs.key.secrets_g2, 0)
    step()
    for start in chunks:
        _check_points("tables", srs.tables[start : start + _CHUNK], start)
        step()
    _check_secrets(srs)
    step()
    for k in range(m, 0, -1):
        _check_table(srs, k)
        step()


def _check_points(name: str, points: np.ndarray, start: int) -> None:
    n, group = len(points), g1 if points.ndim == 3 else g2
    canonical = below_modulus(points.reshape(-1, 4), _MODULUS).reshape(n, -1).all(axis=1)
    good = canonical & ~is_infinity(points) & group.is_on_curve(points)
    if group is g2:
        good &= g2.in_subgroup(points)
    if not good.all():
        place = start + int(np.flatnonzero(~good)[0])
        raise VerificationError(
            f"parameters: {name}[{place}]", "a finite point of the group", "none", _HINT
        )


def _check_secrets(srs: Srs) -> None:
    """Both groups agree, and the tables begin with G1."""
    if not np.array_equal(srs.table(0), g1.generator()):
        raise VerificationError("parameters: table 0", "the generator", "another point", _HINT)
    key = srs.key
    weights = random_weights(srs.n_vars + 1)
    left, right = msm(key.secrets_g1, -weights), msm(key.secrets_g2, weights)
    if not pairing_product_is_one([(left, g2.generator()), (g1.generator(), right)]):
        raise VerificationError(
            "parameters: secrets", "the same ones in both groups", "others", _HINT
        )


def _check_table(srs: Srs, k: int) -> None:
    """E_(k−1) continues E_k by the variable k."""
    m = srs.n_vars
    upper_table, table = srs.table(m - k + 1), srs.table(m - k)
    n = len(table)
    weights = random_weights(n)
    low, high = msm(upper_table[:n], weights), msm(upper_table[n:], weights)
    minus = msm(table, -weights)
    name, before = f"parameters: table {m - k + 1}", f"table {m - k}"
    if not is_infinity(add_points(add_points(low, high), minus))[0]:
        raise VerificationError(name, f"halves that add up to {before}", "others", _HINT)
    if not pairing_product_is_one([(high, g2.generator()), (minus, srs.key.secrets_g2[k - 1])]):
        raise VerificationError(name, f"{before} times secret {k} as its upper half", "none", _HINT)
