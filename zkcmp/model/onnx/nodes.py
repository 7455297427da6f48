"""What each supported ONNX operator does to the chain of layers, and why others are refused.

HANDLERS     operators that the chain goes through
LABEL_NODES  operators that turn logits into labels, which a sale does not need
HINTS        operators that are not supported, and what is nearest
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from zkcmp.model.float_chain import FloatChain, UnsupportedError
from zkcmp.model.float_network import FloatArray, FloatConv
from zkcmp.model.layers import Shape
from zkcmp.model.onnx.file import FLOAT_TYPES, quote

SUPPORTED = (
    "Conv, Gemm, MatMul, LinearClassifier, BatchNormalization, Scaler, Add, Sub, Mul, Div with "
    "constants, Mul(x, x), Pow(x, 2), AveragePool, GlobalAveragePool, ReduceMean, ReduceSum, "
    "Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Identity, Dropout, Cast, and Softmax or "
    "labels at the end"
)
_TRAIN = "not yet; a square activation trains nearly as well, see experiments/train_mnist.py"
ACTIVATIONS = frozenset(
    (
        *("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "Clip", "ThresholdedRelu"),
        *("Sigmoid", "HardSigmoid", "HardSwish", "Mish", "Tanh", "Softplus", "Softsign", "Erf"),
    )
)
HINTS = dict.fromkeys(ACTIVATIONS, _TRAIN) | {
    "MaxPool": f"{_TRAIN}, and AveragePool in its place",
    "GlobalMaxPool": f"{_TRAIN}, and GlobalAveragePool in its place",
    "QLinearConv": "export the float model; zkcmp quantises it itself",
    "QLinearMatMul": "export the float model; zkcmp quantises it itself",
    "QuantizeLinear": "export the float model; zkcmp quantises it itself",
    "DequantizeLinear": "export the float model; zkcmp quantises it itself",
    "Pad": "give the padding to the convolution (pads)",
    "Concat": "only chains of layers are supported, no branches",
    "InstanceNormalization": "its statistics depend on the image; use BatchNormalization",
    "LayerNormalization": "its statistics depend on the image; use BatchNormalization",
}


class UnknownError(Exception):
    """An earlier node was refused, so this one cannot be judged."""


@dataclass(frozen=True)
class Node:
    """One node and what its inputs are. `batch`: the number of images the file is fixed to."""

    inputs: list[str]
    attributes: dict[str, Any]
    constants: dict[str, np.ndarray]
    chain_so_far: FloatChain | None
    opset: int
    batch: int | None

    @property
    def chain(self) -> FloatChain:
        """Raises UnknownError after a node that was refused."""
        if self.chain_so_far is None:
            raise UnknownError
        return self.chain_so_far

    def has(self, index: int) -> bool:
        """Whether the optional input is there."""
        return index < len(self.inputs) and self.inputs[index] != ""

    def constant(self, index: int, what: str) -> np.ndarray:
        """An input that must be a constant."""
        name = self.inputs[index] if index < len(self.inputs) else ""
        if name not in self.constants:
            raise UnsupportedError(f"its {what} is not a constant")
        return self.constants[name]

    def floats(self, index: int, what: str) -> FloatArray:
        """The same of finite floats."""
        return _floats(self.constant(index, what))

    def only(self, known: str) -> None:
        """No attribute but those named."""
        unknown = sorted(set(self.attributes) - set(known.split()))
        if unknown:
            raise UnsupportedError(f"attributes {', '.join(map(quote, unknown))}")

    def ints(self, name: str, default: Shape) -> Shape:
        """An attribute of integers."""
        values = self.attributes.get(name, default)
        if not isinstance(values, list | tuple) or not all(isinstance(v, int) for v in values):
            raise UnsupportedError(f"{name} must be integers")
        return tuple(values)

    def numbers(self, name: str, default: tuple[float, ...] = ()) -> FloatArray:
        """An attribute of finite floats, at least one."""
        values = self.attributes.get(name, default)
        if not isinstance(values, list | tuple) or not all(isinstance(v, float) for v in values):
            raise UnsupportedError(f"{name} must be floats")
        if not values:
            raise UnsupportedError(f"{name} is missing")
        return _floats(np.array(values))

    def number(self, name: str, default: int) -> int:
        """An attribute that is one integer."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise UnsupportedError(f"{name} must be an integer")
        return value

    def axes(self, index: int, rank: int) -> tuple[int, ...] | None:
        """Axes from the attribute or, in later opsets, an input; without the batch, from 0."""
        axes: tuple[int, ...] | None = None
        if self.has(index):
            axes = tuple(int(v) for v in self.constant(index, "axes").reshape(-1))
        elif "axes" in self.attributes:
            axes = self.ints("axes", ())
        if axes is None:
            return None
        result = tuple(axis + rank if axis < 0 else axis for axis in axes)
        if any(not 1 <= axis < rank for axis in result) or len(set(result)) != len(result):
            raise UnsupportedError(f"axes {list(axes)}, only those after the first, the images")
        return tuple(axis - 1 for axis in result)


