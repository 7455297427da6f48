"""The prover of Σ_x eq(τ, x)·V(x)² for a tensor V of many images, in three phases.

A point is x = (a, j, i): a the first k bits of the image, j its other bits, i the entry of a row.

1. Rounds over a, from the values as they are. With e = eq(τ_j, ·), w = eq(τ_i, ·) and

       Q[a][b] = Σ_j e_j Σ_i w_i·V[a, j, i]·V[b, j, i],

   Σ_{a, b} c_a·c_b·Q[a][b] = Σ_{j, i} e_j·w_i·(Σ_a c_a·V[a, j, i])², so that Q answers k rounds.
2. Rounds over j, on the rows Σ_a eq(r, a)·V[a, j, ·]: a table of a 2^k-th of the images. Each round
   is fused with the folding of the round before.
3. Rounds over i, on the one row that is left, its axes padded only now.

Small values in early rounds: Bagad, Dao, Domb, Thaler, ePrint 2024/1046; eq as a product of two
tables: Dao, Thaler, ePrint 2024/1210.
"""

from collections.abc import Callable

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.rows import sums_of_slots
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.sumcheck import table_kernels as kernels
from zkcmp.libra.multilinear.tables import Point, eq_table, fold, log_size
from zkcmp.libra.multilinear.tensors import Tensor
from zkcmp.libra.sumcheck.protocol import EqTables, Phases, TableProver

_FIRST_ROUNDS = 3
_GRAIN = 1 << 14  # entries worth a thread


class SquareProver(Phases):
    """All three phases."""

    def __init__(self, tensor: Tensor, tau: Point):
        self._tensor = tensor
        self._n_images = log_size(tensor.shape[0])
        self._k = min(_FIRST_ROUNDS, self._n_images)
        self._tau = tau
        self._columns = tensor.row_weights(eq_table(tau[self._n_images :]))
        self._rows: _RowsProver | None = None
        super().__init__(
            [
                (self._k, self._over_first),
                (self._n_images - self._k, self._over_rows),
                (tensor.n_vars - self._n_images, self._over_features),
            ]
        )

    def _over_first(self, _: Point) -> "_GramProver":
        return _GramProver(self._tensor, self._columns, self._tau[: self._n_images], self._k)

    def _over_rows(self, point: Point) -> "_RowsProver":
        rows = self._tensor.rows.combine(eq_table(point), 1 << (self._n_images - self._k))
        self._rows = _RowsProver(rows, self._columns, self._tau[self._k : self._n_images])
        return self._rows

    def _over_features(self, point: Point) -> TableProver:
        row = self._tensor.pad_row(self._row(point))
        return TableProver([row], lambda v: v[0] * v[0], 2, self._tau[self._n_images :])

    def _row(self, images: Point) -> FrVector:
        if self._rows is None:
            return self._tensor.rows.bind(eq_table(images))
        return self._rows.last_row()

    @property
    def final(self) -> int:
        """V~ at the point, after the last round."""
        if isinstance(self.current, TableProver):
            return self.current.finals[0]
        return self._row(self.point)[0]


class _GramProver:
    """Phase 1."""

    def __init__(self, tensor: Tensor, columns: FrVector, tau: Point, k: int):
        rows = eq_table(tau[k:])
        self._gram = tensor.rows.gram(len(rows), 1 << k, columns, rows)
        self._tau, self._k = tau, k
        self._bound: Point = []

    def round_values(self) -> list[int]:
        n_left = self._k - len(self._bound) - 1
        weights = eq_table(self._tau[len(self._bound) + 1 : self._k]).to_ints()
        values = []
        for x in (0, 2):
            c = eq_table([*self._bound, x]).to_ints()
            total = 0
            for rest, weight in enumerate(weights):
                places = [a << n_left | rest for a in range(len(c))]
                square = sum(
                    c[s] * c[t] * self._gram[places[s]][places[t]]
                    for s in range(len(c))
                    for t in range(len(c))
                )
                total += weight * square
            values.append(total % FR_MODULUS)
        return values

    def bind(self, r: int) -> None:
        self._bound.append(r)


class _RowsProver:
    """Phase 2: Σ_j eq(τ, j) Σ_i columns_i·T[j, i]², for a power of two of rows."""

    def __init__(self, table: FrVector, columns: FrVector, tau: Point):
        self._table, self._columns = table, columns
        self._width = len(columns) // LANES
        self._n_rows = 1 << len(tau)
        self._eq = EqTables(tau)
        self._bound: int | None = None

    def round_values(self) -> list[int]:
        table, half = self._table, self._n_rows // 2
        columns, rows, r = self._columns.data, self._eq.table.data, self._bound
        if r is None:
            return self._sums(
                lambda acc, slot, i, j: kernels.square_sums(
                    table.data, self._width, half, columns, rows, acc.data, slot, i, j
                )
            )
        factor = FrVector.from_ints([r])
        return self._sums(
            lambda acc, slot, i, j: kernels.fold_square_sums(
                table.data,
                factor.data,
                self._width,
                half,
                table.data,
                columns,
                rows,
                acc.data,
                slot,
                i,
                j,
            )
        )

    def _sums(self, function: Callable[[FrVector, int, int, int], None]) -> list[int]:
        grain = max(1, _GRAIN // (LANES * self._width))
        return sums_of_slots(self._n_rows // 2, grain, 2, function)

    def bind(self, r: int) -> None:
        self._bound = r
        self._n_rows //= 2
        self._eq.bind()

    def last_row(self) -> FrVector:
        """The row that is left after the last round."""
        width = LANES * self._width
        if self._bound is None:
            raise ValueError("no variable was bound")
        return fold(self._table.slice(0, 2 * width), self._bound)
