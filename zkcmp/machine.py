"""What this machine can do: how long a product of the field takes, and how much memory is free.

Costs are predicted in products (groth16/estimate.py, libra/estimate.py).
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.lanes.mul_chains import CHAINS, multiply_chains
from zkcmp.errors import ZkcmpError

_ROUNDS = 10_000
_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# of a control group: its limit, what is used of it, and how a line begins that says what of that
# are pages of files, read once or more often; files in memory (shmem) are in neither
_FILES_V2 = "memory.max", "memory.current", ""
_FILES_V1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"


def product_s() -> float:
    """Seconds of one product in Fr on one thread, the best of a few milliseconds."""
    values = FrVector.powers(7, (CHAINS + 1) * LANES).data
    multiply_chains(values, 1)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        multiply_chains(values, _ROUNDS)
        best = min(best, time.perf_counter() - start)
    return best / (_ROUNDS * CHAINS * LANES)


def available_memory_bytes() -> int | None:
    """What this process can still get: free memory, or less by its control group; None: unknown."""
    limits = []
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
        limits += [1024 * int(v.split()[1]) for v in lines if v.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min([*limits, *_left_in_groups()], default=None)


def _left_in_groups() -> Iterator[int]:
    """What the control groups of this process, and those above them, let it still get."""
    try:
        lines = (_PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return  # no Linux
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root, files = (_GROUPS / "memory", _FILES_V1) if controllers else (_GROUPS, _FILES_V2)
        own = root / path.lstrip("/")
        for group in (own, *own.parents):
            if group.is_relative_to(root):
                with contextlib.suppress(OSError, ValueError):  # no limit, or not to be seen
                    yield _left_in(group, *files)


def _left_in(group: Path, limit_file: str, used_file: str, prefix: str) -> int:
    """The group's limit less what is used, pages of files aside: those make room when asked."""
    limit, used = (int((group / name).read_text()) for name in (limit_file, used_file))
    stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    cache = sum(int(stat.get(f"{prefix}{kind}_file", 0)) for kind in ("inactive", "active"))
    return max(0, limit - used + cache)


def require_memory(
    needed_bytes: int, work: str, force: bool = False, instead: str = "use fewer test images,"
) -> None:
    """Raise a ZkcmpError when `work` will need more memory than there is, unless `force`."""
    available = available_memory_bytes()
    if not force and available is not None and needed_bytes > available:
        raise ZkcmpError(
            f"{work} will need about {needed_bytes / 1e9:.1f} GB of memory and "
            f"{available / 1e9:.1f} GB are free; {instead} another machine, or --force"
        )