@dataclass(frozen=True)
class Handler:
    """read: changes the chain; True when the value stays as it was, under one more name.

    in_the_end: allowed after the softmax; ends: is one; output: which output is the value, the
    others being labels.
    """

    read: Callable[[Node], bool | None]
    in_the_end: bool = False
    ends: bool = False
    output: int = 0


def _conv(node: Node) -> None:
    weight = node.floats(1, "weight")
    if weight.ndim != 4 or weight.size == 0:
        raise UnsupportedError("only two-dimensional convolutions")
    node.only("kernel_shape strides pads dilations group auto_pad")
    kernel = weight.shape[2:]
    if node.ints("kernel_shape", kernel) != kernel:
        raise UnsupportedError("kernel_shape differs from the weight")
    group, stride = node.number("group", 1), node.ints("strides", (1, 1))
    dilation = node.ints("dilations", (1, 1))
    bias = np.zeros(len(weight))
    if node.has(2):
        bias = node.floats(2, "bias")
    if bias.shape != weight.shape[:1] or len(stride) != 2 or len(dilation) != 2:
        raise UnsupportedError("shapes of bias, strides or dilations")
    if group < 1 or len(weight) % group:
        raise UnsupportedError(f"group {group} does not divide {len(weight)} outputs")
    spread = (
        1 if kernel[0] == 1 else dilation[0],
        1 if kernel[1] == 1 else dilation[1],
    )
    extent = (spread[0] * (kernel[0] - 1) + 1, spread[1] * (kernel[1] - 1) + 1)
    pads = _padding(node, extent, stride)
    node.chain.conv(FloatConv(weight, bias, (stride[0], stride[1]), pads, group, spread))


