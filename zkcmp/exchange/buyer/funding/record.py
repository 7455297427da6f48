"""How the funding of a deal was begun by others than our own wallet, in one file.

    file = one line an event, oldest first
    draft    <timeout height> <begun at height> <pay until height> <PSBT, hexadecimal>
    external <timeout height> <begun at height> <pay until height> -
    over

A line is on disk before an address is shown or a transaction handed out: from then on coins can
come to its script at any time, and its timeout is what gets them back. So no line is ever removed:
`over` says that what came before goes on no more, and coins that come late can still be refunded.
All drafts between two of these spend the same coins, so that at most one of them confirms.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from zkcmp.errors import DecodeError
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.private.store import write_atomic

FUNDING_FILE = "funding"

SENDING_MARGIN_BLOCKS = 6
"""How long a payment may wait to be mined, where the offer's terms have room for that."""

_OVER = "over"
_LINE = re.compile(r"(draft|external) (\d{1,9}) (\d{1,9}) (\d{1,9}) (-|(?:[0-9a-f]{2})+)")


class Way(StrEnum):
    """Where the coins of a lock come from."""

    OWN = "own"
    DRAFT = "draft"
    EXTERNAL = "external"


@dataclass(frozen=True)
class Begun:
    """Terms that somebody was asked to pay to.

    `pay_until` is the height of the chain after which a payment may come too late for the seller;
    `psbt` is empty but for drafts.
    """

    way: Way
    timeout_height: int
    begun_height: int
    pay_until: int
    psbt: bytes = b""

    @classmethod
    def at(cls, way: Way, height: int, offer: Offer, psbt: bytes = b"") -> "Begun":
        """Terms that begin now, with the offer's timeout."""
        room = offer.timeout_blocks - offer.confirmations - offer.min_blocks_left
        pay_until = height + room - min(SENDING_MARGIN_BLOCKS, room)
        return cls(way, height + offer.timeout_blocks, height, pay_until, psbt)


class FundingRecord:
    """The record of one deal, in its private directory."""

    def __init__(self, directory: Path):
        self.path = directory / FUNDING_FILE

    def load(self) -> list[Begun]:
        """All that was ever begun, oldest first."""
        return [begun for begun in self._events() if begun is not None]

    def current(self) -> list[Begun]:
        """What was begun and goes on, oldest first; all of one way."""
        events = self._events()
        ended = max((i + 1 for i, begun in enumerate(events) if begun is None), default=0)
        return [begun for begun in events[ended:] if begun is not None]

    def add(self, begun: Begun) -> None:
        """Record terms durably; nobody must be told of them before."""
        psbt = begun.psbt.hex() or "-"
        heights = f"{begun.timeout_height} {begun.begun_height} {begun.pay_until}"
        self._append(f"{begun.way.value} {heights} {psbt}")

    def end(self) -> None:
        """What was begun goes on no more."""
        if self.current():
            self._append(_OVER)

    def _append(self, line: str) -> None:
        written = self.path.read_text("ascii") if self.path.exists() else ""
        write_atomic(self.path, f"{written}{line}\n".encode("ascii"))

    def _events(self) -> list[Begun | None]:
        if not self.path.exists():
            return []
        try:
            lines = self.path.read_bytes().decode("ascii").splitlines()
        except UnicodeDecodeError:
            lines = []
        matches = [_LINE.fullmatch(line) for line in lines]
        if not lines or any(m is None and x != _OVER for m, x in zip(matches, lines, strict=True)):
            raise DecodeError(
                f"{self.path} is damaged; restore it from a copy of the private directory"
            )
        return [None if match is None else _begun(match) for match in matches]


def _begun(match: re.Match[str]) -> Begun:
    way, timeout, begun, until, psbt = match.groups()
    raw = b"" if psbt == "-" else bytes.fromhex(psbt)
    return Begun(Way(way), int(timeout), int(begun), int(until), raw)
