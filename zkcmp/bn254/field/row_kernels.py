"""Kernels over the rows of a matrix V of field elements, row after row; `width` counts groups.

    bind_rows      Σ_j w_j·V[j, ·]
    dot_rows       Σ_i w_i·V[·, i], the LANES partial sums of each row
    gram_rows      Σ_j u_j Σ_i w_i·V[a·block + j, i]·V[b·block + j, i] for all a ≤ b
    combine_rows   Σ_a w_a·V[a·block + j, ·] for each j

Rows from `n_rows` on are 0. integer_row_kernels.py has the same for int64.
"""

from typing import Any

import numpy as np

from zkcmp.bn254.lanes.arithmetic import add, integer_constant, mul, reduce
from zkcmp.bn254.lanes.body import LANES, LIMBS
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import broadcast_fr, load_fr, store_fr

_zero = integer_constant("Fr", 0)


@kernel
def bind_rows(v: Any, width: int, weights: Any, acc: Any, slot: int, start: int, stop: int) -> None:
    """Rows start … stop − 1, added up in row `slot` of `acc`, which must be 0."""
    for j in range(start, stop):
        weight = broadcast_fr(weights, j)
        for i in range(width):
            at = slot * width + i
            store_fr(acc, at, add(load_fr(acc, at), mul(weight, load_fr(v, j * width + i))))


@kernel
def dot_rows(v: Any, width: int, weights: Any, out: Any, start: int, stop: int) -> None:
    """Group j of `out` for row j."""
    for j in range(start, stop):
        total = reduce(_zero())
        for i in range(width):
            total = reduce(add(total, mul(load_fr(weights, i), load_fr(v, j * width + i))))
        store_fr(out, j, total)


@kernel
def gram_rows(
    v: Any,
    width: int,
    n_rows: int,
    block: int,
    n_blocks: int,
    columns: Any,
    rows: Any,
    acc: Any,
    slot: int,
    start: int,
    stop: int,
) -> None:
    """Rows start … stop − 1 of every block, in n_blocks² groups of `acc`, which must be 0."""
    weighted = np.empty((LIMBS, width * LANES), np.uint64)
    for j in range(start, stop):
        factor = broadcast_fr(rows, j)
        for a in range((n_rows - j + block - 1) // block):
            first = (a * block + j) * width
            for i in range(width):
                store_fr(weighted, i, mul(load_fr(columns, i), load_fr(v, first + i)))
            for b in range(a, (n_rows - j + block - 1) // block):
                first = (b * block + j) * width
                total = reduce(_zero())
                for i in range(width):
                    total = reduce(add(total, mul(load_fr(weighted, i), load_fr(v, first + i))))
                place = (slot * n_blocks + a) * n_blocks + b
                store_fr(acc, place, add(load_fr(acc, place), mul(total, factor)))


@kernel
def combine_rows(
    v: Any, width: int, n_rows: int, block: int, weights: Any, out: Any, start: int, stop: int
) -> None:
    for j in range(start, stop):
        for i in range(width):
            total = reduce(_zero())
            for a in range((n_rows - j + block - 1) // block):
                entry = load_fr(v, (a * block + j) * width + i)
                total = reduce(add(total, mul(broadcast_fr(weights, a), entry)))
            store_fr(out, j * width + i, total)
