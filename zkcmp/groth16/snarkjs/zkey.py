""".zkey files (version 1, Groth16): proving keys of snarkjs.

    section 1    protocol u32 = 1
    section 2    n8q u32 = 32, p; n8r u32 = 32, r; wires, public inputs, N u32;
                 [α]₁ [β]₁ [β]₂ [γ]₂ [δ]₁ [δ]₂
    section 3    gamma_abc_g1          ℓ + 1
    section 4    entries of A and B    n u32, n·(matrix, row, wire u32; coefficient·2^512 mod r)
    section 5    a_query               a point for every wire, infinity where its polynomial is 0
    section 6 7  b_g1_query b_g2_query
    section 8    l_query               for wires ℓ + 1 …
    section 9    h_query               N points, in another basis than ours, see below
    section 10   phase 2's contributions, which a prover does not need

The consistency rows z_i·0 = 0 are entries of A, as in our setup. The matrix C is left out: a
witness that satisfies the circuit has Cz = Az∘Bz. With g the 2N-th root of unity whose square is w,

    h_query[i] = [ℓ_i(τ)·Z(τ)/(−2δ)]₁      ℓ_i the Lagrange basis of the points g·w^i

since g^N = −1 makes Z = −2 on that coset. So H·Z/δ is Σ_i (A·B − C)(g·w^i)·h_query[i] for every
polynomial H of degree below N − 1, and the prover needs no division.
"""

import struct
from functools import cached_property
from pathlib import Path

import numpy as np

from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS
from zkcmp.errors import DecodeError
from zkcmp.groth16.keys import MAX_DOMAIN
from zkcmp.groth16.snarkjs.circuit_file import coefficient_table, sparse_matrix
from zkcmp.groth16.snarkjs.field_words import (
    G1_BYTES,
    G1_SHAPE,
    G2_BYTES,
    G2_SHAPE,
    ZKEY_SCALAR_FACTOR,
    read_points,
)
from zkcmp.groth16.snarkjs.json_files import NO_CIRCUIT
from zkcmp.groth16.snarkjs.sections import SectionFile
from zkcmp.groth16.verifying_key import VerifyingKey
from zkcmp.r1cs import SparseMatrix

MAGIC, VERSION = b"zkey", 1
GROTH16 = 1
SIZES = struct.Struct("<I32sI32sIII")
ENTRY = np.dtype([("matrix", "<u4"), ("row", "<u4"), ("wire", "<u4"), ("value", "<u8", (4,))])

FQ_PRIME = FQ_MODULUS.to_bytes(32, "little")
FR_PRIME = FR_MODULUS.to_bytes(32, "little")

A, B_G1, B_G2, L, H = 5, 6, 7, 8, 9


class ZKey:
    """A mapped .zkey. Sizes and the short sections are checked; a query when it is read."""

    def __init__(self, path: Path | str):
        """Map `path`.

        Raises:
            DecodeError: when it is no Groth16 key over BN254 of consistent lengths.
        """
        self.file = file = SectionFile(path, MAGIC, VERSION)
        if file.section(1, 4).tobytes() != GROTH16.to_bytes(4, "little"):
            raise file.error("is not for Groth16")
        header = file.section(2, SIZES.size + 3 * G1_BYTES + 3 * G2_BYTES)
        sizes = SIZES.unpack(header[: SIZES.size].tobytes())
        self.n_wires, self.n_public, self.domain_size = sizes[4:]
        if sizes[:4] != (32, FQ_PRIME, 32, FR_PRIME):
            raise file.error("is for another curve than BN254")
        n = self.domain_size
        if not 1 <= n <= MAX_DOMAIN or n & (n - 1) or not self.n_public < self.n_wires:
            raise file.error("has impossible sizes")
        private = self.n_wires - self.n_public - 1
        for number, count, size in (
            (3, self.n_public + 1, G1_BYTES),
            (A, self.n_wires, G1_BYTES),
            (B_G1, self.n_wires, G1_BYTES),
            (B_G2, self.n_wires, G2_BYTES),
            (L, private, G1_BYTES),
            (H, n, G1_BYTES),
        ):
            file.section(number, count * size)
        self._read_elements(header[SIZES.size :])

    def _read_elements(self, data: np.ndarray) -> None:
        g1_at = [0, 64, 384]
        g1_points = np.concatenate([data[at : at + G1_BYTES] for at in g1_at])
        g2_points = np.concatenate([data[at : at + G2_BYTES] for at in (128, 256, 448)])
        g1s = read_points(g1_points, G1_SHAPE, "alpha, beta, delta in G1")
        g2s = read_points(g2_points, G2_SHAPE, "beta, gamma, delta in G2")
        gamma_abc = read_points(self.file.section(3), G1_SHAPE, "gamma_abc_g1")
        if any(is_infinity(points).any() for points in (g1s, g2s, gamma_abc)):
            raise self.file.error("has infinity for an element of its verifying key")
        self.alpha_g1, self.beta_g1, self.delta_g1 = g1s[0:1], g1s[1:2], g1s[2:3]
        self.beta_g2, self.delta_g2 = g2s[0:1], g2s[2:3]
        self.verifying_key = VerifyingKey(
            NO_CIRCUIT, self.alpha_g1, self.beta_g2, g2s[1:2], self.delta_g2, gamma_abc
        )

    def __repr__(self) -> str:
        return f"ZKey({self.n_public}/{self.n_wires} wires, domain {self.domain_size})"

    def query(self, number: int, subgroup: bool = True) -> np.ndarray:
        """A, B_G1, B_G2, L or H as points at rest, infinities included.

        Without `subgroup`, points of B_G2 are only known to be on the twist.

        Raises:
            DecodeError: when a point is not in its group.
        """
        shape = G2_SHAPE if number == B_G2 else G1_SHAPE
        return read_points(self.file.section(number), shape, f"section {number}", subgroup)

    @cached_property
    def matrices(self) -> tuple[SparseMatrix, SparseMatrix, list[int]]:
        """A and B with N rows, and their table of coefficients.

        Raises:
            DecodeError: when section 4 is not what it must be.
        """
        section = self.file.section(4)
        if len(section) < 4 or (len(section) - 4) % ENTRY.itemsize:
            raise self.file.error("has coefficients of a wrong length")
        entries = section[4:].view(ENTRY)
        if int.from_bytes(section[:4].tobytes(), "little") != len(entries):
            raise self.file.error("has coefficients of a wrong length")
        matrix, rows, wires = (np.array(entries[name]) for name in ("matrix", "row", "wire"))
        if len(entries) and (
            int(matrix.max()) > 1
            or int(rows.max()) >= self.domain_size
            or int(wires.max()) >= self.n_wires
        ):
            raise self.file.error("names matrices, rows or wires that it has not")
        try:
            values = np.ascontiguousarray(entries["value"]).astype(np.uint64, copy=False)
            table, ids = coefficient_table(values)
            a, b = (
                sparse_matrix(rows[mine], wires[mine], ids[mine], self.domain_size, self.n_wires)
                for mine in (np.flatnonzero(matrix == k) for k in (0, 1))
            )
        except DecodeError as error:
            raise self.file.error(f"has a defect in its coefficients: {error}") from None
        factor = pow(ZKEY_SCALAR_FACTOR, -1, FR_MODULUS)
        return a, b, [c * factor % FR_MODULUS for c in table]

    def products(self, witness: FrVector) -> tuple[FrVector, FrVector]:
        """(A z, B z), N values each, the consistency rows in A."""
        a, b, table = self.matrices
        coefficients = FrVector.from_ints(table)
        return a.multiply(coefficients, witness), b.multiply(coefficients, witness)
