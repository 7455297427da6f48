"""One round of the sumcheck that adds up fractions: Σ eq·(p₀·q₁ + s·q₀), at 0 and at 2.

With low and high the halves of each table (first variable 0 and 1), step = high − low:

    sums[0] += eq·(p₀·q₁ + s·q₀)(low),    sums[1] += the same of high + step
"""

from typing import Any

from zkcmp.bn254.lanes.arithmetic import add, mul, reduce, same_field_zero, sub
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import load_fr, store_fr


@kernel
def fraction_round(
    p0: Any,
    s: Any,
    q0: Any,
    q1: Any,
    eq: Any,
    half: int,
    sums: Any,
    place: int,
    start: int,
    stop: int,
) -> None:
    """Groups start … stop − 1 of the low halves; high halves begin `half` groups later.

    The two sums go to groups 2·place and 2·place + 1 of `sums`.
    """
    at_zero = reduce(same_field_zero(load_fr(eq, 0)))
    at_two = at_zero
    for i in range(start, stop):
        weight = load_fr(eq, i)
        p0_low, p0_high = load_fr(p0, i), load_fr(p0, i + half)
        s_low, s_high = load_fr(s, i), load_fr(s, i + half)
        q0_low, q0_high = load_fr(q0, i), load_fr(q0, i + half)
        q1_low, q1_high = load_fr(q1, i), load_fr(q1, i + half)
        term = add(mul(p0_low, q1_low), mul(s_low, q0_low))
        at_zero = reduce(add(at_zero, mul(weight, term)))
        p0_two = sub(add(p0_high, p0_high), p0_low)
        s_two = sub(add(s_high, s_high), s_low)
        q0_two = sub(add(q0_high, q0_high), q0_low)
        q1_two = sub(add(q1_high, q1_high), q1_low)
        term = add(mul(p0_two, q1_two), mul(s_two, q0_two))
        at_two = reduce(add(at_two, mul(weight, term)))
    store_fr(sums, 2 * place, at_zero)
    store_fr(sums, 2 * place + 1, at_two)
