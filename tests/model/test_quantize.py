"""Quantisation: scales through squares, widths, and the committed digits network."""

import numpy as np
import pytest

from zkcmp.errors import ZkcmpError
from zkcmp.model.architecture import Normalisation
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.data_files import digits_onnx, load_digits_test
from zkcmp.model.dataset import TestSet
from zkcmp.model.float_network import FloatConv, FloatDense, FloatNetwork
from zkcmp.model.layers import Flatten, Square, SumPool
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize, quantize_weight, row_spread
from zkcmp.model.report import report


def _float_network(seed: int = 1, bias: float = 0.1, **fields) -> FloatNetwork:
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.3, shape)

    layers = (
        FloatConv(normal(2, 1, 3, 3), bias * normal(2), (1, 2), (1, 0, 1, 1)),
        Square(),
        Flatten(),
        FloatDense(normal(6, 24), bias * normal(6)),
        Square(),
        FloatDense(normal(3, 6), np.zeros(3)),
    )
    fields = {"input_bits": 8, "normalisation": Normalisation("0.00390625")} | fields
    return FloatNetwork((1, 4, 6), layers, **fields)


def _images(n: int = 200, bits: int = 8) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 1 << bits, (n, 1, 4, 6))


def _assert_proportional(exact: np.ndarray, approximate: np.ndarray) -> None:
    exact = exact.astype(np.float64)
    scale = (exact * approximate).sum() / np.square(approximate).sum()
    assert scale > 0
    assert np.abs(exact / scale - approximate).max() < 0.003 * np.abs(approximate).max()


@pytest.mark.parametrize("widths", [13, [14, 12, 15]])
def test_integer_logits_are_the_float_logits_times_one_scale(widths):
    float_network = _float_network()
    network = quantize(float_network, widths)
    _assert_proportional(network.forward(_images()), float_network.forward(_images()))


def test_eight_bits_keep_the_predictions_of_a_random_network():
    float_network = _float_network()
    network = quantize(float_network)
    samples = TestSet(_images(), float_network.predict(_images()))
    result = report(float_network, network, samples)
    assert result.float_accuracy == 1.0
    assert result.integer_accuracy == result.agreement > 0.95
    assert [s.bits for s in network.architecture.tensors()][::2] == [8, 8, 8]
    assert "integer 9" in str(result) or "integer 100" in str(result)
    coarse = report(float_network, quantize(float_network, 2), samples)
    assert coarse.integer_accuracy < result.integer_accuracy


def test_offset_is_folded_into_the_first_bias():
    layers = _float_network().layers
    assert isinstance(layers[0], FloatConv)
    first = FloatConv(layers[0].weight, layers[0].bias, (1, 2), (0, 0, 0, 0))
    dense = FloatDense(np.random.default_rng(3).normal(0, 1, (4, 8)), np.zeros(4))
    scaling = Normalisation("0.0078125", "-1")
    float_network = FloatNetwork((1, 4, 6), (first, Square(), Flatten(), dense), 8, scaling)
    network = quantize(float_network, 20)
    _assert_proportional(network.forward(_images()), float_network.forward(_images()))


def test_an_offset_that_padding_would_make_wrong_is_refused():
    with pytest.raises(ZkcmpError, match="first layer: pads an image that"):
        quantize(_float_network(normalisation=Normalisation("1", "-0.5")))


@pytest.mark.parametrize("widths", [0, 1, 33, [], [8, 8], [8, 8, 8, 8], [8, 0, 8]])
def test_widths_out_of_range_are_refused(widths):
    with pytest.raises(ZkcmpError, match="weight_bits must be 3 widths"):
        quantize(_float_network(), widths)


def test_unknown_input_range_is_refused_and_can_be_given():
    float_network = _float_network(input_bits=None)
    with pytest.raises(ZkcmpError, match=r"--input-bits 8 .* for pixels 0 to 255"):
        quantize(float_network)
    assert quantize(float_network, input_bits=6).architecture.input_bits == 6


