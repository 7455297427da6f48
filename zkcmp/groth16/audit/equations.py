"""The equations of an audit, each for any range of the elements it is about.

Notation and purpose are in `__init__.py`. Every method answers whether one equation holds, over all
elements or over those in [start, stop) only, which is how search.py finds a wrong one. The
weights ρ are drawn once for each audit, with `secrets`: whoever made the key cannot know them.

`all_hold` is one test for everything but the twins and H_0. With S_Q = Σρ_i·Q_i for the wires (S_D
that of commitment_query, in a key of two rounds), weights σ for the powers and η for the quotients,
all drawn independently, and κ, μ random:

    X = κ·S_A + μ·S_B1 − [Σρ_i·(C_i + κA_i + μB_i)(τ)]₁ + Σσ_i·T_{i+1} + Ση_i·H_{i+1}
    R = Σσ_i·T_i + Ση_i·H_i

    e(S_L, δ₂)·e(S_D, δ₀₂)·e(S_IC, γ₂)·e(X, G2) = e(S_A, β₂)·e(α₁, S_B2)·e(R, [τ]₂)

Suppose some T_{i+1} ≠ τ·T_i or H_{i+1} ≠ τ·H_i. Its weight is in no other term: whatever the rest
amounts to, one of 2^128 values makes up for it. Otherwise σ and η cancel, and what is left holds,
but for a chance of 2^-128, only if the equations of A, of B in G1 and of L, D, IC hold each. Powers
and polynomials both have G2 as their partner, so they are one sum over the T_k.
"""

import secrets
from collections.abc import Callable
from typing import Literal

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import intt, permute
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.pairing.ate import Pair, pairing_product_is_one
from zkcmp.bn254.reference import G1
from zkcmp.groth16.keys import ProvingKey
from zkcmp.r1cs import R1CS, SparseMatrix
from zkcmp.random_weights import WEIGHT_BYTES, random_weights

Step = Callable[[], None]


def no_step() -> None:
    """Report nothing."""


def _minus(point: np.ndarray) -> np.ndarray:
    return g1.from_affine_ints([G1.neg(g1.to_affine_ints(point)[0])])


