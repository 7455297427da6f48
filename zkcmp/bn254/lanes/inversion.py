# mypy: ignore-errors
"""Inversion modulo p: one number by division steps, the lanes of a group by one number.

Bernstein and Yang, "Fast constant-time gcd computation and modular inversion" (2019), with δ
starting at 1/2. From f = p, g = x a step takes

    (δ, f, g) → (1 − δ, g, (g − f)/2)             where δ > 0 and g is odd
                (1 + δ, f, (g + (g mod 2)·f)/2)   elsewhere

and after 590 steps g = 0 and f = ±gcd(p, x), for all 0 ≤ x < p < 2^256. A batch of STEPS steps
looks at the low bits of f and g only; what it does is a matrix (u v; q r)/2^STEPS, which is then
applied to (f, g), and modulo p to (d, e), where d·x ≡ f and e·x ≡ g. In the end d = ±1/x.

The lanes of a group are folded to their product and unfolded again, 1/x_j = 1/Πx · Π_{i≠j} x_i:
seven products and one inversion of 2 µs where a power x^(p − 2) in lanes takes 10 µs.
"""

import numpy as np

from zkcmp.bn254.lanes.arithmetic import (
    integer_constant,
    is_zero,
    mul,
    reduce,
    same_field_one,
    same_field_zero,
    select,
)
from zkcmp.bn254.lanes.body import BODY, LANES
from zkcmp.bn254.lanes.jit import inlined, kernel
from zkcmp.bn254.lanes.memory import load_words_fq, store_words
from zkcmp.bn254.lanes.points import rotate
from zkcmp.bn254.params import FQ_MODULUS