def test_widths_that_the_file_asks_for_are_the_default():
    float_network = _float_network(weight_bits=(7, 3, 5))
    widths = [s.bits for s in quantize(float_network).architecture.tensors()]
    assert widths[::2] == [7, 3, 5]
    assert [s.bits for s in quantize(float_network, 6).architecture.tensors()][::2] == [6] * 3


def _with_last_bias(bias: list[float]) -> FloatNetwork:
    layers = list(_float_network().layers)
    last = layers[5]
    assert isinstance(last, FloatDense)
    layers[5] = FloatDense(last.weight, np.array(bias))
    return FloatNetwork((1, 4, 6), tuple(layers), 8, Normalisation("0.00390625"))


def test_a_bias_too_wide_for_a_tensor_is_carried_by_a_constant_unit():
    float_network = _with_last_bias([0.5, -0.3, 0.1])
    network = quantize(float_network, 12)
    shapes = [s.shape for s in network.architecture.tensors()]
    assert shapes == [(2, 1, 3, 3), (2,), (7, 24), (7,), (3, 7), (3,)]
    assert not network.tensors[5].any()
    _assert_proportional(network.forward(_images()), float_network.forward(_images()))
    without = _float_network().forward(_images())  # the bias is not lost: this differs
    assert np.abs(float_network.forward(_images()) - without).max() > 0.4


def test_a_bias_that_nothing_can_carry_is_refused_by_layer():
    layers = list(_with_last_bias([0.5, -0.3, 0.1]).layers)
    layers.insert(5, FloatDense(np.eye(6), np.zeros(6)))
    wide = FloatNetwork((1, 4, 6), tuple(layers), 8, Normalisation("0.00390625"))
    with pytest.raises(ZkcmpError, match=r"layer 6: its bias needs \d+ bits .*without bias"):
        quantize(wide)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_numbers_are_refused(value):
    dense = FloatDense(np.array([[1.0], [value]]), np.zeros(2))
    with pytest.raises(ZkcmpError, match="not a finite number"):
        quantize(FloatNetwork((1, 1, 1), (Flatten(), dense), 8))
    dense = FloatDense(np.ones((2, 1)), np.array([0, value]))
    with pytest.raises(ZkcmpError, match="not a finite number"):
        quantize(FloatNetwork((1, 1, 1), (Flatten(), dense), 8))


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("ends", ["symmetric", "full"])
def test_weights_on_a_grid_come_back_as_they_are(bits, ends):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    low = -high if ends == "symmetric" else low
    grid = np.random.default_rng(1).integers(low, high, (30, 20), endpoint=True)
    grid[0, :2] = low, high
    scale, integers = quantize_weight(np.float32(grid * 0.0371).astype(np.float64), bits)
    assert (integers == grid).all()
    assert abs(scale * 0.0371 - 1) < 1e-5


def test_all_zero_weights_are_fine():
    dense = FloatDense(np.zeros((2, 1)), np.array([0.0, 1.0]))
    network = quantize(FloatNetwork((1, 1, 1), (Flatten(), dense), 8))
    assert network.predict(np.zeros((1, 1, 1, 1), int)).tolist() == [1]


def test_the_committed_digits_network():
    float_network, samples = read_onnx(digits_onnx()), load_digits_test()
    network = quantize(float_network)
    samples.check(network.architecture)
    check_no_wrap(network.architecture)
    result = report(float_network, network, samples)
    assert result.n == 360
    assert result.integer_accuracy >= 0.96
    assert result.float_accuracy - result.integer_accuracy <= 0.002
    assert network.architecture.n_weights == 860


def _uneven(seed: int = 1) -> FloatNetwork:
    """Rows of the first layers differ in size by up to a thousand."""
    float_network = _float_network(seed)
    conv, square, flatten, dense, other, last = float_network.layers
    assert isinstance(conv, FloatConv)
    assert isinstance(dense, FloatDense)
    factors = np.array([1.0, 0.2])
    conv = FloatConv(
        conv.weight * factors[:, None, None, None], conv.bias * factors, conv.stride, conv.padding
    )
    rows = np.array([1.0, 0.3, 0.5, 0.001, 1.0, 0.7])
    dense = FloatDense(dense.weight * rows[:, None], dense.bias * rows)
    layers = (conv, square, flatten, dense, other, last)
    return FloatNetwork((1, 4, 6), layers, 8, Normalisation("0.00390625"))


