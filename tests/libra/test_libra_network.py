"""Whole networks: exact values at every width, a claim on the logits led back to the commitment."""

from dataclasses import replace

import numpy as np
import pytest
from clear_scheme import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.multilinear.tables import evaluate, log_size
from zkcmp.libra.multilinear.tensors import Tensor
from zkcmp.libra.relations.network import (
    Activations,
    evaluate_network,
    placed_layers,
    prove_network,
    sealed_tensors,
)
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import bounds
from zkcmp.model.data_files import digits_onnx, load_digits_test
from zkcmp.model.layers import Conv, Dense, Flatten, Square, SumPool
from zkcmp.model.network import Network
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

CONV_NET = Architecture(
    (2, 6, 5),
    4,
    (
        Conv(2, 3, (3, 2), (2, 1), (1, 0, 2, 1), 5, 9),
        Square(),
        Conv(3, 2, (2, 2), (1, 2), (0, 1, 0, 0), 6, 12),
        Flatten(),
        Square(),
        Dense(18, 5, 6, 20),
        Square(),
        Dense(5, 3, 7, 30),
    ),
)
DENSE_NET = Architecture((1, 3, 3), 8, (Flatten(), Dense(9, 1, 8, 20), Square(), Dense(1, 2, 8, 9)))
SQUARED_PIXELS = Architecture((1, 2, 3), 3, (Square(), Flatten(), Dense(6, 2, 8, 9)))
WIDE_NET = Architecture(
    (1, 4, 4),
    8,
    (
        Conv(1, 2, (3, 3), (1, 1), (1, 1, 1, 1), 40, 62),
        Square(),
        Flatten(),
        Dense(32, 3, 33, 60),
        Dense(3, 2, 8, 2),
    ),
)
CRYPTONETS = Architecture(
    (1, 28, 28),
    8,
    (
        Conv(1, 5, (5, 5), (2, 2), (1, 1, 1, 1), 8, 16),
        Square(),
        Flatten(),
        Dense(845, 100, 6, 36),
        Square(),
        Dense(100, 10, 8, 2),
    ),
)
POOL_NET = Architecture(
    (2, 9, 8),
    3,
    (
        SumPool((2, 2), (1, 1)),
        Conv(2, 4, (2, 2), (1, 1), (1, 0, 0, 1), 4, 9, groups=2, dilation=(2, 3)),
        Square(),
        SumPool((2, 3), (2, 1)),
        Conv(4, 4, (2, 1), (1, 1), (0, 0, 0, 0), 30, 40, groups=4),
        Square(),
        SumPool((2, 2), (1, 2)),
        Flatten(),
        Dense(4, 3, 8, 9),
    ),
)
NETS = [CONV_NET, DENSE_NET, SQUARED_PIXELS, WIDE_NET, POOL_NET]


def random_network(architecture: Architecture, seed: int = 1) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        architecture,
        [rng.integers(s.low, s.high + 1, s.shape) for s in architecture.tensors()],
    )


def random_images(architecture: Architecture, n: int, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 1 << architecture.input_bits, (n, *architecture.input_shape))


def blocks_of(network: Network) -> dict[str, FrVector]:
    tensors = sealed_tensors(network.architecture)
    return {
        t.name: FrVector.from_int64(t.block(values))
        for t, values in zip(tensors, network.tensors, strict=True)
    }


def attempt(network, images, logits=None, activations=None, committed=None, shown=None, n_pads=512):
    """`logits` claimed (n, classes), by a prover who has `activations`, of weights `committed`."""
    known = evaluate_network(network, images) if activations is None else activations
    table = known.logits if logits is None else Tensor.from_ints(logits).table()
    shown = images if shown is None else shown
    blocks = blocks_of(network if committed is None else committed)

    def prove(channel, tensors):
        n_vars = log_size(len(images)) + log_size(network.architecture.n_classes)
        point = channel.challenges(b"logits", n_vars)
        form = Form.public(evaluate(table, point))
        mine = None if tensors is None else known
        given_images = images if tensors is not None else shown
        prove_network(channel, network.architecture, given_images, point, form, mine, tensors)

    return run(prove, {k: len(v) for k, v in blocks.items()}, blocks, n_pads=n_pads)


@pytest.mark.parametrize("architecture", NETS)
@pytest.mark.parametrize("n", [1, 2, 5, 17])
def test_networks(architecture, n):
    network = random_network(architecture)
    images = random_images(architecture, n)
    expected = network.forward(images)
    logits = Tensor.from_ints(expected).table()
    values = evaluate_network(network, images)
    assert values.logits.equals(logits)
    assert np.array_equal(values.predictions, network.predict(images))
    attempt(network, images)
    wrong = expected.astype(object)
    wrong[-1, -1] += 1
    with pytest.raises(VerificationError):
        attempt(network, images, logits=wrong)


