"""What single operators of an ONNX file may and may not be, and what is computed of constants."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from test_onnx_import import _model, _node

from zkcmp.errors import ZkcmpError
from zkcmp.model.layers import MAX_VOLUME
from zkcmp.model.onnx import import_onnx

RANDOM = np.random.default_rng(6)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(0, 1, shape).astype(np.float32)


ONE, TWO, THREE = (np.ones(n, np.float32) for n in (1, 2, 3))
SHAPES = {
    "half": np.array([0.5]),
    "norows": np.array([1, 0]),
    "fiveaxes": np.array([0, 1, 6, 5, 0]),
    "many": np.arange(9),
    "twoblanks": np.array([0, -1, -1]),
}


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (_node("Unsqueeze", "x", "y", axes=3), "axes must be integers"),
        (_node("Unsqueeze", "x", "y", axes="ab"), "axes must be integers"),
        (_node("Unsqueeze", "x", "y"), "one to four"),
        (_node("Unsqueeze", "x many", "y"), "one to four"),
        (_node("Unsqueeze", "x", "y", axes=[1, 1]), "only those after the first"),
        (_node("Squeeze", "x", "y", axes=[0]), "only those after the first"),
        (_node("Cast", "x", "y", to=[1, 2]), "only to a float"),
        (_node("Softmax", "x", "y", axis=[1]), "axis must be an integer"),
        (_node("Normalizer", "x", "y", norm="MAX"), "only norm L1 or L2"),
        (_node("Normalizer", "x", "y", norm=2), "only norm L1 or L2"),
        (_node("Reshape", "x half", "y"), "a few integers"),
        (_node("Reshape", "x many", "y"), "a few integers"),
        (_node("Reshape", "x norows", "y", allowzero=1), r"to \[1, 0\]"),
        (_node("Reshape", "x fiveaxes", "y"), "from 4 axes"),
        (_node("Reshape", "x twoblanks", "y"), r"only to \(N, …\)"),
        (_node("Conv", "x w", "y", auto_pad="SAME"), "auto_pad"),
        (_node("Conv", "x c", "y"), "only two-dimensional convolutions"),
        (_node("Conv", "x w two", "y"), "shapes of bias"),
        (_node("AveragePool", "x", "y", kernel_shape=[2]), "two-dimensional windows"),
        (_node("AveragePool", "x", "y", kernel_shape=[2, 2], dilations=[2, 1]), "without dilation"),
        (_node("AveragePool", "x", "y", kernel_shape=[2, 2], auto_pad=3), "auto_pad"),
        (_node("Scaler", "x", "y", offset=[1.0, 2.0], scale=[1.0, 2.0, 3.0]), "2 offsets for 3"),
        (_node("Scaler", "x", "y", offset=[1, 2]), "offset must be floats"),
        (_node("BatchNormalization", "x one two one one", "y"), "of one size"),
        (_node("BatchNormalization", "x one one one one", "y", epsilon=3), "not positive"),
        (_node("Gemm", "x w", "y"), "the weight must be a matrix"),
        (_node("Gemm", "x v two", "y"), r"bias of shape \(2,\)"),
        (
            _node("LinearClassifier", "x", "y s", coefficients=[1.0] * 5, intercepts=[0.0, 0.0]),
            "as",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else value.op_type,
)
def test_refused_with_a_reason(node: Any, reason: str) -> None:
    constants = SHAPES | {
        "one": ONE,
        "two": TWO,
        "c": THREE,
        "w": normal(1, 1, 2, 2),
        "v": normal(30, 3),
    }
    if node.op_type == "LinearClassifier":
        node.output[:] = ["y", "s"]
    with pytest.raises(ZkcmpError, match=f"unsupported ONNX nodes: .*{reason}") as caught:
        import_onnx(_model([node], constants))
    assert "\n" not in str(caught.value)


CLASSIFIER = {"coefficients": [0.5] * 12, "intercepts": [0.0, 1.0, 2.0]}


def classifier(**attributes: Any) -> Any:
    return helper.make_node("LinearClassifier", ["x"], ["l", "y"], **CLASSIFIER, **attributes)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"classlabels_ints": [1, 2, 3]}, r"its classes must be 0, 1, 2"),
        ({"classlabels_ints": [0, 1]}, r"its classes must be 0, 1, 2"),
        ({"classlabels_ints": [0, 1, 2], "post_transform": "PROBIT"}, "post_transform"),
    ],
)
def test_classes_are_numbered_from_0_on(attributes: dict[str, Any], reason: str) -> None:
    """Else the label that is proved would be another one than the file's."""
    import_onnx(_model([classifier(classlabels_ints=[0, 1, 2])], shape=(4,)))
    with pytest.raises(ZkcmpError, match=reason):
        import_onnx(_model([classifier(**attributes)], shape=(4,)))


