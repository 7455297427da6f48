"""Rounds of a sumcheck by one pass of a fused kernel over all tables, on every thread.

A kernel takes the tables' arrays, the number of groups in a half, an array of sums, the number of
its task and a range of groups, and leaves n_sums groups of partial sums at n_sums·task.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zkcmp.bn254.body import LANES
from zkcmp.bn254.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.threads import parallel_map, thread_count
from zkcmp.libra.sumcheck import TableProver


def lane_sums(
    kernel: Callable[..., Any], n_sums: int, n_groups: int, tables: Sequence[FrVector]
) -> list[int]:
    """The kernel's sums over groups 0 … n_groups − 1."""
    n_tasks = min(thread_count(), n_groups)
    edges = [n_groups * t // n_tasks for t in range(n_tasks + 1)]
    sums = FrVector.zeros(n_sums * n_tasks * LANES)
    arrays = [table.data for table in tables]

    def run(t: int) -> None:
        kernel(*arrays, n_groups, sums.data, t, edges[t], edges[t + 1])

    parallel_map(run, range(n_tasks))
    by_sum = np.array(sums.to_ints(), object).reshape(n_tasks, n_sums, LANES)
    return [int(total) % FR_MODULUS for total in by_sum.sum(axis=(0, 2))]


class FusedProver(TableProver):
    """A TableProver whose rounds a kernel computes, while the tables fill whole groups of lanes."""

    kernel: Callable[..., Any]

    def round_values(self) -> list[int]:
        half = len(self.tables[0]) // 2
        if half % LANES:
            return super().round_values()
        tables = self.tables if self._eq is None else [*self.tables, self._eq.table]
        kernel = type(self).kernel
        return lane_sums(kernel, self._degree, half // LANES, tables)
