"""Operators that become layers: convolutions, products with matrices, windows that are averaged."""

from collections.abc import Callable

import numpy as np

from zkcmp.model.float_chain import UnsupportedError
from zkcmp.model.float_network import FloatArray, FloatConv
from zkcmp.model.layers import Shape
from zkcmp.model.onnx.node import Node


def convolution(node: Node) -> None:
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


def gemm(node: Node) -> None:
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


def matmul(node: Node) -> None:
    if node.inputs[0] in node.constants:
        raise UnsupportedError("only data (N, features) times a constant")
    _dense(node, node.floats(1, "weight").T, np.zeros(1))


def _dense(node: Node, weight: FloatArray, bias: FloatArray) -> None:
    if weight.ndim != 2 or weight.size == 0:
        raise UnsupportedError("the weight must be a matrix")
    if bias.size not in (1, len(weight)) or bias.ndim > 2 or bias.shape[:-1] not in ((), (1,)):
        raise UnsupportedError(f"bias of shape {bias.shape}")
    node.chain.dense(weight, np.broadcast_to(bias.reshape(-1), (len(weight),)).copy())


def linear_classifier(node: Node) -> None:
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


def average_pool(node: Node) -> None:
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


def global_average_pool(node: Node) -> None:
    chain = node.chain
    if len(chain.seen) != 3:
        raise UnsupportedError("only of images")
    chain.average((chain.seen[1], chain.seen[2]), (1, 1), divide=True)


def reduction(divide: bool) -> Callable[[Node], None]:
    def read(node: Node) -> None:
        node.only("axes keepdims noop_with_empty_axes")
        chain = node.chain
        axes = node.axes(1, len(chain.seen) + 1)
        if not axes:  # none at all may mean all of them, the images among them
            raise UnsupportedError("only over the rows and columns of an image")
        chain.mean(axes, bool(node.number("keepdims", 1)), divide)

    return read
