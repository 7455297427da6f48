"""How long work reports that it goes on: a callback, so that libraries print nothing."""

from typing import Protocol


class Progress(Protocol):
    """Called with a stage's name and how many of its `total` units are done."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""
