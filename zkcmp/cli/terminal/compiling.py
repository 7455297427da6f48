"""A line on stderr when kernels begin to be compiled: the longest wait of a first command.

A minute of silence would look like a command that hangs. Commands whose kernels are on disk say
nothing, and so do those that draw a bar.
"""

import functools
import sys
from threading import Event

_LINE = "zkcmp: compiling kernels, a minute or two the first time\n"
_ENGINE = "zkcmp.bn254.lanes.jit"
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
                sys.stderr.write(_line())
                sys.stderr.flush()

        def on_end(self, event: object) -> None:
            pass

    event.register("numba:compile", FirstCompilation())


def _line() -> str:
    """What is compiled, and where nothing can be kept, why every command compiles it again."""
    jit = sys.modules.get(_ENGINE)
    if jit is None or jit._CACHED:
        return _LINE
    return (
        f"zkcmp: compiling kernels, minutes each time: {jit._CACHE_DIRECTORY} cannot be written "
        "to; set ZKCMP_CACHE to a directory that can\n"
    )
