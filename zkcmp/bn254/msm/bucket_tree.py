"""Sums of buckets: the entries of a counting sort, pair by pair, level by level, into a table.

Entries are taken in ranges small enough for all levels of their tree to stay in the second-level
cache, cut without regard to buckets: what is left of a bucket in the next range is added to the
table like anything else that was there before. So buffers never grow with the number of points.
"""

import math
from typing import Any

import numpy as np

from zkcmp.bn254 import aligned
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.lanes.jit import inlined, kernel
from zkcmp.bn254.msm.bucket_plan import PAD_GROUPS, plan_level, plan_merge
from zkcmp.bn254.msm.bucket_sums import copy_entries, scatter
from zkcmp.bn254.msm.pair_sums import add_pairs, new_scratch

# a range, in points
RANGE_BYTES = 1 << 20
# entries kept beyond the last of an index array
SLACK = (PAD_GROUPS + 2) * LANES


class TreeBuffers:
    """What `add_bucket_sums` works in: for one thread, up to `entries` entries at a time."""

    def __init__(self, point_shape: tuple[int, ...], entries: int):
        entries = max(1, min(entries, RANGE_BYTES // (8 * math.prod(point_shape))))
        self.starts = aligned.empty((entries + 2,), np.int64)
        self.indices = aligned.empty((4, entries + SLACK), np.uint32)
        self.levels = aligned.empty((2, entries + 2 * LANES, *point_shape))
        self.scratch = new_scratch(point_shape)

    def add(
        self,
        points: np.ndarray,
        bucket_start: np.ndarray,
        entries: np.ndarray,
        table: np.ndarray,
        occupied: np.ndarray,
    ) -> None:
        """Add to table[b − 1] the points of bucket b, for all buckets of a counting sort.

        `entries` are overwritten. A place that is not occupied is written, not added to, and is
        occupied afterwards.
        """
        add_bucket_sums(
            points,
            bucket_start,
            entries,
            table,
            occupied,
            self.starts,
            self.indices,
            self.levels,
            self.scratch,
        )


@inlined
def _cut(bucket_start: Any, bucket: Any, first: Any, stop: Any, starts: Any) -> Any:
    """Starts of the buckets from `bucket` on within entries first … stop − 1; the last bucket."""
    starts[1] = first
    k = 1
    while bucket_start[bucket + 1] < stop and k < len(starts) - 2:
        k += 1
        bucket += 1
        starts[k] = bucket_start[bucket]
    starts[k + 1] = min(stop, bucket_start[bucket + 1])
    return bucket, k + 2


@kernel
def add_bucket_sums(
    points: Any,
    bucket_start: Any,
    entries: Any,
    table: Any,
    occupied: Any,
    starts: Any,
    indices: Any,
    levels: Any,
    scratch: Any,
) -> None:
    """`TreeBuffers.add`."""
    total = bucket_start[len(bucket_start) - 1]
    left, right, singles, numbers = indices[0], indices[1], indices[2], indices[3]
    first, bucket = 0, 1
    longest = len(starts) - 2
    while first < total:
        while bucket_start[bucket + 1] <= first:
            bucket += 1
        last, count = _cut(bucket_start, bucket, first, min(first + longest, total), starts)
        part = starts[:count]
        first = part[count - 1]
        records, level = points, 0
        while True:
            pairs, whole, odd = plan_level(part, entries, left, right, singles, LANES)
            if pairs == 0:
                break
            out = levels[level % 2]
            add_pairs(records, left, records, right, 0, whole // LANES, out, scratch, level == 0)
            copy_entries(records, singles, odd, out, whole // LANES)
            records, level = out, level + 1
        places, used = table[bucket - 1 : last], occupied[bucket - 1 : last]
        pairs, whole, odd = plan_merge(part, entries, used, left, right, singles, numbers, LANES)
        out = levels[level % 2]
        if pairs:
            add_pairs(places, left, records, right, 0, whole // LANES, out, scratch, True)
            scatter(out, left, pairs, places)
        copy_entries(records, singles, odd, out, 0)
        scatter(out, numbers, odd, places)
        bucket = last
