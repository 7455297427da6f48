"""The transforms equal their definition, for both lane bodies, and undo each other."""

import random

import numpy as np
import pytest

from zkcmp.bn254 import reference
from zkcmp.bn254.field import ntt as transform
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.lanes.body import BODY
from zkcmp.bn254.params import FR_MODULUS

EDGES = [0, 1, FR_MODULUS - 1, FR_MODULUS // 2, (1 << 52) - 1, (1 << 253) - 1, 1 << 208]


def _values(n: int, seed: int) -> list[int]:
    source = random.Random(seed)
    return [
        source.choice(EDGES) if source.random() < 0.2 else source.randrange(FR_MODULUS)
        for _ in range(n)
    ]


def _recursive(values: list[int], root: int) -> list[int]:
    """The textbook recursion over even and odd coefficients."""
    n = len(values)
    if n == 1:
        return values
    even = _recursive(values[::2], root * root % FR_MODULUS)
    odd = _recursive(values[1::2], root * root % FR_MODULUS)
    out, twiddle = [0] * n, 1
    for i in range(n // 2):
        t = twiddle * odd[i] % FR_MODULUS
        out[i], out[i + n // 2] = (even[i] + t) % FR_MODULUS, (even[i] - t) % FR_MODULUS
        twiddle = twiddle * root % FR_MODULUS
    return out


@pytest.mark.parametrize("log", range(9))
def test_equals_the_definition(log: int) -> None:
    values = _values(1 << log, log)
    v = FrVector.from_ints(values)
    assert transform.ntt(v.copy()).to_ints() == reference.ntt(values)
    assert transform.intt(v.copy()).to_ints() == reference.intt(values)
    shift = transform.COSET_SHIFT
    assert transform.coset_ntt(v.copy()).to_ints() == reference.ntt(values, shift)
    assert transform.coset_intt(v.copy()).to_ints() == reference.intt(values, shift)


@pytest.mark.parametrize("log", [9, 10, 11, 13, 14, 15])
@pytest.mark.parametrize("inverse", [False, True])
def test_equals_the_recursion(log: int, inverse: bool) -> None:
    """Both orders; 14 and more take the strided phase, odd and even numbers of stages."""
    n = 1 << log
    values = _values(n, log)
    root = transform.root_of_unity(n)
    want = _recursive(values, pow(root, -1, FR_MODULUS) if inverse else root)
    order = transform.bit_reversed(n)
    there = transform.to_reversed(FrVector.from_ints(values), inverse)
    assert there.to_ints() == [want[i] for i in order]
    back = transform.from_reversed(FrVector.from_ints([values[i] for i in order]), inverse)
    assert back.to_ints() == want


@pytest.mark.parametrize("edge", [0, FR_MODULUS - 1])
def test_constant_vectors(edge: int) -> None:
    """The largest intermediate sums there are: every element r − 1."""
    n = 1 << 12
    want = [edge * n % FR_MODULUS] + [0] * (n - 1)
    assert transform.ntt(FrVector.from_ints([edge] * n)).to_ints() == want
    back = transform.from_reversed(FrVector.from_ints([edge] * n))
    assert back.to_ints() == want


@pytest.mark.parametrize("log", [16, 17, 21])
def test_large_transforms_evaluate_and_return(log: int) -> None:
    n = 1 << log
    v = FrVector.powers(7, n)
    values = transform.coset_ntt(v.copy())
    root = transform.root_of_unity(n)
    for i in (0, 1, 5, n // 2, n - 1):
        x = 7 * transform.COSET_SHIFT * pow(root, i, FR_MODULUS) % FR_MODULUS
        # the geometric sum Σ x^j
        assert values[i] == (pow(x, n, FR_MODULUS) - 1) * pow(x - 1, -1, FR_MODULUS) % FR_MODULUS
    assert transform.coset_intt(values).equals(v)


def test_two_strided_phases_agree_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """2^21 and more need several; smaller phases show the same at 2^17."""
    v = FrVector.powers(3, 1 << 17)
    want = transform.to_reversed(v.copy())
    monkeypatch.setattr(transform, "_STRIDED_LOG", 2)
    assert transform.to_reversed(v.copy()).equals(want)
    assert transform.from_reversed(want, inverse=True).equals(v * (1 << 17))


@pytest.mark.parametrize("raw", [2 * FR_MODULUS - 1, FR_MODULUS, FR_MODULUS + 1])
def test_unreduced_representatives(raw: int) -> None:
    """Elements are kept below 2r, not r; the largest one everywhere is the worst case."""
    n = 1 << 10
    v = FrVector.zeros(n)
    for k in range(len(v.data)):
        v.data[k, :] = (raw >> (BODY.bits * k)) & ((1 << BODY.bits) - 1)
    values = v.to_ints()
    want = _recursive(values, transform.root_of_unity(n))
    assert transform.ntt(v.copy()).to_ints() == want
    assert transform.from_reversed(v.copy()).to_ints() == want
    assert transform.coset_intt(transform.coset_ntt(v.copy())).to_ints() == values


def test_results_are_reduced() -> None:
    """Other kernels rely on elements below 2r."""
    for v in (FrVector.powers(5, 1 << 14), FrVector.powers(5, 1 << 12)):
        for done in (transform.to_reversed(v.copy()), transform.from_reversed(v.copy())):
            top = done.data[-1].astype(object) << (BODY.bits * (len(done.data) - 1))
            assert max(top) < 2 * FR_MODULUS


def test_scaling_by_powers() -> None:
    n = 1 << 12
    values = _values(n, 4)
    order = transform.bit_reversed(n)
    scaled = transform.scale_reversed(FrVector.from_ints(values), 11, 3).to_ints()
    want = [
        x * 3 * pow(11, int(i), FR_MODULUS) % FR_MODULUS for x, i in zip(values, order, strict=True)
    ]
    assert scaled == want


@pytest.mark.parametrize("log", [0, 3, 9, 10, 12, 13])
def test_permutation(log: int) -> None:
    order = transform.bit_reversed(1 << log)
    v = FrVector.from_int64(np.arange(1 << log))
    assert transform.permute(v).to_ints() == [int(i) for i in order]
    assert sorted(order) == list(range(1 << log))


@pytest.mark.parametrize("n", [0, 3, 12, 1000])
def test_lengths_that_are_no_power_of_two(n: int) -> None:
    v = FrVector.zeros(n)
    for function in (transform.ntt, transform.intt, transform.to_reversed, transform.coset_ntt):
        with pytest.raises(ValueError, match="length must be"):
            function(v)


def test_longest_length() -> None:
    claimed = FrVector(np.zeros((1, 8), np.uint64), 1 << (transform.MAX_LOG + 1))
    with pytest.raises(ValueError, match="length must be"):
        transform.ntt(claimed)
    with pytest.raises(ValueError, match="power of two"):
        transform.root_of_unity(1 << 29)
