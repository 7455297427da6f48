"""Kernels that only multiply, to measure what one product costs."""

from typing import Any

from zkcmp.bn254.lanes.arithmetic import mul
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import load_fr, store_fr

CHAINS = 4


@kernel
def multiply_chains(a: Any, rounds: int) -> None:
    """Groups 0 … 3 of a, each multiplied `rounds` times by group 4: independent chains."""
    x0, x1, x2, x3 = load_fr(a, 0), load_fr(a, 1), load_fr(a, 2), load_fr(a, 3)
    y = load_fr(a, 4)
    for _ in range(rounds):
        x0, x1, x2, x3 = mul(x0, y), mul(x1, y), mul(x2, y), mul(x3, y)
    store_fr(a, 0, x0)
    store_fr(a, 1, x1)
    store_fr(a, 2, x2)
    store_fr(a, 3, x3)


@kernel
def multiply_stream(a: Any, b: Any, out: Any, groups: int, passes: int) -> None:
    """out = a·b, element by element, `passes` times."""
    for _ in range(passes):
        for i in range(groups):
            store_fr(out, i, mul(load_fr(a, i), load_fr(b, i)))
