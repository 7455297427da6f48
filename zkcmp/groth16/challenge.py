"""The challenges of a proof of two rounds, computed by prover and verifier with this one function.

    (ρ_1, …, ρ_k) = transcript hash of (verifying key, z_1 … z_m, D)

with z_1 … z_m *all* public inputs but the challenges, and D the commitment. Whatever were left out,
a prover could choose after it knows the challenges. The key's digest covers its circuit, every
element, and how many of its public wires are challenges; each part is framed by its length.

Once a proof is to be about more than its public inputs (a file, a deal), a digest of that must be
one of them: nothing else binds it.
"""

import numpy as np

from zkcmp.bn254.curve.encoding import encode_g1
from zkcmp.bn254.field.fr import FrVector
from zkcmp.groth16.verifying_key import VerifyingKey
from zkcmp.transcript import Transcript

_DOMAIN = b"zkcmp groth16 two rounds v1"


def challenges(
    verifying_key: VerifyingKey, public_inputs: FrVector, commitment: np.ndarray
) -> list[int]:
    """The n_challenges scalars of a key of two rounds.

    Raises ValueError when the number of public inputs is not the key's.
    """
    if len(public_inputs) != verifying_key.n_inputs:
        raise ValueError(f"{len(public_inputs)} inputs of {verifying_key.n_inputs}")
    transcript = Transcript(_DOMAIN)
    transcript.absorb(b"verifying key", verifying_key.digest)
    words = np.ascontiguousarray(public_inputs.to_words(), "<u8")
    transcript.absorb(b"public inputs", words.tobytes())
    transcript.absorb(b"commitment", encode_g1(commitment))
    return [transcript.challenge(b"challenge") for _ in range(verifying_key.n_challenges)]
