"""Reading the graph of an ONNX model into the layers of a float network.

A supported graph is a chain: every node reads the output of the one before it, and constants.

    Conv, Gemm, MatMul, Add (a bias)         -> conv or dense
    Mul(x, x), Pow(x, 2)                     -> square
    Flatten, Reshape to (N, all)             -> flatten
    Identity, Dropout, Cast between floats   -> nothing
    Softmax, LogSoftmax at the end           -> nothing: they do not change the arg max

Files are not trusted: sizes are checked before arrays are made, tensors outside the file refused.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model.float_network import FloatArray, FloatConv, FloatDense, FloatLayer
from zkcmp.model.layers import MAX_DIM, MAX_VOLUME, Flatten, Shape, Square

MAX_FILE_BYTES = 1 << 28
MAX_NODES = 4096
_MIN_OPSET = 7  # from here on the operators below mean what they mean today
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
_SUPPORTED = (
    "Conv, Gemm, MatMul, Add of a bias, Mul(x, x), Pow(x, 2), Flatten, Reshape to (N, -1), "
    "Identity, Dropout, and Softmax at the end"
)
_CONSTANTS = (*_FLOATS, TensorProto.INT64, TensorProto.INT32)


class _Unsupported(Exception):
    """Why a node cannot be imported; empty when its operator is not known at all."""


def parse_model(data: bytes) -> onnx.ModelProto:
    """The protobuf message; raises DecodeError when the bytes are not one of acceptable size."""
    if len(data) > MAX_FILE_BYTES:
        raise DecodeError(f"the ONNX file is larger than {MAX_FILE_BYTES} bytes")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except ProtobufError:
        raise DecodeError("not an ONNX file") from None
    if not model.HasField("graph") or not model.graph.node:
        raise DecodeError("not an ONNX file: it holds no graph")
    if len(model.graph.node) > MAX_NODES:
        raise DecodeError(f"the ONNX graph has more than {MAX_NODES} nodes")
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] < _MIN_OPSET:
        raise DecodeError(f"the ONNX file must use one standard opset, {_MIN_OPSET} or later")
    if len(model.functions) or len(model.graph.sparse_initializer):
        raise DecodeError("ONNX functions and sparse tensors are not supported; inline them")
    if not all(isinstance(text, str) for text in _texts(model)):  # bytes when not UTF-8
        raise DecodeError("the ONNX file has a name that is not text")
    return model


def _texts(model: onnx.ModelProto) -> Iterator[object]:
    """Every name in the file that this module reads."""
    graph = model.graph
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    for named in (*graph.input, *graph.output, *graph.initializer):
        yield named.name
    for node in graph.node:
        yield from (node.op_type, node.name, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.t.name)


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    """The model's metadata entries; raises DecodeError when a key occurs twice."""
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if len(entries) != len(model.metadata_props):
        raise DecodeError("the ONNX file has a metadata key twice")
    return entries


def read_tensor(tensor: onnx.TensorProto) -> np.ndarray:
    """A stored tensor; raises DecodeError when it is outside the file, too large or malformed."""
    name = _quote(tensor.name)
    if tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data):
        raise DecodeError(f"tensor {name} is stored outside the file; save the model in one file")
    if any(d < 0 or d > MAX_VOLUME for d in tensor.dims) or prod(tensor.dims) > MAX_VOLUME:
        raise DecodeError(f"tensor {name} holds more than {MAX_VOLUME} values")
    if tensor.data_type not in _CONSTANTS:
        raise DecodeError(f"tensor {name} is neither float nor integer")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError) as error:
        raise DecodeError(f"tensor {name} is malformed: {error}") from None