def _combination(terms: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """Σ k·P of a few G1 points."""
    return g1.from_affine_ints(
        [G1.sum(G1.mul(g1.to_affine_ints(point)[0], k) for k, point in terms)]
    )


class Equations:
    """The equations of one key and one circuit, with the weights of this audit."""

    def __init__(self, key: ProvingKey, r1cs: R1CS):
        self.key, self.r1cs = key, r1cs
        self.n = key.shape.domain_size
        self.first_private = r1cs.n_public + 1
        self._g1, self._g2 = g1.generator(), g2.generator()
        self._rho = random_weights(r1cs.n_wires)
        self._power_rho = random_weights(self.n)
        self._quotient_rho = random_weights(max(self.n - 2, 0))

    # --- single elements ------------------------------------------------------------------

    def twins_hold(self, name: Literal["beta", "delta", "delta0"]) -> bool:
        """e(β₁, G2) = e(G1, β₂), or the same for δ and δ₀; a key of one round has no δ₀."""
        key = self.key
        one, two = {
            "beta": (key.beta_g1, key.beta_g2),
            "delta": (key.delta_g1, key.delta_g2),
            "delta0": (key.delta0_g1, key.delta0_g2),
        }[name]
        if len(one) == len(two) == 0:
            return True
        return pairing_product_is_one([(_minus(one), self._g2), (self._g1, two)])

    # --- powers ---------------------------------------------------------------------------

    def powers_hold(self, start: int = 0, stop: int | None = None) -> bool:
        """T_{i+1} = τ·T_i for i in [start, stop), of 0 … N − 1."""
        stop = self.n if stop is None else stop
        weights, tau_g1 = self._power_rho.slice(start, stop), self.key.tau_g1
        left, right = msm(tau_g1[start + 1 : stop + 1], weights), msm(tau_g1[start:stop], weights)
        return pairing_product_is_one([(_minus(left), self._g2), (right, self.key.tau_g2)])

    def first_quotient_holds(self) -> bool:
        """H_0·δ = Z(τ) = τ^N − 1."""
        if self.n == 1:
            return True
        z = _combination([(1, self.key.tau_g1[self.n : self.n + 1]), (-1, self._g1)])
        first = _minus(self.key.h_query[:1])
        return pairing_product_is_one([(first, self.key.delta_g2), (z, self._g2)])

    def quotients_hold(self, start: int = 0, stop: int | None = None) -> bool:
        """H_{i+1} = τ·H_i for i in [start, stop), of 0 … N − 3; from 0 on, also the first one."""
        stop = self._quotient_rho.n if stop is None else stop
        if start == 0 and not self.first_quotient_holds():
            return False
        if stop <= start:
            return True
        weights = self._quotient_rho.slice(start, stop)
        left = msm(self.key.h_query, self._at_reversed(weights, start + 1))
        right = msm(self.key.h_query, self._at_reversed(weights, start))
        return pairing_product_is_one([(_minus(left), self._g2), (right, self.key.tau_g2)])

    def _at_reversed(self, weights: FrVector, start: int) -> FrVector:
        """The weights for H_start, H_{start+1}, … in the order of h_query."""
        natural = FrVector.zeros(self.n)
        natural.assign(start, weights)
        return permute(natural).slice(0, self.n - 1)

    # --- wires ----------------------------------------------------------------------------

    def weights(self, start: int, stop: int) -> FrVector:
        """ρ on the wires of [start, stop), zero elsewhere."""
        out = FrVector.zeros(self.r1cs.n_wires)
        out.assign(start, self._rho.slice(start, stop))
        return out

    def masked_weights(self, wires: np.ndarray) -> FrVector:
        """ρ on the wires where the bool array is true, zero elsewhere."""
        return self._rho * FrVector.from_int64(wires.astype(np.int64))

    def rows(self, matrix: SparseMatrix, weights: FrVector) -> FrVector:
        """Mρ, filled to N rows: the values of Σρ_i·M_i(X) on the domain."""
        out = FrVector.zeros(self.n)
        if matrix.n_rows:
            out.assign(0, matrix.multiply(self.r1cs.coefficient_vector, weights))
        return out

    def rows_of_a(self, weights: FrVector) -> FrVector:
        """Aρ with the consistency rows (quotient.py)."""
        out = self.rows(self.r1cs.a, weights)
        out.assign(self.r1cs.n_constraints, weights.slice(0, self.first_private))
        return out

    def at_tau(self, values: FrVector) -> np.ndarray:
        """[P(τ)]₁ of the polynomial with these values on the domain, which are destroyed."""
        return msm(self.key.tau_g1[: self.n], intt(values))

    def a_holds(self, weights: FrVector) -> bool:
        """Σρ_i·A_i of a_query is that of the circuit at τ."""
        found = msm(self.key.a_query, weights.take(self.key.a_wires))
        return np.array_equal(found, self.at_tau(self.rows_of_a(weights)))

    def b_g1_holds(self, weights: FrVector) -> bool:
        """The same of b_g1_query."""
        found = msm(self.key.b_g1_query, weights.take(self.key.b_wires))
        return np.array_equal(found, self.at_tau(self.rows(self.r1cs.b, weights)))

    def b_g2_holds(self, weights: FrVector) -> bool:
        """b_g2_query is b_g1_query, in the other group."""
        part = weights.take(self.key.b_wires)
        one, two = msm(self.key.b_g1_query, part), msm(self.key.b_g2_query, part)
        return pairing_product_is_one([(_minus(one), self._g2), (self._g1, two)])

    def l_holds(self, weights: FrVector) -> bool:
        """The equation of l_query and gamma_abc_g1, which supposes those of a and b."""
        key = self.key
        sum_a = msm(key.a_query, weights.take(key.a_wires))
        sum_b = msm(key.b_g2_query, weights.take(key.b_wires))
        sum_c = self.at_tau(self.rows(self.r1cs.c, weights))
        return pairing_product_is_one(
            [
                *self._l_side(weights),
                (_minus(sum_a), key.beta_g2),
                (_minus(key.alpha_g1), sum_b),
                (_minus(sum_c), self._g2),
            ]
        )

    def _l_side(self, weights: FrVector) -> list[Pair]:
        key, vk = self.key, self.key.verifying_key
        public = weights.slice(0, self.first_private)
        sides = [
            (msm(key.l_query, weights.take(key.l_wires)), key.delta_g2),
            (msm(vk.gamma_abc_g1, public), vk.gamma_g2),
        ]
        if vk.two_rounds:
            committed = msm(key.commitment_query, weights.take(key.commitment_wires))
            sides.append((committed, key.delta0_g2))
        return sides

    # --- everything -----------------------------------------------------------------------

    def all_hold(self, step: Step = no_step) -> bool:
        """powers_hold, quotients_hold, a_holds, b_g1_holds, b_g2_holds and l_holds at once."""
        key, rho = self.key, self._rho
        part = rho.take(key.b_wires)
        sum_b1 = msm(key.b_g1_query, part)
        step()
        sum_b2 = msm(key.b_g2_query, part)
        step()
        if not (
            self.first_quotient_holds()
            and pairing_product_is_one([(_minus(sum_b1), self._g2), (self._g1, sum_b2)])
        ):
            return False
        sum_a = msm(key.a_query, rho.take(key.a_wires))
        step()
        l_side = self._l_side(rho)
        step()
        kappa, mu = (1 + secrets.randbits(8 * WEIGHT_BYTES) for _ in range(2))
        above = msm(key.tau_g1, self._power_rho_above_polynomial(kappa, mu))
        step()
        below = msm(key.tau_g1[: self.n], self._power_rho)
        step()
        h_above, h_below = (
            msm(key.h_query, self._at_reversed(self._quotient_rho, start)) for start in (1, 0)
        )
        step()
        with_g2 = _combination([(kappa, sum_a), (mu, sum_b1), (1, above), (1, h_above)])
        with_tau = _combination([(-1, below), (-1, h_below)])
        return pairing_product_is_one(
            [
                *l_side,
                (with_g2, self._g2),
                (_minus(sum_a), key.beta_g2),
                (_minus(key.alpha_g1), sum_b2),
                (with_tau, key.tau_g2),
            ]
        )

    def _power_rho_above_polynomial(self, kappa: int, mu: int) -> FrVector:
        """Weights of T_0 … T_N for Σσ_i·T_{i+1} − [Σρ_i·(C_i + κA_i + μB_i)(τ)]₁."""
        values = self.rows(self.r1cs.c, self._rho)
        values = values + self.rows_of_a(self._rho) * kappa
        values = values + self.rows(self.r1cs.b, self._rho) * mu
        out, polynomial = FrVector.zeros(self.n + 1), FrVector.zeros(self.n + 1)
        out.assign(1, self._power_rho)
        polynomial.assign(0, intt(values))
        return out - polynomial
