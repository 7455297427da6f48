"""Kernels behind FrVector: element-wise arithmetic on SoA arrays, groups start … stop − 1."""

import numpy as np

from zkcmp.bn254.lanes.arithmetic import (
    add,
    integer_constant,
    is_zero,
    mul,
    neg,
    reduce,
    residue_constant,
    select,
    sqr,
    sub,
)
from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import broadcast_fr, load_fr, load_words_fr, store_fr, store_words
from zkcmp.bn254.lanes.power import exponent_bits, power
from zkcmp.bn254.params import FR_MODULUS

# x·R² R⁻¹ = x·R: into Montgomery form; x·1·R⁻¹: out of it
_into = integer_constant("Fr", pow(1 << BODY.radix_bits, 2, FR_MODULUS))
_out_of = integer_constant("Fr", 1)
_one = residue_constant("Fr", 1)
# Fermat: 1/x = x^(r − 2)
_EXPONENT = exponent_bits(FR_MODULUS - 2)


@kernel
def from_words(words, out, start, stop):
    for i in range(start, stop):
        store_fr(out, i, mul(load_words_fr(words, i), _into()))


@kernel
def to_words(a, words, start, stop):
    for i in range(start, stop):
        store_words(words, i, mul(load_fr(a, i), _out_of()))


@kernel
def add_vectors(a, b, step, out, start, stop):
    for i in range(start, stop):
        store_fr(out, i, add(load_fr(a, i), load_fr(b, i * step)))


@kernel
def sub_vectors(a, b, step, out, start, stop):
    for i in range(start, stop):
        store_fr(out, i, sub(load_fr(a, i), load_fr(b, i * step)))


@kernel
def mul_vectors(a, b, step, out, start, stop):
    for i in range(start, stop):
        store_fr(out, i, mul(load_fr(a, i), load_fr(b, i * step)))


@kernel
def pow7(a, out, start, stop):
    for i in range(start, stop):
        x = load_fr(a, i)
        x2 = sqr(x)
        store_fr(out, i, mul(mul(sqr(x2), x2), x))


@kernel
def negate_where(a, sign, start, stop):
    for i in range(start, stop):
        for j in range(LANES * i, LANES * (i + 1)):
            if sign[j]:
                x = np.empty((LIMBS, LANES), np.uint64)
                for k in range(LIMBS):
                    x[k, :] = a[k, j]
                store_fr(x, 0, neg(load_fr(x, 0)))
                for k in range(LIMBS):
                    a[k, j] = x[k, 0]


@kernel
def outer_powers(block, scales, out, start, stop):
    """out[w·s + j] = block[j]·scales[s], w the width of block."""
    width = block.shape[1] // LANES
    for i in range(start, stop):
        store_fr(out, i, mul(load_fr(block, i % width), broadcast_fr(scales, i // width)))


@kernel
def inverse(a, out, start, stop):
    """Montgomery's trick down the groups: one exponentiation for all of them, lane by lane."""
    running = reduce(_one())
    for i in range(start, stop):
        store_fr(out, i, running)
        x = load_fr(a, i)
        running = mul(running, select(is_zero(x), _one(), x))
    running = power(running, _EXPONENT)
    for i in range(stop - 1, start - 1, -1):
        x = load_fr(a, i)
        zero = is_zero(x)
        y = mul(running, load_fr(out, i))
        running = mul(running, select(zero, _one(), x))
        store_fr(out, i, select(zero, sub(y, y), y))