@pytest.mark.parametrize(
    "labels",
    [{"classlabels_int64s": [1, 2, 3]}, {"classlabels_int64s": 3}, {"classlabels_strings": ["a"]}],
    ids=["from 1", "no list", "words"],
)
def test_a_map_of_other_labels_is_refused(labels: dict[str, Any]) -> None:
    scores = classifier(classlabels_ints=[0, 1, 2])

    def with_map(**attributes: Any) -> bytes:
        mapped = helper.make_node("ZipMap", ["y"], ["m"], domain="ai.onnx.ml", **attributes)
        return _model([scores, mapped], shape=(4,))

    import_onnx(with_map(classlabels_int64s=[0, 1, 2]))
    with pytest.raises(ZkcmpError, match="number the classes so"):
        import_onnx(with_map(**labels))


@pytest.mark.parametrize(
    "attributes", [{"axis": 2}, {"axis": "1"}, {"axis": 1, "select_last_index": 1}]
)
def test_labels_of_other_ties_or_axes_are_refused(attributes: dict[str, Any]) -> None:
    def with_label(**attributes: Any) -> bytes:
        return _model(
            [_node("MatMul", "x w", "y"), _node("ArgMax", "y", "label", **attributes)],
            {"w": normal(4, 3)},
            (4,),
        )

    import_onnx(with_label(axis=1, keepdims=0))
    with pytest.raises(ZkcmpError, match="only the first largest class"):
        import_onnx(with_label(**attributes))


FOLDED = {
    "divided": [_node("Div", "a b", "w")],
    "divided integers": [
        _node("Div", "seven three", "q"),
        _node("Cast", "q", "f", to=TensorProto.FLOAT),
        _node("Mul", "a f", "w"),
    ],
    "less": [_node("Sub", "a b", "w")],
    "negative, root": [
        _node("Mul", "a a", "s"),
        _node("Sqrt", "s", "r"),
        _node("Neg", "r", "w"),
    ],
    "reciprocal": [_node("Reciprocal", "b", "w")],
    "squeezed": [_node("Unsqueeze", "a first", "u"), _node("Squeeze", "u first", "w")],
    "squeezed of all": [_node("Unsqueeze", "a first", "u"), _node("Squeeze", "u", "w")],
    "gathered": [_node("Gather", "a order", "w", axis=1)],
    "sliced": [_node("Slice", "tall from until rows", "w")],
    "sliced backwards": [_node("Slice", "tall last none rows backwards", "w")],
    "joined": [_node("Concat", "half half", "w", axis=0)],
}
PARTS = {
    "a": normal(4, 3),
    "b": np.abs(normal(4, 3)) + 1,
    "seven": np.array([7]),
    "three": np.array([-3]),
    "first": np.array([0]),
    "order": np.array([2, 0, 1]),
    "tall": normal(6, 3),
    "from": np.array([1]),
    "until": np.array([5]),
    "rows": np.array([0]),
    "last": np.array([-1]),
    "none": np.array([1]),
    "backwards": np.array([-1]),
    "half": normal(2, 3),
}


def folded(nodes: list[Any], constants: dict[str, np.ndarray]) -> bytes:
    return _model([*nodes, _node("MatMul", "x w", "y")], constants, (4,))


@pytest.mark.parametrize("name", FOLDED)
def test_constants_are_computed_as_onnxruntime_does(name: str) -> None:
    data = folded(FOLDED[name], PARTS)
    images = np.random.default_rng(2).integers(0, 8, (5, 4))
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": images.astype(np.float32)})[0]
    network = import_onnx(data)
    assert np.allclose(network.forward(images.reshape(5, *network.input_shape)), expected, 1e-4)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([_node("Gather", "a i", "w")], {"a": np.zeros((1, 1 << 13)), "i": np.zeros(1 << 13, int)}),
        ([_node("Add", "a i", "w")], {"a": np.zeros((1 << 13, 1)), "i": np.zeros((1, 1 << 13))}),
        ([_node("Concat", "a " * 17, "w", axis=0)], {"a": np.zeros(MAX_VOLUME // 16, np.int32)}),
        ([_node("Gather", "a i", "w", axis=5)], {"a": np.zeros(4), "i": np.zeros(1, int)}),
        ([_node("Gather", "a i", "w")], {"a": np.zeros(4), "i": np.array([4])}),
        ([_node("Unsqueeze", "a", "w")], {"a": np.zeros(4)}),
        ([_node("Flatten", "a", "w", axis=4)], {"a": np.zeros(4)}),
        ([_node("Cast", "a", "w", to=TensorProto.STRING)], {"a": np.zeros(4)}),
        ([_node("Div", "a i", "w")], {"a": np.zeros(4, int), "i": np.zeros(1, int)}),
        ([_node("Concat", "a a", "w")], {"a": np.zeros(4)}),
        ([_node("Slice", "a i i i i", "w")], {"a": np.zeros(4), "i": np.zeros(1, int)}),
    ],
    ids=lambda value: value[0].op_type if isinstance(value, list) else "",
)
def test_constants_that_are_none_or_too_large_are_refused(
    nodes: list[Any], constants: dict[str, np.ndarray]
) -> None:
    """Nothing is allocated for a few bytes that stand for gigabytes."""
    with pytest.raises(ZkcmpError, match=r"of constants: (malformed|more than)"):
        import_onnx(folded(nodes, constants))


def test_operators_that_are_not_computed_are_named() -> None:
    with pytest.raises(ZkcmpError, match=r"Tanh: .*of constants"):
        import_onnx(folded([_node("Tanh", "a", "w")], PARTS))
