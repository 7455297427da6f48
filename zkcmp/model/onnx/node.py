"""One node of a graph: its inputs and attributes, as what an operator may expect them to be."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from zkcmp.model.float_chain import FloatChain, UnsupportedError
from zkcmp.model.float_network import FloatArray
from zkcmp.model.layers import Shape
from zkcmp.model.onnx.file import quote


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
        return finite_floats(self.constant(index, what))

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
        return finite_floats(np.array(values))

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


def finite_floats(array: np.ndarray) -> FloatArray:
    """As doubles. Raises UnsupportedError for other types, infinities and NaN."""
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise UnsupportedError("a weight is not a finite float")
    return array.astype(np.float64)
