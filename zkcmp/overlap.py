"""Two pieces of work at a time, each of which runs its kernels on the pool of bn254/threads.py.

What one of them does on a single thread (sorting, copying, folding) is done beside the kernels of
the other, so that no core waits. It costs the memory of a second piece of work.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from zkcmp.bn254.threads import thread_count

Item = TypeVar("Item")
Result = TypeVar("Result")

_AT_A_TIME = 2


def overlapped(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """function(item) for every item, in order; two are worked on, and a third may be ready.

    The items are taken one by one, by the caller's thread. Not to be used inside of itself.
    """
    if thread_count() == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="zkcmp-overlap") as threads:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(threads.submit(function, item))
                if len(waiting) > _AT_A_TIME:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