STEPS = 30
_BATCHES = -(-590 // STEPS)
_LIMBS = 9
_MASK = (1 << STEPS) - 1
_MODULUS = np.array([(FQ_MODULUS >> (STEPS * k)) & _MASK for k in range(_LIMBS)], np.int64)
_MINUS_INVERSE = -pow(FQ_MODULUS, -1, 1 << STEPS) % (1 << STEPS)
# |d| stays below this many times p: half of p a batch, and 1 in the beginning
_BOUND = _BATCHES // 2 + 1
# residues of Montgomery form: (x·R)^(−1) · R³ / R = x^(−1)·R
_cube = integer_constant("Fq", pow(1 << BODY.radix_bits, 3, FQ_MODULUS))


@inlined
def _steps(delta, f, g):
    """(2δ, u + 2^32·v, q + 2^32·r) after STEPS steps from 2δ and the low bits of f and g."""
    top, bottom = np.int64(1), np.int64(1) << np.int64(32)
    for _ in range(STEPS):
        odd = -(g & 1)
        swap = odd & (-delta >> 63)
        # (f, g) → (g, −f) and the same for the rows of the matrix, where δ > 0 and g is odd
        t = (f ^ g) & swap
        f, g = f ^ t, (g ^ t ^ swap) - swap
        t = (top ^ bottom) & swap
        top, bottom = top ^ t, (bottom ^ t ^ swap) - swap
        delta = (delta ^ swap) - swap + 2
        g = (g + (f & odd)) >> 1
        bottom += top & odd
        top += top
    return delta, top, bottom


@inlined
def _halves(packed):
    low = packed << 32 >> 32
    return low, (packed - low) >> 32


@kernel
def invert_words(words):
    """Replace x by 1/x mod p, below 2p; 0 by 0. Four little-endian words, x < p."""
    state = np.zeros((4, _LIMBS), np.int64)
    f, g, d, e = state[0], state[1], state[2], state[3]
    for k in range(_LIMBS):
        f[k] = _MODULUS[k]
        word, shift = (STEPS * k) >> 6, np.uint64((STEPS * k) & 63)
        x = words[word] >> shift
        if shift > np.uint64(64 - STEPS) and word < 3:
            x |= words[word + 1] << (np.uint64(64) - shift)
        g[k] = np.int64(x & np.uint64(_MASK))
    e[0] = 1
    delta = np.int64(1)
    for _ in range(_BATCHES):
        delta, top, bottom = _steps(delta, f[0], g[0])
        u, v = _halves(top)
        q, r = _halves(bottom)
        _advance(f, g, u, v, q, r)
        _advance_modulo(d, e, u, v, q, r)
    _to_words(d, f[_LIMBS - 1] < 0, words)


@inlined
def _advance(f, g, u, v, q, r):
    """(f, g) ← (u·f + v·g, q·f + r·g)/2^STEPS, exact."""
    a, b = u * f[0] + v * g[0], q * f[0] + r * g[0]
    for k in range(1, _LIMBS):
        a, b = (a >> STEPS) + u * f[k] + v * g[k], (b >> STEPS) + q * f[k] + r * g[k]
        f[k - 1], g[k - 1] = a & _MASK, b & _MASK
    f[_LIMBS - 1], g[_LIMBS - 1] = a >> STEPS, b >> STEPS


@inlined
def _clearing(low):
    """The multiple of p, from −2^(STEPS − 1) on, that clears the low bits."""
    m = (low & _MASK) * _MINUS_INVERSE & _MASK
    return m - (m >> (STEPS - 1) << STEPS)


@inlined
def _advance_modulo(d, e, u, v, q, r):
    """(d, e) ← (u·d + v·e, q·d + r·e)/2^STEPS modulo p."""
    a, b = u * d[0] + v * e[0], q * d[0] + r * e[0]
    m, n = _clearing(a), _clearing(b)
    a, b = a + m * _MODULUS[0], b + n * _MODULUS[0]
    for k in range(1, _LIMBS):
        a = (a >> STEPS) + u * d[k] + v * e[k] + m * _MODULUS[k]
        b = (b >> STEPS) + q * d[k] + r * e[k] + n * _MODULUS[k]
        d[k - 1], e[k - 1] = a & _MASK, b & _MASK
    d[_LIMBS - 1], e[_LIMBS - 1] = a >> STEPS, b >> STEPS


@inlined
def _to_words(d, negative, words):
    """d or −d modulo p, below 2p."""
    sign = np.int64(-1) if negative else np.int64(1)
    carry = np.int64(0)
    for k in range(_LIMBS):
        carry += sign * d[k] + _BOUND * _MODULUS[k]
        d[k] = carry & _MASK
        carry >>= STEPS
    # below 2·_BOUND·p; the quotient by p from the top limb is at most 1 too small
    top = d[_LIMBS - 1] + (carry << STEPS)
    quotient = top // (_MODULUS[_LIMBS - 1] + 1)
    words[:] = np.uint64(0)
    carry = np.int64(0)
    for k in range(_LIMBS):
        carry += d[k] - quotient * _MODULUS[k]
        limb = np.uint64(carry & _MASK)
        carry >>= STEPS
        word, shift = (STEPS * k) >> 6, np.uint64((STEPS * k) & 63)
        words[word] |= limb << shift
        if shift > np.uint64(64 - STEPS) and word < 3:
            words[word + 1] |= limb >> (np.uint64(64) - shift)


@kernel
def invert_fq(x):
    """1/x in every lane; 0 gives 0."""
    zero = is_zero(x)
    one = reduce(same_field_one(x))
    x = reduce(select(zero, one, x))
    product, others = x, one
    if LANES > 1:
        other = rotate(x, 4)
        product, others = mul(x, other), other
        other = rotate(product, 2)
        product, others = mul(product, other), mul(others, other)
        other = rotate(product, 1)
        product, others = mul(product, other), mul(others, other)
    words = np.empty((LANES, 4), np.uint64)
    store_words(words, 0, product)
    invert_words(words[0])
    for lane in range(1, LANES):
        for k in range(4):
            words[lane, k] = words[0, k]
    inverse = mul(mul(load_words_fq(words, 0), _cube()), others)
    return reduce(select(zero, same_field_zero(x), inverse))
