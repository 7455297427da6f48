"""Groth16 verification: e(A, B) = e(α, β) · e(IC, γ) · e(C, δ), IC = Σ_i z_i·gamma_abc_g1[i].

Source: Groth 2016, §3.2, Vfy. Checked as one product, e(−A, B)·e(α, β)·e(IC, γ)·e(C, δ) = 1, with
one final exponentiation. A proof of two rounds has a commitment D and one pair more,

    e(A, B) = e(α, β) · e(IC, γ) · e(C, δ) · e(D, δ₀)

where the last z_i are the challenges, which the verifier computes from its own key, *all* other
public inputs and D (challenge.py); the caller never gives them. The Miller loops run side by side
in lanes, so lines of β, γ and δ or e(α, β) computed ahead of time would save nothing. Many proofs:
batch.py.

What the caller must still check: that the verifying key is of the intended circuit (its digest),
that it was made by somebody who gains nothing from forging proofs, and that the public inputs are
those of the statement. Soundness rests on BN254 (about 100 bits) and the generic group model.
"""

import numpy as np

from zkcmp.bn254.curve import g1
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.pairing.ate import pairing_product_is_one
from zkcmp.bn254.reference import G1
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16.challenge import challenges
from zkcmp.groth16.proof import Proof
from zkcmp.groth16.verifying_key import VerifyingKey, check_points


def verify(verifying_key: VerifyingKey, public_inputs: FrVector, proof: Proof) -> None:
    """Accept, or raise. `public_inputs` are those of the statement: no constant one, no challenges.

    An FrVector is reduced, so z and z + r cannot be two inputs here; whoever decodes inputs from
    bytes must refuse those not below r (`FrVector.from_words` does).

    Raises:
        VerificationError: saying which check failed.
    """
    check_form(verifying_key, public_inputs, proof)
    public = all_public(verifying_key, public_inputs, proof)
    minus_a = g1.from_affine_ints([G1.neg(g1.to_affine_ints(proof.a)[0])])
    pairs = [
        (minus_a, proof.b),
        (verifying_key.alpha_g1, verifying_key.beta_g2),
        (input_commitment(verifying_key, public), verifying_key.gamma_g2),
        (proof.c, verifying_key.delta_g2),
    ]
    last = ""
    if proof.d is not None:
        pairs.append((proof.d, verifying_key.delta0_g2))
        last = " e(D, delta_0)"
    if not pairing_product_is_one(pairs):
        raise VerificationError(
            "pairing equation",
            f"e(A, B) = e(alpha, beta) e(IC, gamma) e(C, delta){last}",
            "another value",
            "the proof is not of these public inputs under this key",
        )


def check_form(verifying_key: VerifyingKey, public_inputs: FrVector, proof: Proof) -> None:
    """All that `verify` checks before its equation: counts, shapes, points in their groups.

    Raises:
        VerificationError: saying which check failed.
    """
    expected = verifying_key.n_inputs
    if len(public_inputs) != expected:
        raise VerificationError("number of public inputs", expected, len(public_inputs))
    if verifying_key.two_rounds != (proof.d is not None):
        rounds = ("a proof of one round", "a proof of two rounds, with a commitment D")
        raise VerificationError(
            "proof",
            rounds[verifying_key.two_rounds],
            rounds[proof.d is not None],
            "the proof is for another kind of key",
        )
    elements = [("A", proof.a, (1, 2, 4)), ("B", proof.b, (1, 2, 2, 4)), ("C", proof.c, (1, 2, 4))]
    if proof.d is not None:
        elements.append(("D", proof.d, (1, 2, 4)))
    for name, point, shape in elements:
        if point.shape != shape:
            raise VerificationError(f"proof element {name}", f"shape {shape}", point.shape)
        try:
            check_points(point, f"proof element {name}")
        except DecodeError as error:
            raise VerificationError(f"proof element {name}", "a point of its group") from error


def all_public(verifying_key: VerifyingKey, public_inputs: FrVector, proof: Proof) -> FrVector:
    """z_1 … z_ℓ: the inputs and the challenges that they and D give; the form was checked."""
    if proof.d is None:
        return public_inputs
    drawn = challenges(verifying_key, public_inputs, proof.d)
    return FrVector.concat([public_inputs, FrVector.from_ints(drawn)])


def input_commitment(verifying_key: VerifyingKey, public: FrVector) -> np.ndarray:
    """IC = gamma_abc_g1[0] + Σ z_i·gamma_abc_g1[i] over z_1 … z_ℓ, (1, 2, 4)."""
    scalars = FrVector.concat([FrVector.from_ints([1]), public])
    return msm(verifying_key.gamma_abc_g1, scalars)
