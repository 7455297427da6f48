"""Random small graphs, from the ONNX file to what both proof systems prove of them.

onnxruntime on the file        = the imported float network, within float32 rounding
onnxruntime on the export      = the integer network, label by label
the integers over their scale  = the float network, the closer the more bits
"""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from zkcmp import api
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.model.onnx import export_float_onnx, export_onnx, import_onnx
from zkcmp.model.quantize import quantize

INPUT_BITS = 3


class _Writer:
    """A graph in the making; `shape` is that of the value so far, without the batch."""

    def __init__(self, seed: int, shape: tuple[int, ...]):
        self.rng = np.random.default_rng(seed)
        self.input_shape = self.shape = shape
        self.nodes, self.tensors, self.value = [], [], "x"

    def tensor(self, array: np.ndarray) -> str:
        name = f"t{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def normal(self, *shape: int) -> str:
        return self.tensor(self.rng.normal(0, 0.5, shape).astype(np.float32))

    def positive(self, *shape: int) -> str:
        return self.tensor(self.rng.uniform(0.5, 1.5, shape).astype(np.float32))

    def add(
        self, op: str, *others: str, shape: tuple[int, ...] | None = None, **attributes
    ) -> None:
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, [self.value, *others], [out], **attributes))
        self.value, self.shape = out, self.shape if shape is None else shape

    def model(self) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *self.input_shape])],
            [helper.make_tensor_value_info(self.value, TensorProto.FLOAT, None)],
            self.tensors,
        )
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def _conv(w: _Writer, draw) -> None:
    channels, height, width = w.shape
    group = draw(st.sampled_from([1, channels]))
    out = group * draw(st.integers(1, 2))
    kernel = [min(draw(st.integers(1, 3)), height), min(draw(st.integers(1, 3)), width)]
    stride = [draw(st.integers(1, 2)), draw(st.integers(1, 2))]
    pads = [draw(st.integers(0, k - 1)) for k in (*kernel, *kernel)]
    size = [
        (n + pads[i] + pads[i + 2] - kernel[i]) // stride[i] + 1
        for i, n in enumerate((height, width))
    ]
    weight, bias = w.normal(out, channels // group, *kernel), w.normal(out)
    w.add("Conv", weight, bias, shape=(out, *size), group=group, strides=stride, pads=pads)


def _scale(w: _Writer, draw) -> None:
    channels = (w.shape[0], *[1] * (len(w.shape) - 1))
    kind = draw(st.sampled_from(["Mul", "Div", "BatchNormalization"]))
    if kind != "BatchNormalization":
        w.add(kind, w.positive(*channels))
        return
    n = w.shape[0]
    w.add(kind, w.positive(n), w.normal(n), w.normal(n), w.positive(n))


def _pool(w: _Writer, draw) -> None:
    channels, height, width = w.shape
    kernel = [min(2, height), min(draw(st.integers(1, 2)), width)]
    size = [height // kernel[0], width // kernel[1]]
    w.add("AveragePool", shape=(channels, *size), kernel_shape=kernel, strides=kernel)


def _square(w: _Writer) -> None:
    w.add("Mul", w.value)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[bytes, tuple[int, ...]]:
    """An ONNX file, and the shape of its images."""
    shape = (draw(st.integers(1, 2)), draw(st.integers(2, 6)), draw(st.integers(2, 6)))
    w = _Writer(draw(st.integers(0, 1 << 16)), shape)
    for _ in range(draw(st.integers(0, 2))):
        if draw(st.booleans()):
            _pool(w, draw)
        _conv(w, draw)
        if draw(st.booleans()):
            _scale(w, draw)
        if draw(st.booleans()):
            _square(w)
    w.add("Flatten", shape=(int(np.prod(w.shape)),))
    w.add("Gemm", w.normal(4, w.shape[0]), w.normal(4), shape=(4,), transB=1)
    if draw(st.booleans()):
        _scale(w, draw)
    _square(w)
    w.add("MatMul", w.normal(4, 3), shape=(3,))
    w.add("Add", w.normal(3))
    return w.model(), shape


def _images(shape: tuple[int, ...], n: int = 10) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 1 << INPUT_BITS, (n, *shape))


def _run(data: bytes, name: str, images: np.ndarray, kind: type) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {name: images.astype(kind)})[0]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_import_quantise_and_export_compute_the_same_function(graph):
    data, shape = graph
    images = _images(shape)
    network = import_onnx(data)
    logits = network.forward(images)
    size = 1 + np.abs(logits).max()
    assert np.allclose(_run(data, "x", images, np.float32) / size, logits / size, atol=1e-3)
    again = export_float_onnx(network)
    assert np.allclose(_run(again, "image", images, np.float32) / size, logits / size, atol=1e-3)
    try:
        integer = quantize(network, 8, INPUT_BITS)
    except ZkcmpError as error:
        assert "bias needs" in str(error)  # noqa: PT017  # too wide after many squares
        return
    exact = integer.forward(images)
    assert (
        _run(export_onnx(integer), "image", images, np.float64).argmax(axis=1)
        == integer.predict(images)
    ).all()
    again_imported = import_onnx(export_onnx(integer))
    assert quantize(again_imported) == integer
    seen = np.asarray(exact, dtype=float)
    assert np.allclose(again_imported.forward(images), seen, rtol=1e-9)


