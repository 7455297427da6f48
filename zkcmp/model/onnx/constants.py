"""What a graph computes from constants alone: weights transposed, reshaped, or scaled by exporters,
and the shape of a value as old exporters compute it before a Reshape.

The number of images in such a shape is written 0, which is what Reshape takes for "as it was".
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from onnx import helper

from zkcmp.model.float_chain import UnsupportedError
from zkcmp.model.layers import MAX_VOLUME
from zkcmp.model.onnx.file import NUMBER_TYPES

Attributes = dict[str, Any]
Fold = Callable[[list[np.ndarray], Attributes], np.ndarray]


def fold(op: str, inputs: list[np.ndarray], attributes: Attributes) -> np.ndarray:
    """The constant; raises UnsupportedError when it cannot be computed."""
    if op not in FOLDS:
        raise UnsupportedError("of constants")
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(FOLDS[op](inputs, attributes))
    except (ValueError, TypeError, IndexError, KeyError, OverflowError):
        raise UnsupportedError("of constants: malformed") from None
    if result.size > MAX_VOLUME:
        raise UnsupportedError(f"of constants: more than {MAX_VOLUME} values")
    return result


def _arithmetic(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Fold:
    def apply(inputs: list[np.ndarray], _: Attributes) -> np.ndarray:
        left, right = inputs
        if prod(np.broadcast_shapes(left.shape, right.shape)) > MAX_VOLUME:
            raise ValueError
        return np.asarray(function(left, right))

    return apply


def _divide(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Of integers rounded towards 0, as onnxruntime does; raises for a division of those by 0."""
    if not left.dtype.kind == right.dtype.kind == "i":
        return np.asarray(left / right)
    if not right.all():
        raise ValueError
    down, rest = np.divmod(left, right)
    return np.asarray(down + ((rest != 0) & ((left < 0) != (right < 0))))


def _axes(inputs: list[np.ndarray], attributes: Attributes) -> tuple[int, ...] | None:
    """From the attribute, or the second input."""
    if len(inputs) > 1:
        return tuple(int(axis) for axis in inputs[1].reshape(-1))
    axes = attributes.get("axes")
    return None if axes is None else tuple(axes)


def _cast(inputs: list[np.ndarray], attributes: Attributes) -> np.ndarray:
    """To integers it rounds towards 0, as onnxruntime does; raises where there is none."""
    array, number_type = inputs[0], attributes["to"]
    if number_type not in NUMBER_TYPES:
        raise ValueError
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(number_type))
    if kind.kind == "i" and array.dtype.kind == "f":
        limits = np.iinfo(kind)
        if not ((array >= limits.min) & (array < limits.max)).all():
            raise ValueError
    return array.astype(kind)


def _flatten(inputs: list[np.ndarray], attributes: Attributes) -> np.ndarray:
    array, axis = inputs[0], attributes.get("axis", 1)
    if not -array.ndim <= axis <= array.ndim:
        raise ValueError
    rows = prod(array.shape[:axis])
    return array.reshape(rows, array.size // max(rows, 1))


def _transpose(inputs: list[np.ndarray], attributes: Attributes) -> np.ndarray:
    return inputs[0].transpose(attributes.get("perm"))


def _reshape(inputs: list[np.ndarray], _: Attributes) -> np.ndarray:
    array, target = inputs[0], [int(d) for d in inputs[1].reshape(-1)]
    return array.reshape([array.shape[i] if d == 0 else d for i, d in enumerate(target)])


def _squeeze(inputs: list[np.ndarray], attributes: Attributes) -> np.ndarray:
    return np.squeeze(inputs[0], _axes(inputs, attributes))


def _unsqueeze(inputs: list[np.ndarray], attributes: Attributes) -> np.ndarray:
    axes = _axes(inputs, attributes)
    if axes is None or len(axes) > 8:
        raise ValueError
    return np.expand_dims(inputs[0], axes)


def _gather(inputs: list[np.ndarray], attributes: Attributes) -> np.ndarray:
    array, chosen, axis = inputs[0], inputs[1], attributes.get("axis", 0)
    if array.size // max(array.shape[axis], 1) * chosen.size > MAX_VOLUME:
        raise ValueError
    return np.take(array, chosen, axis=axis)


def _slice(inputs: list[np.ndarray], _: Attributes) -> np.ndarray:
    array, starts, ends = inputs[0], inputs[1].reshape(-1), inputs[2].reshape(-1)
    axes = inputs[3].reshape(-1) if len(inputs) > 3 else np.arange(len(starts))
    steps = inputs[4].reshape(-1) if len(inputs) > 4 else np.ones(len(starts), np.int64)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index: list[Any] = [slice(None)] * array.ndim
        index[int(axis)] = slice(int(start), int(end), int(step))
        array = array[tuple(index)]
    return array


def _concat(inputs: list[np.ndarray], attributes: Attributes) -> np.ndarray:
    if sum(array.size for array in inputs) > MAX_VOLUME:
        raise ValueError
    return np.concatenate(inputs, attributes["axis"])


FOLDS: dict[str, Fold] = {
    "Identity": lambda inputs, _: inputs[0],
    "Cast": _cast,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Add": _arithmetic(np.add),
    "Sub": _arithmetic(np.subtract),
    "Mul": _arithmetic(np.multiply),
    "Div": _arithmetic(_divide),
    "Neg": lambda inputs, _: -inputs[0],
    "Sqrt": lambda inputs, _: np.sqrt(inputs[0]),
    "Reciprocal": lambda inputs, _: 1 / inputs[0],
}
