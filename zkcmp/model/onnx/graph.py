"""Reading the graph of an ONNX model into the layers of a float network.

A supported graph is a chain: every node reads the output of the one before it, and constants.

    Conv                                     -> conv
    Gemm, MatMul, LinearClassifier           -> dense
    Mul(x, x), Pow(x, 2)                     -> square
    AveragePool, GlobalAveragePool,
    ReduceMean, ReduceSum over the image     -> sumpool
    Flatten, Reshape, Squeeze, Unsqueeze,
    Transpose                                -> flatten, or only another order of the weights
    Add, Sub, Mul, Div with constants, Neg,
    BatchNormalization, Scaler               -> folded into weights and biases
    Identity, Dropout, Cast between floats   -> nothing
    Softmax, LogSoftmax, Normalizer, ArgMax,
    ZipMap, … at the end                     -> nothing: they do not change the arg max

What the nodes do to the values is in operators.py and float_chain.py; this file walks the graph
and collects every problem before it complains.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model.float_chain import Axes, FloatChain, UnsupportedError
from zkcmp.model.float_network import FloatLayer
from zkcmp.model.layers import MAX_DIM, MAX_VOLUME, Shape, require_shape
from zkcmp.model.onnx.constants import fold
from zkcmp.model.onnx.file import TensorReader, quote
from zkcmp.model.onnx.node import Node, UnknownError
from zkcmp.model.onnx.operators import ACTIVATIONS, HANDLERS, HINTS, LABEL_NODES, SUPPORTED

_MAX_FOLDED = 4 * MAX_VOLUME  # values that nodes make of constants, all together
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_REPORTED = 64  # problems listed in full


class OnnxGraph:
    """The layers of a graph: `input_shape` (C, H, W) and `layers`.

    directory: where tensors outside the file may lie. Raises ZkcmpError that lists every
    unsupported node with its reason, DecodeError for a tensor that cannot be read.
    """

    def __init__(self, graph: onnx.GraphProto, opset: int = 13, directory: Path | None = None):
        self._read_tensor = TensorReader(directory)
        self._opset = opset
        self._constants = {t.name: self._read_tensor(t) for t in graph.initializer}
        self._n_folded = 0
        name, shape, self._batch = _find_input(graph, self._constants)
        self._chain: FloatChain | None = FloatChain(*_placed(name, shape, graph))
        self._values = {name}  # names of the value that the chain has come to
        self._labels: set[str] = set()  # names of what is made from the logits
        self._ended = False
        self._problems: list[str] = []
        for index, proto in enumerate(graph.node):
            self._read(index, proto)
        self._check_outputs(graph)
        layers: tuple[FloatLayer, ...] = ()
        chain = self._chain
        if chain is not None and not self._problems:
            try:
                layers = chain.finish()
            except UnsupportedError as reason:
                self._problems.append(f"the graph: {reason}")
        if self._problems or chain is None:
            raise ZkcmpError(_report(self._problems))
        self.layers, self.input_shape = layers, chain.input_shape

    def _read(self, index: int, proto: onnx.NodeProto) -> None:
        where = f"{_node_name(index, proto)} {_operator(proto)}"
        try:
            with np.errstate(all="ignore"):  # what overflows is refused as not finite
                self._step(proto)
        except UnsupportedError as reason:
            detail = f": {reason}" if str(reason) else ""
            self._problems.append(where + detail)
            self._after_problem(proto)
        except UnknownError:
            self._values = {proto.output[0]}

    def _step(self, proto: onnx.NodeProto) -> None:
        attributes = self._attributes(proto)
        op = proto.op_type if proto.domain in _DOMAINS else ""
        names = [name for name in proto.input if name]
        if not proto.output or not proto.output[0]:
            raise UnsupportedError("has no output")
        if op == "Constant":
            self._constants[proto.output[0]] = _constant(attributes)
        elif op == "Shape" and names and names[0] in self._values:
            self._constants[proto.output[0]] = self._shape(attributes)
        elif names and all(name in self._constants for name in names):
            self._fold(proto, op, [self._constants[name] for name in names], attributes)
        elif self._makes_labels(op, names):
            LABEL_NODES[op](self._node(proto, attributes))
            self._labels.update(proto.output)
        else:
            self._follow(proto, op, names, attributes)

    def _shape(self, attributes: dict[str, Any]) -> np.ndarray:
        """Of the value, or a part of it; the number of images is written 0."""
        start, end = attributes.get("start", 0), attributes.get("end")
        if not isinstance(start, int) or not isinstance(end, int | None):
            raise UnsupportedError("start and end must be integers")
        return np.array([0, *self._known().seen][start:end], dtype=np.int64)

    def _makes_labels(self, op: str, names: list[str]) -> bool:
        """From the logits, or from labels: what a sale does not need."""
        if op in ("ArgMax", "ZipMap") and any(name in self._values for name in names):
            return True
        return op in LABEL_NODES and any(name in self._labels for name in names)

    def _fold(
        self, proto: onnx.NodeProto, op: str, inputs: list[np.ndarray], attributes: dict[str, Any]
    ) -> None:
        result = fold(op, inputs, attributes)
        self._n_folded += result.size
        if self._n_folded > _MAX_FOLDED:
            raise DecodeError(f"the ONNX graph computes more than {_MAX_FOLDED} constants")
        self._constants[proto.output[0]] = result

    def _follow(
        self, proto: onnx.NodeProto, op: str, names: list[str], attributes: dict[str, Any]
    ) -> None:
        handler = HANDLERS.get(op)
        if handler is None:
            raise UnsupportedError(HINTS.get(op, ""))
        data = [name for name in names if name not in self._constants]
        for name in data:
            if name not in self._values:
                raise UnsupportedError(
                    f"reads {quote(name)}, not the output of the node before it; only chains of "
                    "layers are supported, no branches"
                )
        if not data:
            raise UnsupportedError("does not read the output of the node before it")
        node = self._node(proto, attributes)
        if self._ended and not handler.in_the_end:
            raise UnsupportedError("comes after the softmax")
        if len(proto.output) <= handler.output:
            raise UnsupportedError("has no output of scores")
        same = handler.read(node)
        self._ended = self._ended or handler.ends
        self._labels.update(proto.output[: handler.output])
        self._values = (self._values if same else set()) | {proto.output[handler.output]}

    def _node(self, proto: onnx.NodeProto, attributes: dict[str, Any]) -> Node:
        return Node(
            list(proto.input), attributes, self._constants, self._chain, self._opset, self._batch
        )

    def _known(self) -> FloatChain:
        if self._chain is None:
            raise UnknownError
        return self._chain

    def _after_problem(self, proto: onnx.NodeProto) -> None:
        """Go on reading from its output, so that later nodes are judged, too."""
        data = {name for name in proto.input if name not in self._constants}
        if not data & self._values or not proto.output:
            return
        if proto.op_type in ("MaxPool", "GlobalMaxPool"):
            self._pool_instead(proto)
        elif proto.op_type not in ACTIVATIONS:  # those act on each value and keep the shape
            self._chain = None
        self._values = {proto.output[0]}

    def _pool_instead(self, proto: onnx.NodeProto) -> None:
        """A pool that averages has the same shape."""
        try:
            node = self._node(proto, self._attributes(proto))
            HANDLERS[proto.op_type.replace("Max", "Average")].read(node)
        except (UnsupportedError, UnknownError):
            self._chain = None

    def _attributes(self, node: onnx.NodeProto) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                values[attribute.name] = self._read_tensor(attribute.t)
            elif attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                values[attribute.name] = None
            else:
                try:
                    values[attribute.name] = helper.get_attribute_value(attribute)
                except (ValueError, TypeError):
                    raise UnsupportedError(f"attribute {quote(attribute.name)}") from None
        return values

    def _check_outputs(self, graph: onnx.GraphProto) -> None:
        outputs = [output.name for output in graph.output]
        ours = [name for name in outputs if name in self._values or name in self._labels]
        if not self._problems and (not ours or ours != outputs):
            self._problems.append(
                "the graph: its outputs must be the logits, the value of its last node, and labels "
                "made from them"
            )


def _find_input(
    graph: onnx.GraphProto, constants: dict[str, np.ndarray]
) -> tuple[str, Shape, int | None]:
    """Name and shape of the one input, and how many images it is fixed to, if it is."""
    inputs = [entry for entry in graph.input if entry.name not in constants]
    if len(inputs) != 1:
        raise ZkcmpError(f"the ONNX graph must have one input, it has {len(inputs)}")
    dims = inputs[0].type.tensor_type.shape.dim
    shape = tuple(d.dim_value for d in dims)[1:]
    if len(shape) not in (1, 2, 3) or not all(1 <= d <= MAX_DIM for d in shape):
        raise ZkcmpError("the ONNX input must have a fixed shape (N, C, H, W) or (N, features)")
    require_shape("the ONNX input", shape)
    return inputs[0].name, shape, dims[0].dim_value or None


def _placed(name: str, shape: Shape, graph: onnx.GraphProto) -> tuple[tuple[int, int, int], Axes]:
    """The input as (C, H, W), and its axes in the file's order: channels may come last there."""
    padded = (1,) * (3 - len(shape)) + shape
    if len(shape) == 3 and _channels_last(name, shape, graph):
        return (shape[2], shape[0], shape[1]), (1, 2, 0)
    return (padded[0], padded[1], padded[2]), tuple(range(3 - len(shape), 3))


