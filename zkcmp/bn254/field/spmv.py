"""Sparse matrix times vector over Fr: out[i] = Σ_e coefficient[id_e] · z[wire_e], e in row i.

Eight rows go in eight lanes (one row in the portable body). Rows are visited in order of length, so
that the rows of a group end together whatever the shape of the matrix; nothing is padded in memory.
"""

from typing import Any

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.lanes.arithmetic import add, mul, reduce
from zkcmp.bn254.lanes.body import LANES, LIMBS
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import gather_fr, store_fr
from zkcmp.bn254.threads import parallel_map, thread_count


@kernel
def _multiply_rows(
    indptr: Any,
    indices: Any,
    ids: Any,
    table: Any,
    zero_id: int,
    z: Any,
    order: Any,
    out: Any,
    start: int,
    stop: int,
) -> None:
    """Groups start … stop − 1 of `order`; `zero_id` is a column of `table` that holds 0."""
    wire = np.zeros(LANES, np.int64)
    coefficient = np.full(LANES, zero_id)
    scratch = np.zeros((LIMBS, LANES), np.uint64)
    for group in range(start, stop):
        first = group * LANES
        last = min(first + LANES, order.shape[0])
        longest = 0
        for j in range(first, last):
            row = order[j]
            longest = max(longest, indptr[row + 1] - indptr[row])
        for lane in range(LANES):
            wire[lane] = 0
            coefficient[lane] = zero_id
        total = gather_fr(table, coefficient, 0)
        for step in range(longest):
            for lane in range(last - first):
                row = order[first + lane]
                entry = indptr[row] + step
                if entry < indptr[row + 1]:
                    wire[lane] = indices[entry]
                    coefficient[lane] = ids[entry]
                else:
                    coefficient[lane] = zero_id
            product = mul(gather_fr(table, coefficient, 0), gather_fr(z, wire, 0))
            total = reduce(add(total, product))
        store_fr(scratch, 0, total)
        for lane in range(last - first):
            for k in range(LIMBS):
                out[k, order[first + lane]] = scratch[k, lane]


def rows_by_length(indptr: np.ndarray) -> np.ndarray:
    """Row numbers, shortest row first; int64."""
    return np.argsort(np.diff(indptr), kind="stable")


def sparse_multiply(
    indptr: np.ndarray,
    indices: np.ndarray,
    ids: np.ndarray,
    order: np.ndarray,
    coefficients: FrVector,
    z: FrVector,
) -> FrVector:
    """M z for a matrix in compressed rows (r1cs.SparseMatrix); `order` from `rows_by_length`.

    The caller has checked that indices are below len(z) and ids below len(coefficients).
    """
    n_rows = len(indptr) - 1
    out = FrVector.zeros(n_rows)
    table = FrVector.concat([coefficients, FrVector.zeros(1)])
    zero_id = len(coefficients)
    n_groups = -(-n_rows // LANES)
    # ranges of equal entries, not of equal rows: the longest rows come last
    entries = np.cumsum(np.diff(indptr)[order] + 1)
    n_ranges = max(1, min(8 * thread_count(), n_groups // 128))
    targets = np.arange(1, n_ranges) * ((len(indices) + n_rows) // n_ranges)
    cuts = np.searchsorted(entries, targets) // LANES
    edges = [0, *(int(c) for c in cuts), n_groups]
    parallel_map(
        lambda t: _multiply_rows(
            indptr,
            indices,
            ids,
            table.data,
            zero_id,
            z.data,
            order,
            out.data,
            edges[t],
            edges[t + 1],
        ),
        range(len(edges) - 1),
    )
    return out
