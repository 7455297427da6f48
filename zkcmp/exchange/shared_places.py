"""Where files of one party must not lie: in a deal folder, which the other party reads.

A deal folder is known by its name, or by the offer in it: that of another deal will do.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from zkcmp.errors import DealError
from zkcmp.exchange.messages.contents import FILE_NAMES
from zkcmp.exchange.messages.envelope import Kind


def refuse_shared(path: Path, folder: Path | None = None) -> None:
    """Raise DealError when `path` lies in `folder`, or in any deal folder, or leads into one."""
    known = [] if folder is None else [folder.resolve()]
    for target in (path.absolute(), resolved(path)):
        shared = place_around(target, known) or _place_of_an_offer(target)
        if shared is not None:
            raise DealError(
                f"{path} is in the deal folder {shared}, which the other side reads; choose a "
                "place of your own, before that folder is shared"
            )


def resolved(path: Path) -> Path:
    """Where `path` leads. Raises DealError for links in a circle."""
    try:
        return path.resolve()
    except RuntimeError:  # before Python 3.13
        raise DealError(f"{path} leads nowhere; choose another place") from None


def place_around(target: Path, folders: Iterable[Path]) -> Path | None:
    """Which of the folders `target` is, or lies in, by whatever name or mount."""
    for folder in folders:
        if any(_same_place(place, folder) for place in (target, *target.parents)):
            return folder
    return None


def _place_of_an_offer(target: Path) -> Path | None:
    for place in (target, *target.parents):
        if os.path.lexists(place / FILE_NAMES[Kind.OFFER]):
            return place
    return None


def _same_place(one: Path, other: Path) -> bool:
    try:
        return one == other or one.samefile(other)
    except OSError:  # one is not there, or the folder of another deal is on a disk that is not
        return False