def _padding(node: Node, extent: Shape, stride: Shape) -> tuple[int, int, int, int]:
    """Top, left, bottom, right."""
    mode = node.attributes.get("auto_pad", b"NOTSET")
    if mode in (b"NOTSET", b""):
        pads = node.ints("pads", (0, 0, 0, 0))
        if len(pads) != 4:
            raise UnsupportedError("pads must be four numbers")
        return (pads[0], pads[1], pads[2], pads[3])
    if mode == b"VALID":
        return (0, 0, 0, 0)
    if mode not in (b"SAME_UPPER", b"SAME_LOWER") or min(stride) < 1:
        raise UnsupportedError("auto_pad")
    seen = node.chain.seen
    if len(seen) != 3:
        raise UnsupportedError(f"reads an image (N, C, H, W), not {len(seen)} axes")
    totals = [
        max(0, (-(-size // s) - 1) * s + k - size)
        for size, k, s in zip(seen[1:], extent, stride, strict=True)
    ]
    small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
    first, last = (small, large) if mode == b"SAME_UPPER" else (large, small)
    return (first[0], first[1], last[0], last[1])


def _gemm(node: Node) -> None:
    node.only("alpha beta transA transB broadcast")
    if node.number("transA", 0) or node.inputs[0] in node.constants:
        raise UnsupportedError("transA: only data (N, features) times a constant")
    weight = node.floats(1, "weight")
    weight = weight if node.number("transB", 0) else weight.T
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    if not isinstance(alpha, float) or not isinstance(beta, float):
        raise UnsupportedError("alpha and beta must be floats")
    bias = node.floats(2, "bias") if node.has(2) else np.zeros(1)
    _dense(node, weight * alpha, bias * beta)


def _matmul(node: Node) -> None:
    if node.inputs[0] in node.constants:
        raise UnsupportedError("only data (N, features) times a constant")
    _dense(node, node.floats(1, "weight").T, np.zeros(1))


def _dense(node: Node, weight: FloatArray, bias: FloatArray) -> None:
    if weight.ndim != 2 or weight.size == 0:
        raise UnsupportedError("the weight must be a matrix")
    if bias.size not in (1, len(weight)) or bias.ndim > 2 or bias.shape[:-1] not in ((), (1,)):
        raise UnsupportedError(f"bias of shape {bias.shape}")
    node.chain.dense(weight, np.broadcast_to(bias.reshape(-1), (len(weight),)).copy())


def _linear_classifier(node: Node) -> None:
    """Of the ai.onnx.ml operators: labels, and scores that are a dense layer's outputs."""
    node.only(
        "coefficients intercepts classlabels_ints classlabels_strings multi_class post_transform"
    )
    coefficients, intercepts = node.numbers("coefficients"), node.numbers("intercepts")
    if len(coefficients) % len(intercepts):
        raise UnsupportedError("as many intercepts as rows of coefficients are needed")
    if node.ints("classlabels_ints", ()) != tuple(range(len(intercepts))):
        raise UnsupportedError("its classes must be 0, 1, 2, …, with a score each")
    if node.attributes.get("post_transform", b"NONE") not in (b"NONE", b"SOFTMAX", b"LOGISTIC"):
        raise UnsupportedError("post_transform")
    node.chain.dense(coefficients.reshape(len(intercepts), -1), intercepts)


def _scaler(node: Node) -> None:
    """(x − offset)·scale."""
    node.only("offset scale")
    offset, scale = node.numbers("offset", (0.0,)), node.numbers("scale", (1.0,))
    if len(offset) != len(scale) and 1 not in (len(offset), len(scale)):
        raise UnsupportedError(f"{len(offset)} offsets for {len(scale)} scales")
    node.chain.affine(scale, -offset * scale)


def _batch_normalization(node: Node) -> None:
    node.only("epsilon momentum training_mode spatial is_test")
    if node.number("training_mode", 0) or not node.number("spatial", 1):
        raise UnsupportedError("training_mode, spatial: export the model for inference")
    scale, shift, mean, variance = (
        node.floats(i, what) for i, what in enumerate(("scale", "bias", "mean", "variance"), 1)
    )
    epsilon = node.attributes.get("epsilon", 1e-5)
    if not isinstance(epsilon, float) or (variance + epsilon <= 0).any():
        raise UnsupportedError("its variance is not positive")
    if len({scale.shape, shift.shape, mean.shape, variance.shape}) != 1 or scale.ndim != 1:
        raise UnsupportedError("scale, bias, mean and variance of one size")
    chain = node.chain
    factor = scale / np.sqrt(variance + epsilon)
    shape = (-1, *[1] * (len(chain.seen) - 1))
    chain.affine(factor.reshape(shape), (shift - mean * factor).reshape(shape))


def _add(node: Node) -> None:
    constant = _other(node, "added")
    node.chain.affine(np.ones(1), constant)


def _sub(node: Node) -> None:
    constant = _other(node, "subtracted")
    if node.inputs[0] in node.constants:
        node.chain.affine(-np.ones(1), constant)
    else:
        node.chain.affine(np.ones(1), -constant)


def _mul(node: Node) -> None:
    if not any(name in node.constants for name in node.inputs):
        _square(node)
        return
    node.chain.affine(_other(node, "multiplied"), np.zeros(1))


def _div(node: Node) -> None:
    constant = _other(node, "divided by")
    if node.inputs[0] in node.constants or not constant.all():
        raise UnsupportedError("only the value divided by constants, not by 0")
    node.chain.affine(1 / constant, np.zeros(1))


def _other(node: Node, how: str) -> FloatArray:
    """The constant among two inputs."""
    constants = [node.constants[name] for name in node.inputs if name in node.constants]
    if len(constants) != 1 or len(node.inputs) != 2:
        raise UnsupportedError(f"only a constant can be {how}; no branches are supported")
    return _floats(constants[0])


def _power(node: Node) -> None:
    exponent = node.constant(1, "exponent")
    if exponent.size != 1 or float(exponent.reshape(-1)[0]) != 2.0:
        raise UnsupportedError("only the exponent 2")
    _square(node)


def _square(node: Node) -> None:
    node.chain.square()


def _average_pool(node: Node) -> None:
    node.only("kernel_shape strides pads auto_pad ceil_mode count_include_pad dilations")
    kernel = node.ints("kernel_shape", ())
    stride = node.ints("strides", (1, 1))
    if len(kernel) != 2 or len(stride) != 2 or any(d != 1 for d in node.ints("dilations", ())):
        raise UnsupportedError("only two-dimensional windows without dilation")
    if any(_padding(node, kernel, stride)):
        raise UnsupportedError("only without padding")
    seen = node.chain.seen
    if node.number("ceil_mode", 0) and any(
        s < 1 or (size - k) % s for size, k, s in zip(seen[1:], kernel, stride, strict=False)
    ):
        raise UnsupportedError("ceil_mode with windows that do not end at the border")
    node.chain.average((kernel[0], kernel[1]), (stride[0], stride[1]), divide=True)


def _global_average_pool(node: Node) -> None:
    chain = node.chain
    if len(chain.seen) != 3:
        raise UnsupportedError("only of images")
    chain.average((chain.seen[1], chain.seen[2]), (1, 1), divide=True)


def _reduce(divide: bool) -> Callable[[Node], None]:
    def read(node: Node) -> None:
        node.only("axes keepdims noop_with_empty_axes")
        chain = node.chain
        axes = node.axes(1, len(chain.seen) + 1)
        if not axes:  # none at all may mean all of them, the images among them
            raise UnsupportedError("only over the rows and columns of an image")
        chain.mean(axes, bool(node.number("keepdims", 1)), divide)

    return read


def _flatten(node: Node) -> None:
    node.only("axis")
    chain, axis = node.chain, node.number("axis", 1)
    if axis not in (1, -len(chain.seen)):
        raise UnsupportedError(f"axis {axis}, only 1")
    chain.reshape((prod(chain.seen),))


def _reshape(node: Node) -> None:
    node.only("allowzero shape")
    if "shape" in node.attributes:
        target = list(node.ints("shape", ()))
    else:
        constant = node.constant(1, "shape")
        if constant.dtype.kind != "i" or constant.size > 8:
            raise UnsupportedError("its shape must be a few integers")
        target = [int(d) for d in constant.reshape(-1)]
    chain = node.chain
    before = (0, *chain.seen)
    if node.number("allowzero", 0) and 0 in target:
        raise UnsupportedError(f"to {target}")
    if len(target) < 2 or target[0] not in (-1, 0, node.batch) or target.count(-1) > 1:
        raise UnsupportedError(f"to {target}, only to (N, …)")
    if any(d == 0 and i >= len(before) for i, d in enumerate(target)):
        raise UnsupportedError(f"to {target} from {len(before)} axes")
    chain.reshape(tuple(before[i] if d == 0 else d for i, d in enumerate(target))[1:])


def _squeeze(node: Node) -> None:
    chain = node.chain
    chain.squeeze(node.axes(1, len(chain.seen) + 1))


def _unsqueeze(node: Node) -> None:
    chain = node.chain
    n_new = len(node.attributes["axes"]) if "axes" in node.attributes else 0
    if node.has(1):
        n_new = node.constant(1, "axes").size
    if not 0 < n_new <= 4:
        raise UnsupportedError("its axes must be one to four")
    chain.unsqueeze(node.axes(1, len(chain.seen) + 1 + n_new) or ())


def _transpose(node: Node) -> None:
    chain = node.chain
    order = node.ints("perm", tuple(reversed(range(len(chain.seen) + 1))))
    if not order or order[0] != 0:
        raise UnsupportedError(f"perm {list(order)}, only with the images first")
    chain.transpose(tuple(axis - 1 for axis in order[1:]))


def _cast(node: Node) -> bool:
    if node.attributes.get("to") not in FLOAT_TYPES:
        raise UnsupportedError("only to a float type")
    return True


def _dropout(node: Node) -> bool:
    if node.has(2) and bool(np.asarray(node.constant(2, "training_mode")).any()):
        raise UnsupportedError("training_mode: export the model for inference")
    return True


def _nothing(node: Node) -> bool:
    return True


def _softmax(node: Node) -> bool:
    rank = len(node.chain.seen) + 1
    if node.number("axis", 1 if node.opset < 13 else -1) not in (1, 1 - rank):
        raise UnsupportedError("only over the classes")
    return True


def _normalizer(node: Node) -> bool:
    if node.attributes.get("norm", b"MAX") not in (b"L1", b"L2"):
        raise UnsupportedError("only norm L1 or L2, which keep the order")
    return True


def _labels_of_logits(node: Node) -> None:
    if node.attributes.get("axis", 1) not in (-1, 1) or node.attributes.get("select_last_index", 0):
        raise UnsupportedError("only the first largest class of each image")


def _class_labels(node: Node) -> None:
    """Labels looked up by the class that was found."""
    known = [node.constants[name] for name in node.inputs if name in node.constants]
    if any(labels.reshape(-1).tolist() != list(range(labels.size)) for labels in known):
        raise UnsupportedError("its labels are not 0, 1, 2, …: number the classes so")


def _no_labels(node: Node) -> None:
    for name in ("classlabels_int64s", "classlabels_strings"):
        labels = node.attributes.get(name)
        if labels and list(labels) != list(range(len(labels))):
            raise UnsupportedError("its labels are not 0, 1, 2, …: number the classes so")


def _same_labels(node: Node) -> None:
    """Labels in another shape or type."""


LABEL_NODES: dict[str, Callable[[Node], None]] = {
    **dict.fromkeys(("Cast", "Reshape", "Squeeze", "Unsqueeze", "Identity"), _same_labels),
    "ArgMax": _labels_of_logits,
    "ArrayFeatureExtractor": _class_labels,
    "Gather": _class_labels,
    "ZipMap": _no_labels,
}

HANDLERS: dict[str, Handler] = {
    "Conv": Handler(_conv),
    "Gemm": Handler(_gemm),
    "MatMul": Handler(_matmul),
    "LinearClassifier": Handler(_linear_classifier, output=1),
    "Scaler": Handler(_scaler),
    "BatchNormalization": Handler(_batch_normalization),
    "Add": Handler(_add),
    "Sub": Handler(_sub),
    "Mul": Handler(_mul),
    "Div": Handler(_div),
    "Neg": Handler(lambda node: node.chain.affine(-np.ones(1), np.zeros(1))),
    "Pow": Handler(_power),
    "AveragePool": Handler(_average_pool),
    "GlobalAveragePool": Handler(_global_average_pool),
    "ReduceMean": Handler(_reduce(divide=True)),
    "ReduceSum": Handler(_reduce(divide=False)),
    "Flatten": Handler(_flatten, in_the_end=True),
    "Reshape": Handler(_reshape, in_the_end=True),
    "Squeeze": Handler(_squeeze, in_the_end=True),
    "Unsqueeze": Handler(_unsqueeze, in_the_end=True),
    "Transpose": Handler(_transpose),
    "Cast": Handler(_cast, in_the_end=True),
    "Identity": Handler(_nothing, in_the_end=True),
    "Dropout": Handler(_dropout, in_the_end=True),
    "Softmax": Handler(_softmax, ends=True),
    "LogSoftmax": Handler(_softmax, ends=True),
    "Normalizer": Handler(_normalizer, in_the_end=True, ends=True),
}


def _floats(array: np.ndarray) -> FloatArray:
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise UnsupportedError("a weight is not a finite float")
    return array.astype(np.float64)
