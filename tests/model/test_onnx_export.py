"""What the buyer runs: onnxruntime on the export predicts exactly what was sealed."""

import numpy as np
import onnx
import onnxruntime
import pytest
from example_networks import (
    CRYPTONETS,
    POOLED,
    TINY,
    TWO_CONVS,
    extreme_network,
    naive_logits,
    random_images,
    random_network,
)

from zkcmp.errors import DecodeError
from zkcmp.model.bounds import bounds
from zkcmp.model.data_files import digits_onnx, load_digits_test
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Network, Square
from zkcmp.model.onnx import (
    export_float_onnx,
    export_onnx,
    import_onnx,
    read_onnx,
    stable_in_double,
)
from zkcmp.model.onnx.export import ARCHITECTURE_KEY
from zkcmp.model.quantize import quantize


def _run(data: bytes, images: np.ndarray, kind: type = np.float64) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": images.astype(kind)})[0]


def test_digits_export_gives_the_exact_logits():
    network, samples = quantize(read_onnx(digits_onnx())), load_digits_test()
    assert max(bounds(network.architecture)) < 1 << 53
    logits = _run(export_onnx(network), samples.images)
    assert (logits == network.forward(samples.images)).all()
    assert stable_in_double(network, samples.images).all()


@pytest.mark.parametrize(
    "architecture",
    [TINY, TWO_CONVS, POOLED, CRYPTONETS],
    ids=["tiny", "two convs", "pooled", "cryptonets"],
)
@pytest.mark.parametrize("make", [random_network, extreme_network])
def test_onnxruntime_predicts_the_same_where_that_is_proved(architecture, make):
    network, images = make(architecture, 1), random_images(architecture, 50, 1)
    data = export_onnx(network)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    stable = stable_in_double(network, images)
    assert stable.mean() > 0.9
    labels = _run(data, images).argmax(axis=1)
    assert (labels == network.predict(images))[stable].all()


@pytest.mark.parametrize("architecture", [TINY, TWO_CONVS, POOLED, CRYPTONETS])
def test_an_export_imports_as_the_same_network(architecture):
    network = extreme_network(architecture, 2)
    data = export_onnx(network)
    imported = import_onnx(data)
    assert quantize(imported) == network
    assert export_onnx(quantize(imported)) == data
    images = random_images(architecture, 5, 3)
    exact = network.forward(images).astype(float)
    assert np.allclose(imported.forward(images), exact, rtol=1e-9)


def test_wide_biases_survive_exactly():
    layers = (Flatten(), Dense(1, 2, 62, 62))
    architecture = Architecture((1, 1, 1), 4, layers)
    high = (1 << 61) - 1
    tensors = [np.array([[high], [-high - 1]]), np.array([high - 1, high])]
    network = Network(architecture, tensors)
    assert quantize(import_onnx(export_onnx(network))) == network


def test_stability_is_denied_where_doubles_cannot_tell():
    layers = (Flatten(), Dense(1, 2, 8, 4), Square(), Dense(2, 2, 62, 4))
    first, none = np.array([[1], [0]]), np.zeros(2, dtype=np.int64)
    architecture = Architecture((1, 1, 1), 8, layers)
    images = np.array([255, 0]).reshape(2, 1, 1, 1)  # of the second, every sum is exactly 0
    for gap, stable in ((0, False), (1, False), (1 << 30, True)):
        weight = np.array([[(1 << 61) - 1 - gap, 0], [(1 << 61) - 1, 0]])
        network = Network(architecture, [first, none, weight, none])
        assert stable_in_double(network, images).tolist() == [stable, True]
        first_logit, second_logit = naive_logits(network, images[0])
        assert second_logit - first_logit == gap * 255**2


def test_ties_are_stable_where_doubles_are_exact():
    network = Network(
        Architecture((1, 1, 1), 8, (Flatten(), Dense(1, 2, 8, 8))),
        [np.array([[3], [3]]), np.zeros(2, dtype=np.int64)],
    )
    images = np.array([9, 0]).reshape(2, 1, 1, 1)
    assert stable_in_double(network, images).tolist() == [True, True]
    assert _run(export_onnx(network), images).argmax(axis=1).tolist() == [0, 0]


def test_convolutions_past_float32_do_not_use_it():
    operators = [
        n.op_type
        for n in onnx.load_from_string(export_onnx(random_network(TWO_CONVS, 1))).graph.node
    ]
    assert operators.count("Conv") == 1
    assert operators.count("Gather") == 1
    limits = bounds(TWO_CONVS)
    assert isinstance(TWO_CONVS.layers[2], Conv)
    assert limits[0] < 1 << 24 < limits[2]


def test_float_export_matches_the_float_network():
    float_network, samples = read_onnx(digits_onnx()), load_digits_test()
    scale = float(float_network.normalisation.scale)
    logits = _run(export_float_onnx(float_network), samples.images * scale, np.float32)
    assert np.allclose(logits, float_network.forward(samples.images), rtol=1e-4, atol=1e-4)
    again = import_onnx(export_float_onnx(float_network))
    assert quantize(again) == quantize(float_network)


def _edited(change) -> bytes:
    model = onnx.load_from_string(export_onnx(random_network(TINY, 1)))
    change(model)
    return model.SerializeToString()


def _set_weight(model):
    tensor = model.graph.initializer[0]
    raw = bytearray(tensor.raw_data)
    raw[0] = 16  # conv0.weight is declared 5 bits
    tensor.raw_data = bytes(raw)


def _set_architecture(model, text):
    next(e for e in model.metadata_props if e.key == ARCHITECTURE_KEY).value = text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set_weight, "outside 5 signed bits"),
        (lambda m: m.graph.node.pop(), "graph is not that"),
        (lambda m: setattr(m.graph.node[0], "op_type", "Neg"), "graph is not that"),
        (lambda m: m.graph.initializer.pop(), "dense5.bias is missing"),
        (lambda m: m.graph.initializer[0].dims.append(2), "conv0.weight is missing or not as"),
        (lambda m: setattr(m.graph.initializer[0], "raw_data", b"12"), "wrong length"),
        (lambda m: m.graph.initializer.append(m.graph.initializer[0]), "two values of the name"),
        (lambda m: _set_architecture(m, "{}"), "exactly the fields"),
        (lambda m: _set_architecture(m, CRYPTONETS.to_bytes().decode()), "not as"),
        (lambda m: m.metadata_props.append(m.metadata_props[0]), "key twice"),
    ],
)
def test_an_edited_export_is_refused(change, message):
    with pytest.raises(DecodeError, match=message):
        import_onnx(_edited(change))
