"""`zkcmp seller prove`: answered at once, or, whatever comes out, at a time that was chosen before.

A refusal is reached in seconds, a proof in minutes. The deal folder shows neither, but whoever sees
when the command ends, or what an automatic seller does next, would know which it was. So with a
time to answer at, both end then: an error is raised, a delivery is put into the deal folder, not
before. Until then the private directory is free for other commands, and before it is computed
another one is waited for: a second `prove` finds the answer of the first, and sends the same.
"""

import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from zkcmp.cli import passphrase
from zkcmp.cli.party import opened
from zkcmp.cli.terminal.console import progress_bars, say

if TYPE_CHECKING:
    from zkcmp.exchange.private.store import BusyError
    from zkcmp.exchange.seller import Proved

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
    from zkcmp.exchange.seller import Seller

    ask = functools.cache(passphrase.ask)
    deadline_s = time.monotonic() + 60 * after_minutes

    def compute() -> "Proved":
        with opened(Seller, home, ask) as seller, progress_bars() as progress:
            seller.force = force
            return seller.prove(deal, buyer, progress, mode, publish=not after_minutes)

    def publish() -> None:
        with opened(Seller, home, ask) as seller:
            seller.publish(deal)

    proved, known_s = _not_before(deadline_s, lambda: _patiently(compute, deadline_s))
    if after_minutes:
        _patiently(publish, math.inf)  # it is ready, and nothing else sends it
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


def _patiently(work: Callable[[], T], until_s: float) -> T:
    """What `work` returns, once no other command is in its way. Raises BusyError from then on."""
    from zkcmp.exchange.private.store import BusyError

    said = False
    while True:
        try:
            return work()
        except BusyError as busy:
            if time.monotonic() >= until_s:
                raise
            if not said:
                said = True
                say(f"waiting    {busy}")
            _wait_for(busy, until_s)


def _wait_for(busy: "BusyError", until_s: float) -> None:
    """Until the other command has ended, or till then.

    The private directory is not opened meanwhile: under a passphrase that takes half a second, in
    which other commands would find it in use.
    """
    while True:
        time.sleep(max(0.0, min(_PAUSE_S, until_s - time.monotonic())))
        if time.monotonic() >= until_s or busy.is_over():
            return
