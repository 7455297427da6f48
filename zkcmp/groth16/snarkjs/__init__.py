"""The files of circom and snarkjs: circuits, witnesses, keys and proofs, in and out."""

from zkcmp.groth16.snarkjs.circuit_file import read_r1cs, write_r1cs
from zkcmp.groth16.snarkjs.json_files import (
    read_proof,
    read_public,
    read_verification_key,
    write_proof,
    write_public,
    write_verification_key,
)
from zkcmp.groth16.snarkjs.prover import prove_with_zkey
from zkcmp.groth16.snarkjs.ptau import Ptau
from zkcmp.groth16.snarkjs.witness_file import read_wtns, write_wtns
from zkcmp.groth16.snarkjs.zkey import ZKey
from zkcmp.groth16.snarkjs.zkey_writer import export_zkey, import_zkey, setup_zkey

__all__ = [
    "Ptau",
    "ZKey",
    "export_zkey",
    "import_zkey",
    "prove_with_zkey",
    "read_proof",
    "read_public",
    "read_r1cs",
    "read_verification_key",
    "read_wtns",
    "setup_zkey",
    "write_proof",
    "write_public",
    "write_r1cs",
    "write_verification_key",
    "write_wtns",
]
