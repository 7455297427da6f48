"""ONNX files in and out.

    import_onnx:  bytes -> FloatNetwork  (with `.integer` when the file is our own export)
    export_onnx:  Network -> bytes       (onnxruntime's labels = Network.predict, see below)

An export holds the integers of the sealed network in integer tensors, named as in
`architecture.tensors()`, and the architecture in its metadata; it reads raw pixels as doubles and
computes in doubles. All of it is exact while every static bound stays below 2^53. Beyond
that doubles round, by parts in 2^50 of the sums, and a label could differ where two logits are that
close; `stable_in_double` proves for given images that it does not, for any order of summation.
onnxruntime has no Conv for doubles: a convolution is exported as a float32 Conv where all its
sums stay below 2^24 (so exact), as Gather and MatMul on doubles elsewhere.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model.architecture import Architecture, Normalisation
from zkcmp.model.bounds import bounds
from zkcmp.model.float_network import FloatConv, FloatDense, FloatNetwork
from zkcmp.model.layers import Conv, Dense, Layer, Square, TensorSpec
from zkcmp.model.network import Network, im2col
from zkcmp.model.onnx_graph import MAX_FILE_BYTES, OnnxGraph, metadata, parse_model

ARCHITECTURE_KEY = "zkcmp.architecture"
INPUT_BITS_KEY = "zkcmp.input_bits"
SCALE_KEY = "zkcmp.scale"
WEIGHT_BITS_KEY = "zkcmp.weight_bits"
OFFSET_KEY = "zkcmp.offset"

_OPSET = 13
_IR_VERSION = 8
_FLOAT32_LIMIT = 1 << 24
_FLOAT64_LIMIT = 1 << 53
_UNIT = 2.0**-53  # rounding of one double operation


def read_onnx(path: str | Path) -> FloatNetwork:
    """`import_onnx` of a file; raises DecodeError when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise DecodeError(f"cannot read {path}: {error.strerror}") from None
    return import_onnx(data)


def import_onnx(data: bytes) -> FloatNetwork:
    """The network in an ONNX file.

    Raises DecodeError when the bytes are not an ONNX model, ZkcmpError that lists every
    unsupported node at once when they are.
    """
    model = parse_model(data)
    entries = metadata(model)
    if ARCHITECTURE_KEY in entries:
        return _exact(_import_integer(model, entries[ARCHITECTURE_KEY]))
    input_bits = _widths(entries, INPUT_BITS_KEY)
    try:
        scaling = Normalisation(entries.get(SCALE_KEY, "1"), entries.get(OFFSET_KEY, "0"))
    except ZkcmpError as error:
        raise DecodeError(f"metadata {SCALE_KEY}, {OFFSET_KEY}: {error}") from None
    graph = OnnxGraph(model.graph)
    return FloatNetwork(
        graph.input_shape,
        graph.layers,
        None if input_bits is None else input_bits[0],
        scaling,
        _widths(entries, WEIGHT_BITS_KEY),
    )


def _widths(entries: dict[str, str], key: str) -> tuple[int, ...] | None:
    """A metadata entry such as "8,2,8"."""
    if key not in entries:
        return None
    if not re.fullmatch(r"[1-9][0-9]?(,[1-9][0-9]?){0,63}", entries[key]):
        raise DecodeError(f"metadata {key} is not a list of widths")
    return tuple(int(text) for text in entries[key].split(","))


def export_onnx(network: Network) -> bytes:
    """The integer network as an ONNX model: input `image` (N, C, H, W) doubles, raw pixels."""
    return _integer_model(network).SerializeToString(deterministic=True)  # type: ignore[no-any-return]


