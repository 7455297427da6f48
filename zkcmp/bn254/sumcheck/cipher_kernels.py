"""One round of the sumcheck over MiMC7's rounds: Σ E·(u⁷ − R) at 0, 2, 3, …, 8.

E, u and R are linear in the first variable: v(t) = low + t·(high − low), so a point costs three
additions and six products.
"""

from typing import Any

from zkcmp.bn254.lanes.arithmetic import add, mul, reduce, sqr, sub
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import load_fr, store_fr

N_SUMS = 8


@kernel
def cipher_round(
    weights: Any,
    inputs: Any,
    states: Any,
    half: int,
    sums: Any,
    place: int,
    start: int,
    stop: int,
) -> None:
    """Groups start … stop − 1 of the low halves; high halves begin `half` groups later.

    The sum at point number k goes to group N_SUMS·place + k of `sums`, which must be 0.
    """
    for i in range(start, stop):
        e, u, r = load_fr(weights, i), load_fr(inputs, i), load_fr(states, i)
        e_step = reduce(sub(load_fr(weights, i + half), e))
        u_step = reduce(sub(load_fr(inputs, i + half), u))
        r_step = reduce(sub(load_fr(states, i + half), r))
        for k in range(N_SUMS):
            square = sqr(u)
            seventh = mul(mul(sqr(square), square), u)
            j = N_SUMS * place + k
            store_fr(sums, j, add(load_fr(sums, j), mul(e, sub(seventh, r))))
            e, u, r = reduce(add(e, e_step)), reduce(add(u, u_step)), reduce(add(r, r_step))
            if k == 0:
                e, u, r = reduce(add(e, e_step)), reduce(add(u, u_step)), reduce(add(r, r_step))
