"""Rank-1 constraint systems: which witnesses z satisfy (A z) ∘ (B z) = C z over Fr.

Source: Groth 2016, §2.3 (quadratic arithmetic programs from R1CS); the paper's Definition 2.

    paper (Def. 2)     here
    N_g                n_constraints, the rows
    N_v + 1            n_wires, the columns, constant wire included
    ℓ (statement)      n_public, wires 1 … n_public
    a_j, b_j, c_j      row j of the matrices a, b, c

The wire order is z = [1 | public | private]. In a system of two rounds it is

    z = [1 | public | challenges | committed | other private]

where the challenges are public too, and are drawn after a commitment to the committed wires
(Groth16 of two rounds, groth16/). Matrices are compressed by row; their entries are
indices into one table of distinct coefficients, because a circuit of millions of entries has only
hundreds of different ones. Systems are made by `zkcmp.r1cs_builder.ConstraintSystem`.

`R1CS.check` tells an honest prover which relation its witness breaks. It proves nothing to
anybody else; the constant wire and the public wires are whatever the caller put into z.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.spmv import rows_by_length, sparse_multiply
from zkcmp.errors import VerificationError
from zkcmp.overlap import overlapped

Index = npt.NDArray[np.int64]
Index32 = npt.NDArray[np.uint32]


class Span(NamedTuple):
    """Rows of a gadget, or wires of an allocation: the half-open range [first, last)."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """Compressed rows: row i holds the entries indptr[i] … indptr[i+1] − 1.

    indptr: (n_rows + 1,) int64; indices: (nnz,) uint32, the wires, increasing within a row;
    coefficient_ids: (nnz,) uint32 into the coefficient table of the system.
    """

    indptr: Index
    indices: Index32
    coefficient_ids: Index32

    def __repr__(self) -> str:
        return f"SparseMatrix({self.n_rows} rows, {self.n_entries} entries)"

    @property
    def n_rows(self) -> int:
        return len(self.indptr) - 1

    @property
    def n_entries(self) -> int:
        return len(self.indices)

    def multiply(self, coefficients: FrVector, z: FrVector) -> FrVector:
        """M z, of length n_rows; `coefficients` is the table the entries point into.

        Raises ValueError when an entry points outside z or the table.
        """
        if self.n_entries and (
            self._largest_index >= len(z) or self._largest_id >= len(coefficients)
        ):
            raise ValueError("the vector or the coefficient table is shorter than the matrix needs")
        return sparse_multiply(
            self.indptr, self.indices, self.coefficient_ids, self._order, coefficients, z
        )

    @cached_property
    def _order(self) -> Index:
        return rows_by_length(self.indptr)

    @cached_property
    def _largest_index(self) -> int:
        return int(self.indices.max())

    @cached_property
    def _largest_id(self) -> int:
        return int(self.coefficient_ids.max())

    def transpose(self, n_columns: int) -> "SparseMatrix":
        """The transposed matrix, one row per wire."""
        rows = np.repeat(np.arange(self.n_rows, dtype=np.uint32), np.diff(self.indptr))
        order = np.argsort(self.indices, kind="stable")
        counts = np.bincount(self.indices, minlength=n_columns)
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return SparseMatrix(indptr, rows[order], self.coefficient_ids[order])

    def row(self, i: int) -> list[tuple[int, int]]:
        """(wire, coefficient id) of row i, for messages and tests."""
        entries = slice(int(self.indptr[i]), int(self.indptr[i + 1]))
        return [
            (int(wire), int(k))
            for wire, k in zip(self.indices[entries], self.coefficient_ids[entries], strict=True)
        ]


@dataclass(frozen=True, eq=False)
class R1CS:
    """A constraint system. `gadgets` names consecutive row ranges, `wires` wire ranges.

    n_public counts the n_challenges, its last wires; the first n_committed private wires are fixed
    before those are drawn. Both are 0 in a system of one round.
    """

    n_public: int
    n_wires: int
    a: SparseMatrix
    b: SparseMatrix
    c: SparseMatrix
    coefficients: list[int]
    gadgets: list[Span]
    wires: list[Span] = field(default_factory=list)
    n_challenges: int = 0
    n_committed: int = 0

    def __repr__(self) -> str:
        return f"R1CS({self.n_constraints} constraints, {self.n_public}/{self.n_wires} wires)"

    @property
    def n_constraints(self) -> int:
        return self.a.n_rows

    @property
    def matrices(self) -> tuple[SparseMatrix, SparseMatrix, SparseMatrix]:
        return self.a, self.b, self.c

    @cached_property
    def coefficient_vector(self) -> FrVector:
        """The coefficient table in the engine's form."""
        return FrVector.from_ints(self.coefficients)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over sizes, names, table and all three matrices: the identity of the circuit."""
        state = hashlib.sha256(b"zkcmp R1CS v2")

        def frame(data: bytes) -> None:
            state.update(len(data).to_bytes(8, "little"))
            state.update(data)

        sizes = [self.n_public, self.n_challenges, self.n_committed, self.n_wires]
        frame(np.array([*sizes, self.n_constraints], "<i8").tobytes())
        for spans in (self.gadgets, self.wires):
            frame("\n".join(f"{s.name} {s.first} {s.last}" for s in spans).encode())
        frame(b"".join(c.to_bytes(32, "little") for c in self.coefficients))
        for matrix in self.matrices:
            frame(np.ascontiguousarray(matrix.indptr, "<i8").tobytes())
            frame(np.ascontiguousarray(matrix.indices, "<u4").tobytes())
            frame(np.ascontiguousarray(matrix.coefficient_ids, "<u4").tobytes())
        return state.digest()

    def gadget_of(self, row: int) -> str:
        """The name of the gadget that made this row."""
        return _name_at(self.gadgets, row, "unnamed gadget")

    def wire_name(self, wire: int) -> str:
        """The name under which this wire was allocated."""
        return _name_at(self.wires, wire, "constant one" if wire == 0 else "unnamed wire")

    def products(self, witness: FrVector) -> tuple[FrVector, FrVector, FrVector]:
        """(A z, B z, C z)."""
        table = self.coefficient_vector
        az, bz, cz = overlapped(lambda matrix: matrix.multiply(table, witness), self.matrices)
        return az, bz, cz

    def violated_rows(self, witness: FrVector) -> Index:
        """All rows that the witness breaks, increasing."""
        az, bz, cz = self.products(witness)
        difference = az * bz - cz
        return np.flatnonzero(difference.to_words().any(axis=1)).astype(np.int64)

    def check(self, witness: FrVector) -> None:
        """Raise a VerificationError that names the first violated gadget and its row.

        The values of the wires may be secret, so the error does not show them.
        """
        if len(witness) != self.n_wires:
            raise VerificationError("witness length", self.n_wires, len(witness))
        if witness.slice(0, 1).to_ints() != [1]:
            raise VerificationError("witness", "1 on the constant wire", "something else")
        rows = self.violated_rows(witness)
        if len(rows):
            row = int(rows[0])
            raise VerificationError(
                self.gadget_of(row),
                f"constraint {row} to hold",
                f"{len(rows)} of {self.n_constraints} constraints violated",
            )


def _name_at(spans: Sequence[Span], position: int, missing: str) -> str:
    for span in spans:
        if span.first <= position < span.last:
            return span.name
    return missing
