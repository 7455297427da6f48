"""The integer network equals loops over Python ints, whatever arithmetic it chooses."""

import numpy as np
import pytest
from example_networks import (
    CRYPTONETS,
    TINY,
    TWO_CONVS,
    architectures,
    extreme_network,
    naive_logits,
    random_images,
    random_network,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.errors import ZkcmpError
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Network, Square


@pytest.mark.parametrize("architecture", [TINY, TWO_CONVS], ids=["tiny", "two convs"])
@pytest.mark.parametrize("make", [random_network, extreme_network])
def test_forward_equals_loops(architecture, make):
    network = make(architecture, 3)
    images = random_images(architecture, 3, 4)
    images[0] = (1 << architecture.input_bits) - 1
    expected = [naive_logits(network, image) for image in images]
    assert network.forward(images).tolist() == expected


def test_forward_equals_loops_where_int64_is_too_small():
    network = extreme_network(CRYPTONETS, 5)
    image = np.full((1, 1, 28, 28), 255)
    expected = naive_logits(network, image[0])
    assert max(map(abs, expected)) > 1 << 64  # the case this test is about
    logits = network.forward(image)
    assert logits.dtype == object
    assert logits.tolist() == [expected]


def test_padding_beside_values_that_int64_is_too_small_for():
    """With weights so wide that all is Python ints: what pads must be one, too."""
    wide = Conv(1, 1, (1, 1), (1, 1), (0, 0, 0, 0), 60, 2)
    padded = Conv(1, 2, (2, 2), (1, 1), (1, 0, 0, 1), 61, 2)
    layers = (wide, padded, Flatten(), Dense(8, 2, 2, 2))
    architecture = Architecture((1, 2, 2), 16, layers)
    network, images = extreme_network(architecture, 1), random_images(architecture, 2, 3)
    assert network.forward(images).tolist() == [naive_logits(network, x) for x in images]


@settings(max_examples=60, deadline=None)
@given(architectures(), st.integers(0, 1000))
def test_forward_equals_loops_on_random_architectures(architecture, seed):
    make = extreme_network if seed % 2 else random_network
    network, images = make(architecture, seed), random_images(architecture, 2, seed)
    assert network.forward(images).tolist() == [naive_logits(network, x) for x in images]


def test_layer_outputs_chain():
    network, images = random_network(TINY, 1), random_images(TINY, 2, 1)
    outputs = network.layer_outputs(images)
    assert [o.shape[1:] for o in outputs] == TINY.shapes()[1:]
    assert (outputs[1] == outputs[0] ** 2).all()
    assert (outputs[2] == outputs[1].reshape(2, -1)).all()
    assert (outputs[-1] == network.forward(images)).all()


def test_batches_agree_with_single_images(monkeypatch):
    network, images = random_network(TINY, 1), random_images(TINY, 7, 1)
    whole = network.forward(images)
    monkeypatch.setattr("zkcmp.model.network._BATCH_VALUES", 3 * TINY.n_patches)
    assert (network.forward(images) == whole).all()
    assert network.forward(images[:0]).shape == (0, 3)


@pytest.mark.parametrize("weight_bits", [8, 62], ids=["int64", "object"])
def test_ties_go_to_the_smallest_index(weight_bits):
    layers = (Flatten(), Dense(1, 4, weight_bits, 4))
    architecture = Architecture((1, 1, 1), 8, layers)
    weight = np.array([[-1], [5], [5], [2]])
    network = Network(architecture, [weight, np.zeros(4, dtype=np.int64)])
    assert (network.forward(np.zeros((1, 1, 1, 1), int)).dtype == object) == (weight_bits == 62)
    assert network.predict(np.array([7, 0]).reshape(2, 1, 1, 1)).tolist() == [1, 0]


def test_a_difference_of_one_beyond_double_precision_decides():
    layers = (Flatten(), Dense(1, 2, 8, 4), Square(), Dense(2, 2, 62, 4))
    weight = np.array([[(1 << 61) - 2, 0], [(1 << 61) - 1, 0]])
    first, none = np.array([[1], [0]]), np.zeros(2, dtype=np.int64)
    network = Network(Architecture((1, 1, 1), 8, layers), [first, none, weight, none])
    assert float(weight[0, 0]) == float(weight[1, 0])
    assert network.predict(np.full((1, 1, 1, 1), 255)).tolist() == [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[:-1], "declares 6 tensors"),
        (lambda t: [t[0].astype(float), *t[1:]], "conv0.weight must be an int64 array"),
        (lambda t: [t[0][:, :1], *t[1:]], r"conv0.weight must have shape"),
        (lambda t: [t[0], t[1] * 0 + 256, *t[2:]], "conv0.bias has a value outside 9 signed bits"),
        (lambda t: [t[0], t[1] * 0 - 257, *t[2:]], "conv0.bias has a value outside 9 signed bits"),
    ],
)
def test_tensors_that_break_the_declaration_are_refused(change, message):
    tensors = random_network(TINY, 1).tensors
    with pytest.raises(ZkcmpError, match=message):
        Network(TINY, change(tensors))


def test_ends_of_the_declared_width_are_accepted():
    tensors = list(random_network(TINY, 1).tensors)
    for value in (-256, 255):
        tensors[1] = np.full(3, value)
        assert Network(TINY, tensors).tensors[1].tolist() == [value] * 3


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 2, 5, 5), int),
        np.zeros((1, 2, 5, 4)),
        np.full((1, 2, 5, 4), 16),
        np.full((1, 2, 5, 4), -1),
    ],
    ids=["shape", "float", "too large", "negative"],
)
def test_images_outside_the_input_range_are_refused(images):
    with pytest.raises(ZkcmpError, match=r"images must be|pixels must lie"):
        random_network(TINY, 1).forward(images)


def test_weights_are_owned_frozen_and_not_printed():
    tensors = [t.copy() for t in random_network(TINY, 1).tensors]
    network = Network(TINY, tensors)
    before = network.tensors[0][0, 0, 0, 0]
    tensors[0][0, 0, 0, 0] += 1 if before < 0 else -1
    assert network.tensors[0][0, 0, 0, 0] == before
    with pytest.raises(ValueError, match="read-only"):
        network.tensors[0][0] = 0
    assert repr(network) == f"Network({TINY.n_weights} weights)"
    assert network != Network(TINY, tensors)