def export_float_onnx(network: FloatNetwork) -> bytes:
    """A float network as a float32 ONNX model whose input is already normalised."""
    nodes, tensors, value = [], [], "image"
    for index, layer in enumerate(network.layers):
        name, out = f"layer{index}", f"value{index}"
        if isinstance(layer, FloatConv | FloatDense):
            for part, array in (("weight", layer.weight), ("bias", layer.bias)):
                tensors.append(numpy_helper.from_array(array.astype(np.float32), f"{name}.{part}"))
            inputs = [value, f"{name}.weight", f"{name}.bias"]
            if isinstance(layer, FloatConv):
                nodes.append(_conv_node(inputs, out, name, layer.stride, layer.padding))
            else:
                nodes.append(helper.make_node("Gemm", inputs, [out], name, transB=1))
        elif isinstance(layer, Square):
            nodes.append(helper.make_node("Mul", [value, value], [out], name))
        else:
            nodes.append(helper.make_node("Flatten", [value], [out], name))
        value = out
    n_classes = next(
        (len(x.bias) for x in reversed(network.layers) if isinstance(x, FloatDense)), None
    )
    entries = {SCALE_KEY: network.normalisation.scale, OFFSET_KEY: network.normalisation.offset}
    if network.input_bits is not None:
        entries[INPUT_BITS_KEY] = str(network.input_bits)
    if network.weight_bits is not None:
        entries[WEIGHT_BITS_KEY] = ",".join(map(str, network.weight_bits))
    model = _model(
        nodes, tensors, network.input_shape, n_classes, value, TensorProto.FLOAT, entries
    )
    return model.SerializeToString(deterministic=True)  # type: ignore[no-any-return]


def stable_in_double(network: Network, images: NDArray[Any]) -> NDArray[np.bool_]:
    """For each image, whether every evaluation in doubles is sure to give the exact label.

    Propagates |error| ≤ |W|·e + γ·(|W|·(|x| + e) + |b|), γ = (k + 2)u/(1 − (k + 2)u), through dense
    and conv layers whose bound is 2^53 or more, and 2|x|e + e² + u(|x| + e)² through squares.
    """
    starts = range(0, len(images), 256)
    parts = [_stable_batch(network, images[i : i + 256]) for i in starts]
    return np.concatenate([np.zeros(0, dtype=bool), *parts])


def _stable_batch(network: Network, images: NDArray[Any]) -> NDArray[np.bool_]:
    architecture, tensors = network.architecture, iter(network.tensors)
    outputs = network.layer_outputs(images)
    size = np.asarray(images, dtype=np.float64)  # |value| of the layer before
    error = np.zeros_like(size)
    for layer, bound, output in zip(
        architecture.layers, bounds(architecture), outputs, strict=True
    ):
        if isinstance(layer, Conv | Dense):
            weight, bias = np.abs(next(tensors)), np.abs(next(tensors))
            if bound >= _FLOAT64_LIMIT:
                gamma = (layer.fan_in + 3) * _UNIT / (1 - (layer.fan_in + 3) * _UNIT)
                carried = _absolute_product(layer, error, weight)
                sums = _absolute_product(layer, size + error, weight)
                bias_shape = (1, -1, *[1] * (sums.ndim - 2))
                error = carried + gamma * (sums + bias.astype(np.float64).reshape(bias_shape))
            else:
                error = np.zeros(output.shape)
        elif isinstance(layer, Square):
            rounding = _UNIT * (size + error) ** 2 if bound >= _FLOAT64_LIMIT else 0.0
            error = 2 * size * error + error**2 + rounding
        else:
            error = error.reshape(len(error), -1)
        size = np.abs(output).astype(np.float64) * (1 + 2 * _UNIT)
        error = error * (1 + 1e-6)  # covers the rounding of this computation itself
    logits, rows = outputs[-1], np.arange(len(error))
    labels = np.argmax(logits, axis=1)
    margin = (logits[rows, labels][:, None] - logits).astype(np.float64) * (1 - 4 * _UNIT)
    certain = margin > error + error[rows, labels][:, None]
    certain |= (error == 0) & (error[rows, labels][:, None] == 0)  # exact: ties as in predict
    certain[rows, labels] = True
    return np.asarray(certain.all(axis=1))


