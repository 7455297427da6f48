"""The kernels of row_kernels.py for int64 matrices (n, LANES·width), by wide sums (wide.py).

Integers come as v + 2^63, so each sum Σ x·(v + 2^63) has 2^63·Σ x to be subtracted: by the caller,
where it is the same for all results, else by `offsets`. Weights carry the factors R that integers
ask for (rows.py).
"""

from typing import Any

import numpy as np

from zkcmp.bn254.lanes.arithmetic import add, integer_constant, mul, reduce, sub
from zkcmp.bn254.lanes.body import LANES, LIMBS
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import broadcast_fr, load_fr, store_fr
from zkcmp.bn254.lanes.wide import (
    COLUMNS,
    MAX_TERMS,
    add_product,
    load_integers,
    load_wide,
    reduce_wide,
    store_wide,
    zero_wide,
)

_zero = integer_constant("Fr", 0)


@kernel
def bind_integers(
    v: Any, width: int, weights: Any, acc: Any, slot: int, start: int, stop: int
) -> None:
    """Rows start … stop − 1, added up in row `slot` of `acc`, which must be 0; not corrected."""
    sums = np.empty((width, COLUMNS, LANES), np.uint64)
    for first in range(start, stop, MAX_TERMS):
        last = min(first + MAX_TERMS, stop)
        for i in range(width):
            store_wide(sums, i, zero_wide())
        for j in range(first, last - 1, 2):  # two rows for each load and store of the sums
            one, two = broadcast_fr(weights, j), broadcast_fr(weights, j + 1)
            for i in range(width):
                total = add_product(load_wide(sums, i), one, load_integers(v, j, i))
                store_wide(sums, i, add_product(total, two, load_integers(v, j + 1, i)))
        if (last - first) % 2:
            one = broadcast_fr(weights, last - 1)
            for i in range(width):
                total = add_product(load_wide(sums, i), one, load_integers(v, last - 1, i))
                store_wide(sums, i, total)
        for i in range(width):
            at = slot * width + i
            store_fr(acc, at, add(load_fr(acc, at), reduce_wide(load_wide(sums, i))))


@kernel
def dot_integers(v: Any, width: int, weights: Any, out: Any, start: int, stop: int) -> None:
    """Group j of `out` for row j; not corrected."""
    for j in range(start, stop):
        total = reduce(_zero())
        for first in range(0, width, MAX_TERMS):
            part = zero_wide()
            for i in range(first, min(first + MAX_TERMS, width)):
                part = add_product(part, load_fr(weights, i), load_integers(v, j, i))
            total = reduce(add(total, reduce_wide(part)))
        store_fr(out, j, total)


@kernel
def gram_integers(
    v: Any,
    width: int,
    n_rows: int,
    block: int,
    n_blocks: int,
    columns: Any,
    offsets: Any,
    two_to_63: Any,
    rows: Any,
    acc: Any,
    slot: int,
    start: int,
    stop: int,
) -> None:
    """As gram_rows; `offsets` are the columns times 2^63/R, `two_to_63` is 2^63/R."""
    weighted = np.empty((LIMBS, width * LANES), np.uint64)
    offset = broadcast_fr(two_to_63, 0)
    for j in range(start, stop):
        factor = broadcast_fr(rows, j)
        for a in range((n_rows - j + block - 1) // block):
            of_weighted = reduce(_zero())
            for i in range(width):
                part = add_product(
                    zero_wide(), load_fr(columns, i), load_integers(v, a * block + j, i)
                )
                entry = reduce(sub(reduce_wide(part), load_fr(offsets, i)))
                store_fr(weighted, i, entry)
                of_weighted = reduce(add(of_weighted, entry))
            of_weighted = mul(of_weighted, offset)
            for b in range(a, (n_rows - j + block - 1) // block):
                total = reduce(_zero())
                for first in range(0, width, MAX_TERMS):
                    part = zero_wide()
                    for i in range(first, min(first + MAX_TERMS, width)):
                        entries = load_integers(v, b * block + j, i)
                        part = add_product(part, load_fr(weighted, i), entries)
                    total = reduce(add(total, reduce_wide(part)))
                term = mul(sub(total, of_weighted), factor)
                place = (slot * n_blocks + a) * n_blocks + b
                store_fr(acc, place, add(load_fr(acc, place), term))


@kernel
def combine_integers(
    v: Any,
    width: int,
    n_rows: int,
    block: int,
    weights: Any,
    offsets: Any,
    out: Any,
    start: int,
    stop: int,
) -> None:
    """As combine_rows, at most MAX_TERMS weights; offsets[k] is 2^63 times the sum of k of them."""
    for j in range(start, stop):
        n_terms = (n_rows - j + block - 1) // block
        offset = broadcast_fr(offsets, n_terms)
        for i in range(width):
            total = zero_wide()
            for a in range(n_terms):
                entries = load_integers(v, a * block + j, i)
                total = add_product(total, broadcast_fr(weights, a), entries)
            store_fr(out, j * width + i, sub(reduce_wide(total), offset))
