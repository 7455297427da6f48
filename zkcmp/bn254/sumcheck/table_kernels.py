"""Kernels of sumcheck provers: rounds over tables, with the folding of the round before fused in.

With low and high halves of a table, t(X) = low + X·(high − low), and a round polynomial of degree 2
is sent by its values at X = 0 and X = 2 (zkcmp/libra/sumcheck/protocol.py):

    product_sums    Σ_i a_i(X)·b_i(X)
    square_sums     Σ_j rows_j Σ_i columns_i·t_{j,i}(X)²

The `fold_…` forms first bind the variable of the round before, for tables of four quarters, and
write what they bound; `out` may be the table itself. Sums go to two groups of lanes of `acc` from
2·slot on, a slot for each thread; their lanes are still to be added up. Sizes and indices count
groups of LANES elements, or rows of whole groups.
"""

from typing import Any

from zkcmp.bn254.lanes.arithmetic import add, integer_constant, mul, reduce, sqr, sub
from zkcmp.bn254.lanes.jit import inlined, kernel
from zkcmp.bn254.lanes.memory import broadcast_fr, load_fr, store_fr

_zero = integer_constant("Fr", 0)


@inlined
def _at(low: Any, high: Any, x: Any) -> Any:
    return reduce(add(low, mul(sub(high, low), x)))


@inlined
def _at_two(low: Any, high: Any) -> Any:
    return sub(add(high, high), low)


@inlined
def _plus(total: Any, term: Any) -> Any:
    return reduce(add(total, term))


@kernel
def fold_halves(t: Any, r: Any, out: Any, half: int, start: int, stop: int) -> None:
    x = broadcast_fr(r, 0)
    for i in range(start, stop):
        store_fr(out, i, _at(load_fr(t, i), load_fr(t, half + i), x))


@kernel
def expand_eq(t: Any, point: Any, k: int, size: int, start: int, stop: int) -> None:
    """One variable more, x = point[k], in place: t_i·(1 − x) and, `size` groups on, t_i·x."""
    x = broadcast_fr(point, k)
    for i in range(start, stop):
        whole = load_fr(t, i)
        high = mul(whole, x)
        store_fr(t, size + i, high)
        store_fr(t, i, sub(whole, high))


@kernel
def expand_eq_often(t: Any, point: Any, first: int, last: int, size: int) -> None:
    """Variables first, first − 1, …, last of `point` one after the other, from `size` groups on."""
    for k in range(first, last - 1, -1):
        expand_eq(t, point, k, size, 0, size)
        size *= 2


@kernel
def product_sums(a: Any, b: Any, half: int, acc: Any, slot: int, start: int, stop: int) -> None:
    at_zero, at_two = reduce(_zero()), reduce(_zero())
    for i in range(start, stop):
        a0, b0 = load_fr(a, i), load_fr(b, i)
        at_zero = _plus(at_zero, mul(a0, b0))
        a2, b2 = _at_two(a0, load_fr(a, half + i)), _at_two(b0, load_fr(b, half + i))
        at_two = _plus(at_two, mul(a2, b2))
    store_fr(acc, 2 * slot, at_zero)
    store_fr(acc, 2 * slot + 1, at_two)


@kernel
def fold_product_sums(
    a: Any,
    b: Any,
    r: Any,
    quarter: int,
    a_out: Any,
    b_out: Any,
    acc: Any,
    slot: int,
    start: int,
    stop: int,
) -> None:
    x = broadcast_fr(r, 0)
    at_zero, at_two = reduce(_zero()), reduce(_zero())
    for i in range(start, stop):
        a0 = _at(load_fr(a, i), load_fr(a, 2 * quarter + i), x)
        a1 = _at(load_fr(a, quarter + i), load_fr(a, 3 * quarter + i), x)
        store_fr(a_out, i, a0)
        store_fr(a_out, quarter + i, a1)
        b0 = _at(load_fr(b, i), load_fr(b, 2 * quarter + i), x)
        b1 = _at(load_fr(b, quarter + i), load_fr(b, 3 * quarter + i), x)
        store_fr(b_out, i, b0)
        store_fr(b_out, quarter + i, b1)
        at_zero = _plus(at_zero, mul(a0, b0))
        at_two = _plus(at_two, mul(_at_two(a0, a1), _at_two(b0, b1)))
    store_fr(acc, 2 * slot, at_zero)
    store_fr(acc, 2 * slot + 1, at_two)


@kernel
def square_sums(
    t: Any,
    width: int,
    half: int,
    columns: Any,
    rows: Any,
    acc: Any,
    slot: int,
    start: int,
    stop: int,
) -> None:
    """Rows start … stop − 1 of the low half; `width` groups to a row, `half` rows to a half."""
    at_zero, at_two = reduce(_zero()), reduce(_zero())
    for j in range(start, stop):
        row_zero, row_two = reduce(_zero()), reduce(_zero())
        for i in range(width):
            low, weight = load_fr(t, j * width + i), load_fr(columns, i)
            row_zero = _plus(row_zero, mul(sqr(low), weight))
            two = _at_two(low, load_fr(t, (half + j) * width + i))
            row_two = _plus(row_two, mul(sqr(two), weight))
        factor = broadcast_fr(rows, j)
        at_zero = _plus(at_zero, mul(row_zero, factor))
        at_two = _plus(at_two, mul(row_two, factor))
    store_fr(acc, 2 * slot, at_zero)
    store_fr(acc, 2 * slot + 1, at_two)


@kernel
def fold_square_sums(
    t: Any,
    r: Any,
    width: int,
    quarter: int,
    out: Any,
    columns: Any,
    rows: Any,
    acc: Any,
    slot: int,
    start: int,
    stop: int,
) -> None:
    """Rows start … stop − 1 of the first quarter; `quarter` rows to a quarter."""
    x = broadcast_fr(r, 0)
    at_zero, at_two = reduce(_zero()), reduce(_zero())
    for j in range(start, stop):
        row_zero, row_two = reduce(_zero()), reduce(_zero())
        for i in range(width):
            at, step = j * width + i, quarter * width
            low = _at(load_fr(t, at), load_fr(t, at + 2 * step), x)
            high = _at(load_fr(t, at + step), load_fr(t, at + 3 * step), x)
            store_fr(out, at, low)
            store_fr(out, at + step, high)
            weight = load_fr(columns, i)
            row_zero = _plus(row_zero, mul(sqr(low), weight))
            row_two = _plus(row_two, mul(sqr(_at_two(low, high)), weight))
        factor = broadcast_fr(rows, j)
        at_zero = _plus(at_zero, mul(row_zero, factor))
        at_two = _plus(at_two, mul(row_two, factor))
    store_fr(acc, 2 * slot, at_zero)
    store_fr(acc, 2 * slot + 1, at_two)
