"""Graphs in the style of the exporters people use, each imported unchanged, or refused in full."""

import tracemalloc

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model.float_network import FloatDense
from zkcmp.model.onnx import export_onnx, import_onnx, read_onnx
from zkcmp.model.quantize import quantize

_RNG = np.random.default_rng(8)


def _normal(*shape: int) -> np.ndarray:
    return _RNG.normal(0, 0.5, shape).astype(np.float32)


def _positive(*shape: int) -> np.ndarray:
    return _RNG.uniform(0.5, 2, shape).astype(np.float32)


def _node(op, inputs, outputs, **attributes):
    return helper.make_node(
        op, inputs.split(), outputs.split(), attributes.pop("name", None), **attributes
    )


def _constant(name, array):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array))


def _ints(*values):
    return np.array(values, dtype=np.int64)


def _model(nodes, constants, shape, outputs=("y",), opset=17, batch="N", ml=False):
    """outputs: names, each with its element type after a colon where that is not float."""
    kinds = [name.partition(":")[::2] for name in outputs]
    graph = helper.make_graph(
        nodes,
        "main_graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])],
        [
            helper.make_tensor_value_info(name, TensorProto.INT64 if kind else 1, None)
            for name, kind in kinds
        ],
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    if ml:
        opsets.append(helper.make_opsetid("ai.onnx.ml", 3))
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _torch(opset):
    """A convolutional network with batch normalisation before its squares, as PyTorch writes it."""
    nodes = [
        _node(
            "Conv",
            "x c1.w c1.b",
            "/c1",
            dilations=[1, 1],
            group=1,
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
            strides=[1, 1],
        ),
        _node("BatchNormalization", "/c1 bn.w bn.b bn.m bn.v", "/bn", epsilon=1e-5, momentum=0.9),
        _node("Mul", "/bn /bn", "/sq"),
        _node(
            "AveragePool",
            "/sq",
            "/pool",
            kernel_shape=[2, 2],
            strides=[2, 2],
            pads=[0, 0, 0, 0],
            ceil_mode=0,
            count_include_pad=1,
        ),
        _node(
            "Conv",
            "/pool c2.w",
            "/c2",
            dilations=[1, 1],
            group=2,
            kernel_shape=[2, 2],
            pads=[0, 0, 0, 0],
            strides=[1, 1],
        ),
        _node("Shape", "/c2", "/shape"),
        _constant("/zero", _ints(0)),
        _node("Gather", "/shape /zero", "/batch", axis=0),
        _constant("/rest", _ints(-1)),
        _node("Concat", "/batch /rest", "/target", axis=0),
        _node("Reshape", "/c2 /target", "/flat"),
        _node("Gemm", "/flat fc.w fc.b", "y", alpha=1.0, beta=1.0, transB=1),
    ]
    constants = {
        "c1.w": _normal(4, 1, 3, 3), "c1.b": _normal(4),
        "bn.w": _positive(4), "bn.b": _normal(4), "bn.m": _normal(4), "bn.v": _positive(4),
        "c2.w": _normal(6, 2, 2, 2), "fc.w": _normal(3, 24), "fc.b": _normal(3),
    }  # fmt: skip
    return _model(nodes, constants, (1, 6, 6), opset=opset)


def _keras():
    """NHWC images turned round for the convolution, turned back before the flatten (tf2onnx)."""
    nodes = [
        _node("Sub", "x mean", "centred"),
        _node("Mul", "centred factor", "scaled"),
        _node("Transpose", "scaled", "nchw", perm=[0, 3, 1, 2]),
        _node("Conv", "nchw k", "conv", strides=[2, 2], auto_pad="VALID"),
        _node("Add", "conv bias", "biased"),
        _node("Transpose", "biased", "nhwc", perm=[0, 2, 3, 1]),
        _node("Mul", "nhwc nhwc", "sq"),
        _node("Reshape", "sq target", "flat"),
        _node("MatMul", "flat dense", "product"),
        _node("Add", "product dense.b", "logits"),
        _node("Softmax", "logits", "y", axis=-1),
    ]
    constants = {
        "mean": np.array([0.3, 0.5, 0.7], np.float32), "factor": np.array(0.5, np.float32),
        "k": _normal(4, 3, 3, 3), "bias": _normal(1, 4, 1, 1),
        "target": _ints(-1, 16), "dense": _normal(16, 3), "dense.b": _normal(3),
    }  # fmt: skip
    return _model(nodes, constants, (5, 6, 3))


def _keras_one_channel():
    """The same with one channel, where tf2onnx writes a Reshape for the Transpose."""
    nodes = [
        _node("Reshape", "x to", "nchw"),
        _node(
            "Conv", "nchw k b", "conv", kernel_shape=[3, 3], strides=[1, 1], auto_pad="SAME_UPPER"
        ),
        _node("Pow", "conv two", "sq"),
        _node("GlobalAveragePool", "sq", "pooled"),
        _node("Squeeze", "pooled axes", "flat"),
        _node("MatMul", "flat dense", "product"),
        _node("Add", "dense.b product", "y"),
    ]
    constants = {
        "to": _ints(-1, 1, 5, 6), "k": _normal(4, 1, 3, 3), "b": _normal(4),
        "two": np.array(2.0, np.float32), "axes": _ints(2, 3),
        "dense": _normal(4, 3), "dense.b": _normal(3),
    }  # fmt: skip
    return _model(nodes, constants, (5, 6, 1))


def _keras_pooled():
    """Averages over rows and columns of (N, H, W, C), as Keras' global pooling is written."""
    nodes = [
        _node("Transpose", "x", "nchw", perm=[0, 3, 1, 2]),
        _node("Conv", "nchw k b", "conv"),
        _node("Transpose", "conv", "nhwc", perm=[0, 2, 3, 1]),
        _node("Mul", "nhwc nhwc", "sq"),
        _node("ReduceMean", "sq", "mean", axes=[1, 2], keepdims=0),
        _node("MatMul", "mean dense", "y"),
    ]
    constants = {"k": _normal(5, 3, 2, 2), "b": _normal(5), "dense": _normal(5, 3)}
    return _model(nodes, constants, (5, 6, 3))


def _keras_flat_scales():
    """Constants for each feature of a flattened (N, H, W, C), after a square and an average."""
    nodes = [
        _node("Transpose", "x", "nchw", perm=[0, 3, 1, 2]),
        _node("Conv", "nchw k b", "conv", group=3),
        _node("Mul", "conv conv", "sq"),
        _node("AveragePool", "sq", "pooled", kernel_shape=[2, 1], strides=[2, 2]),
        _node("Mul", "pooled channel", "scaled"),
        _node("Transpose", "scaled", "nhwc", perm=[0, 2, 3, 1]),
        _node("Add", "nhwc last", "shifted"),
        _node("Flatten", "shifted", "flat"),
        _node("Mul", "flat each", "features"),
        _node("Sub", "features less", "less0"),
        _node("Gemm", "less0 dense", "y"),
    ]
    constants = {
        "k": _normal(6, 1, 2, 2), "b": _normal(6), "channel": _positive(6, 1, 1),
        "last": _normal(6), "each": _positive(36), "less": _normal(1, 36),
        "dense": _normal(36, 3),
    }  # fmt: skip
    return _model(nodes, constants, (5, 6, 3))


def _batch_norm_everywhere():
    """Before the first convolution, after a square, and on features; a weight transposed."""
    nodes = [
        _node("BatchNormalization", "x a.w a.b a.m a.v", "n0"),
        _node("Conv", "n0 k", "conv", dilations=[2, 1], kernel_shape=[2, 2]),
        _node("Mul", "conv conv", "sq"),
        _node("BatchNormalization", "sq b.w b.b b.m b.v", "n1"),
        _node("ReduceMean", "n1 axes", "mean", keepdims=0),
        _node("Transpose", "w", "wt", perm=[1, 0]),
        _node("MatMul", "mean wt", "h"),
        _node("BatchNormalization", "h b.w b.b b.m b.v", "n2"),
        _node("Dropout", "n2", "d"),
        _node("Mul", "d d", "sq2"),
        _node("Gemm", "sq2 v", "y", transB=1),
    ]
    constants = {"k": _normal(4, 2, 2, 2), "w": _normal(4, 4), "v": _normal(3, 4)}
    for name, n in (("a", 2), ("b", 4)):
        constants |= {f"{name}.w": _positive(n), f"{name}.b": _normal(n)}
        constants |= {f"{name}.m": _normal(n), f"{name}.v": _positive(n)}
    return _model(nodes, constants | {"axes": _ints(2, 3)}, (2, 5, 4), opset=18)


def _weights_as_constant_nodes():
    """No initialisers, a batch fixed to 8, features reshaped to an image; the newest opset."""
    nodes = [
        _constant("image", _ints(8, 1, 4, 5)),
        _node("Reshape", "x image", "i"),
        _constant("k", _normal(3, 1, 3, 3)),
        _node("Conv", "i k", "c"),
        _constant("half", np.array(0.5, np.float64).astype(np.float32)),
        _node("Div", "c half", "d"),
        _node("Mul", "d d", "s"),
        _node("Flatten", "s", "f", axis=-3),
        _constant("w", _normal(18, 3)),
        _node("MatMul", "f w", "m"),
        _node("Neg", "m", "n"),
        _constant("b", _normal(1, 3)),
        _node("Sub", "b n", "y"),
    ]
    return _model(nodes, {}, (20,), opset=21, batch=8)


def _fully_convolutional():
    """The last layer a 1×1 convolution, averaged over the image."""
    nodes = [
        _node("Conv", "x k b", "c", strides=[2, 2], pads=[1, 1, 1, 1]),
        _node("Mul", "c c", "s"),
        _node("Conv", "s p q", "logits"),
        _node("GlobalAveragePool", "logits", "g"),
        _node("Softmax", "g", "z", axis=1),
        _node("Flatten", "z", "y"),
    ]
    constants = {
        "k": _normal(4, 1, 3, 3),
        "b": _normal(4),
        "p": _normal(3, 4, 1, 1),
        "q": _normal(3),
    }
    return _model(nodes, constants, (1, 6, 6), opset=13)


def _convolution_as_the_last_layer():
    nodes = [
        _node("Conv", "x k b", "c"),
        _node("Mul", "c c", "s"),
        _node("Conv", "s p q", "logits", kernel_shape=[4, 4]),
        _node("Flatten", "logits", "y"),
    ]
    constants = {
        "k": _normal(2, 1, 3, 3),
        "b": _normal(2),
        "p": _normal(3, 2, 4, 4),
        "q": _normal(3),
    }
    return _model(nodes, constants, (1, 6, 6), opset=20)


def _sklearn_linear():
    """A pipeline of a scaler and a logistic regression, with the nodes that make its labels."""
    nodes = [
        _node("Scaler", "x", "scaled", domain="ai.onnx.ml", offset=[1.0, 2.0, 3.0, 0.0],
              scale=[0.5, 1.0, 0.25, 1.0]),
        _node("LinearClassifier", "scaled", "label y", domain="ai.onnx.ml",
              classlabels_ints=[0, 1, 2], coefficients=_normal(12).tolist(),
              intercepts=_normal(3).tolist(), multi_class=1, post_transform="NONE"),
    ]  # fmt: skip
    return _model(nodes, {}, (4,), ("label:int", "y"), opset=15, ml=True)


def _sklearn_mlp():
    """A multi-layer perceptron with labels made by ArgMax and looked up among the classes."""
    nodes = [
        _node("Cast", "x", "f", to=TensorProto.FLOAT),
        _node("MatMul", "f w", "m"),
        _node("Add", "m b", "h"),
        _node("Mul", "h h", "a"),
        _node("MatMul", "a v", "m2"),
        _node("Add", "m2 c", "s"),
        _node("Softmax", "s", "y", axis=-1),
        _node("ArgMax", "y", "best", axis=1),
        _node("ArrayFeatureExtractor", "classes best", "label", domain="ai.onnx.ml"),
        _node("Cast", "label", "label64", to=TensorProto.INT64),
    ]
    constants = {
        "w": _normal(4, 5), "b": _normal(1, 5), "v": _normal(5, 3), "c": _normal(3),
        "classes": _ints(0, 1, 2),
    }  # fmt: skip
    return _model(nodes, constants, (4,), ("label64:int", "y"), opset=15, ml=True)


_MODELS = {
    "pytorch 13": _torch(13),
    "pytorch 17": _torch(17),
    "keras nhwc": _keras(),
    "keras one channel": _keras_one_channel(),
    "keras pooled": _keras_pooled(),
    "keras flat scales": _keras_flat_scales(),
    "batch norm everywhere": _batch_norm_everywhere(),
    "constants as nodes": _weights_as_constant_nodes(),
    "fully convolutional": _fully_convolutional(),
    "convolution last": _convolution_as_the_last_layer(),
    "scikit-learn linear": _sklearn_linear(),
    "scikit-learn mlp": _sklearn_mlp(),
}
_CHANNELS_LAST = tuple(key for key in _MODELS if key.startswith("keras"))


def _compare(data: bytes, network, channels_last: bool, n_classes: int = 3) -> None:
    """The imported float network against onnxruntime."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(1).integers(0, 4, (8, *network.input_shape))
    given = images.transpose(0, 2, 3, 1) if channels_last else images
    shape = session.get_inputs()[0].shape[1:]
    given = given.reshape(8, *shape).astype(np.float32)
    expected = session.run(["y"], {"x": given})[0].reshape(8, n_classes)
    logits = network.forward(images)
    if b"Softmax" in data:
        power = np.exp(logits - logits.max(axis=1, keepdims=True))
        logits = power / power.sum(axis=1, keepdims=True)
    assert np.allclose(expected, logits, rtol=1e-4, atol=1e-4)
    assert (expected.argmax(axis=1) == network.predict(images)).all()


@pytest.mark.parametrize("key", list(_MODELS))
def test_exported_graphs_import_unchanged(key):
    model = _MODELS[key]
    data = model.SerializeToString()
    network = import_onnx(data)
    _compare(data, network, key in _CHANNELS_LAST)
    assert isinstance(network.layers[-1], FloatDense)
    integer = quantize(network, 4, input_bits=2)
    images = np.random.default_rng(2).integers(0, 4, (5, *network.input_shape))
    session = onnxruntime.InferenceSession(export_onnx(integer), providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"image": images.astype(np.float64)})[0]
    assert (logits.argmax(axis=1) == integer.predict(images)).all()


@pytest.mark.parametrize(
    ("seen", "read"), [((8, 6, 3), (3, 8, 6)), ((2, 2, 3), (2, 2, 3)), ((3, 6, 4), (3, 6, 4))]
)
def test_images_that_are_only_flattened(seen, read):
    """Without a transposition only the shape tells whether channels come last."""
    nodes = [_node("Flatten", "x", "f"), _node("MatMul", "f w", "y")]
    size = int(np.prod(seen))
    data = _model(nodes, {"w": _normal(size, 3)}, seen).SerializeToString()
    network = import_onnx(data)
    assert network.input_shape == read
    _compare(data, network, channels_last=read != seen)


def test_channels_come_first_for_whoever_gives_images():
    assert import_onnx(_MODELS["keras nhwc"].SerializeToString()).input_shape == (3, 5, 6)
    assert import_onnx(_MODELS["keras one channel"].SerializeToString()).input_shape == (1, 5, 6)
    assert import_onnx(_MODELS["constants as nodes"].SerializeToString()).input_shape == (1, 4, 5)


# --- weights in a file of their own ---------------------------------------------------------------


def _external(tmp_path, **changes):
    """The PyTorch model with its weights in weights.data, and what is said about one changed."""
    model = onnx.ModelProto()
    model.CopyFrom(_MODELS["pytorch 17"])
    onnx.save_model(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="weights.data",
        size_threshold=0,
    )  # fmt: skip
    saved = onnx.load(tmp_path / "m.onnx", load_external_data=False)
    for entry in saved.graph.initializer[0].external_data:
        entry.value = changes.pop(entry.key, entry.value)
    assert not changes
    (tmp_path / "m.onnx").write_bytes(saved.SerializeToString())
    return tmp_path / "m.onnx"


def test_weights_in_a_file_beside_the_model(tmp_path):
    network = read_onnx(_external(tmp_path))
    whole = import_onnx(_MODELS["pytorch 17"].SerializeToString())
    images = np.random.default_rng(3).integers(0, 4, (3, 1, 6, 6))
    assert (network.forward(images) == whole.forward(images)).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"location": "../secret"}, "no file beside the model"),
        ({"location": "/etc/passwd"}, "no file beside the model"),
        ({"location": ""}, "no file beside the model"),
        ({"location": "."}, "no file beside the model"),
        ({"location": "link"}, "no file beside the model"),
        ({"location": "missing.data"}, "no file beside the model; put it there"),
        ({"location": "a\0b"}, "no file beside the model"),
        ({"offset": "-8"}, "does not hold its"),
        ({"offset": "1000000"}, "does not hold its"),
        ({"offset": "9" * 30}, "malformed"),
        ({"offset": "x"}, "malformed"),
        ({"length": "3"}, "does not hold its"),
    ],
)
def test_external_data_stays_beside_the_model(tmp_path, changes, message):
    (tmp_path / "secret").write_bytes(bytes(10_000))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "link").symlink_to(tmp_path / "secret")
    path = _external(tmp_path / "model", **changes)
    with pytest.raises(DecodeError, match=message) as caught:
        read_onnx(path)
    assert "\n" not in str(caught.value)


def test_external_data_needs_a_directory(tmp_path):
    with pytest.raises(DecodeError, match="outside the file; give the model as a file"):
        import_onnx(_external(tmp_path).read_bytes())


# --- refused, with every reason -------------------------------------------------------------------


def test_a_network_with_relu_and_max_pooling_is_refused_with_all_reasons():
    nodes = [
        _node("Conv", "x k b", "c", name="/features/0/Conv"),
        _node("Relu", "c", "r", name="/features/1/Relu"),
        _node("MaxPool", "r", "p", name="/features/2/MaxPool", kernel_shape=[2, 2], strides=[2, 2]),
        _node("Conv", "p k2", "c2", name="/features/3/Conv", pads=[1, 1, 1, 1]),
        _node("Add", "c2 p", "res", name="/Add"),
        _node("GlobalAveragePool", "res", "g"),
        _node("Flatten", "g", "f"),
        _node("Gemm", "f w", "y", name="/fc/Gemm"),
    ]
    constants = {"k": _normal(4, 1, 3, 3), "b": _normal(4), "k2": _normal(4, 4, 3, 3)}
    constants |= {"w": _normal(4, 3)}
    with pytest.raises(ZkcmpError) as caught:
        import_onnx(_model(nodes, constants, (1, 8, 8)).SerializeToString())
    problems = str(caught.value).split(" -- ")[0].split("; '")
    assert [p.split("'")[1 if p.startswith("unsupported") else 0] for p in problems] == [
        "/features/1/Relu", "/features/2/MaxPool", "/Add",
    ]  # fmt: skip
    assert str(caught.value).count("see experiments/train_mnist.py") == 2


@pytest.mark.parametrize(
    ("nodes", "constants", "reason"),
    [
        ([_node("Sub", "x m", "a"), _node("Mul", "a a", "s"), _node("Flatten", "s", "f"),
          _node("MatMul", "f w", "y")],
         {"m": np.float32([[1.5]]), "w": _normal(36, 3)}, "squares a value that a constant was"),
        ([_node("Sub", "x m", "a"), _node("Conv", "a k", "c", pads=[1, 1, 1, 1]),
          _node("Flatten", "c", "f"), _node("MatMul", "f w", "y")],
         {"m": np.float32(1.5), "k": _normal(1, 1, 3, 3), "w": _normal(36, 3)}, "pads an image"),
        ([_node("Mul", "x m", "a"), _node("Conv", "a k", "c"), _node("Flatten", "c", "f"),
          _node("MatMul", "f w", "y")],
         {"m": _normal(6, 6), "k": _normal(1, 1, 3, 3), "w": _normal(16, 3)}, "varies over it"),
        ([_node("Conv", "x k", "c"), _node("Mul", "c c", "s"), _node("Flatten", "s", "y")],
         {"k": _normal(1, 1, 3, 3)}, "must end with a dense layer"),
        ([_node("Transpose", "x", "t", perm=[0, 1, 3, 2]), _node("Conv", "t k", "c"),
          _node("Flatten", "c", "f"), _node("MatMul", "f w", "y")],
         {"k": _normal(1, 1, 3, 3), "w": _normal(16, 3)}, "that was transposed"),
        ([_node("Flatten", "x", "f"), _node("MatMul", "f w", "l"),
          _node("ArgMax", "l", "i", axis=1), _node("Gather", "classes i", "y")],
         {"w": _normal(36, 3), "classes": _ints(1, 2, 3)}, "labels are not 0, 1, 2"),
    ],
    ids=["square of a shift", "padded shift", "pixelwise", "square last", "transposed", "labels"],
)  # fmt: skip
def test_what_folding_cannot_do_is_said(nodes, constants, reason):
    with pytest.raises(ZkcmpError, match=reason):
        import_onnx(_model(nodes, constants, (1, 6, 6)).SerializeToString())


def test_a_mean_image_goes_into_a_dense_layer():
    nodes = [_node("Sub", "x m", "a"), _node("Flatten", "a", "f"), _node("Gemm", "f w", "y")]
    model = _model(nodes, {"m": _normal(1, 5, 4), "w": _normal(20, 3)}, (1, 5, 4))
    data = model.SerializeToString()
    _compare(data, import_onnx(data), channels_last=False)


@pytest.mark.parametrize(
    ("shape", "nodes"),
    [
        ((60000, 60000, 4), [_node("Flatten", "x", "f"), _node("MatMul", "f w", "y")]),
        (
            (1, 60000, 3),
            [
                _node("Conv", "x k", "c", dilations=[60000, 1], pads=[60000, 0, 60000, 0]),
                _node("Flatten", "c", "f"),
                _node("MatMul", "f w", "y"),
            ],
        ),
    ],
)
def test_shapes_are_bounded_before_anything_is_made(shape, nodes):
    constants = {"w": _normal(4, 3), "k": np.ones((400, 1, 2, 1), np.float32)}
    tracemalloc.start()
    try:
        with pytest.raises(ZkcmpError, match="holds more than"):
            import_onnx(_model(nodes, constants, shape).SerializeToString())
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


def test_constants_made_of_constants_are_bounded():
    nodes = [
        _constant("row", np.zeros((1, 1 << 13), np.float32)),
        _constant("column", np.zeros((1 << 13, 1), np.float32)),
        _node("Add", "row column", "c", name="large"),
        _node("Flatten", "x", "y"),
    ]
    with pytest.raises(ZkcmpError, match="'large' Add: of constants: malformed"):
        import_onnx(_model(nodes, {}, (1, 6, 6)).SerializeToString())


def test_many_constants_made_of_constants_are_bounded(monkeypatch):
    monkeypatch.setattr("zkcmp.model.onnx.graph._MAX_FOLDED", 1000)
    nodes = [_constant("c0", np.zeros((20, 20), np.float32))]
    nodes += [_node("Transpose", f"c{i}", f"c{i + 1}", perm=[1, 0]) for i in range(3)]
    nodes += [_node("Flatten", "x", "y")]
    with pytest.raises(DecodeError, match="computes more than 1000 constants"):
        import_onnx(_model(nodes, {}, (1, 6, 6)).SerializeToString())


# --- changed graphs -------------------------------------------------------------------------------


def _changed(model: onnx.ModelProto, data: st.DataObject) -> bytes:
    """The model with a few fields of its nodes, tensors or input replaced."""
    changed = onnx.ModelProto.FromString(model.SerializeToString())
    graph, pick = changed.graph, lambda items: data.draw(st.sampled_from(list(items)))
    names = [t.name for t in graph.initializer] + [o for n in graph.node for o in n.output]
    for _ in range(data.draw(st.integers(1, 3))):
        node = pick(graph.node)
        what = data.draw(st.sampled_from(["attribute", "type", "operator", "input", "less", "dim"]))
        if what == "attribute" and node.attribute:
            attribute = pick(node.attribute)
            attribute.i = pick([-1, 0, 2, 1 << 40])
            attribute.f = pick([0.0, -1.0, 1e38, float("nan")])
            attribute.ints[:] = pick([[], [0], [2, 2], [-1, 1 << 62], [1, 2, 3, 4]])
        elif what == "type" and node.attribute:
            pick(node.attribute).type = pick(range(1, 9))
        elif what == "operator":
            node.op_type = pick([n.op_type for n in graph.node] + ["Gather", "Slice", "Shape"])
        elif what == "input" and node.input:
            node.input[pick(range(len(node.input)))] = pick([*names, "x", ""])
        elif what == "less" and node.input:
            del node.input[pick(range(len(node.input))) :]
        elif what == "dim":
            dims = graph.input[0].type.tensor_type.shape.dim
            pick(dims).dim_value = pick([0, 1, 2, 3, 70000, 1 << 40])
    return changed.SerializeToString()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_graphs_are_read_or_refused_in_one_line(data):
    changed = _changed(_MODELS[data.draw(st.sampled_from(list(_MODELS)))], data)
    try:
        quantize(import_onnx(changed), 4, input_bits=2)
    except ZkcmpError as error:
        assert "\n" not in str(error)  # noqa: PT017
