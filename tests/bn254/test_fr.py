"""Fr vectors equal integers mod r, down to the raw limbs in memory."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.bn254.field import fr_kernels as kernels
from zkcmp.bn254.field.fr import FrVector, ints_to_words, padded, words_to_ints
from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.errors import DecodeError

MONT = 1 << BODY.radix_bits
BITS = BODY.bits
MASK = (1 << BITS) - 1


def _edges() -> list[int]:
    """Integers below 2r that sit on the borders: of the field, of limbs, of 2r."""
    edges = [0, 1, 2, R - 2, R - 1, R, R + 1, 2 * R - 2, 2 * R - 1, R // 2, R // 2 + 1]
    for k in range(LIMBS):
        bit = 1 << (BITS * k)
        edges += [bit - 1, bit, bit + 1, bit * MASK, R - bit, 2 * R - bit]
        # all ones up to this limb, under the largest limbs above it
        edges.append(((2 * R - 1) >> (BITS * k) << (BITS * k)) - 1)
    return sorted({e for e in edges if 0 <= e < 2 * R})


SOURCE = random.Random(1)
RAW = _edges() + [SOURCE.randrange(2 * R) for _ in range(200)]
PAIRS = [(x, y) for x in _edges() for y in _edges()] + list(zip(RAW, RAW[::-1], strict=True))


def _from_raw(raw: list[int]) -> FrVector:
    """A vector whose memory holds exactly these integers: element j is raw[j]/R."""
    v = FrVector.zeros(len(raw))
    for k in range(LIMBS):
        v.data[k, : len(raw)] = [(x >> (BITS * k)) & MASK for x in raw]
    return v


def _raw(v: FrVector) -> list[int]:
    rows = v.data[:, : v.n].tolist()
    return [sum(x << (BITS * k) for k, x in enumerate(limbs)) for limbs in zip(*rows, strict=True)]


def _value(raw: int) -> int:
    return raw * pow(MONT, -1, R) % R


XS, YS = ([p[side] for p in PAIRS] for side in (0, 1))


def _expect(result: FrVector, expected: list[int]) -> None:
    assert result.to_ints() == [e % R for e in expected]
    # the memory invariant: limbs normalised, value below 2r
    assert all(x < 2 * R for x in _raw(result))
    assert int(result.data[:, : result.n].max(initial=0)) <= MASK


def test_memory_is_what_it_is_said_to_be() -> None:
    values = [0, 1, 2, R - 1, 1 << 253]
    raw = _raw(FrVector.from_ints(values))
    assert [x % R for x in raw] == [v * MONT % R for v in values]
    assert _from_raw(RAW).to_ints() == [_value(x) for x in RAW]


def test_add_sub_mul_on_raw_edges() -> None:
    a, b = _from_raw(XS), _from_raw(YS)
    x, y = [_value(v) for v in XS], [_value(v) for v in YS]
    _expect(a + b, [u + v for u, v in zip(x, y, strict=True)])
    _expect(a - b, [u - v for u, v in zip(x, y, strict=True)])
    _expect(a * b, [u * v for u, v in zip(x, y, strict=True)])


def test_unary_on_raw_edges() -> None:
    a, x = _from_raw(RAW), [_value(v) for v in RAW]
    _expect(-a, [-v for v in x])
    _expect(a.pow7(), [pow(v, 7, R) for v in x])
    _expect(a.inverse(), [pow(v, -1, R) if v else 0 for v in x])
    assert a.sum() == sum(x) % R


@pytest.mark.parametrize("factor", [0, 1, -1, 2, R - 1, R, R + 5, 1 << 300])
def test_integer_operand(factor: int) -> None:
    a, x = _from_raw(RAW), [_value(v) for v in RAW]
    _expect(a * factor, [v * factor for v in x])
    _expect(a.scale(factor), [v * factor for v in x])
    _expect(a + factor, [v + factor for v in x])
    _expect(a - factor, [v - factor for v in x])


def test_from_words_kernel_reduces_any_256_bits() -> None:
    values = [0, 1, R - 1, R, 2 * R, 3 * R - 1, 4 * R + 7, 5 * R, (1 << 256) - 1]
    values += [(1 << 256) - (1 << (64 * k)) for k in range(4)]
    values += [MASK << (64 * k) for k in range(3)]
    values += [0] * (padded(len(values)) - len(values))
    v = FrVector.zeros(len(values))
    kernels.from_words(ints_to_words(values), v.data, 0, len(values) // LANES)
    _expect(v, values)


def test_negate_where() -> None:
    raw = RAW[: len(RAW) // 8 * 8]
    v, sign = _from_raw(raw), np.arange(len(raw)) % 3 == 0
    kernels.negate_where(v.data, sign, 0, len(raw) // LANES)
    _expect(v, [-_value(x) if s else _value(x) for x, s in zip(raw, sign, strict=True)])


def test_inverse_with_zeros_everywhere() -> None:
    _expect(FrVector.zeros(40).inverse(), [0] * 40)
    # r in memory is another zero
    values = [R, 2, 0, 2 * R - 1] * 12
    _expect(_from_raw(values).inverse(), [pow(_value(x), -1, R) if x % R else 0 for x in values])


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1023, 1024, 1025, 2500])
def test_powers_and_lengths(n: int) -> None:
    base = R - 3
    powers = FrVector.powers(base, n)
    assert len(powers) == n
    assert powers.to_ints() == [pow(base, k, R) for k in range(n)]
    assert (powers * powers).to_ints() == [pow(base, 2 * k, R) for k in range(n)]


def test_powers_of_zero() -> None:
    assert FrVector.powers(0, 5).to_ints() == [1, 0, 0, 0, 0]


def test_int64() -> None:
    values = np.array([0, 1, -1, 2**63 - 1, -(2**63), 7, -7, 2**52, -(2**52)])
    assert FrVector.from_int64(values).to_ints() == [int(v) % R for v in values]


def test_words() -> None:
    values = [v for v in RAW if v < R]
    words = ints_to_words(values)
    v = FrVector.from_words(words)
    assert v.to_ints() == values
    assert np.array_equal(v.to_words(), words)
    assert words_to_ints(words) == values


@pytest.mark.parametrize("bad", [R, R + 1, 2 * R, (1 << 256) - 1])
def test_words_that_are_not_canonical(bad: int) -> None:
    with pytest.raises(DecodeError, match="scalar 1 is not below"):
        FrVector.from_words(ints_to_words([R - 1, bad]))


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 2, 4)])
def test_words_of_a_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(DecodeError, match="must be"):
        FrVector.from_words(np.zeros(shape, np.uint64))


def test_shaping() -> None:
    values = list(range(30))
    v = FrVector.from_ints(values)
    assert v.slice(3, 20).to_ints() == values[3:20]
    assert v.slice(5, 5).to_ints() == []
    assert v.take(np.array([29, 0, 0, 7])).to_ints() == [29, 0, 0, 7]
    assert FrVector.concat([v, FrVector.zeros(0), v.slice(1, 2)]).to_ints() == [*values, 1]
    assert v[7] == 7
    assert v[-1] == 29
    w = v.copy()
    w.assign(28, FrVector.from_ints([5, 6]))
    assert w.to_ints() == [*values[:28], 5, 6]
    assert v.to_ints() == values
    assert not v.equals(w)
    assert not v.equals(v.slice(0, 29))
    # r in memory equals 0
    assert _from_raw([R]).equals(FrVector.zeros(1))


@pytest.mark.parametrize(
    "call",
    [
        lambda v: v.slice(0, 4),
        lambda v: v.slice(2, 1),
        lambda v: v.assign(2, v.slice(0, 2)),
        lambda v: v[3],
        lambda v: v.take(np.array([3])),
    ],
)
def test_out_of_range(call) -> None:
    with pytest.raises(IndexError):
        call(FrVector.zeros(3))


def test_operands_of_different_lengths() -> None:
    with pytest.raises(ValueError, match="vectors of 3 and 4"):
        FrVector.zeros(3) + FrVector.zeros(4)


def test_random_is_in_range_and_fresh() -> None:
    a, b = FrVector.random(20).to_ints(), FrVector.random(20).to_ints()
    assert len(set(a + b)) == 40
    assert all(0 <= x < R for x in a)


def test_repr_shows_no_values() -> None:
    assert repr(FrVector.from_ints([1234567])) == "FrVector(n=1)"


scalars = st.integers(0, R - 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(scalars, scalars, scalars), min_size=1, max_size=20))
def test_ring_axioms(triples: list[tuple[int, int, int]]) -> None:
    a, b, c = (FrVector.from_ints(column) for column in zip(*triples, strict=True))
    assert ((a + b) * c).equals(a * c + b * c)
    assert (a * (b * c)).equals((a * b) * c)
    assert (a - b + b).equals(a)
    assert (a * a.inverse() * a).equals(a)
