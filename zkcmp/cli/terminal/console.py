"""How commands talk: one line per fact on stdout, one line per error on stderr, progress bars.

Errors that a user can cause end a command with exit code 2 and never with a traceback.
"""

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from zkcmp.cli.terminal.compiling import announce_compiling, leave_it_to_the_bar
from zkcmp.progress import Progress as Callback
from zkcmp.progress import silent

EXIT_REFUSED = 2


def say(text: str = "") -> None:
    """A line on stdout, as it is: no markup, no wrapping."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def typed(path: Path) -> str:
    """A path as one would type it in a shell."""
    return shlex.quote(str(path))


def count(n: int, thing: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"


def fail(text: str) -> NoReturn:
    """One line of printable characters on stderr, then exit code 2."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    sys.stderr.write(f"zkcmp: {line}\n")
    raise SystemExit(EXIT_REFUSED)


@contextlib.contextmanager
def progress_bars() -> Iterator[Callback]:
    """A progress callback that draws on stderr where that is a terminal, and is silent elsewhere.

    Nothing may be said meanwhile: the bar is rubbed out at the end.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        announce_compiling()
        yield silent
        return
    leave_it_to_the_bar()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bars = Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    )
    with bars:
        task = bars.add_task("starting", total=None)

        def show(stage: str, done: int, total: int) -> None:
            bars.update(task, description=stage, completed=done, total=total)

        yield show
