"""What settlement needs from a Bitcoin chain, whoever keeps it.

Transaction ids are hex strings in the order that explorers print (python-bitcoinlib's `GetTxid()`
reversed; never `GetHash()`, which is the wtxid).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from bitcoin.core import CTransaction, CTxIn, b2lx

Place = tuple[str, int]
"""Which output of which transaction."""


@dataclass(frozen=True)
class Outpoint:
    """One output of one transaction, and what it is worth."""

    txid: str
    vout: int
    amount_sat: int

    @property
    def place(self) -> Place:
        """The same output, whatever is thought to be its worth."""
        return self.txid, self.vout


@dataclass(frozen=True)
class FoundOutput(Outpoint):
    """An output that a chain knows; usable wherever an `Outpoint` is.

    `height` is None while the transaction waits in the mempool; `spent_by` is the id of the
    transaction that spends it, mined or waiting.
    """

    script_pubkey: bytes
    height: int | None
    coinbase: bool
    spent_by: str | None


class Chain(Protocol):
    """A Bitcoin chain that settles deals. Every method may raise SettlementError."""

    @property
    def name(self) -> str:
        """`main`, `testnet`, `signet` or `regtest`: what addresses on this chain start from."""

    def height(self) -> int:
        """Height of the tip; the genesis block has height 0."""

    def broadcast(self, tx: CTransaction) -> str:
        """Submit a transaction and return its id; one already known is accepted again.

        One that spends what waiting transactions spend replaces them, if it pays enough more.
        """

    def confirmations(self, txid: str) -> int:
        """How many blocks bury the transaction, its own included; 0 if none or unknown."""

    def get_transaction(self, txid: str) -> CTransaction | None:
        """The transaction, mined or waiting."""

    def find_output(self, script_pubkey: bytes, since_height: int = 0) -> list[FoundOutput]:
        """Every output that pays to the script, oldest first, spent and waiting ones included.

        Blocks below `since_height` need not be looked at.
        """

    def find_spendable(self, script_pubkey: bytes) -> list[FoundOutput]:
        """Mined outputs of the script that the next block may spend and no known one does."""

    def find_spend(self, outpoint: Outpoint, since_height: int = 0) -> CTransaction | None:
        """The transaction that spends the output, mined or waiting.

        Blocks below `since_height` need not be looked at.
        """

    def find_containing(self, data: bytes, since_height: int = 0) -> list[CTransaction]:
        """Every transaction with these bytes in it, witnesses included, waiting ones last.

        Blocks below `since_height` need not be looked at.
        """

    def fee_rate(self, target_blocks: int) -> int | None:
        """sat/vB that should be mined within so many blocks; None where nothing can be said."""

    def close(self) -> None:
        """Release what the chain holds; it cannot be used afterwards."""


class Closing(ABC):
    """A chain that a `with` statement closes."""

    @abstractmethod
    def close(self) -> None:
        """As `Chain.close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def spent_place(tx_input: CTxIn) -> Place:
    """Which output an input spends."""
    return str(b2lx(tx_input.prevout.hash)), int(tx_input.prevout.n)


def txid_of(tx: CTransaction) -> str:
    """The id under which a chain knows the transaction."""
    return str(b2lx(tx.GetTxid()))
