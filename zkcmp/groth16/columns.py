"""Column sums of a sparse matrix: out_i = Σ_j M[j, i]·x_j, the transposed product.

The columns of a circuit are very uneven (the constant one may occur in every row), so long ones are
cut into pieces of at most PIECE entries, summed side by side, and the pieces added up.
"""

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.r1cs import SparseMatrix

PIECE = 1024


def column_sums(
    matrix: SparseMatrix, coefficients: FrVector, x: FrVector, n_columns: int
) -> FrVector:
    """Mᵀ x for a matrix with len(x) rows; a vector of n_columns scalars."""
    if matrix.n_entries == 0:
        return FrVector.zeros(n_columns)
    transposed = matrix.transpose(n_columns)
    pieces, first_piece = _cut(transposed.indptr)
    partial = SparseMatrix(pieces, transposed.indices, transposed.coefficient_ids)
    sums = partial.multiply(coefficients, x)
    if len(sums) == n_columns:
        return sums
    n_pieces = len(sums)
    total = SparseMatrix(
        first_piece, np.arange(n_pieces, dtype=np.uint32), np.zeros(n_pieces, np.uint32)
    )
    # still one long row per long column, but PIECE times shorter
    return total.multiply(FrVector.from_ints([1]), sums)


def _cut(indptr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row starts after cutting, and for each old row the number of its first piece."""
    counts = np.maximum(1, -(-np.diff(indptr) // PIECE))
    first_piece = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    n_pieces = int(first_piece[-1])
    row = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(n_pieces) - first_piece[row]
    starts = indptr[row] + within * PIECE
    return np.append(starts, indptr[-1]).astype(np.int64), first_piece
