"""Writing networks as ONNX models.

An export of an integer network holds its integers in integer tensors, named as in
`architecture.tensors()`, and the architecture in its metadata; it reads raw pixels as doubles and
computes in doubles. All of it is exact while every static bound stays below 2^53. Beyond
that doubles round, by parts in 2^50 of the sums, and a label could differ where two logits are
that close; `double_rounding.stable_in_double` proves for given images that it does not.
onnxruntime has no Conv for doubles: a convolution is exported as a float32 Conv where all its
sums stay below 2^24 (so exact), as Gather and MatMul on doubles elsewhere.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from zkcmp.model.bounds import bounds
from zkcmp.model.float_network import FloatConv, FloatDense, FloatNetwork
from zkcmp.model.layers import Conv, Dense, Layer, Square, SumPool, TensorSpec
from zkcmp.model.network import Network, im2col

ARCHITECTURE_KEY = "zkcmp.architecture"
INPUT_BITS_KEY = "zkcmp.input_bits"
SCALE_KEY = "zkcmp.scale"
OFFSET_KEY = "zkcmp.offset"
WEIGHT_BITS_KEY = "zkcmp.weight_bits"

_OPSET = 13
_IR_VERSION = 8
_FLOAT32_LIMIT = 1 << 24


def export_onnx(network: Network) -> bytes:
    """The integer network as an ONNX model: input `image` (N, C, H, W) doubles, raw pixels."""
    return integer_model(network).SerializeToString(deterministic=True)  # type: ignore[no-any-return]


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
                nodes.append(_conv_node(inputs, out, name, layer))
            else:
                nodes.append(helper.make_node("Gemm", inputs, [out], name, transB=1))
        elif isinstance(layer, SumPool):
            factor = np.array(layer.fan_in, np.float32)
            tensors.append(numpy_helper.from_array(factor, f"{name}.window"))
            kernel, stride = list(layer.kernel), list(layer.stride)
            mean = f"{name}.mean"
            nodes.append(
                helper.make_node(
                    "AveragePool", [value], [mean], mean, kernel_shape=kernel, strides=stride
                )
            )
            nodes.append(helper.make_node("Mul", [mean, f"{name}.window"], [out], name))
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


def storage_type(spec: TensorSpec) -> np.dtype:
    """The smallest signed integer type that holds the tensor's width."""
    kinds = (np.int8, np.int16, np.int32, np.int64)
    return next(np.dtype(k) for k in kinds if spec.bits <= np.dtype(k).itemsize * 8)


def integer_model(network: Network) -> onnx.ModelProto:
    """The export as a protobuf message."""
    architecture = network.architecture
    shapes, limits, builder = architecture.shapes(), bounds(architecture), _Builder()
    specs = iter(zip(architecture.tensors(), network.tensors, strict=True))
    value = "image"
    for index, layer in enumerate(architecture.layers):
        name = architecture.layer_name(index)
        if isinstance(layer, Conv | Dense):
            for _ in range(2):
                spec, tensor = next(specs)
                builder.tensor(spec.name, tensor.astype(storage_type(spec)))
            if isinstance(layer, Dense):
                weight, bias = builder.doubles(f"{name}.weight"), builder.doubles(f"{name}.bias")
                value = builder.add("Gemm", [value, weight, bias], name, transB=1)
            elif limits[index] < _FLOAT32_LIMIT:
                value = builder.float32_conv(layer, name, value)
            else:
                value = builder.gathered_conv(layer, name, value, shapes[index])
        elif isinstance(layer, SumPool):
            value = builder.gathered_sums(layer, name, value, shapes[index])
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
        self.nodes.append(_conv_node(inputs, f"{name}.out", name, layer))
        return self.doubles(f"{name}.out")

    def gathered_conv(self, layer: Conv, name: str, value: str, shape: tuple[int, ...]) -> str:
        """Patches by Gather, then MatMul on doubles, the groups of channels as a batch."""
        size = int(np.prod(shape))
        # positions count from 1, so that the 0 of the padding becomes `size`, the appended zero
        patches = im2col(np.arange(1, size + 1).reshape(1, *shape), layer)[0]
        positions = np.where(patches == 0, size, patches - 1)
        height, width, _ = positions.shape
        groups, fan_in = layer.groups, layer.fan_in
        own = layer.out_channels // groups
        const = {
            "flat": [0, -1],
            "pads": [0, 0, 0, 1],
            "positions": positions.reshape(-1),
            "patched": [0, height * width, groups, fan_in],
            "rows": [groups, own, fan_in],
            "biases": [groups, 1, own],
            "shaped": [0, layer.out_channels, height, width],
        }
        self._integers(name, const)
        weight, bias = self.doubles(f"{name}.weight"), self.doubles(f"{name}.bias")
        rows = self.add("Reshape", [weight, f"{name}.rows"], f"{name}.weight_rows")
        columns = self.add("Transpose", [rows], f"{name}.weight_columns", perm=[0, 2, 1])
        biases = self.add("Reshape", [bias, f"{name}.biases"], f"{name}.bias_rows")
        v = self.add("Reshape", [value, f"{name}.flat"], f"{name}.flatten")
        v = self.add("Pad", [v, f"{name}.pads"], f"{name}.pad")
        v = self.add("Gather", [v, f"{name}.positions"], f"{name}.gather", axis=1)
        v = self.add("Reshape", [v, f"{name}.patched"], f"{name}.patches")
        v = self.add("Transpose", [v], f"{name}.by_group", perm=[0, 2, 1, 3])
        v = self.add("MatMul", [v, columns], f"{name}.product")
        v = self.add("Add", [v, biases], f"{name}.sum")
        v = self.add("Transpose", [v], f"{name}.transpose", perm=[0, 1, 3, 2])
        return self.add("Reshape", [v, f"{name}.shaped"], name)

    def gathered_sums(self, layer: SumPool, name: str, value: str, shape: tuple[int, ...]) -> str:
        """Windows by Gather, then sums on doubles."""
        windows = im2col(np.arange(np.prod(shape)).reshape(1, *shape), layer.as_conv(shape[0]))[0]
        height, width, _ = windows.shape
        const = {
            "flat": [0, -1],
            "positions": windows.reshape(-1),
            "windows": [0, height, width, shape[0], layer.fan_in],
            "axes": [4],
        }
        self._integers(name, const)
        v = self.add("Reshape", [value, f"{name}.flat"], f"{name}.flatten")
        v = self.add("Gather", [v, f"{name}.positions"], f"{name}.gather", axis=1)
        v = self.add("Reshape", [v, f"{name}.windows"], f"{name}.windowed")
        v = self.add("ReduceSum", [v, f"{name}.axes"], f"{name}.sum", keepdims=0)
        return self.add("Transpose", [v], name, perm=[0, 3, 1, 2])

    def _integers(self, name: str, arrays: dict[str, Any]) -> None:
        for part, array in arrays.items():
            self.tensor(f"{name}.{part}", np.array(array, dtype=np.int64))


def _conv_node(
    inputs: list[str], output: str, name: str, layer: Conv | FloatConv
) -> onnx.NodeProto:
    return helper.make_node(
        "Conv",
        inputs,
        [output],
        name,
        strides=list(layer.stride),
        pads=list(layer.padding),
        dilations=list(layer.dilation),
        group=layer.groups,
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
