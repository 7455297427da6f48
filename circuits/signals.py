"""A tensor inside a circuit: wire numbers, and their values while a witness is being made."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkcmp.linear_combination import IntArray
from zkcmp.r1cs_builder import ConstraintSystem

IntValues = NDArray[Any]  # int64, or object holding Python ints

INT64_LIMIT = 1 << 62


@dataclass(frozen=True)
class Signals:
    """wires: int64 wire numbers; values: integers of the same shape, None while recording."""

    wires: IntArray
    values: IntValues | None = None

    def __repr__(self) -> str:
        return f"Signals{self.wires.shape}"  # values may be secret

    @property
    def known(self) -> IntValues:
        """The values. Raises ValueError while constraints are being recorded."""
        if self.values is None:
            raise ValueError("values are not available while constraints are recorded")
        return self.values

    def reshape(self, *shape: int) -> "Signals":
        """The same signals in another shape, row-major."""
        values = None if self.values is None else self.values.reshape(shape)
        return Signals(self.wires.reshape(shape), values)

    def take(self, index: Any) -> "Signals":
        """The signals at a numpy index of the flattened tensor."""
        values = None if self.values is None else self.values.reshape(-1)[index]
        return Signals(self.wires.reshape(-1)[index], values)


def private(
    system: ConstraintSystem, name: str, shape: tuple[int, ...], values: IntValues | None
) -> Signals:
    """Allocate private wires for a tensor."""
    n = int(np.prod(shape))
    signals = Signals(np.zeros(0, np.int64), values)
    wires = system.private(n, name, lambda: signals.known)
    return Signals(wires.reshape(shape), values)


def public(
    system: ConstraintSystem, name: str, shape: tuple[int, ...], values: IntValues | None
) -> Signals:
    """Allocate public wires for a tensor."""
    n = int(np.prod(shape))
    signals = Signals(np.zeros(0, np.int64), values)
    wires = system.public(n, name, lambda: signals.known)
    return Signals(wires.reshape(shape), values)


def widen(values: IntValues, bound: int) -> IntValues:
    """Values in the arithmetic that is exact up to `bound`: int64, or Python ints above 2^62."""
    return values.astype(np.int64 if bound < INT64_LIMIT else object)
