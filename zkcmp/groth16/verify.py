"""Groth16 verification: e(A, B) = e(α, β) · e(IC, γ) · e(C, δ), IC = Σ_i z_i·gamma_abc_g1[i].

Source: Groth 2016, §3.2, Vfy. Checked as one product, e(−A, B)·e(α, β)·e(IC, γ)·e(C, δ) = 1, with
one final exponentiation. The four Miller loops run side by side in lanes, so lines of β, γ and δ or
e(α, β) computed ahead of time would save nothing. Many proofs: batch.py.

What the caller must still check: that the verifying key is of the intended circuit (its digest),
that it was made by somebody who gains nothing from forging proofs, and that the public inputs are
those of the statement. Soundness rests on BN254 (about 100 bits) and the generic group model.
"""

import numpy as np

from zkcmp.bn254 import g1
from zkcmp.bn254.fr import FrVector
from zkcmp.bn254.msm import msm
from zkcmp.bn254.pairing import pairing_product_is_one
from zkcmp.bn254.reference import G1
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16.keys import VerifyingKey, check_points
from zkcmp.groth16.proof import Proof


def verify(verifying_key: VerifyingKey, public_inputs: FrVector, proof: Proof) -> None:
    """Accept, or raise. `public_inputs` are z_1 … z_ℓ, without the constant one.

    An FrVector is reduced, so z and z + r cannot be two inputs here; whoever decodes inputs from
    bytes must refuse those not below r (`FrVector.from_words` does).

    Raises:
        VerificationError: saying which check failed.
    """
    check_form(verifying_key, public_inputs, proof)
    minus_a = g1.from_affine_ints([G1.neg(g1.to_affine_ints(proof.a)[0])])
    pairs = [
        (minus_a, proof.b),
        (verifying_key.alpha_g1, verifying_key.beta_g2),
        (input_commitment(verifying_key, public_inputs), verifying_key.gamma_g2),
        (proof.c, verifying_key.delta_g2),
    ]
    if not pairing_product_is_one(pairs):
        raise VerificationError(
            "pairing equation",
            "e(A, B) = e(alpha, beta) e(IC, gamma) e(C, delta)",
            "another value",
            "the proof is not of these public inputs under this key",
        )


def check_form(verifying_key: VerifyingKey, public_inputs: FrVector, proof: Proof) -> None:
    """All that `verify` checks before its equation: counts, shapes, points in their groups.

    Raises:
        VerificationError: saying which check failed.
    """
    expected = verifying_key.n_public
    if len(public_inputs) != expected:
        raise VerificationError("number of public inputs", expected, len(public_inputs))
    for name, point, shape in (
        ("A", proof.a, (1, 2, 4)),
        ("B", proof.b, (1, 2, 2, 4)),
        ("C", proof.c, (1, 2, 4)),
    ):
        if point.shape != shape:
            raise VerificationError(f"proof element {name}", f"shape {shape}", point.shape)
        try:
            check_points(point, f"proof element {name}")
        except DecodeError as error:
            raise VerificationError(f"proof element {name}", "a point of its group") from error


def input_commitment(verifying_key: VerifyingKey, public_inputs: FrVector) -> np.ndarray:
    """IC = gamma_abc_g1[0] + Σ z_i·gamma_abc_g1[i], (1, 2, 4)."""
    scalars = FrVector.concat([FrVector.from_ints([1]), public_inputs])
    return msm(verifying_key.gamma_abc_g1, scalars)