def _absolute_product(
    layer: Conv | Dense, value: NDArray[np.float64], weight: NDArray[np.int64]
) -> NDArray[np.float64]:
    rows = weight.reshape(len(weight), -1).T.astype(np.float64)
    if isinstance(layer, Dense):
        return np.asarray(value @ rows)
    return np.asarray(im2col(value, layer) @ rows).transpose(0, 3, 1, 2)


def _exact(network: Network) -> FloatNetwork:
    """The float view of an integer network, which `quantize` turns back into that network."""
    architecture, tensors, layers = network.architecture, iter(network.tensors), []
    for layer in architecture.layers:
        if isinstance(layer, Conv | Dense):
            weight, bias = next(tensors).astype(np.float64), next(tensors).astype(np.float64)
            if isinstance(layer, Conv):
                layers.append(FloatConv(weight, bias, layer.stride, layer.padding))
            else:
                layers.append(FloatDense(weight, bias))  # type: ignore[arg-type]
        else:
            layers.append(layer)  # type: ignore[arg-type]
    return FloatNetwork(
        architecture.input_shape, tuple(layers), architecture.input_bits, integer=network
    )


def _import_integer(model: onnx.ModelProto, text: str) -> Network:
    architecture = Architecture.from_bytes(text.encode())
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    tensors = []
    for spec in architecture.tensors():
        tensor = stored.get(spec.name)
        kind = helper.np_dtype_to_tensor_dtype(_storage(spec))
        if tensor is None or tensor.data_type != kind or tuple(tensor.dims) != spec.shape:
            raise DecodeError(f"{spec.name} is missing or not as the architecture declares it")
        if len(tensor.raw_data) != spec.size * _storage(spec).itemsize:
            raise DecodeError(f"{spec.name} has the wrong length")
        tensors.append(np.asarray(numpy_helper.to_array(tensor)).astype(np.int64))
    try:
        network = Network(architecture, tensors)
    except ZkcmpError as error:
        raise DecodeError(str(error)) from None
    if _integer_model(network).graph.SerializeToString(
        deterministic=True
    ) != model.graph.SerializeToString(deterministic=True):
        raise DecodeError(
            f"the graph is not that of the architecture in its metadata; remove {ARCHITECTURE_KEY} "
            "to import it as a float network"
        )
    return network


def _storage(spec: TensorSpec) -> np.dtype:
    kinds = (np.int8, np.int16, np.int32, np.int64)
    return next(np.dtype(k) for k in kinds if spec.bits <= np.dtype(k).itemsize * 8)


def _integer_model(network: Network) -> onnx.ModelProto:
    architecture = network.architecture
    shapes, limits, builder = architecture.shapes(), bounds(architecture), _Builder()
    specs = iter(zip(architecture.tensors(), network.tensors, strict=True))
    value = "image"
    for index, layer in enumerate(architecture.layers):
        name = architecture.layer_name(index)
        if isinstance(layer, Conv | Dense):
            for _ in range(2):
                spec, tensor = next(specs)
                builder.tensor(spec.name, tensor.astype(_storage(spec)))
            if isinstance(layer, Dense):
                weight, bias = builder.doubles(f"{name}.weight"), builder.doubles(f"{name}.bias")
                value = builder.add("Gemm", [value, weight, bias], name, transB=1)
            elif limits[index] < _FLOAT32_LIMIT:
                value = builder.float32_conv(layer, name, value)
            else:
                value = builder.gathered_conv(layer, name, value, shapes[index])
        else:
            value = builder.simple(layer, name, value)
    entries = {ARCHITECTURE_KEY: architecture.to_bytes().decode()}
    return _model(
        builder.nodes,
        builder.tensors,
        architecture.input_shape,
        architecture.n_classes,
        value,
        TensorProto.DOUBLE,
        entries,
    )


