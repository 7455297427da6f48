"""Many proofs under one key verified together: a random combination of their equations.

With ρ_i of 128 random bits, drawn after the proofs were read,

    Π e(ρ_i·A_i, B_i) = e(Σρ_i·α, β) · e(Σρ_i·IC_i, γ) · e(Σρ_i·C_i, δ)

holds if every proof is valid, and with probability 2^-128 if one is not (Bellare, Garay and Rabin,
EUROCRYPT 1998; every element is in its group of prime order r, which is checked one by one). A
proof costs one Miller loop instead of four and a final exponentiation, and the public inputs are
one multi-scalar product for all: Σ_i ρ_i·IC_i = Σ_j (Σ_i ρ_i·z_ij)·gamma_abc_g1[j]. Proofs of two
rounds add e(Σρ_i·D_i, δ₀) on the right, and each has the challenges of its own D and inputs.
"""

import secrets
from collections.abc import Sequence

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.msm.point_multiples import multiples
from zkcmp.bn254.pairing.ate import pairing_product_is_one
from zkcmp.errors import VerificationError
from zkcmp.groth16.proof import Proof
from zkcmp.groth16.verify import all_public, check_form, verify
from zkcmp.groth16.verifying_key import VerifyingKey

_CHALLENGE_BITS = 128


def verify_batch(verifying_key: VerifyingKey, statements: Sequence[tuple[FrVector, Proof]]) -> None:
    """Accept all of (public inputs, proof), or raise; see `verify` for what that means.

    Raises:
        VerificationError: naming the first proof that is not valid, and the check that it fails.
    """
    if not statements:
        return
    for k, (inputs, proof) in enumerate(statements):
        try:
            check_form(verifying_key, inputs, proof)
        except VerificationError as error:
            raise _of_proof(k, error) from error
    if pairing_product_is_one(_combined(verifying_key, statements)):
        return
    for k, (inputs, proof) in enumerate(statements):
        try:
            verify(verifying_key, inputs, proof)
        except VerificationError as error:
            raise _of_proof(k, error) from error
    raise VerificationError("batch", "its equation to hold, as those of its proofs do", "no")


def _combined(
    verifying_key: VerifyingKey, statements: Sequence[tuple[FrVector, Proof]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pairs whose product is one, −ρ_i·A_i on the left."""
    rho = FrVector.from_ints([secrets.randbits(_CHALLENGE_BITS) for _ in statements])
    proofs = [proof for _, proof in statements]
    # all of them or none: `check_form` compared each with the key
    commitments = [proof.d for proof in proofs if proof.d is not None]
    left = multiples(np.concatenate([proof.a for proof in proofs]), -rho)
    inputs = FrVector.zeros(verifying_key.n_public)
    for (values, proof), factor in zip(statements, rho.to_ints(), strict=True):
        inputs = inputs + all_public(verifying_key, values, proof) * factor
    total = rho.sum()
    inputs = FrVector.concat([FrVector.from_ints([total]), inputs])
    return [
        *((left[k : k + 1], proof.b) for k, proof in enumerate(proofs)),
        (multiples(verifying_key.alpha_g1, FrVector.from_ints([total])), verifying_key.beta_g2),
        (msm(verifying_key.gamma_abc_g1, inputs), verifying_key.gamma_g2),
        (msm(np.concatenate([proof.c for proof in proofs]), rho), verifying_key.delta_g2),
        *(
            [(msm(np.concatenate(commitments), rho), verifying_key.delta0_g2)]
            if commitments
            else []
        ),
    ]


def _of_proof(k: int, error: VerificationError) -> VerificationError:
    return VerificationError(f"proof {k}", hint=str(error))
