"""Groth16 over BN254: setup, prove, verify, and their files."""

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
