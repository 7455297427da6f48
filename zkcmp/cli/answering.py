"""`zkcmp seller prove`: answered at once, or, whatever comes out, at a time that was chosen before.

A refusal is reached in seconds, a proof in minutes. The deal folder shows neither, but whoever sees
when the command ends, or what an automatic seller does next, would know which it was. So with a
time to answer at, both end then: an error is raised, a delivery is put into the deal folder, not
before. Until then the private directory is free for other commands, and before it is computed
another one is waited for: a second `prove` finds the answer of the first, and sends the same.
"""

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from zkcmp.cli import passphrase
from zkcmp.cli.console import progress_bars, say
from zkcmp.cli.party import opened

if TYPE_CHECKING:
    from zkcmp.exchange.keyring import AskPassphrase
    from zkcmp.exchange.seller import Proved, Seller

_PAUSE_S = 1.0

AnswerAfter = Annotated[
    int,
    typer.Option(
        "--answer-after",
        min=0,
        max=10_080,
        metavar="MINUTES",
        help="Answer, or refuse, so long after the command began, whichever it is.",
        show_default="as soon as it is known",
    ),
]
T = TypeVar("T")


def prove(
    deal: Path, home: Path, buyer: str | None, mode: str | None, force: bool, after_minutes: int
) -> "Proved":
    """Answer the request, or raise, not before so many minutes have passed."""
    ask = functools.cache(passphrase.ask)
    deadline_s = time.monotonic() + 60 * after_minutes

    def compute() -> "Proved":
        with _opened(home, ask, deadline_s) as seller, progress_bars() as progress:
            seller.force = force
            return seller.prove(deal, buyer, progress, mode, publish=not after_minutes)

    proved, known_s = _not_before(deadline_s, compute)
    if after_minutes:
        with _opened(home, ask, math.inf) as seller:  # it is ready, and nothing else sends it
            seller.publish(deal)
        if known_s > deadline_s:
            say(f"caution    a proof takes longer than --answer-after {after_minutes}, at which a")
            say("           refusal would have ended; say more the next time")
    return proved


def _not_before(deadline_s: float, compute: Callable[[], T]) -> tuple[T, float]:
    """What `compute` returns, and when; or raises. The monotonic clock is at the deadline then."""
    try:
        result = compute()
    except Exception:  # a defect, too, would tell something by its time
        _wait_until(deadline_s)
        raise
    known_s = time.monotonic()
    _wait_until(deadline_s)
    return result, known_s


def _wait_until(deadline_s: float) -> None:
    left_s = deadline_s - time.monotonic()
    if left_s > 0:
        time.sleep(left_s)


@contextlib.contextmanager
def _opened(home: Path, ask: "AskPassphrase", until_s: float) -> "Iterator[Seller]":
    """The seller, once no other command has the directory. Raises BusyError from `until_s` on."""
    from zkcmp.exchange.seller import Seller
    from zkcmp.exchange.store import BusyError

    with contextlib.ExitStack() as stack:
        said = False
        while True:
            try:
                seller = stack.enter_context(opened(Seller, home, ask))
                break
            except BusyError as busy:
                if time.monotonic() >= until_s:
                    raise
                if not said:
                    said = True
                    say(f"waiting    {busy}")
                time.sleep(min(_PAUSE_S, until_s - time.monotonic()))
        yield seller
