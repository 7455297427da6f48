"""Groth16 proofs from a .zkey: prove.py's equations with the quotient's sum in snarkjs's basis."""

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import root_of_unity
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.reference import G1
from zkcmp.errors import VerificationError
from zkcmp.groth16.proof import Proof
from zkcmp.groth16.prove import blind
from zkcmp.groth16.quotient import to_coset
from zkcmp.groth16.snarkjs import zkey as sections
from zkcmp.groth16.snarkjs.zkey import ZKey
from zkcmp.groth16.verify import verify
from zkcmp.progress import Progress, silent

_STAGES = ("constraints", "A·B − C", "A", "B in G1", "B in G2", "L", "H", "self-check")


def prove_with_zkey(key: ZKey, witness: FrVector, progress: Progress = silent) -> Proof:
    """A proof that snarkjs accepts, verified before it is returned.

    A .zkey has no C, so that the witness breaks a constraint shows only in the finished proof. The
    key is trusted not to be made to reveal the witness: `import_zkey` checks its points one by one,
    and an audit needs the powers of τ, which a .zkey does not have.

    Raises:
        DecodeError: when a query of the key has a point outside its group.
        VerificationError: when the witness has not the key's length, or the proof does not verify.
    """
    if len(witness) != key.n_wires:
        raise VerificationError("witness length", key.n_wires, len(witness))
    if witness[0] != 1:
        raise VerificationError("constant wire", 1, "another value")
    steps = iter(enumerate(_STAGES, 1))

    def done() -> None:
        k, stage = next(steps)
        progress(f"prove: {stage}", k, len(_STAGES))

    az, bz = key.products(witness)
    done()
    values = coset_values(az, bz)
    del az, bz
    done()
    a_sum = g1.to_affine_ints(msm(key.query(sections.A), witness))[0]
    done()
    b_g1_sum = g1.to_affine_ints(msm(key.query(sections.B_G1), witness))[0]
    done()
    # that B is in the subgroup is checked with the finished proof, at once for all points
    b_g2_points = key.query(sections.B_G2, subgroup=False)
    b_g2_sum = g2.to_affine_ints(msm(b_g2_points, witness))[0]
    del b_g2_points
    done()
    private = witness.slice(key.n_public + 1, key.n_wires)
    l_sum = g1.to_affine_ints(msm(key.query(sections.L), private))[0]
    done()
    h_sum = g1.to_affine_ints(msm(key.query(sections.H), values))[0]
    done()
    proof = blind(key, a_sum, b_g1_sum, b_g2_sum, G1.add(l_sum, h_sum))
    try:
        verify(key.verifying_key, witness.slice(1, key.n_public + 1), proof)
    except VerificationError as error:
        raise VerificationError(
            "self-check of the new proof",
            hint=f"{error}; the witness breaks a constraint, or is of another circuit than the key",
        ) from error
    done()
    return proof


def coset_values(az: FrVector, bz: FrVector) -> FrVector:
    """(A·B − C)(g·w^i) with g² = w, from the values on the roots of unity, where C = A·B.

    `az` and `bz` are destroyed.
    """
    cz = az * bz
    shift = root_of_unity(2 * len(az))
    for values in (az, bz, cz):
        to_coset(values, shift)
    return az * bz - cz