@settings(max_examples=15, deadline=None)
@given(graphs())
def test_the_more_bits_the_closer_to_the_float_network(graph):
    data, shape = graph
    images, network = _images(shape), import_onnx(data)
    logits = network.forward(images)
    try:
        integer = quantize(network, 14, INPUT_BITS)
    except ZkcmpError as error:
        assert "bias needs" in str(error)  # noqa: PT017
        return
    exact = np.asarray(integer.forward(images), dtype=float)
    factor = (exact * logits).sum() / (logits * logits).sum()
    assert np.abs(exact / factor - logits).max() <= 0.05 * (1e-9 + np.abs(logits).max())


def _pooled_graph() -> tuple[bytes, tuple[int, ...]]:
    """Every kind of layer, fixed."""
    w = _Writer(7, (2, 6, 6))
    w.add("Sub", w.normal(2, 1, 1))
    group = w.normal(4, 1, 2, 2)
    w.add("Conv", group, shape=(4, 4, 4), group=2, dilations=[2, 2])
    w.add("BatchNormalization", w.positive(4), w.normal(4), w.normal(4), w.positive(4))
    _square(w)
    w.add("AveragePool", shape=(4, 2, 2), kernel_shape=[2, 2], strides=[2, 2])
    w.add("Flatten", shape=(16,))
    w.add("Gemm", w.normal(3, 16), w.normal(3), shape=(3,), transB=1)
    return w.model(), (2, 6, 6)


@pytest.fixture(scope="module")
def sealed():
    return api.seal(quantize(import_onnx(_pooled_graph()[0]), 4, INPUT_BITS))


@pytest.mark.parametrize("method", ["libra hyrax", "freivalds"])
def test_what_onnxruntime_computes_is_what_is_proved(sealed, method, tmp_path):
    """The labels that onnxruntime gives are those that are proved to be right."""
    images = _images((2, 6, 6), 4)
    labels = _run(export_onnx(sealed.network), "image", images, np.float64).argmax(axis=1)
    key = verifying_key = None
    if method == "freivalds":
        key = tmp_path / "key"
        architecture = sealed.public.architecture
        verifying_key = api.setup(architecture, images, labels, method, key)
    proof = api.prove(sealed, images, labels, threshold=4, method=method, key=key)
    given = {"method": method, "verifying_key": verifying_key}
    api.verify(sealed.public, images, labels, proof, threshold=4, **given)
    with pytest.raises(VerificationError):
        api.verify(sealed.public, images, labels, proof, threshold=3, **given)
    wrong = labels.copy()
    wrong[2] = (wrong[2] + 1) % 3
    with pytest.raises(ZkcmpError):
        api.prove(sealed, images, wrong, threshold=4, method=method, key=key)
