"""Kernels release the GIL, so a plain pool of threads runs them side by side."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from zkcmp.errors import SettingError

Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count() -> int:
    """Threads to use: `ZKCMP_THREADS`, or as many as this process may run on."""
    wanted = os.environ.get("ZKCMP_THREADS", "")
    if wanted:
        if not wanted.isdecimal() or not 1 <= int(wanted[:5]) <= 1024:
            raise SettingError(f"ZKCMP_THREADS is {wanted!r}; give a number from 1 to 1024")
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="zkcmp")


# a forked process has the pools, but not their threads, and would wait for ever
os.register_at_fork(after_in_child=_pool.cache_clear)


def parallel_map(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """[function(item) for item in items] on the pool; must not be nested."""
    tasks: Sequence[Item] = list(items)
    threads = thread_count()
    if threads == 1 or len(tasks) <= 1:
        return [function(task) for task in tasks]
    return list(_pool(threads).map(function, tasks))


def parallel_ranges(function: Callable[[int, int], None], n: int, grain: int = 512) -> None:
    """function(start, stop) over contiguous ranges that cover range(n), a thread each."""
    threads = max(1, min(thread_count(), n // grain))
    edges = [n * t // threads for t in range(threads + 1)]
    parallel_map(lambda t: function(edges[t], edges[t + 1]), range(threads))
