"""Ctrl-C is not lost.

It raises KeyboardInterrupt wherever the main thread happens to be, and there are places from which
Python goes on: a callback that C code runs (a lock's in llvmlite, a weak reference's, a `__del__`)
has nobody to raise to, and some of C's look-ups take any error for an answer. Of one interrupt in
thirty while modules are loaded and kernels compiled, the command would hear nothing.

So a moment after Ctrl-C a timer looks whether the interrupt is on its way: then it is what the main
thread is handling, in whose `finally` or `with` it is now, and the timer looks again later, since
such a callback has a `finally`, too. If it is not, and no command has ended by it (`heeded`), it
was lost, and is raised again; as often as it takes.
"""

import signal
import sys
from types import FrameType

_A_MOMENT_S = 0.1
_ended = False


def keep_interrupts() -> None:
    """From here on, raise a lost interrupt again. In a process that ignores Ctrl-C, do nothing."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    report = sys.unraisablehook

    def report_others(lost: "sys.UnraisableHookArgs") -> None:
        if lost.exc_type is not KeyboardInterrupt:
            report(lost)

    sys.unraisablehook = report_others
    signal.signal(signal.SIGALRM, _look)
    signal.signal(signal.SIGINT, _interrupt)


def heeded() -> None:
    """The command has ended, by an interrupt or before it came: none is raised again."""
    global _ended
    _ended = True  # first: a timer that has run out already may be heard of only now
    signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _look_later()
    raise KeyboardInterrupt


def _look_later() -> None:
    if not _ended:  # an alarm while Python shuts down would kill it
        signal.setitimer(signal.ITIMER_REAL, _A_MOMENT_S)


def _look(number: int, frame: FrameType | None) -> None:
    if _ended:
        return
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            _look_later()
            return
        error = error.__context__
    _interrupt(number, frame)
