"""Groth16 over BN254, in one round and in two.

setup, columns                   a trapdoor, and all multiples of the generators
keys, key_file, verifying_key    what a key holds, and how it lies on disk
first_round, challenge           what a circuit of two rounds adds
prove, quotient, proof           a witness becomes three points, or four in two rounds
verify, batch                    the pairing equation, of one proof and of many
audit/                           is somebody else's key safe for the prover?
ceremony/                        a key that several parties make in turn
snarkjs/                         files of snarkjs and circom, in and out
estimate                         what setup and proof cost, before either
"""

from zkcmp.groth16.batch import verify_batch
from zkcmp.groth16.first_round import FirstRound
from zkcmp.groth16.keys import ProvingKey
from zkcmp.groth16.proof import Proof
from zkcmp.groth16.prove import prove
from zkcmp.groth16.setup import setup
from zkcmp.groth16.verify import verify
from zkcmp.groth16.verifying_key import VerifyingKey

__all__ = [
    "FirstRound",
    "Proof",
    "ProvingKey",
    "VerifyingKey",
    "prove",
    "setup",
    "verify",
    "verify_batch",
]
