"""What one look at the chain found, for a party that keeps looking until its deal is settled."""

from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R", covariant=True)


@dataclass(frozen=True)
class Watched(Generic[R]):
    """One line that says where the deal stands, and the result once nothing is left to do."""

    line: str
    result: R | None = None
