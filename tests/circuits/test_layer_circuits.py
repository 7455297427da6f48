"""Convolution, dense and square circuits against the integer network."""

import numpy as np
import pytest
from gadget_harness import changed, free_wires, named_wires, record_and_assign, violated_gadgets

from circuits.gadgets.conv import conv, taps
from circuits.gadgets.dense import dense
from circuits.gadgets.inner_product import inner_products, partial_sums
from circuits.gadgets.square import square
from circuits.gadgets.sum_pool import sum_pool
from circuits.signals import Signals, private, public
from zkcmp.bn254.params import FR_MODULUS as MODULUS
from zkcmp.model.layers import Conv, SumPool

HUGE = 1 << 200  # a bound that forces Python integers


def signals(system, name, array, with_values):
    return private(system, name, array.shape, array if with_values else None)


def plain_conv(layer: Conv, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The definition, loop by loop."""
    top, left = layer.padding[:2]
    out = np.zeros((len(x), *layer.output_shape(x.shape[1:])), object)
    for j, o, h, w in np.ndindex(*out.shape):
        total = int(bias[o])
        first = o // (layer.out_channels // layer.groups) * weight.shape[1]
        for c, a, b in np.ndindex(*weight.shape[1:]):
            row = layer.stride[0] * h + layer.dilation[0] * a - top
            column = layer.stride[1] * w + layer.dilation[1] * b - left
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                total += int(weight[o, c, a, b]) * int(x[j, first + c, row, column])
        out[j, o, h, w] = total
    return out


CONVOLUTIONS = [
    Conv(1, 1, (1, 1), (1, 1), (0, 0, 0, 0), 8, 8),
    Conv(2, 3, (3, 2), (1, 2), (1, 0, 2, 1), 8, 8),
    Conv(1, 5, (3, 3), (2, 2), (1, 1, 0, 0), 8, 8),
    Conv(3, 2, (5, 4), (3, 1), (4, 3, 4, 3), 8, 8),
    Conv(4, 6, (2, 1), (1, 2), (1, 0, 0, 0), 8, 8, groups=2),
    Conv(3, 3, (2, 2), (2, 1), (3, 0, 2, 1), 8, 8, groups=3, dilation=(4, 2)),
]


@pytest.mark.parametrize("layer", CONVOLUTIONS)
@pytest.mark.parametrize("bound", [1 << 40, HUGE])
def test_conv_is_its_definition(layer, bound):
    rng = np.random.default_rng(3)
    x = rng.integers(0, 256, (2, layer.in_channels, 5, 4))
    weight = rng.integers(-128, 128, layer.weight_shape)
    bias = rng.integers(-128, 128, layer.out_channels)
    expected = plain_conv(layer, x, weight, bias)
    found = []

    def make(system, with_values):
        pixels = public(system, "x", x.shape, x if with_values else None)
        w = signals(system, "weight", weight, with_values)
        b = signals(system, "bias", bias, with_values)
        found.append(conv(system, "conv", layer, pixels, w, b, bound))

    r1cs, witness = record_and_assign(make)
    assert (found[1].values == expected).all()
    outputs = witness.take(found[0].wires.reshape(-1)).to_ints()
    assert outputs == [int(v) % MODULUS for v in expected.reshape(-1)]
    r1cs.check(witness)
    products = int((taps(layer, x.shape[1:])[0] >= 0).sum()) * layer.out_channels * len(x)
    assert r1cs.n_constraints == products
    assert r1cs.n_wires == 1 + x.size + weight.size + bias.size + products
    for wires in (found[0].wires, named_wires(r1cs, "weight"), named_wires(r1cs, "bias")):
        forged = changed(witness, int(wires.reshape(-1)[-1]), 10**6)
        assert violated_gadgets(r1cs, forged) == {"conv"}


def test_conv_leaves_no_product_for_padding():
    layer = CONVOLUTIONS[2]
    pixel, _ = taps(layer, (1, 4, 4))
    assert pixel.shape == (4, 9)
    assert (pixel[0] == [-1, -1, -1, -1, 0, 1, -1, 4, 5]).all()


@pytest.mark.parametrize("bound", [1 << 40, HUGE])
def test_dense_is_a_matrix_product(bound):
    rng = np.random.default_rng(4)
    x, weight = rng.integers(-99, 99, (3, 7)), rng.integers(-8, 8, (4, 7))
    bias = rng.integers(-1000, 1000, 4)
    found = []

    def make(system, with_values):
        inputs = public(system, "x", x.shape, x if with_values else None)
        w = signals(system, "weight", weight, with_values)
        b = signals(system, "bias", bias, with_values)
        found.append(dense(system, "dense", inputs, w, b, bound))

    r1cs, witness = record_and_assign(make)
    assert (found[1].values == x @ weight.T + bias).all()
    r1cs.check(witness)
    assert r1cs.n_constraints == x.size * 4
    sums = named_wires(r1cs, "dense sums")
    assert free_wires(r1cs, witness, range(int(sums[0]), int(sums[-1]) + 1)) == []
    for wire in (int(named_wires(r1cs, "bias")[2]), int(named_wires(r1cs, "weight")[5])):
        assert violated_gadgets(r1cs, changed(witness, wire, 10**6)) == {"dense"}


def test_square_costs_one_constraint_an_element():
    x = np.array([[0, 1, -5], [1 << 31, -(1 << 31), 7]])

    def make(system, with_values):
        square(system, "square", signals(system, "x", x, with_values), 1 << 62)

    r1cs, witness = record_and_assign(make)
    r1cs.check(witness)
    assert r1cs.n_constraints == 6
    squares = named_wires(r1cs, "square squares")
    assert witness.take(squares).to_ints() == [int(v) ** 2 for v in x.reshape(-1)]
    assert violated_gadgets(r1cs, changed(witness, int(squares[2]), -25)) == {"square"}


@pytest.mark.parametrize("bound", [1 << 40, HUGE])
def test_sum_pool_costs_one_constraint_an_output(bound):
    layer, x = SumPool((2, 3), (1, 2)), np.random.default_rng(5).integers(-99, 99, (2, 3, 4, 5))
    expected = np.zeros((2, 3, 3, 2), np.int64)
    for j, c, h, w in np.ndindex(expected.shape):
        expected[j, c, h, w] = x[j, c, h : h + 2, 2 * w : 2 * w + 3].sum()

    def make(system, with_values):
        sum_pool(system, "pool", layer, signals(system, "x", x, with_values), bound)

    r1cs, witness = record_and_assign(make)
    r1cs.check(witness)
    assert r1cs.n_constraints == expected.size
    sums = named_wires(r1cs, "pool sums")
    assert witness.take(sums).to_ints() == [int(v) % MODULUS for v in expected.reshape(-1)]
    for wire, value in ((sums[0], 10**6), (sums[-1], 0), (named_wires(r1cs, "x")[7], 10**6)):
        assert violated_gadgets(r1cs, changed(witness, int(wire), value)) == {"pool"}


def test_partial_sums_of_uneven_groups():
    left, right = np.arange(1, 7), np.array([1, -1, 1, 10, 10, 10])
    counts = np.array([1, 2, 3])
    offset = Signals(np.zeros(3, np.int64), np.array([100, 200, 300]))
    for bound in (1000, HUGE):
        sums = partial_sums(left, right, counts, offset, bound)
        assert sums.tolist() == [101, 198, 201, 340, 390, 450]


def test_inner_products_without_offset():
    def make(system, with_values):
        left = signals(system, "left", np.array([3, 4, 5]), with_values)
        right = signals(system, "right", np.array([7, 8, 9]), with_values)
        out = inner_products(system, "products", left, right, np.array([1, 2]), None, 1000)
        if with_values:
            assert out.values.tolist() == [21, 77]

    r1cs, witness = record_and_assign(make)
    r1cs.check(witness)
    assert r1cs.n_constraints == 3
