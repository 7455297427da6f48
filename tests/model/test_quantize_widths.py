"""The search for the fewest bits: what it may lose, what it proves, and how it fails."""

from fractions import Fraction

import numpy as np
import pytest

from zkcmp.errors import ZkcmpError
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.calibrate import Calibrated, choose_widths, parse_drop, sealed_bits
from zkcmp.model.data_files import digits_onnx, load_digits_test
from zkcmp.model.dataset import TestSet
from zkcmp.model.float_network import FloatDense, FloatNetwork
from zkcmp.model.layers import Flatten, Square
from zkcmp.model.onnx import export_onnx, import_onnx, read_onnx
from zkcmp.model.quantize import quantize

DROP = Fraction(2, 1000)


@pytest.fixture(scope="module")
def digits() -> FloatNetwork:
    return read_onnx(digits_onnx())


@pytest.fixture(scope="module")
def chosen(digits: FloatNetwork) -> Calibrated:
    return choose_widths(digits, load_digits_test(), DROP)


def _right(network, samples: TestSet) -> int:
    return int((network.predict(samples.images) == samples.labels).sum())


def test_what_is_chosen_keeps_the_accuracy(digits: FloatNetwork, chosen: Calibrated):
    samples = load_digits_test()
    assert chosen.n == len(samples)
    assert chosen.float_right == _right(digits, samples)
    assert chosen.integer_right == _right(chosen.network, samples)
    assert chosen.integer_right >= chosen.float_right - int(DROP * len(samples))
    check_no_wrap(chosen.network.architecture)
    assert chosen.network == quantize(digits, chosen.widths, per_channel=chosen.per_channel)


def test_it_is_smaller_than_eight_bits_and_no_tensor_can_be_narrower(
    digits: FloatNetwork, chosen: Calibrated
):
    samples = load_digits_test()
    assert chosen.sealed_bits < 0.8 * sealed_bits(quantize(digits, 8))
    needed = chosen.float_right - int(DROP * len(samples))
    largest = max(range(2), key=lambda i: [x.size for x in chosen.network.tensors[::2]][i])
    widths = list(chosen.widths)
    widths[largest] -= 1
    narrower = quantize(digits, widths, per_channel=chosen.per_channel)
    assert _right(narrower, samples) < needed


def test_a_larger_drop_never_costs_more_bits(digits: FloatNetwork, chosen: Calibrated):
    loose = choose_widths(digits, load_digits_test(), Fraction(1, 10))
    assert loose.sealed_bits < chosen.sealed_bits
    assert loose.integer_right < chosen.integer_right


def test_per_channel_can_be_asked_for(digits: FloatNetwork, chosen: Calibrated):
    both = [
        choose_widths(digits, load_digits_test(), DROP, per_channel=by_channel)
        for by_channel in (False, True)
    ]
    assert [found.per_channel for found in both] == [False, True]
    assert chosen.sealed_bits == min(found.sealed_bits for found in both)


def test_an_integer_network_is_left_as_it_is(digits: FloatNetwork):
    network = quantize(digits, 5)
    found = choose_widths(import_onnx(export_onnx(network)), load_digits_test(), DROP)
    assert found.network == network
    assert found.widths == (5, 5)
    assert found.float_right == found.integer_right


def _deep(n_squares: int) -> FloatNetwork:
    rng = np.random.default_rng(1)
    layers = [Flatten()]
    for _ in range(n_squares):
        layers += [FloatDense(rng.normal(0, 1, (4, 4)), np.zeros(4)), Square()]
    layers.append(FloatDense(rng.normal(0, 1, (3, 4)), np.zeros(3)))
    return FloatNetwork((1, 2, 2), tuple(layers), 8)


def _samples(network: FloatNetwork) -> TestSet:
    images = np.random.default_rng(2).integers(0, 256, (100, 1, 2, 2))
    return TestSet(images, network.predict(images))


def test_a_network_that_wraps_at_any_width_is_refused_by_layer():
    network = _deep(5)
    with pytest.raises(ZkcmpError, match=r"of square10: .*wrap the field; use fewer bits"):
        choose_widths(network, _samples(network), DROP)


def test_widths_that_fit_but_lose_too_much_name_the_layer_and_what_to_try():
    network = _deep(4)
    with pytest.raises(ZkcmpError) as refused:
        choose_widths(network, _samples(network), Fraction(0), per_channel=False)
    text = str(refused.value)
    assert text.startswith("no widths lose at most 0.00% of the float accuracy 100.00% on 100 sam")
    assert "most of it in dense" in text
    assert "wider does not fit, " in text
    assert text.endswith("--max-drop, or train that layer for few bits (docs/quantisation.md)")


@pytest.mark.parametrize(
    ("text", "drop"),
    [
        ("0.2%", Fraction(1, 500)),
        ("0.002", Fraction(1, 500)),
        ("0", 0),
        (" 1.5% ", Fraction(3, 200)),
    ],
)
def test_drops_are_read_exactly(text: str, drop: Fraction):
    assert parse_drop(text) == drop


@pytest.mark.parametrize("text", ["", "-1%", "1", "5", "100%", "0,2%", "nan", "1e-3", "%"])
def test_other_drops_are_refused(text: str):
    with pytest.raises(ZkcmpError, match="drop"):
        parse_drop(text)


@pytest.mark.parametrize("number", [0.005, 0, None])
def test_a_drop_that_is_a_number_is_to_be_written(number: object):
    with pytest.raises(ZkcmpError, match=f"must be text, so that it is exact: '{number}'"):
        parse_drop(number)  # type: ignore[arg-type]
