"""How pixels enter: what is said by the caller is what the network computes, file or no file."""

import numpy as np
import pytest

from zkcmp.errors import ZkcmpError
from zkcmp.model.float_network import FloatConv, FloatDense, FloatNetwork
from zkcmp.model.layers import Flatten, Square
from zkcmp.model.onnx import export_onnx, import_onnx
from zkcmp.model.pixels import with_pixels
from zkcmp.model.quantize import quantize

MEAN, STD = (0.5, 0.4), (0.2, 0.3)


def _network() -> FloatNetwork:
    rng = np.random.default_rng(1)
    layers = (
        FloatConv(rng.normal(0, 0.5, (3, 2, 2, 2)), rng.normal(0, 0.1, 3)),
        Square(),
        Flatten(),
        FloatDense(rng.normal(0, 0.3, (4, 27)), np.zeros(4)),
    )
    return FloatNetwork((2, 4, 4), layers)


def _images() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (50, 2, 4, 4))


def _by_hand(network: FloatNetwork) -> np.ndarray:
    fractions = _images() / 255
    shape = (1, 2, 1, 1)
    return network.forward((fractions - np.reshape(MEAN, shape)) / np.reshape(STD, shape))


def test_numbers_of_a_training_script_give_what_it_computed() -> None:
    network = with_pixels(_network(), None, 255, MEAN, STD)
    assert network.input_bits == 8
    np.testing.assert_allclose(network.forward(_images()), _by_hand(_network()), atol=1e-9)
    integer = quantize(network, 12).forward(_images()).astype(np.float64)
    exact = _by_hand(_network())
    scale = (integer * exact).sum() / np.square(exact).sum()
    assert np.abs(integer / scale - exact).max() < 0.02 * np.abs(exact).max()


@pytest.mark.parametrize(("mean", "std"), [((), (0.5,)), ((0.25,), ()), ((0.25,), (0.5,))])
def test_one_number_is_for_all_channels(mean: tuple, std: tuple) -> None:
    network = with_pixels(_network(), None, 255, mean, std)
    fractions = (_images() / 255 - (mean or (0,))[0]) / (std or (1,))[0]
    np.testing.assert_allclose(network.forward(_images()), _network().forward(fractions), atol=1e-9)


def test_nothing_said_changes_nothing() -> None:
    network = _network()
    assert with_pixels(network) is network


def test_a_width_alone_leaves_the_scale() -> None:
    network = with_pixels(_network(), 4)
    assert (network.input_bits, network.normalisation) == (4, _network().normalisation)


def test_an_integer_network_takes_no_more() -> None:
    network = import_onnx(export_onnx(quantize(with_pixels(_network(), 8), 6)))
    with pytest.raises(ZkcmpError, match="holds an integer network, whose input is fixed"):
        with_pixels(network, 8)


@pytest.mark.parametrize(
    ("mean", "std", "said"),
    [
        ((0.1, 0.2, 0.3), (0.5,), "has 3 numbers for 2 channels"),
        ((0.1, 0.2), (0.5, 0.5, 0.5), "mean has 2 numbers and the other 3"),
        ((0.1,), (0.0,), "deviations above 0"),
    ],
)
def test_numbers_that_do_not_fit(mean: tuple, std: tuple, said: str) -> None:
    with pytest.raises(ZkcmpError, match=said):
        with_pixels(_network(), None, 255, mean, std)
