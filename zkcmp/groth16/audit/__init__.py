"""Is this key safe for its prover? The check of a Groth16 key that somebody else made.

A proof hides the witness if *some* trapdoor (α, β, γ, δ, τ) explains every element of the key: then
the key is one that an honest setup could have written, and proofs under honest keys are perfectly
zero-knowledge, whoever knows the trapdoor (Fuchsbauer, PKC 2018, §5: subversion zero-knowledge of
Groth16; the definition is Bellare, Fuchsbauer and Scafuro's, ASIACRYPT 2016). The audit establishes
that there is one, for the circuit that the *prover* built:

    form        lengths, section digests, the circuit's digest and sizes
    points      each one canonical, on its curve, in the subgroup of order r, not infinity
    wires       the wires listed for a query are exactly those whose polynomial is not zero
    twins       β₁ ~ β₂ and δ₁ ~ δ₂:  e(β₁, G2) = e(G1, β₂)
    powers      T_0 = G1, T_N ≠ G1 (τ is outside the domain), and T_{i+1} = τ·T_i:
                    e(Σρ_i·T_{i+1}, G2) = e(Σρ_i·T_i, [τ]₂)
    a, b        Σρ_i·Q_i = Σ_k c_k·T_k, where c = the inverse transform of Mρ (with the consistency
                rows for A): the sum Σρ_i·A_i(X) is the polynomial whose values are the rows of Mρ
    b in G2     e(Σρ_i·B1_i, G2) = e(G1, Σρ_i·B2_i)
    l, gamma    e(Σ_{i>ℓ} ρ_i·L_i, δ₂)·e(Σ_{i≤ℓ} ρ_i·IC_i, γ₂)
                    = e(Σρ_i·A_i, β₂)·e(α₁, Σρ_i·B2_i)·e(Σρ_i·C_i, G2)
    h           e(H_0, δ₂) = e([Z(τ)]₁, G2) and H_{i+1} = τ·H_i as for the powers
    two rounds  δ₀ ~ δ₀ as for β and δ; committed wires are summed over commitment_query and with
                δ₀₂ in the equation of l and gamma, and l_query has none of them

Each ρ_i has 128 random bits, drawn after the key was read, so a wrong element passes a test with
probability 2^-128; all but the twins and H_0 are tested at once (equations.py). Points are
checked one by one, because the cofactor of G2 has small factors (10069): a component of that order
vanishes from a random sum once in 10069 times. When a test fails, search.py finds the
element.

What the caller must still check: that the key is audited from a copy that nobody else can change,
and that what proves is this copy (`ProvingKey.digest` names it). Soundness is not audited: whoever
made the key can forge proofs under it.
"""

from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.curve import g1
from zkcmp.errors import DecodeError
from zkcmp.groth16.audit.equations import Equations
from zkcmp.groth16.audit.error import AuditError
from zkcmp.groth16.audit.search import name_the_culprit
from zkcmp.groth16.keys import ProvingKey, bad_points
from zkcmp.progress import Progress, silent
from zkcmp.r1cs import R1CS, SparseMatrix

__all__ = ["AuditError", "audit"]

_CHUNK = 1 << 15
# a point of G2 costs about as much to check as so many of G1
_G2_WEIGHT = 100


@dataclass
class _Steps:
    """Counts the equations for a progress bar."""

    progress: Progress
    total: int
    done: int = 0

    def __call__(self) -> None:
        self.done += 1
        self.progress("audit: equations", self.done, self.total)


def audit(key: ProvingKey, r1cs: R1CS, progress: Progress = silent) -> None:
    """Accept the key as safe for a prover of `r1cs`, or raise.

    Raises:
        AuditError: naming the section of the key and, where one element is to blame, its position.
        VerificationError: when the key is for another circuit.
        DecodeError: when a section does not have the digest that the header gives it.
    """
    key.check_circuit(r1cs)
    if len(key.tau_g1) != key.shape.domain_size + 1 or len(key.tau_g2) != 1:
        raise AuditError(
            "tau_g1",
            None,
            f"{key.shape.domain_size + 1} powers of tau",
            len(key.tau_g1),
            "a key without them cannot be audited; ask for one made by `zkcmp buyer setup`",
        )
    _check_digests(key)
    _check_points(key, progress)
    _check_wires(key, r1cs)
    _check_equations(key, r1cs, progress)


