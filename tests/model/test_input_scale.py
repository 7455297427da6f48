"""A normalisation for each channel, folded into whatever layer comes first."""

import numpy as np
import pytest

from zkcmp.errors import ZkcmpError
from zkcmp.model.architecture import Architecture, Normalisation
from zkcmp.model.float_network import FloatConv, FloatDense, FloatNetwork
from zkcmp.model.input_scale import fold_normalisation
from zkcmp.model.layers import Flatten, Square, SumPool
from zkcmp.model.quantize import quantize

SCALING = Normalisation("0.5,0.125", "-1,0.75")


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).normal(0, 1, shape)


FIRST_LAYERS = {
    "conv": (
        FloatConv(_normal(3, 2, 2, 2), _normal(3)),
        Flatten(),
        FloatDense(_normal(4, 27), _normal(4)),
    ),
    "grouped": (
        FloatConv(_normal(4, 1, 2, 2), _normal(4), groups=2, dilation=(2, 3)),
        Flatten(),
        FloatDense(_normal(4, 8), _normal(4)),
    ),
    "dense": (Flatten(), FloatDense(_normal(4, 32), _normal(4))),
    "pool": (SumPool((2, 2), (2, 2)), Flatten(), FloatDense(_normal(4, 8), _normal(4))),
}


@pytest.mark.parametrize("key", list(FIRST_LAYERS))
def test_integers_read_raw_pixels_and_compute_the_same_function(key):
    images = np.random.default_rng(5).integers(0, 16, (6, 2, 4, 4))
    network = FloatNetwork((2, 4, 4), FIRST_LAYERS[key], 4, SCALING)
    folded, scale = fold_normalisation((2, 4, 4), network.layers, SCALING)
    raw = FloatNetwork((2, 4, 4), tuple(folded), 4, Normalisation(str(scale)))
    assert np.allclose(raw.forward(images), network.forward(images))
    integer = quantize(network, 20)
    assert integer.architecture.normalisation == SCALING
    logits, expected = integer.forward(images), network.forward(images)
    factor = logits[0, 0] / expected[0, 0]
    assert np.allclose(logits / factor, expected, rtol=1e-3, atol=1e-2)


def test_it_is_bound_by_the_digest_of_the_architecture():
    integer = quantize(FloatNetwork((2, 4, 4), FIRST_LAYERS["dense"], 4, SCALING), 8)
    other = integer.architecture.to_bytes().replace(b'"0.5,0.125"', b'"0.5,0.25"')
    assert Architecture.from_bytes(other).digest != integer.architecture.digest


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ((Square(), Flatten(), FloatDense(_normal(4, 32), _normal(4))), "squares a value"),
        ((FloatConv(_normal(3, 2, 2, 2), _normal(3), padding=(1, 0, 0, 0)),), "pads an image"),
    ],
)
def test_where_an_offset_cannot_go_is_said(layers, reason):
    with pytest.raises(ZkcmpError, match=f"cannot go into the first layer: {reason}"):
        fold_normalisation((2, 4, 4), layers, SCALING)
    scales_only = Normalisation(SCALING.scale)
    assert fold_normalisation((2, 4, 4), layers, scales_only)[1] == 0.5


def test_as_many_numbers_as_channels():
    with pytest.raises(ZkcmpError, match="2 numbers for 1 channels"):
        fold_normalisation((1, 4, 4), (), SCALING)
