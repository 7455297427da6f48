"""What this machine can do: how long a product of the field takes, and how much memory is free.

Costs are predicted in products (groth16/estimate.py, libra/estimate.py).
"""

import os
import time
from pathlib import Path

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.lanes.mul_chains import CHAINS, multiply_chains
from zkcmp.errors import ZkcmpError

_ROUNDS = 10_000


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
        lines = Path("/proc/meminfo").read_text().splitlines()
        limits += [1024 * int(v.split()[1]) for v in lines if v.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    group = Path("/sys/fs/cgroup")
    try:
        maximum = int((group / "memory.max").read_text())
        limits.append(max(0, maximum - int((group / "memory.current").read_text())))
    except (OSError, ValueError):
        pass  # no limit, or no such group
    return min(limits, default=None)


def require_memory(needed_bytes: int, work: str, force: bool = False) -> None:
    """Raise a ZkcmpError when `work` will need more memory than there is, unless `force`."""
    available = available_memory_bytes()
    if not force and available is not None and needed_bytes > available:
        raise ZkcmpError(
            f"{work} will need about {needed_bytes / 1e9:.1f} GB of memory and "
            f"{available / 1e9:.1f} GB are free; use fewer test images, another machine, or --force"
        )
