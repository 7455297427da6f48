"""Ctrl-C is not lost.

It raises KeyboardInterrupt wherever the main thread happens to be. From a callback that C code runs
(a weak reference's, a lock's in llvmlite, a `__del__`) no exception has anywhere to go: Python
reports it to `sys.unraisablehook` and goes on, and the command would run to its end. So an
interrupt that arrives there is raised again by a timer a moment later, when the callback has
returned; as often as it takes.
"""

import signal
import sys
from types import FrameType

_A_MOMENT_S = 0.02


def keep_interrupts() -> None:
    """From here on, raise a lost interrupt again. In a process that ignores Ctrl-C, do nothing."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    report = sys.unraisablehook

    def raise_again(lost: "sys.UnraisableHookArgs") -> None:
        if lost.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, _A_MOMENT_S)
        else:
            report(lost)

    signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = raise_again


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
