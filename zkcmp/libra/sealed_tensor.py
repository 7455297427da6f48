"""How a tensor of weights lies in the committed vector: each axis padded to a power of two."""

from dataclasses import dataclass
from math import prod

import numpy as np

from zkcmp.bn254.fr import FrVector
from zkcmp.libra.tables import log_size


@dataclass(frozen=True)
class SealedTensor:
    """A tensor of weights as it is committed to: each axis of its shape padded."""

    name: str
    shape: tuple[int, ...]
    bits: int

    @property
    def n_vars(self) -> int:
        return sum(log_size(axis) for axis in self.shape)

    def places(self) -> np.ndarray:
        """The entry of the block for each element, row-major."""
        index = np.zeros(prod(self.shape), np.int64)
        positions = np.unravel_index(np.arange(len(index)), self.shape)
        for axis, position in zip(self.shape, positions, strict=True):
            index = (index << log_size(axis)) | position
        return index

    def block(self, values: np.ndarray) -> np.ndarray:
        """int64 (2^n_vars,), zeros in the padding."""
        out = np.zeros(1 << self.n_vars, np.int64)
        out[self.places()] = values.reshape(-1)
        return out

    def table(self, values: FrVector) -> FrVector:
        """The same for field elements."""
        out = FrVector.zeros(1 << self.n_vars)
        out.data[:, self.places()] = values.data[:, : len(values)]
        return out
