"""Sums of products, one constraint a product: the paper's §4.1 "Inner Product" and "Addition".

    S_(o,1) = w_1 · x_1 + offset_o,    S_(o,j) = w_j · x_j + S_(o,j−1),    y_o = S_(o,last)

The paper adds the bias with a constraint of its own; here it is part of the first sum, and the last
sum is the output, so an output costs exactly its number of products.
"""

import numpy as np

from circuits.signals import IntValues, Signals, private, widen
from zkcmp.linear_combination import IntArray
from zkcmp.r1cs_builder import ConstraintSystem


def inner_products(
    system: ConstraintSystem,
    gadget: str,
    left: Signals,
    right: Signals,
    counts: IntArray,
    offset: Signals | None,
    bound: int,
) -> Signals:
    """y_o = offset_o + Σ left · right over the o-th group of consecutive products.

    left, right: (P,); counts: products of each output, all at least 1, summing to P; offset: one
    a output or None; bound: what no partial sum exceeds in absolute value.
    """
    n_products, n_outputs = left.wires.size, len(counts)
    last = np.cumsum(counts) - 1
    first = last - counts + 1
    sums: IntValues | None = None
    if left.values is not None:
        sums = partial_sums(left.known, right.known, counts, offset, bound)
    partial = private(system, f"{gadget} sums", (n_products,), sums)

    before = partial.wires - 1  # the wire of the sum before; not used on first products
    inner = np.setdiff1d(np.arange(n_products), first, assume_unique=True)
    result = system.wires(partial.wires)
    result = result + system.combination(inner, before[inner], -1, n_products)
    if offset is not None:
        result = result + system.combination(first, offset.wires, -1, n_products)
    system.enforce(gadget, system.wires(left.wires), system.wires(right.wires), result)
    return partial.take(last).reshape(n_outputs)


def partial_sums(
    left: IntValues, right: IntValues, counts: IntArray, offset: Signals | None, bound: int
) -> IntValues:
    """The plain reference: every S_(o,j), exactly."""
    terms = widen(left, bound) * widen(right, bound)
    first = np.cumsum(counts) - counts
    if offset is not None:
        terms[first] += widen(offset.known, bound)
    # one running sum over all groups; int64 may wrap across groups but differences do not
    running = np.cumsum(terms)
    start = np.concatenate([running[:1] * 0, running[first[1:] - 1]])
    sums: IntValues = running - np.repeat(start, counts)
    return sums
