"""Operators on single values: scaled and shifted by constants, normalised, squared."""

import numpy as np

from zkcmp.model.float_chain import UnsupportedError
from zkcmp.model.float_network import FloatArray
from zkcmp.model.onnx.node import Node, finite_floats


def scaler(node: Node) -> None:
    """(x − offset)·scale."""
    node.only("offset scale")
    offset, scale = node.numbers("offset", (0.0,)), node.numbers("scale", (1.0,))
    if len(offset) != len(scale) and 1 not in (len(offset), len(scale)):
        raise UnsupportedError(f"{len(offset)} offsets for {len(scale)} scales")
    node.chain.affine(scale, -offset * scale)


def batch_normalization(node: Node) -> None:
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


def add(node: Node) -> None:
    constant = _other(node, "added")
    node.chain.affine(np.ones(1), constant)


def subtract(node: Node) -> None:
    constant = _other(node, "subtracted")
    if node.inputs[0] in node.constants:
        node.chain.affine(-np.ones(1), constant)
    else:
        node.chain.affine(np.ones(1), -constant)


def multiply(node: Node) -> None:
    if not any(name in node.constants for name in node.inputs):
        node.chain.square()
        return
    node.chain.affine(_other(node, "multiplied"), np.zeros(1))


def divide(node: Node) -> None:
    constant = _other(node, "divided by")
    if node.inputs[0] in node.constants or not constant.all():
        raise UnsupportedError("only the value divided by constants, not by 0")
    node.chain.affine(1 / constant, np.zeros(1))


def negate(node: Node) -> None:
    node.chain.affine(-np.ones(1), np.zeros(1))


def _other(node: Node, how: str) -> FloatArray:
    """The constant among two inputs."""
    constants = [node.constants[name] for name in node.inputs if name in node.constants]
    if len(constants) != 1 or len(node.inputs) != 2:
        raise UnsupportedError(f"only a constant can be {how}; no branches are supported")
    return finite_floats(constants[0])


def power(node: Node) -> None:
    exponent = node.constant(1, "exponent")
    if exponent.size != 1 or float(exponent.reshape(-1)[0]) != 2.0:
        raise UnsupportedError("only the exponent 2")
    node.chain.square()
