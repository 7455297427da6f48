"""Every lock transaction that was signed for a deal, or came and was announced, in one file.

    file = one line a lock, oldest first: timeout height, transaction (signed_lines.py)

A transaction that was signed may have reached a node, whatever that node answered, and can be mined
long after. So none is forgotten while it could be: its timeout is needed to open or to refund it.
Whoever signs one or has it signed (`own_wallet`, `psbt_draft`) takes only coins of the last:

    coins(lock 1) ⊇ coins(lock 2) ⊇ … ⊇ coins(last) ≠ ∅

so at most one of them confirms, and a coin of the last one that is spent elsewhere ends them all.
External payments are not ours to choose, and are added when they are mined already; what was found
on the chain stands before what we signed, so that the last one stays ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Place, spent_place, txid_of
from zkcmp.errors import DecodeError
from zkcmp.exchange.messages import signed_lines
from zkcmp.exchange.private.store import sync_directory, write_atomic

SIGNED_LOCKS_FILE = "signed-locks"


@dataclass(frozen=True)
class SignedLock:
    """A transaction that pays to the lock, and from which height on it can be refunded."""

    timeout_height: int
    transaction: CTransaction

    @property
    def txid(self) -> str:
        return txid_of(self.transaction)

    @property
    def coins(self) -> set[Place]:
        """What it spends. Of two that share a coin, one is mined at most."""
        return set(map(spent_place, self.transaction.vin))


class SignedLocks:
    """The record of one deal, in its private directory."""

    def __init__(self, directory: Path):
        self.path = directory / SIGNED_LOCKS_FILE

    def load(self) -> list[SignedLock]:
        """All of them, oldest first; none if none was signed."""
        if not self.path.exists():
            return []
        try:
            locks = [SignedLock(*pair) for pair in signed_lines.decode(self.path.read_bytes())]
        except DecodeError:
            locks = []
        if not locks:
            raise DecodeError(
                f"{self.path} is damaged; restore it from a copy of the private directory"
            )
        return locks

    def add(self, lock: SignedLock) -> None:
        """Record a lock durably; it must not be broadcast before."""
        self._write([*self.load(), lock])

    def add_found(self, lock: SignedLock) -> None:
        """Record one that the chain has, before the others: the last one stays what we signed."""
        self._write([lock, *self.load()])

    def _write(self, locks: Sequence[SignedLock]) -> None:
        pairs = ((each.timeout_height, each.transaction) for each in locks)
        write_atomic(self.path, signed_lines.encode(pairs))

    def forget(self) -> None:
        """Remove the record, once none of its transactions can be mined any more."""
        self.path.unlink()
        sync_directory(self.path.parent)
