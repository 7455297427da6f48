"""A line on stderr when kernels begin to be compiled: the longest wait of a first command.

A minute of silence would look like a command that hangs. Commands whose kernels are on disk say
nothing, and so do those that draw a bar.
"""

import functools
import sys
from threading import Event

_LINE = "zkcmp: compiling kernels, a minute or two the first time\n"
_told = Event()


def announce_compiling() -> None:
    """From here on, say once when numba begins to compile. Loads numba."""
    if sys.stderr is sys.__stderr__:  # a program that calls commands has its own stream there
        _listen()


def leave_it_to_the_bar() -> None:
    """Say nothing any more: something moves already, and a line would cut through it."""
    _told.set()


@functools.cache
def _listen() -> None:
    try:
        from numba.core import event
    except ImportError:  # numba calls it experimental; without it there is just no line
        return

    class FirstCompilation(event.Listener):
        def on_start(self, event: object) -> None:
            if not _told.is_set():
                _told.set()
                sys.stderr.write(_LINE)
                sys.stderr.flush()

        def on_end(self, event: object) -> None:
            pass

    event.register("numba:compile", FirstCompilation())
