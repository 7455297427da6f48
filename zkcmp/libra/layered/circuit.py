"""Layered arithmetic circuits with any wiring: which gates there are, and what they compute.

    V_out[z] = Σ_{adds (z, x, y)} (V_in[x] + V_in[y]) + Σ_{muls (z, x, y)} V_in[x]·V_in[y]

Every layer has 2^k outputs, those without a gate 0. A circuit comes with what a prover needs at
every proof, its gates sorted by each input.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.spmv import rows_by_length, sparse_multiply


@dataclass(frozen=True, eq=False)
class Gates:
    """Gates of one kind: gate g reads inputs left[g] and right[g] and adds to output out[g]."""

    out: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        return len(self.out)

    @classmethod
    def of(cls, gates: Sequence[tuple[int, int, int]]) -> "Gates":
        """From triples (out, left, right)."""
        columns = np.array(gates, np.int64).reshape(-1, 3).T
        return cls(*(np.ascontiguousarray(column) for column in columns))


@dataclass(frozen=True, eq=False)
class Scatter:
    """Gates grouped by one of their wires: Σ_g a[ids_g]·b[wires_g] for each value of that wire."""

    indptr: np.ndarray
    ids: np.ndarray
    wires: np.ndarray
    order: np.ndarray

    @classmethod
    def by(cls, wire: np.ndarray, size: int, ids: np.ndarray, wires: np.ndarray) -> "Scatter":
        sorting = np.argsort(wire, kind="stable")
        counts = np.bincount(wire, minlength=size)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        return cls(indptr, ids[sorting], wires[sorting], rows_by_length(indptr))

    def sums(self, a: FrVector, b: FrVector) -> FrVector:
        return sparse_multiply(self.indptr, self.wires, self.ids, self.order, a, b)


@dataclass(frozen=True, eq=False)
class GateLayer:
    """A layer of 2^out_vars outputs over 2^in_vars inputs.

    Raises ValueError when a gate is wired to nothing.
    """

    out_vars: int
    in_vars: int
    adds: Gates
    muls: Gates

    def __post_init__(self) -> None:
        for gates in (self.adds, self.muls):
            if not len(gates.out) == len(gates.left) == len(gates.right):
                raise ValueError("gates have one output and two inputs each")
            wires = ((gates.out, self.out_vars), (gates.left, self.in_vars))
            for wire, n_vars in (*wires, (gates.right, self.in_vars)):
                if len(wire) and not (int(wire.min()) >= 0 and int(wire.max()) < 1 << n_vars):
                    raise ValueError(f"a gate is wired outside 0 … 2^{n_vars} − 1")

    @property
    def n_gates(self) -> int:
        return len(self.adds) + len(self.muls)

    @cached_property
    def muls_by_left(self) -> Scatter:
        return Scatter.by(self.muls.left, 1 << self.in_vars, self.muls.out, self.muls.right)

    @cached_property
    def adds_by_left(self) -> Scatter:
        return Scatter.by(self.adds.left, 1 << self.in_vars, self.adds.out, self.adds.right)

    @cached_property
    def muls_by_right(self) -> Scatter:
        return Scatter.by(self.muls.right, 1 << self.in_vars, self.muls.out, self.muls.left)

    @cached_property
    def adds_by_right(self) -> Scatter:
        return Scatter.by(self.adds.right, 1 << self.in_vars, self.adds.out, self.adds.left)

    def evaluate(self, inputs: FrVector) -> FrVector:
        """The outputs."""
        adds, muls = self.adds, self.muls
        values = FrVector.concat(
            [
                inputs.take(adds.left) + inputs.take(adds.right),
                inputs.take(muls.left) * inputs.take(muls.right),
            ]
        )
        wire = np.concatenate([adds.out, muls.out])
        everyone = np.zeros(len(wire), np.int64)
        one = FrVector.from_ints([1])
        scatter = Scatter.by(wire, 1 << self.out_vars, everyone, np.arange(len(wire)))
        return scatter.sums(one, values)


@dataclass(frozen=True, eq=False)
class Circuit:
    """Layers from the inputs to the outputs; raises ValueError when they do not fit each other."""

    layers: tuple[GateLayer, ...]

    def __post_init__(self) -> None:
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.out_vars != after.in_vars:
                raise ValueError("a layer reads as many values as the one before has")

    @property
    def n_gates(self) -> int:
        return sum(layer.n_gates for layer in self.layers)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of all sizes and gates, to be absorbed before a proof begins."""
        state = hashlib.sha256(b"zkcmp-circuit-1")
        for layer in self.layers:
            sizes = [layer.out_vars, layer.in_vars, len(layer.adds), len(layer.muls)]
            state.update(np.array(sizes, "<i8").tobytes())
            for gates in (layer.adds, layer.muls):
                for wire in (gates.out, gates.left, gates.right):
                    state.update(np.ascontiguousarray(wire, "<i8").tobytes())
        return state.digest()

    def evaluate(self, inputs: FrVector) -> list[FrVector]:
        """The values of every layer, the inputs first."""
        values = [inputs]
        for layer in self.layers:
            values.append(layer.evaluate(values[-1]))
        return values
