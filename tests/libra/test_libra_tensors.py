"""Tensors with padded axes."""

import tracemalloc

import numpy as np
import pytest

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.libra.multilinear.sealed_tensor import EntryWeights, PaddingWeights, SealedTensor
from zkcmp.libra.multilinear.tables import eq_table, evaluate, halves, outer
from zkcmp.libra.multilinear.tensors import Tensor, log_shape, places
from zkcmp.libra.sumcheck.protocol import ProductProver, TableProver

SHAPES = [(1,), (5,), (1, 1), (3, 1), (4, 4), (5, 3), (2, 9), (3, 2, 5, 4), (1, 3, 3), (9, 1, 1, 7)]


def padded(values: np.ndarray) -> np.ndarray:
    out = np.zeros([1 << n for n in log_shape(values.shape)], object)
    out[tuple(slice(axis) for axis in values.shape)] = values
    return out


def examples(shape):
    rng = np.random.default_rng(len(shape))
    small = rng.integers(-(2**62), 2**62, shape)
    wide = small.astype(object) * (1 << 90) - 5
    return [(Tensor.from_ints(small), small), (Tensor.from_ints(wide), wide)]


@pytest.mark.parametrize("shape", SHAPES)
def test_extension_of_a_tensor(shape):
    for tensor, values in examples(shape):
        table = FrVector.from_ints(padded(values).reshape(-1))
        assert tensor.table().equals(table)
        assert tensor.n_vars == sum(log_shape(shape))
        point = FrVector.random(tensor.n_vars + 1).to_ints()[:-1]
        assert tensor.evaluate(point) == evaluate(table, point)
        assert tensor.to_field().to_ints() == [int(v) % FR_MODULUS for v in values.reshape(-1)]


@pytest.mark.parametrize("n_vars", [1, 3])
def test_points_of_another_length(n_vars):
    with pytest.raises(ValueError, match=f"4 values are not a table of {n_vars} variables"):
        evaluate(FrVector.from_ints([1, 2, 3, 4]), [5] * n_vars)


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_over_one_axis(shape):
    for tensor, values in examples(shape):
        table = padded(values).reshape(1 << log_shape(shape)[0], -1)
        weights = FrVector.random(table.shape[0])
        w = weights.to_ints()
        expected = sum(w[j] * table[j] for j in range(len(table)))
        bound = tensor.bind_first_axis(weights).to_ints()
        assert bound == [int(x) % FR_MODULUS for x in np.array(expected, object).reshape(-1)]


def test_places_are_those_of_sealed_tensors():
    for shape in SHAPES:
        assert np.array_equal(places(shape), SealedTensor("w", shape, 8).places())


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_of_elements_and_of_padding(shape):
    tensor = SealedTensor("w", shape, 8)
    point, at = (FrVector.random(tensor.n_vars).to_ints() for _ in range(2))
    values = FrVector.random(int(np.prod(shape)))
    for weights in (EntryWeights(tensor, values), PaddingWeights(tensor, point)):
        assert weights.evaluate(at) == evaluate(weights.table(), at)
    inside = eq_table(point) - PaddingWeights(tensor, point).table()
    of_elements = eq_table(point).take(tensor.places())
    assert inside.equals(EntryWeights(tensor, of_elements).table())


def test_a_verifier_does_not_need_the_room_of_the_padding():
    """Axes of 2^k + 1 make it many times the elements; whoever offers a network chooses them."""
    tensor = SealedTensor("w", (33, 33, 17, 17), 8)
    point = FrVector.random(tensor.n_vars).to_ints()
    values = FrVector.zeros(33 * 33 * 17 * 17)
    tracemalloc.start()
    for weights in (EntryWeights(tensor, values), PaddingWeights(tensor, point)):
        weights.evaluate(point)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 2 * peak < FrVector.zeros(1 << tensor.n_vars).data.nbytes


def test_unsigned_pixels_and_wrong_lengths():
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert Tensor.from_ints(pixels).to_field().to_ints() == list(range(12))
    with pytest.raises(ValueError, match="values for a tensor"):
        Tensor.from_field(FrVector.zeros(5), (2, 3))


@pytest.mark.parametrize("n_vars", [0, 1, 3, 6, 7, 9])
def test_product_prover_is_the_plain_prover(n_vars):
    a, b = FrVector.random(1 << n_vars), FrVector.random(1 << n_vars)
    kept = a.to_ints()
    fused, plain = ProductProver(a, b), TableProver([a, b], lambda v: v[0] * v[1], 2)
    for r in FrVector.random(n_vars + 1).to_ints()[:n_vars]:
        assert fused.round_values() == plain.round_values()
        fused.bind(r)
        plain.bind(r)
    assert fused.finals == plain.finals
    assert a.to_ints() == kept


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 5), (4, 8), (1, 16), (33, 64)])
def test_outer_products_and_halves(m, n):
    rows, columns = FrVector.random(m), FrVector.random(n)
    x, y = rows.to_ints(), columns.to_ints()
    assert outer(rows, columns).to_ints() == [u * v % FR_MODULUS for u in x for v in y]
    low, high = halves(FrVector.concat([columns, rows.slice(0, 1).take(np.zeros(n, int))]))
    assert low.to_ints() == y
    assert high.to_ints() == [x[0]] * n


def test_eq_tables_of_every_size():
    for n in (*range(12), 14, 17):
        point = FrVector.random(17).to_ints()[:n]
        table = eq_table(point).to_ints()
        assert len(table) == 1 << n
        for index in {0, (1 << n) - 1, (0x5A5 % (1 << n))}:
            expected = 1
            for k, x in enumerate(point):
                expected *= x if index >> (n - 1 - k) & 1 else 1 - x
            assert table[index] == expected % FR_MODULUS
