"""Column sums of a sparse matrix over points: out_i = Σ_j M[j, i]·P_j, in the group only.

The counterpart of groth16/columns.py for when τ is not known. An entry's term is a multiple of a
point (almost always by 1, which costs nothing); then the terms of a column are added in a tree, all
columns of a piece together.
"""

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.point_multiples import multiples, sums
from zkcmp.progress import Progress, silent
from zkcmp.r1cs import SparseMatrix

_PIECE = 1 << 17


def column_points(
    matrix: SparseMatrix,
    coefficients: FrVector,
    points: np.ndarray,
    n_columns: int,
    progress: Progress = silent,
) -> np.ndarray:
    """Mᵀ P for a matrix with len(points) rows: n_columns points, infinity for empty columns."""
    transposed = matrix.transpose(n_columns)
    indptr = transposed.indptr
    out = np.zeros((n_columns, *points.shape[1:]), np.uint64)
    start = 0
    while start < n_columns:
        # at least one column, and more while they are short
        stop = int(np.searchsorted(indptr, indptr[start] + _PIECE, side="right")) - 1
        stop = min(max(stop, start + 1), n_columns)
        entries = slice(int(indptr[start]), int(indptr[stop]))
        terms = _terms(
            points[transposed.indices[entries]],
            coefficients,
            transposed.coefficient_ids[entries],
        )
        out[start:stop] = segment_sums(terms, indptr[start : stop + 1] - indptr[start])
        start = stop
        progress("setup: columns", start, n_columns)
    return out


def _terms(points: np.ndarray, coefficients: FrVector, ids: np.ndarray) -> np.ndarray:
    words = coefficients.to_words()
    is_one = (words == np.array([1, 0, 0, 0], np.uint64)).all(axis=1)
    other = np.flatnonzero(~is_one[ids])
    if len(other):
        points[other] = multiples(points[other], coefficients.take(ids[other]))
    return points


def segment_sums(terms: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """The sum of terms indptr[i] … indptr[i+1] − 1 for every i; infinity for empty segments."""
    counts = np.diff(indptr)
    while counts.max(initial=0) > 1:
        segment = np.repeat(np.arange(len(counts)), counts)
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        within = np.arange(len(terms)) - first[segment]
        even = within % 2 == 0
        paired = np.flatnonzero(even & (within + 1 < counts[segment]))
        summed = sums(terms[paired], terms[paired + 1])
        # the halves of a segment stay in order: left of each pair, or the odd one out
        terms = terms.copy()
        terms[paired] = summed
        terms = terms[even]
        counts = (counts + 1) // 2
    out = np.zeros((len(counts), *terms.shape[1:]), np.uint64)
    out[counts == 1] = terms
    return out
