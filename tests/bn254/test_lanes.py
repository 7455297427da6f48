"""The lane type equals integers mod p: every operation, at the edges of its lazy bounds."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from zkcmp.bn254.field.fr import ints_to_words, words_to_ints
from zkcmp.bn254.lanes import arithmetic as lanes
from zkcmp.bn254.lanes.arithmetic import (
    add,
    any_lane,
    canonical,
    conjugate,
    double,
    fq2,
    integer_constant,
    is_exact_zero,
    is_zero,
    mask_and,
    mask_not,
    mask_or,
    mul,
    mul_fq,
    neg,
    part0,
    part1,
    reduce,
    residue_constant,
    same_field_one,
    same_field_zero,
    select,
    sqr,
    sub,
)
from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import (
    broadcast_fq,
    broadcast_fr,
    gather_fr,
    load_fq,
    load_fr,
    load_scratch,
    load_words_fq,
    load_words_fr,
    store_fq,
    store_fr,
    store_scratch,
    store_words,
)
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS
from zkcmp.bn254.reference import fq2_mul

BITS, MASK = BODY.bits, (1 << BODY.bits) - 1
MONT = 1 << BODY.radix_bits
SOURCE = random.Random(2)
Ints = list[int]


def edges(p: int) -> Ints:
    """Integers below 2p on the borders of the field, of limbs, of 2p."""
    out = [0, 1, 2, p - 2, p - 1, p, p + 1, 2 * p - 2, 2 * p - 1]
    for k in range(LIMBS):
        bit = 1 << (BITS * k)
        out += [bit - 1, bit, bit * MASK, p - bit, 2 * p - bit]
        out.append(((2 * p - 1) >> (BITS * k) << (BITS * k)) - 1)
    return sorted({e for e in out if 0 <= e < 2 * p})


def pairs(p: int) -> tuple[Ints, Ints]:
    """Every pair of edges and some random ones, filled up to whole groups of lanes."""
    both = [(x, y) for x in edges(p) for y in edges(p)]
    both += [(SOURCE.randrange(2 * p), SOURCE.randrange(2 * p)) for _ in range(100)]
    both += [(x, x) for x, _ in both[-8:]]
    both += [(0, 0)] * (-len(both) % 8)
    return [x for x, _ in both], [y for _, y in both]


def to_memory(raw: Ints) -> np.ndarray:
    return np.array([[(x >> (BITS * k)) & MASK for x in raw] for k in range(LIMBS)], np.uint64)


def from_memory(data: np.ndarray) -> Ints:
    return [
        sum(x << (BITS * k) for k, x in enumerate(limbs))
        for limbs in zip(*data.tolist(), strict=True)
    ]


def value(raw: int, p: int) -> int:
    return raw * pow(MONT, -1, p) % p


@kernel
def _fr_operations(a, b, out):
    for i in range(a.shape[1] // LANES):
        x, y = load_fr(a, i), load_fr(b, i)
        x4, y4 = double(double(x)), double(double(y))
        x32 = double(double(double(x4)))
        store_fr(out[0], i, mul(x, y))
        store_fr(out[1], i, sqr(x))
        store_fr(out[2], i, add(x, y))
        store_fr(out[3], i, sub(x, y))
        store_fr(out[4], i, neg(x))
        store_fr(out[5], i, double(x))
        store_fr(out[6], i, x32)
        store_fr(out[7], i, mul(x32, y))
        store_fr(out[8], i, mul(x4, y4))
        store_fr(out[9], i, sqr(add(x4, y4)))
        store_fr(out[10], i, sub(x32, y4))
        store_fr(out[11], i, sub(x, y4))
        store_fr(out[12], i, neg(x4))
        store_fr(out[13], i, mul(sub(x, y), sub(y, x)))
        store_fr(out[14], i, mul(neg(x4), add(x, y4)))
        store_fr(out[15], i, reduce(sub(x4, y4)))
        store_fr(out[16], i, canonical(sub(x, y4)))
        store_fr(out[17], i, canonical(neg(x)))
        store_fr(out[18], i, sub(x, x))


FR_OPERATIONS: list[Callable[[int, int], int]] = [
    lambda x, y: x * y,
    lambda x, y: x * x,
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: -x,
    lambda x, y: 2 * x,
    lambda x, y: 32 * x,
    lambda x, y: 32 * x * y,
    lambda x, y: 16 * x * y,
    lambda x, y: 16 * (x + y) ** 2,
    lambda x, y: 32 * x - 4 * y,
    lambda x, y: x - 4 * y,
    lambda x, y: -4 * x,
    lambda x, y: -((x - y) ** 2),
    lambda x, y: -4 * x * (x + 4 * y),
    lambda x, y: 4 * x - 4 * y,
    lambda x, y: x - 4 * y,
    lambda x, y: -x,
    lambda x, y: 0,
]
CANONICAL = (16, 17)


def test_fr_operations() -> None:
    p = FR_MODULUS
    a, b = pairs(p)
    out = np.zeros((len(FR_OPERATIONS), LIMBS, len(a)), np.uint64)
    _fr_operations(to_memory(a), to_memory(b), out)
    assert int(out.max()) <= MASK
    for k, operation in enumerate(FR_OPERATIONS):
        raw = from_memory(out[k])
        expected = [operation(value(x, p), value(y, p)) % p for x, y in zip(a, b, strict=True)]
        assert [value(x, p) for x in raw] == expected, f"operation {k}"
        assert all(x < (p if k in CANONICAL else 2 * p) for x in raw), f"operation {k}"


@kernel
def _put2(out, k, i, z):
    store_fq(out[2 * k], i, part0(z))
    store_fq(out[2 * k + 1], i, part1(z))


@kernel
def _fq2_operations(a, b, c, d, out):
    for i in range(a.shape[1] // LANES):
        x, y = fq2(load_fq(a, i), load_fq(b, i)), fq2(load_fq(c, i), load_fq(d, i))
        x4, y4 = double(double(x)), double(double(y))
        _put2(out, 0, i, mul(x, y))
        _put2(out, 1, i, sqr(x))
        _put2(out, 2, i, add(x, y))
        _put2(out, 3, i, sub(x, y))
        _put2(out, 4, i, neg(x))
        _put2(out, 5, i, conjugate(x))
        _put2(out, 6, i, mul_fq(x4, part1(y)))
        _put2(out, 7, i, mul(x4, y4))
        _put2(out, 8, i, sqr(add(x4, y4)))
        _put2(out, 9, i, mul(sub(x, y4), neg(y)))
        _put2(out, 10, i, select(is_zero(x), y, x))
        _put2(out, 11, i, select(is_zero(sub(x, y)), x4, y))
        _put2(out, 12, i, reduce(sub(x4, y)))
        _put2(out, 13, i, canonical(sub(x4, y)))
        _put2(out, 14, i, mul(same_field_one(x), add(x, same_field_zero(x))))


def _fq2_expected(x: tuple[int, int], y: tuple[int, int]) -> list[tuple[int, int]]:
    def scaled(k: int, z: tuple[int, int]) -> tuple[int, int]:
        return k * z[0], k * z[1]

    def minus(z: tuple[int, int], w: tuple[int, int]) -> tuple[int, int]:
        return z[0] - w[0], z[1] - w[1]

    total = (x[0] + y[0], x[1] + y[1])
    return [
        fq2_mul(x, y),
        fq2_mul(x, x),
        total,
        minus(x, y),
        scaled(-1, x),
        (x[0], -x[1]),
        scaled(4 * y[1], x),
        scaled(16, fq2_mul(x, y)),
        scaled(16, fq2_mul(total, total)),
        fq2_mul(minus(x, scaled(4, y)), scaled(-1, y)),
        y if x == (0, 0) else x,
        scaled(4, x) if x == y else y,
        minus(scaled(4, x), y),
        minus(scaled(4, x), y),
        x,
    ]


def test_fq2_operations() -> None:
    p = FQ_MODULUS
    a, d = pairs(p)
    b, c = a[::-1], d[::-1]
    # the same element, once as it is and once plus p, must compare equal; and zeros in all forms
    for k, (zero0, zero1) in enumerate([(0, 0), (0, p), (p, 0), (p, p)]):
        a[k], b[k] = zero0, zero1
    for k in range(4, 12):
        c[k], d[k] = (a[k] + p) % (2 * p), b[k]
    out = np.zeros((30, LIMBS, len(a)), np.uint64)
    _fq2_operations(*(to_memory(v) for v in (a, b, c, d)), out)
    results = [from_memory(o) for o in out]
    for j in range(len(a)):
        x, y = (value(a[j], p), value(b[j], p)), (value(c[j], p), value(d[j], p))
        for k, expected in enumerate(_fq2_expected(x, y)):
            got = results[2 * k][j], results[2 * k + 1][j]
            assert tuple(value(g, p) for g in got) == tuple(e % p for e in expected), (k, x, y)
            assert max(got) < (p if k == 13 else 2 * p), (k, x, y)


@kernel
def _masks(a, b, out, some):
    one = residue_constant_one()
    for i in range(a.shape[1] // LANES):
        x, y = load_fr(a, i), load_fr(b, i)
        zero = same_field_zero(x)
        zx, zy = is_zero(x), is_zero(y)
        store_fr(out[0], i, select(zx, one, zero))
        store_fr(out[1], i, select(is_exact_zero(x), one, zero))
        store_fr(out[2], i, select(mask_and(zx, zy), one, zero))
        store_fr(out[3], i, select(mask_or(zx, zy), one, zero))
        store_fr(out[4], i, select(mask_not(zx), same_field_one(x), zero))
        store_fr(out[5], i, select(is_zero(sub(x, y)), one, zero))
        store_fr(out[6], i, select(is_zero(neg(x)), one, zero))
        some[i] = any_lane(zx)


residue_constant_one = residue_constant("Fr", 1)


def test_masks() -> None:
    p = FR_MODULUS
    a, b = pairs(p)
    out = np.zeros((7, LIMBS, len(a)), np.uint64)
    some = np.zeros(len(a) // LANES, np.bool_)
    _masks(to_memory(a), to_memory(b), out, some)
    zx, zy = [x in (0, p) for x in a], [y in (0, p) for y in b]
    both = list(zip(zx, zy, strict=True))
    expected = [
        zx,
        [x == 0 for x in a],
        [u and v for u, v in both],
        [u or v for u, v in both],
        [not u for u in zx],
        [(x - y) % p == 0 for x, y in zip(a, b, strict=True)],
        zx,
    ]
    for k, row in enumerate(expected):
        assert [value(x, p) for x in from_memory(out[k])] == [int(e) for e in row], f"mask {k}"
    groups = [zx[i : i + LANES] for i in range(0, len(zx), LANES)]
    assert some.tolist() == [any(g) for g in groups]
    # both outcomes were there to be seen
    assert 0 < some.sum() < len(some)


@kernel
def _memory(a, index, broadcast, gathered, scratch, copied):
    for i in range(a.shape[1] // LANES):
        store_fr(gathered, i, gather_fr(a, index, i))
        store_fr(broadcast, i, broadcast_fr(a, i))
        x = load_fr(a, i)
        store_scratch(scratch, i, x)
        store_fr(copied, i, load_scratch(scratch, i, x))


def test_memory() -> None:
    a, _ = pairs(FR_MODULUS)
    n, data = len(a), to_memory(a)
    source = np.random.default_rng(3)
    broadcast, gathered, copied = (np.zeros_like(data) for _ in range(3))
    for dtype in (np.uint32, np.int64):
        index = source.integers(0, n, n).astype(dtype)
        scratch = np.zeros((n // LANES, LIMBS, LANES), np.uint64)
        _memory(data, index, broadcast, gathered, scratch, copied)
        assert from_memory(gathered) == [a[j] for j in index]
        assert from_memory(broadcast) == [a[j // LANES] for j in range(n)]
        assert np.array_equal(copied, data)


@kernel
def _memory_fq2(a, b, scratch, out0, out1):
    for i in range(a.shape[1] // LANES):
        x = fq2(load_fq(a, i), load_fq(b, i))
        store_scratch(scratch, i, x)
        z = load_scratch(scratch, i, x)
        store_fq(out0, i, part0(z))
        store_fq(out1, i, add(part1(z), sub(broadcast_fq(a, 0), broadcast_fq(a, 0))))


def test_memory_fq2() -> None:
    a, b = pairs(FQ_MODULUS)
    first, second = to_memory(a), to_memory(b)
    scratch = np.zeros((len(a) // LANES, 2 * LIMBS, LANES), np.uint64)
    out0, out1 = np.zeros_like(first), np.zeros_like(first)
    _memory_fq2(first, second, scratch, out0, out1)
    assert np.array_equal(out0, first)
    assert [x % FQ_MODULUS for x in from_memory(out1)] == [x % FQ_MODULUS for x in b]


@kernel
def _words_fr(words, out):
    for i in range(words.shape[0] // LANES):
        store_words(out, i, load_words_fr(words, i))


@kernel
def _words_fq(words, out):
    for i in range(words.shape[0] // LANES):
        store_words(out, i, load_words_fq(words, i))


@kernel
def _negated_words(words, out):
    for i in range(words.shape[0] // LANES):
        store_words(out, i, neg(load_words_fr(words, i)))


@pytest.mark.parametrize(
    ("run", "p", "sign"),
    [(_words_fr, FR_MODULUS, 1), (_words_fq, FQ_MODULUS, 1), (_negated_words, FR_MODULUS, -1)],
)
def test_words_in_and_out(run, p: int, sign: int) -> None:
    values = edges(p) + [k * p + d for k in range(2, 6) for d in (-1, 0, 1) if k * p + d < 1 << 256]
    values += [(1 << 256) - 1] + [(1 << 256) - (1 << (64 * k)) for k in range(4)]
    values += [((1 << 64) - 1) << (64 * k) for k in range(4)]
    values += [0] * (-len(values) % 8)
    words = ints_to_words(values)
    out = np.zeros_like(words)
    run(words, out)
    assert words_to_ints(out) == [sign * v % p for v in values]


_CONSTANTS = [0, 1, FQ_MODULUS - 1, FQ_MODULUS, 2 * FQ_MODULUS - 1, MASK]
_c0, _c1, _c2, _c3, _c4, _c5 = (integer_constant("Fq", c) for c in _CONSTANTS)


@kernel
def _constants(out):
    store_fq(out[0], 0, _c0())
    store_fq(out[1], 0, _c1())
    store_fq(out[2], 0, _c2())
    store_fq(out[3], 0, _c3())
    store_fq(out[4], 0, _c4())
    store_fq(out[5], 0, _c5())
    store_fq(out[6], 0, canonical(_c3()))


def test_constants_reach_every_lane() -> None:
    out = np.zeros((7, LIMBS, LANES), np.uint64)
    _constants(out)
    for k, constant in enumerate(_CONSTANTS):
        assert from_memory(out[k]) == [constant] * LANES
    assert from_memory(out[6]) == [0] * LANES, "p made canonical"


def test_bounds_stay_inside_what_the_body_can_hold() -> None:
    """The bounds the type system computes: no operation exceeds the body's limits."""
    arithmetic = lanes.Arithmetic()
    for k in range(1, BODY.bound_limit + 1):
        for m in range(1, BODY.bound_limit + 1):
            x, y = lanes.Element("Fq", k), lanes.Element("Fq", m)
            for operation in (arithmetic.add, arithmetic.sub):
                assert operation(x, y).bound <= BODY.bound_limit
            assert arithmetic.mul(x, y).bound == 2
    for p in (FQ_MODULUS, FR_MODULUS):
        assert BODY.product_bound * p < MONT
        assert BODY.bound_limit * p < 1 << (BODY.bits * LIMBS)