def test_the_digits_network():
    network = quantize(read_onnx(digits_onnx()))
    images = load_digits_test().images
    assert len(images) > 100
    proof = attempt(network, images)
    assert len(proof) < 6000


def test_the_papers_network():
    network, images = random_network(CRYPTONETS), random_images(CRYPTONETS, 19)
    assert evaluate_network(network, images).logits.equals(
        Tensor.from_ints(network.forward(images)).table()
    )
    attempt(network, images)


def extreme(architecture: Architecture, sign: int) -> Network:
    """Weights at one end of their width, so that sums come close to the static bounds."""
    ends = [(s.low if sign < 0 else s.high) for s in architecture.tensors()]
    return Network(
        architecture,
        [np.full(s.shape, end) for s, end in zip(architecture.tensors(), ends, strict=True)],
    )


@pytest.mark.parametrize("architecture", NETS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_values_at_the_bounds_are_exact(architecture, sign):
    network = extreme(architecture, sign)
    images = np.full((3, *architecture.input_shape), (1 << architecture.input_bits) - 1)
    images[1] = 0
    values = evaluate_network(network, images)
    assert values.logits.equals(Tensor.from_ints(network.forward(images)).table())
    assert np.array_equal(values.predictions, network.predict(images))


@st.composite
def deep_architectures(draw):
    """Widths from narrow to far beyond int64."""
    bits = st.integers(1, 45)
    layers: list = [Conv(1, 2, (2, 2), (1, 1), (1, 1, 0, 0), draw(bits), draw(bits))]
    if draw(st.booleans()):
        layers.append(Square())
    layers += [Flatten(), Dense(18, 3, draw(bits), draw(bits))]
    if draw(st.booleans()):
        layers.append(Square())
    layers.append(Dense(3, 2, draw(bits), draw(bits)))
    return Architecture((1, 3, 3), draw(st.integers(1, 16)), tuple(layers))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(deep_architectures().filter(lambda a: max(bounds(a)) < FR_MODULUS // 4), st.integers(0, 9))
def test_forward_is_exact_at_every_width(architecture, seed):
    network, images = random_network(architecture, seed), random_images(architecture, 4, seed)
    values = evaluate_network(network, images)
    assert values.logits.equals(Tensor.from_ints(network.forward(images)).table())
    assert np.array_equal(values.predictions, network.predict(images))


def test_ties_go_to_the_smallest_class():
    network = random_network(DENSE_NET)
    tensors = [t.copy() for t in network.tensors]
    tensors[2][:], tensors[3][:] = 3, -7
    network = Network(DENSE_NET, tensors)
    images = random_images(DENSE_NET, 6)
    assert list(evaluate_network(network, images).predictions) == [0] * 6


# --- provers that run the honest code on something false ------------------------------------


def with_activation(values: Activations, layer: str, tensor: Tensor) -> Activations:
    return replace(values, inputs={**values.inputs, layer: tensor})


@pytest.mark.parametrize("layer", [p.name for p in placed_layers(CONV_NET)][1:])
def test_one_wrong_activation(layer):
    """One entry of one layer's input, with logits that follow from it."""
    network, images = random_network(CONV_NET), random_images(CONV_NET, 5)
    names = [p.name for p in placed_layers(CONV_NET)]
    outputs = [
        x
        for x, kind in zip(network.layer_outputs(images), CONV_NET.layers, strict=True)
        if not isinstance(kind, Flatten)
    ]
    shape = {p.name: p.input_shape for p in placed_layers(CONV_NET)}[layer]
    wrong = np.array(outputs[names.index(layer) - 1].reshape(5, *shape), object, order="C")
    wrong.flat[3] += 1
    values = with_activation(evaluate_network(network, images), layer, Tensor.from_ints(wrong))
    with pytest.raises(VerificationError) as caught:
        attempt(network, images, activations=values)
    assert caught.value.where == "opening"


def test_swapped_images():
    """The prover evaluates the images in another order than they are in the test set."""
    network, images = random_network(CONV_NET), random_images(CONV_NET, 6)
    for used in (images[::-1].copy(), np.concatenate([images[:1], images[:5]])):
        attempt(network, used)
        with pytest.raises(VerificationError):
            attempt(network, used, shown=images)


@pytest.mark.parametrize("architecture", [CONV_NET, DENSE_NET, SQUARED_PIXELS])
def test_other_weights_than_the_committed(architecture):
    network, images = random_network(architecture), random_images(architecture, 5)
    for k in range(len(network.tensors)):
        tensors = [t.copy() for t in network.tensors]
        tensors[k].reshape(-1)[-1] ^= 1
        with pytest.raises(VerificationError):
            attempt(network, images, committed=Network(architecture, tensors))


def test_nothing_secret_is_shown():
    network, images = random_network(DENSE_NET), random_images(DENSE_NET, 3)
    assert repr(evaluate_network(network, images)) == "Activations()"
