"""Rounds of a sumcheck by one pass of a fused kernel over all tables, on every thread.

A kernel takes the tables' arrays, the number of groups in a half, an array of sums, its slot and a
range of groups (bn254/field/rows.py), and leaves as many sums as the degree.
"""

from collections.abc import Callable
from typing import Any

from zkcmp.bn254.field.rows import sums_of_slots
from zkcmp.bn254.lanes.body import LANES
from zkcmp.libra.sumcheck.protocol import TableProver

_GRAIN = 64


class FusedProver(TableProver):
    """A TableProver whose rounds a kernel computes, while the tables fill whole groups of lanes."""

    kernel: Callable[..., Any]

    def round_values(self) -> list[int]:
        half = len(self.tables[0]) // 2
        if half % LANES:
            return super().round_values()
        tables = self.tables if self._eq is None else [*self.tables, self._eq.table]
        arrays, groups, kernel = [table.data for table in tables], half // LANES, type(self).kernel
        return sums_of_slots(
            groups,
            _GRAIN,
            self._degree,
            lambda sums, slot, start, stop: kernel(*arrays, groups, sums.data, slot, start, stop),
        )