class _Builder:
    """Nodes and stored tensors of an export, in order."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def tensor(self, name: str, array: NDArray[Any]) -> str:
        """Store an array."""
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Append a node; its output is called `name`.out."""
        self.nodes.append(helper.make_node(op, inputs, [f"{name}.out"], name, **attributes))
        return f"{name}.out"

    def doubles(self, value: str) -> str:
        """Cast to double."""
        return self.add("Cast", [value], f"{value}.double", to=TensorProto.DOUBLE)

    def simple(self, layer: Layer, name: str, value: str) -> str:
        """Square or flatten."""
        if isinstance(layer, Square):
            return self.add("Mul", [value, value], name)
        return self.add("Flatten", [value], name)

    def float32_conv(self, layer: Conv, name: str, value: str) -> str:
        """Cast, Conv, Cast: exact because no sum reaches 2^24."""
        inputs = [
            self.add("Cast", [v], f"{name}.{part}.float", to=TensorProto.FLOAT)
            for part, v in (
                ("input", value),
                ("weight", f"{name}.weight"),
                ("bias", f"{name}.bias"),
            )
        ]
        self.nodes.append(_conv_node(inputs, f"{name}.out", name, layer.stride, layer.padding))
        return self.doubles(f"{name}.out")

    def gathered_conv(self, layer: Conv, name: str, value: str, shape: tuple[int, ...]) -> str:
        """Patches by Gather, then MatMul on doubles."""
        size = int(np.prod(shape))
        # positions count from 1, so that the 0 of the padding becomes `size`, the appended zero
        patches = im2col(np.arange(1, size + 1).reshape(1, *shape), layer)[0]
        positions = np.where(patches == 0, size, patches - 1)
        height, width, fan_in = positions.shape
        const = {
            "flat": [0, -1],
            "pads": [0, 0, 0, 1],
            "positions": positions.reshape(-1),
            "patched": [0, height * width, fan_in],
            "rows": [layer.out_channels, fan_in],
            "shaped": [0, layer.out_channels, height, width],
        }
        for part, array in const.items():
            self.tensor(f"{name}.{part}", np.array(array, dtype=np.int64))
        weight, bias = self.doubles(f"{name}.weight"), self.doubles(f"{name}.bias")
        rows = self.add("Reshape", [weight, f"{name}.rows"], f"{name}.weight_rows")
        columns = self.add("Transpose", [rows], f"{name}.weight_columns", perm=[1, 0])
        v = self.add("Reshape", [value, f"{name}.flat"], f"{name}.flatten")
        v = self.add("Pad", [v, f"{name}.pads"], f"{name}.pad")
        v = self.add("Gather", [v, f"{name}.positions"], f"{name}.gather", axis=1)
        v = self.add("Reshape", [v, f"{name}.patched"], f"{name}.patches")
        v = self.add("MatMul", [v, columns], f"{name}.product")
        v = self.add("Add", [v, bias], f"{name}.sum")
        v = self.add("Transpose", [v], f"{name}.transpose", perm=[0, 2, 1])
        return self.add("Reshape", [v, f"{name}.shaped"], name)


def _conv_node(
    inputs: list[str],
    output: str,
    name: str,
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
) -> onnx.NodeProto:
    return helper.make_node(
        "Conv", inputs, [output], name, strides=list(stride), pads=list(padding)
    )


def _model(
    nodes: list[onnx.NodeProto],
    tensors: list[onnx.TensorProto],
    input_shape: tuple[int, int, int],
    n_classes: int | None,
    result: str,
    kind: int,
    entries: dict[str, str],
) -> onnx.ModelProto:
    nodes = [*nodes, helper.make_node("Identity", [result], ["logits"], "logits")]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("image", kind, ["N", *input_shape])],
        [helper.make_tensor_value_info("logits", kind, ["N", n_classes])],
        tensors,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="zkcmp",
    )
    helper.set_model_props(model, entries)
    return model