def _channels_last(name: str, shape: Shape, graph: onnx.GraphProto) -> bool:
    """Whether the file turns (H, W, C) images around, or never and they look like that."""
    for node in graph.node:
        if node.op_type == "Transpose":
            perm = next((tuple(a.ints) for a in node.attribute if a.name == "perm"), ())
            return perm == (0, 3, 1, 2)
        if node.op_type in ("Conv", "AveragePool", "GlobalAveragePool", "BatchNormalization"):
            return False
    return shape[2] in (1, 3, 4) and min(shape[:2]) > 4


def _constant(attributes: dict[str, Any]) -> np.ndarray:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if attributes.get(name) is not None:
            return np.asarray(attributes[name])
    raise UnsupportedError("only number constants")


def _report(problems: list[str]) -> str:
    listed = problems[:_REPORTED]
    if len(problems) > _REPORTED:
        listed.append(f"and {len(problems) - _REPORTED} more")
    return f"unsupported ONNX nodes: {'; '.join(listed)} -- supported are {SUPPORTED}"


def _node_name(index: int, node: onnx.NodeProto) -> str:
    return quote(node.name) if node.name else f"node {index}"


def _operator(node: onnx.NodeProto) -> str:
    plain = node.op_type.isidentifier() and len(node.op_type) <= 60
    return node.op_type if plain else quote(node.op_type)
