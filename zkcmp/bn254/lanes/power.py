"""Exponentiation by a public constant, in lanes: x^e by square and multiply."""

import numpy as np

from zkcmp.bn254.lanes.arithmetic import mul, reduce, sqr
from zkcmp.bn254.lanes.jit import kernel


def exponent_bits(e: int) -> np.ndarray:
    """Bits of e > 0, most significant first, as `power` takes them."""
    return np.array([int(c) for c in f"{e:b}"], np.uint8)


@kernel
def power(x, bits):
    """x^e for the exponent with these bits."""
    x = reduce(x)
    y = x
    for k in range(1, len(bits)):
        y = reduce(sqr(y))
        if bits[k] == 1:
            y = reduce(mul(y, x))
    return y
