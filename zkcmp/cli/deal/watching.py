"""Looking at a chain again and again: what `seller watch` and `buyer watch` share.

The private directory and the chain are opened for each look and closed in between, so that other
commands can be run meanwhile. A chain that cannot be asked is asked again, less and less often; a
line is printed when it differs from the last one.
"""

import contextlib
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zkcmp.cli import passphrase
from zkcmp.cli.terminal.console import say
from zkcmp.errors import DealError, PassphraseError

if TYPE_CHECKING:
    from zkcmp.exchange.party import Party
    from zkcmp.exchange.settlement.watched import Watched

P = TypeVar("P", bound="Party[Any]")
R = TypeVar("R")
Look = Callable[[P], "Watched[R]"]

MAX_PAUSE_S = 300
"""A chain that is away is asked at least so often, or as often as `--interval` says."""

Interval = Annotated[
    int, typer.Option("--interval", min=1, max=3600, help="Seconds between two looks.")
]
Once = Annotated[bool, typer.Option("--once", help="Look once and do what can be done.")]


def keep_looking(
    kind: type[P], home: Path, look: "Look[P, R]", interval_s: int, once: bool
) -> R | None:
    """Call `look` with the party until it has a result; that result, or None with `once`.

    A chain that cannot be asked is waited for, and so is the private directory, once it was opened.
    Raises what no waiting cures; with `once`, everything.
    """
    ask = functools.cache(passphrase.ask)
    said, pause_s, looked = "", interval_s, False
    while True:
        line, result, away = _look(kind, home, ask, look, looked and not once, once)
        looked = looked or not away
        if line != said:
            said = line
            say(line)
        if result is not None or once:
            return result
        pause_s = min(2 * pause_s, max(MAX_PAUSE_S, interval_s)) if away else interval_s
        time.sleep(pause_s)


def _look(
    kind: type[P],
    home: Path,
    ask: Callable[[str], str],
    look: "Look[P, R]",
    patient: bool,
    once: bool,
) -> tuple[str, R | None, bool]:
    """One look: what it found, and whether it could not be done."""
    from bitcoin_scripts.errors import SettlementError

    with contextlib.ExitStack() as stack:
        try:
            party = stack.enter_context(kind.opened(home, ask))
        except DealError as error:
            if not patient or isinstance(error, PassphraseError):
                raise
            return f"waiting: {error}", None, True
        try:
            watched = look(party)
        except SettlementError as error:
            if once:
                raise
            return f"trying again: {error}", None, True
    return watched.line, watched.result, False
