"""Operators that arrange the values of an image in other axes."""

from math import prod

from zkcmp.model.float_chain import UnsupportedError
from zkcmp.model.onnx.node import Node


def flatten(node: Node) -> None:
    node.only("axis")
    chain, axis = node.chain, node.number("axis", 1)
    if axis not in (1, -len(chain.seen)):
        raise UnsupportedError(f"axis {axis}, only 1")
    chain.reshape((prod(chain.seen),))


def reshape(node: Node) -> None:
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


def squeeze(node: Node) -> None:
    chain = node.chain
    chain.squeeze(node.axes(1, len(chain.seen) + 1))


def unsqueeze(node: Node) -> None:
    chain = node.chain
    n_new = len(node.ints("axes", ()))
    if node.has(1):
        n_new = node.constant(1, "axes").size
    if not 0 < n_new <= 4:
        raise UnsupportedError("its axes must be one to four")
    chain.unsqueeze(node.axes(1, len(chain.seen) + 1 + n_new) or ())


def transpose(node: Node) -> None:
    chain = node.chain
    order = node.ints("perm", tuple(reversed(range(len(chain.seen) + 1))))
    if not order or order[0] != 0:
        raise UnsupportedError(f"perm {list(order)}, only with the images first")
    chain.transpose(tuple(axis - 1 for axis in order[1:]))