class OnnxGraph:
    """The layers of a graph: `input_shape` (C, H, W) and `layers`.

    Raises ZkcmpError that lists every unsupported node with its reason.
    """

    def __init__(self, graph: onnx.GraphProto):
        self.layers: tuple[FloatLayer, ...] = ()
        self._layers: list[FloatLayer] = []
        self._constants = {t.name: read_tensor(t) for t in graph.initializer}
        self._softmax = False
        self._value, shape = self._find_input(graph)
        self._shape: Shape | None = shape
        self.input_shape = self._image_shape(shape)
        problems = []
        for index, node in enumerate(graph.node):
            try:
                self._read(node)
            except _Unsupported as reason:
                detail = f": {reason}" if str(reason) else ""
                problems.append(f"{_node_name(index, node)} {_operator(node)}{detail}")
                self._shape = None
                self._value = node.output[0] if node.output else ""
        if problems:
            raise ZkcmpError(
                f"unsupported ONNX nodes: {'; '.join(problems)} -- supported are {_SUPPORTED}"
            )
        if [o.name for o in graph.output] != [self._value]:
            raise ZkcmpError("the ONNX graph must have one output, that of its last node")
        self.layers = tuple(self._layers)

    def _find_input(self, graph: onnx.GraphProto) -> tuple[str, Shape]:
        inputs = [entry for entry in graph.input if entry.name not in self._constants]
        if len(inputs) != 1:
            raise ZkcmpError(f"the ONNX graph must have one input, it has {len(inputs)}")
        dims = inputs[0].type.tensor_type.shape.dim
        shape = tuple(d.dim_value for d in dims)[1:]
        if len(shape) not in (1, 2, 3) or not all(1 <= d <= MAX_DIM for d in shape):
            raise ZkcmpError("the ONNX input must have a fixed shape (N, C, H, W) or (N, features)")
        return inputs[0].name, shape

    def _image_shape(self, shape: Shape) -> tuple[int, int, int]:
        if len(shape) == 1:
            self._layers.append(Flatten())
        padded = (1,) * (3 - len(shape)) + shape
        return (padded[0], padded[1], padded[2])

    def _read(self, node: onnx.NodeProto) -> None:
        attributes = self._attributes(node)
        if not node.output:
            raise _Unsupported("has no output")
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            self._constants[node.output[0]] = _constant(attributes)
            return
        inputs = [name for name in node.input if name]
        if node.op_type == "Identity" and inputs and inputs[0] in self._constants:
            self._constants[node.output[0]] = self._constants[inputs[0]]
            return
        handler = _HANDLERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if handler is None:
            raise _Unsupported
        if self._softmax:
            raise _Unsupported("comes after the softmax")
        data = [name for name in inputs if name not in self._constants]
        for name in data:
            if name != self._value:
                raise _Unsupported(f"reads {_quote(name)}, not the output of the node before it")
        if not data or inputs[0] not in (self._value, *self._constants):
            raise _Unsupported("does not read the output of the node before it")
        handler(self, node, attributes)
        self._value = node.output[0]

    def _attributes(self, node: onnx.NodeProto) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                values[attribute.name] = read_tensor(attribute.t)
            elif attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                values[attribute.name] = None
            else:
                try:
                    values[attribute.name] = helper.get_attribute_value(attribute)
                except (ValueError, TypeError):
                    raise _Unsupported(f"attribute {_quote(attribute.name)}") from None
        return values

    def _constant_input(self, node: onnx.NodeProto, index: int, what: str) -> np.ndarray:
        name = node.input[index] if index < len(node.input) else ""
        if name not in self._constants:
            raise _Unsupported(f"its {what} is not a constant")
        return self._constants[name]

    def _append(self, layer: FloatLayer, bits_shape: Shape | None) -> None:
        self._layers.append(layer)
        self._shape = bits_shape

    def conv(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        weight = _floats(self._constant_input(node, 1, "weight"))
        if weight.ndim != 4:
            raise _Unsupported("only two-dimensional convolutions")
        _only(attributes, "kernel_shape strides pads dilations group auto_pad")
        kernel = weight.shape[2:]
        if _ints(attributes, "kernel_shape", kernel) != kernel:
            raise _Unsupported("kernel_shape differs from the weight")
        if attributes.get("group", 1) != 1:
            raise _Unsupported(f"group {attributes['group']}, only 1")
        dilations = _ints(attributes, "dilations", (1, 1))
        if any(d != 1 for d in dilations):
            raise _Unsupported(f"dilations {list(dilations)}, only 1")
        stride = _ints(attributes, "strides", (1, 1))
        pads = self._padding(attributes, kernel, stride)
        bias = np.zeros(len(weight))
        if len(node.input) > 2 and node.input[2]:
            bias = _floats(self._constant_input(node, 2, "bias"))
        if bias.shape != weight.shape[:1] or len(stride) != 2 or len(pads) != 4:
            raise _Unsupported("shapes of bias, strides or pads")
        layer = FloatConv(weight, bias, (stride[0], stride[1]), pads)
        try:
            integer = layer.integer_layer(8, 8)
            shape = None if self._shape is None else integer.output_shape(self._shape)
        except ZkcmpError as error:
            raise _Unsupported(str(error)) from None
        self._append(layer, shape)

    def _padding(
        self, attributes: dict[str, Any], kernel: Shape, stride: Shape
    ) -> tuple[int, int, int, int]:
        mode = attributes.get("auto_pad", b"NOTSET")
        if mode in (b"NOTSET", b""):
            pads = _ints(attributes, "pads", (0, 0, 0, 0))
            if len(pads) != 4:
                raise _Unsupported("pads must be four numbers")
            return (pads[0], pads[1], pads[2], pads[3])
        if mode == b"VALID":
            return (0, 0, 0, 0)
        if mode not in (b"SAME_UPPER", b"SAME_LOWER") or len(stride) != 2 or min(stride) < 1:
            raise _Unsupported("auto_pad")
        if self._shape is None or len(self._shape) != 3:
            return (0, 0, 0, 0)  # another node was refused already
        totals = [
            max(0, (-(-size // s) - 1) * s + k - size)
            for size, k, s in zip(self._shape[1:], kernel, stride, strict=True)
        ]
        small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
        first, last = (small, large) if mode == b"SAME_UPPER" else (large, small)
        return (first[0], first[1], last[0], last[1])

    def gemm(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        _only(attributes, "alpha beta transA transB")
        if attributes.get("transA", 0) or node.input[0] in self._constants:
            raise _Unsupported("transA: only data (N, features) times a constant")
        weight = _floats(self._constant_input(node, 1, "weight"))
        weight = weight if attributes.get("transB", 0) else weight.T
        bias = np.zeros(1)
        if len(node.input) > 2 and node.input[2]:
            bias = _floats(self._constant_input(node, 2, "bias"))
        alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
        if not isinstance(alpha, float) or not isinstance(beta, float):
            raise _Unsupported("alpha and beta must be floats")
        self._dense(_floats(weight * alpha), _floats(bias * beta))

    def matmul(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        if node.input[0] in self._constants:
            raise _Unsupported("only data (N, features) times a constant")
        self._dense(_floats(self._constant_input(node, 1, "weight")).T, np.zeros(1))

    def _dense(self, weight: FloatArray, bias: FloatArray) -> None:
        if weight.ndim != 2 or weight.size == 0:
            raise _Unsupported("the weight must be a matrix")
        if bias.size not in (1, len(weight)) or bias.ndim > 2 or bias.shape[:-1] not in ((), (1,)):
            raise _Unsupported(f"bias of shape {bias.shape}")
        if self._shape is not None and self._shape != (weight.shape[1],):
            raise _Unsupported(f"{weight.shape[1]} features, but its input has shape {self._shape}")
        bias = np.broadcast_to(bias.reshape(-1), (len(weight),)).copy()
        self._append(FloatDense(np.ascontiguousarray(weight), bias), (len(weight),))

    def add(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        constants = [self._constants[n] for n in node.input if n in self._constants]
        last = self._layers[-1] if self._layers else None
        if len(constants) != 1:
            raise _Unsupported("only a constant can be added, as a bias")
        if self._shape is None:
            return  # another node was refused already
        if not isinstance(last, FloatConv | FloatDense):
            raise _Unsupported("a bias must follow Conv, Gemm or MatMul")
        bias = _floats(constants[0])
        channels, trailing = len(last.bias), len(self._shape) - 1
        shape = (1,) * (len(self._shape) + 1 - bias.ndim) + bias.shape
        if len(shape) != len(self._shape) + 1 or (
            shape[0] != 1 or shape[1] not in (1, channels) or shape[2:] != (1,) * trailing
        ):
            raise _Unsupported(f"a bias of shape {bias.shape} is not one value a channel")
        total = last.bias + bias.reshape(-1)
        if isinstance(last, FloatConv):
            self._layers[-1] = FloatConv(last.weight, total, last.stride, last.padding)
        else:
            self._layers[-1] = FloatDense(last.weight, total)

    def mul(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        if list(node.input) != [self._value, self._value]:
            raise _Unsupported("only a value times itself")
        self._append(Square(), self._shape)

    def power(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        exponent = self._constant_input(node, 1, "exponent")
        if exponent.size != 1 or float(exponent.reshape(-1)[0]) != 2.0:
            raise _Unsupported("only the exponent 2")
        self._append(Square(), self._shape)

    def flatten(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        _only(attributes, "axis")
        if attributes.get("axis", 1) != 1:
            raise _Unsupported(f"axis {attributes['axis']}, only 1")
        self._flatten()

    def reshape(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        _only(attributes, "allowzero")
        target = [int(d) for d in self._constant_input(node, 1, "shape").reshape(-1)]
        size = -1 if self._shape is None else prod(self._shape)
        if len(target) != 2 or target[1] not in (-1, size) or attributes.get("allowzero", 0):
            raise _Unsupported(f"to {target}, only (N, all features)")
        if target[1] == -1 and target[0] == -1:
            raise _Unsupported(f"to {target}")
        self._flatten()

    def _flatten(self) -> None:
        if self._shape is None:
            return
        if len(self._shape) == 2:  # an image given as (N, H, W) is one channel
            self._shape = (1, *self._shape)
        if len(self._shape) == 3:
            self._append(Flatten(), (prod(self._shape),))

    def cast(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        if attributes.get("to") not in _FLOATS:
            raise _Unsupported("only to a float type")

    def nothing(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        """Identity and Dropout do nothing when a network is used."""

    def softmax(self, node: onnx.NodeProto, attributes: dict[str, Any]) -> None:
        if attributes.get("axis", -1) not in (-1, 1):
            raise _Unsupported("only over the classes")
        self._softmax = True


_HANDLERS: dict[str, Callable[[OnnxGraph, onnx.NodeProto, dict[str, Any]], None]] = {
    "Conv": OnnxGraph.conv,
    "Gemm": OnnxGraph.gemm,
    "MatMul": OnnxGraph.matmul,
    "Add": OnnxGraph.add,
    "Mul": OnnxGraph.mul,
    "Pow": OnnxGraph.power,
    "Flatten": OnnxGraph.flatten,
    "Reshape": OnnxGraph.reshape,
    "Cast": OnnxGraph.cast,
    "Identity": OnnxGraph.nothing,
    "Dropout": OnnxGraph.nothing,
    "Softmax": OnnxGraph.softmax,
    "LogSoftmax": OnnxGraph.softmax,
}


def _constant(attributes: dict[str, Any]) -> np.ndarray:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if attributes.get(name) is not None:
            return np.asarray(attributes[name])
    raise _Unsupported("only number constants")


def _floats(array: np.ndarray) -> FloatArray:
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise _Unsupported("a weight is not a finite float")
    return array.astype(np.float64)


def _ints(attributes: dict[str, Any], name: str, default: Shape) -> Shape:
    values = attributes.get(name, default)
    if not isinstance(values, list | tuple) or not all(isinstance(v, int) for v in values):
        raise _Unsupported(f"{name} must be integers")
    return tuple(values)


def _only(attributes: dict[str, Any], known: str) -> None:
    unknown = sorted(set(attributes) - set(known.split()))
    if unknown:
        raise _Unsupported(f"attributes {', '.join(map(_quote, unknown))}")


def _quote(text: str) -> str:
    """A name from the file, safe to print on one line."""
    return repr(text[:60])


def _node_name(index: int, node: onnx.NodeProto) -> str:
    return _quote(node.name) if node.name else f"node {index}"


def _operator(node: onnx.NodeProto) -> str:
    plain = node.op_type.isidentifier() and len(node.op_type) <= 60
    return node.op_type if plain else _quote(node.op_type)
