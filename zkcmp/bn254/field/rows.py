"""Matrices with many rows, of int64 or field elements, and the sums over them that sumchecks need.

    bind       Σ_j w_j·V[j, ·]                      dot       Σ_i w_i·V[·, i] for every row
    combine    Σ_a w_a·V[a·block + j, ·]
    gram       Σ_j u_j Σ_i w_i·V[a·block + j, i]·V[b·block + j, i]

int64 values are never turned into a table of field elements. An integer v times an element x·R in
Montgomery form, divided by R, is the plain residue v·x; so weights of integers carry one factor R
more for every integer they meet.
"""

from collections.abc import Callable

import numpy as np

from zkcmp.bn254.field import integer_row_kernels as integer_kernels
from zkcmp.bn254.field import row_kernels as kernels
from zkcmp.bn254.field.fr import FrVector, montgomery_radix, padded
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.lanes.wide import MAX_TERMS, OFFSET
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.threads import parallel_map, parallel_ranges, thread_count

_PAD = 8
_GRAIN = 1 << 14  # entries worth a thread
_RADIX = montgomery_radix()


def sums_of_slots(
    n: int, grain: int, n_sums: int, function: Callable[[FrVector, int, int, int], None]
) -> list[int]:
    """Sums that function(acc, slot, start, stop) leaves as LANES partial sums each in `acc`.

    It is called for ranges that cover range(n), at least `grain` long, a thread each; sum k of a
    slot is group slot·n_sums + k of `acc`.
    """
    n_slots = max(1, min(thread_count(), n // max(grain, 1)))
    acc = FrVector.zeros(LANES * n_sums * n_slots)
    edges = [n * t // n_slots for t in range(n_slots + 1)]
    parallel_map(lambda t: function(acc, t, edges[t], edges[t + 1]), range(n_slots))
    parts = acc.to_ints()
    step = LANES * n_sums
    return [
        sum(sum(parts[first : first + LANES]) for first in range(LANES * k, len(parts), step))
        % FR_MODULUS
        for k in range(n_sums)
    ]


class Rows:
    """A matrix of n rows; `width`, a multiple of 8, counts the entries of a row with its padding.

    `data`: int64 (n, width), or an FrVector of n·width elements. Padding entries are 0.
    """

    def __init__(self, data: np.ndarray | FrVector, n: int, width: int):
        self.data, self.n, self.width = data, n, width
        self._is_field = isinstance(data, FrVector)
        # one type of array for the kernels, whether or not the caller may write
        self._values = (data.data if isinstance(data, FrVector) else data).view()
        self._values.setflags(write=False)
        self._groups = width // LANES

    @classmethod
    def from_int64(cls, values: np.ndarray) -> "Rows":
        """int64 (n, any width); not copied when the width is a multiple of 8 and rows adjoin."""
        n, width = values.shape
        if width % _PAD:
            wide = np.zeros((n, padded(width)), np.int64)
            wide[:, :width] = values
            values = wide
        return cls(np.ascontiguousarray(values, np.int64), n, values.shape[1])

    @classmethod
    def from_field(cls, values: FrVector, n: int) -> "Rows":
        """len(values)/n entries a row."""
        width = len(values) // n
        if width % _PAD:
            wide = FrVector.zeros(n * padded(width))
            entries = wide.data.reshape(wide.data.shape[0], n, -1)
            entries[:, :, :width] = values.data[:, : n * width].reshape(len(entries), n, width)
            values, width = wide, padded(width)
        return cls(values, n, width)

    def to_field(self) -> FrVector:
        """All n·width entries, row after row."""
        if isinstance(self.data, FrVector):
            return self.data
        return self.combine(FrVector.from_ints([1]), self.n)

    def bind(self, weights: FrVector) -> FrVector:
        """Σ_j weights[j]·V[j, ·], `width` entries; at least n weights."""
        weights = weights.slice(0, self.n)
        kernel = kernels.bind_rows if self._is_field else integer_kernels.bind_integers
        factors = (weights if self._is_field else weights * _RADIX).data
        n_slots = max(1, min(thread_count(), self.n // self._grain()))
        edges = [self.n * t // n_slots for t in range(n_slots + 1)]
        acc = FrVector.zeros(n_slots * self.width)
        parallel_map(
            lambda t: kernel(
                self._values, self._groups, factors, acc.data, t, edges[t], edges[t + 1]
            ),
            range(n_slots),
        )
        total = acc.slice(0, self.width)
        for t in range(1, n_slots):
            total = total + acc.slice(t * self.width, (t + 1) * self.width)
        return total if self._is_field else total - OFFSET * weights.sum()

    def dot(self, weights: FrVector) -> FrVector:
        """Σ_i weights[i]·V[·, i], n entries; `width` weights."""
        kernel = kernels.dot_rows if self._is_field else integer_kernels.dot_integers
        factors = (weights if self._is_field else weights * _RADIX).data
        lanes = FrVector.zeros(LANES * self.n)
        parallel_ranges(
            lambda i, j: kernel(self._values, self._groups, factors, lanes.data, i, j),
            self.n,
            self._grain(),
        )
        parts = lanes.data[:, : LANES * self.n].reshape(len(lanes.data), self.n, LANES)
        total = FrVector.zeros(self.n)
        for k in range(LANES):
            part = FrVector.zeros(self.n)
            part.data[:, : self.n] = parts[:, :, k]
            total = total + part
        return total if self._is_field else total - OFFSET * weights.sum()

    def combine(self, weights: FrVector, block: int) -> FrVector:
        """Σ_a weights[a]·V[a·block + j, ·] for j < min(block, n), row after row."""
        rows = min(block, self.n)
        out = FrVector.zeros(rows * self.width)
        run: Callable[[int, int], None]
        if self._is_field:
            factors = weights.data

            def run(i: int, j: int) -> None:
                kernels.combine_rows(
                    self._values, self._groups, self.n, block, factors, out.data, i, j
                )

        else:
            if -(-self.n // block) > MAX_TERMS:
                raise ValueError(f"at most {MAX_TERMS} blocks of integers are combined")
            factors = (weights * _RADIX).data
            sums = np.cumsum([0, *weights.to_ints()], dtype=object)
            offsets = FrVector.from_ints(sums * OFFSET).data

            def run(i: int, j: int) -> None:
                integer_kernels.combine_integers(
                    self._values, self._groups, self.n, block, factors, offsets, out.data, i, j
                )

        parallel_ranges(run, rows, self._grain())
        return out

    def gram(self, block: int, n_blocks: int, columns: FrVector, rows: FrVector) -> list[list[int]]:
        """The symmetric matrix Q[a][b], a, b < n_blocks; `width` columns, `block` rows."""
        shape = (self._values, self._groups, self.n, block, n_blocks)
        run: Callable[[FrVector, int, int, int], None]
        if self._is_field:

            def run(acc: FrVector, slot: int, i: int, j: int) -> None:
                kernels.gram_rows(*shape, columns.data, rows.data, acc.data, slot, i, j)

        else:
            factors = (columns * pow(_RADIX, 2, FR_MODULUS)).data
            offsets = (columns * (OFFSET * _RADIX)).data
            offset = FrVector.from_ints([OFFSET * pow(_RADIX, -1, FR_MODULUS)]).data

            def run(acc: FrVector, slot: int, i: int, j: int) -> None:
                integer_kernels.gram_integers(
                    *shape, factors, offsets, offset, rows.data, acc.data, slot, i, j
                )

        grain = max(1, self._grain() // n_blocks)
        sums = sums_of_slots(min(block, self.n), grain, n_blocks * n_blocks, run)
        return [
            [sums[min(a, b) * n_blocks + max(a, b)] for b in range(n_blocks)]
            for a in range(n_blocks)
        ]

    def _grain(self) -> int:
        """Rows worth a thread."""
        return max(1, _GRAIN // self.width)
