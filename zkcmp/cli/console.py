"""How commands talk: one line per fact on stdout, one line per error on stderr, progress bars.

Errors that a user can cause end a command with exit code 2 and never with a traceback.
"""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from zkcmp.progress import Progress as Callback

EXIT_REFUSED = 2
_SHOW_AFTER_S = 1.0


def say(text: str = "") -> None:
    """A line on stdout, as it is: no markup, no wrapping."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fail(text: str) -> NoReturn:
    """One line on stderr, then exit code 2."""
    sys.stderr.write("zkcmp: " + " ".join(text.split()) + "\n")
    raise SystemExit(EXIT_REFUSED)


@contextlib.contextmanager
def progress_bars() -> Iterator[Callback]:
    """A progress callback that draws on stderr what takes longer than a second.

    Where stderr is no terminal, each stage is one line when it begins to take long.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        yield _Bars(bars)


class _Bars:
    def __init__(self, bars: Progress):
        self._bars = bars
        self._task = bars.add_task("starting", total=None)

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._bars.update(self._task, description=stage, completed=done, total=total)


class _Lines:
    def __init__(self) -> None:
        self._stage, self._since, self._said = "", 0.0, False

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._since, self._said = stage, now, False
        elif not self._said and now - self._since > _SHOW_AFTER_S:
            self._said = True
            sys.stderr.write(f"{stage} ...\n")
