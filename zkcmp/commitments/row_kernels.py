"""Kernel of hyrax.py: a combination of the rows of a matrix."""

from typing import Any

from zkcmp.bn254.lanes.arithmetic import add, mul, reduce
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import broadcast_fr, load_fr, store_fr


@kernel
def combine_rows(
    matrix: Any, groups: int, weights: Any, rows: int, out: Any, i: int, j: int
) -> None:
    """out = Σ_t weights[t]·(row t of the matrix), groups i … j − 1 of a row's `groups`."""
    for column in range(i, j):
        total = reduce(mul(broadcast_fr(weights, 0), load_fr(matrix, column)))
        for t in range(1, rows):
            product = mul(broadcast_fr(weights, t), load_fr(matrix, t * groups + column))
            total = reduce(add(total, product))
        store_fr(out, column, total)
