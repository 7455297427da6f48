"""The circuits on which Groth16 provers are compared, as the files that every one of them reads.

    dense   w_(k+2) = w_k·w_(k+1): full-size wires, nearly each in A, in B and in C
    bits    b_k·b_k = b_k: random binary wires, each in A, in B and in C

Either has 2^size − 2 constraints and one public input, so that the domain of Groth16 is 2^size with
our consistency rows, with snarkjs's, and with zksnake's padding.
"""

from pathlib import Path

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.cli.proving.bench import dense_circuit
from zkcmp.groth16.snarkjs import write_r1cs, write_wtns
from zkcmp.r1cs import R1CS, Span, SparseMatrix

_SEED = 20210  # the same bits in every run


def bits_circuit(size: int) -> tuple[R1CS, FrVector]:
    """2^size − 2 random bits, each held to be one; wires are 1, b_0 (public), b_1, …"""
    m = (1 << size) - 2
    indptr, wires = np.arange(m + 1, dtype=np.int64), np.arange(1, m + 1, dtype=np.uint32)
    matrix = SparseMatrix(indptr, wires, np.zeros(m, np.uint32))
    values = np.random.default_rng(_SEED).integers(0, 2, m + 1)
    values[0] = 1
    r1cs = R1CS(1, m + 1, matrix, matrix, matrix, [1], [Span("bits", 0, m)])
    return r1cs, FrVector.from_int64(values)


CIRCUITS = {"dense": dense_circuit, "bits": bits_circuit}


def write_circuit(kind: str, size: int, directory: Path) -> None:
    """Write circuit.r1cs and witness.wtns."""
    r1cs, witness = CIRCUITS[kind](size)
    write_r1cs(directory / "circuit.r1cs", r1cs)
    write_wtns(directory / "witness.wtns", witness)