def test_per_channel_logits_are_the_float_logits_times_one_scale():
    float_network = _uneven()
    network = quantize(float_network, 14, per_channel=True)
    _assert_proportional(network.forward(_images()), float_network.forward(_images()))
    _assert_proportional(
        quantize(float_network, 14).forward(_images()), float_network.forward(_images())
    )


def test_per_channel_through_groups_and_pools():
    rng = np.random.default_rng(5)
    layers = (
        FloatConv(
            rng.normal(0, 0.3, (4, 1, 2, 2)) * [[[[1]]], [[[0.3]]], [[[0.5]]], [[[1]]]],
            0.1 * rng.normal(size=4),
        ),
        Square(),
        FloatConv(rng.normal(0, 0.3, (4, 2, 2, 2)), 0.1 * rng.normal(size=4), groups=2),
        SumPool((2, 2), (2, 2)),
        Flatten(),
        FloatDense(rng.normal(0, 0.3, (3, 8)), np.zeros(3)),
    )
    float_network = FloatNetwork((1, 4, 6), layers, 8, Normalisation("0.00390625"))
    network = quantize(float_network, 14, per_channel=True)
    _assert_proportional(network.forward(_images()), float_network.forward(_images()))
    plain = quantize(float_network, 14)
    assert not np.array_equal(network.tensors[0], plain.tensors[0])


def test_per_channel_lifts_small_rows_and_leaves_the_last_layer():
    float_network = _uneven()
    plain, lifted = quantize(float_network, 8), quantize(float_network, 8, per_channel=True)
    quiet = 3  # the row a thousand times smaller: lifted, but not to its full height
    assert np.abs(lifted.tensors[2][quiet]).max() <= 4 * max(
        1, np.abs(plain.tensors[2][quiet]).max()
    )
    assert np.abs(lifted.tensors[0][1]).max() > 3 * np.abs(plain.tensors[0][1]).max()
    last = float_network.layers[5]
    assert isinstance(last, FloatDense)
    # one scale for all logits: rows keep their order of size after the absorbed columns
    assert lifted.tensors[4].shape == last.weight.shape


def test_row_spread_is_bounded_and_a_row_of_zeros_stays():
    weight = np.array([[8.0, -2], [4, 1], [0, 0], [1e-9, 0], [-8, 8]])
    assert row_spread(weight).tolist() == [1, 2, 1, 4, 1]
    assert row_spread(np.zeros((2, 3))).tolist() == [1, 1]


def _compensated(seed: int, factor: float) -> FloatNetwork:
    """One channel is made smaller and the next layer's columns larger: the same function."""
    float_network = _float_network(seed)
    conv, square, flatten, dense, *rest = float_network.layers
    assert isinstance(conv, FloatConv)
    assert isinstance(dense, FloatDense)
    rows = np.array([1.0, factor])
    conv = FloatConv(
        conv.weight * rows[:, None, None, None], conv.bias * rows, conv.stride, conv.padding
    )
    dense = FloatDense(dense.weight / np.repeat(rows**2, 12), dense.bias)
    layers = (conv, square, flatten, dense, *rest)
    return FloatNetwork((1, 4, 6), layers, 8, Normalisation("0.00390625"))


def test_channels_of_uneven_size_keep_more_answers_with_a_scale_each():
    images = _images(500)
    same = {False: 0, True: 0}
    for seed in range(4):
        float_network = _compensated(seed, 0.3)
        labels = float_network.predict(images)
        assert (labels == _float_network(seed).predict(images)).all()
        for per_channel in same:
            network = quantize(float_network, 5, per_channel=per_channel)
            same[per_channel] += int((network.predict(images) == labels).sum())
    assert same[True] > 1.1 * same[False]