def _check_digests(key: ProvingKey) -> None:
    try:
        key.file.check_digests()
    except DecodeError as error:
        raise AuditError("file", None, "sections as in its header", "others", str(error)) from error


def _check_points(key: ProvingKey, progress: Progress) -> None:
    vk = key.verifying_key
    parts = {
        "alpha_g1": key.alpha_g1,
        "beta_g1": key.beta_g1,
        "delta_g1": key.delta_g1,
        "delta0_g1": key.delta0_g1,
        "beta_g2": key.beta_g2,
        "delta_g2": key.delta_g2,
        "delta0_g2": key.delta0_g2,
        "gamma_g2": vk.gamma_g2,
        "tau_g2": key.tau_g2,
        "tau_g1": key.tau_g1,
        "gamma_abc_g1": vk.gamma_abc_g1,
        "a_query": key.a_query,
        "b_g1_query": key.b_g1_query,
        "b_g2_query": key.b_g2_query,
        "l_query": key.l_query,
        "h_query": key.h_query,
        "commitment_query": key.commitment_query,
    }
    weights = {name: _G2_WEIGHT if p.ndim == 4 else 1 for name, p in parts.items()}
    total = sum(weights[name] * len(p) for name, p in parts.items())
    done = 0
    for name, points in parts.items():
        for start in range(0, len(points), _CHUNK):
            chunk = points[start : start + _CHUNK]
            bad = bad_points(chunk)
            if len(bad):
                where = start + int(bad[0]) if len(points) > 1 else None
                raise AuditError(name, where, "a point of its group, not infinity", "none")
            done += weights[name] * len(chunk)
            progress("audit: points", done, total)


def _check_wires(key: ProvingKey, r1cs: R1CS) -> None:
    """A wire may be left out of a query only when it contributes nothing for every τ.

    With a τ that happens to be a root of A_i an honest setup leaves out wire i too, but the chance
    of that is below 2^-200, and nobody needs such keys.
    """
    in_a, in_b, in_c = (_columns_in_use(m, r1cs) for m in r1cs.matrices)
    in_a[: r1cs.n_public + 1] = True  # the consistency rows
    in_use = in_a | in_b | in_c
    committed, other = r1cs.n_public + 1, r1cs.n_public + 1 + r1cs.n_committed
    in_commitment, in_l = np.zeros_like(in_use), np.zeros_like(in_use)
    in_commitment[committed:other] = in_use[committed:other]
    in_l[other:] = in_use[other:]
    for section, listed, needed in (
        ("a_wires", key.a_wires, in_a),
        ("b_wires", key.b_wires, in_b),
        ("commitment_wires", key.commitment_wires, in_commitment),
        ("l_wires", key.l_wires, in_l),
    ):
        wrong = needed.copy()
        wrong[listed] = ~wrong[listed]
        if wrong.any():
            wire = int(np.flatnonzero(wrong)[0])
            expected = ("absent", "listed")[int(needed[wire])]
            got = ("listed", "absent")[int(needed[wire])]
            raise AuditError(section, None, f"wire {wire} to be {expected}", got)


def _columns_in_use(matrix: SparseMatrix, r1cs: R1CS) -> np.ndarray:
    """Which wires have a nonzero coefficient; bool (n_wires,)."""
    nonzero = np.array([c != 0 for c in r1cs.coefficients], bool)
    out = np.zeros(r1cs.n_wires, bool)
    if matrix.n_entries:
        out[matrix.indices[nonzero[matrix.coefficient_ids]]] = True
    return out


def _check_equations(key: ProvingKey, r1cs: R1CS, progress: Progress) -> None:
    step = _Steps(progress, 7)
    if not np.array_equal(key.tau_g1[:1], g1.generator()):
        raise AuditError("tau_g1", 0, "the generator", "another point")
    if np.array_equal(key.tau_g1[-1:], g1.generator()):
        raise AuditError("tau_g1", len(key.tau_g1) - 1, "tau outside the domain", "a root of unity")
    equations = Equations(key, r1cs)
    good = (
        equations.twins_hold("beta")
        and equations.twins_hold("delta")
        and equations.twins_hold("delta0")
        and equations.all_hold(step)
    )
    if not good:
        raise name_the_culprit(equations, progress)
