"""Every withdrawal that a party signed, in one file of its private directory.

    file = one JSON line each, oldest first: chain, destination, amount (0: all), coins, transaction

Versions of one withdrawal spend the same coins to the same script, so at most one of them is mined.
Each is on disk before it is sent. The transactions are no secret: they were made to be published.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bitcoin.core import CTransaction
from bitcoin.core.serialize import SerializationError

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Outpoint, txid_of
from zkcmp.errors import DecodeError
from zkcmp.exchange.private.store import write_atomic

WITHDRAWALS_FILE = "withdrawals"


@dataclass(frozen=True)
class Order:
    """Where coins are to go on which chain, and how many satoshi; None: all."""

    chain: str
    destination: bytes
    amount_sat: int | None


@dataclass(frozen=True)
class Withdrawal:
    """One signed version of an order, over these coins."""

    order: Order
    coins: tuple[Outpoint, ...]
    transaction: CTransaction

    @property
    def txid(self) -> str:
        return txid_of(self.transaction)

    @property
    def sent_sat(self) -> int:
        """What the destination gets."""
        return int(self.transaction.vout[0].nValue)

    @property
    def fee_sat(self) -> int:
        paid_out = sum(output.nValue for output in self.transaction.vout)
        return sum(coin.amount_sat for coin in self.coins) - int(paid_out)

    @property
    def sat_per_vb(self) -> int:
        """Rounded down."""
        return self.fee_sat // fees.vsize(self.transaction)


class Withdrawals:
    """The record of one private directory."""

    def __init__(self, home: Path):
        self.path = home / WITHDRAWALS_FILE

    def load(self) -> list[Withdrawal]:
        """All of them, oldest first. Raises DecodeError for a damaged record."""
        if not self.path.exists():
            return []
        try:
            return [_decode(line) for line in self.path.read_text("ascii").splitlines()]
        except (OSError, ValueError, KeyError, TypeError, SerializationError, RecursionError):
            raise DecodeError(
                f"{self.path} is damaged; restore it from a copy of the private directory, or, "
                "once every withdrawal is mined, remove it"
            ) from None

    def add(self, withdrawal: Withdrawal) -> None:
        """Record one durably; it must not be broadcast before."""
        earlier = self.load()
        if all(each.txid != withdrawal.txid for each in earlier):
            lines = [_encode(each) for each in (*earlier, withdrawal)]
            write_atomic(self.path, "".join(lines).encode("ascii"))


def versions_of_last(record: Sequence[Withdrawal], order: Order) -> list[Withdrawal]:
    """Every version of the withdrawal that was begun last for this order, oldest first."""
    same = [each for each in record if each.order == order]
    return [each for each in same if each.coins == same[-1].coins]


def _encode(each: Withdrawal) -> str:
    plain = {
        "chain": each.order.chain,
        "destination": each.order.destination.hex(),
        "amount_sat": each.order.amount_sat or 0,
        "coins": [[coin.txid, coin.vout, coin.amount_sat] for coin in each.coins],
        "transaction": each.transaction.serialize().hex(),
    }
    return json.dumps(plain) + "\n"


def _decode(line: str) -> Withdrawal:
    plain = json.loads(line)
    order = Order(
        str(plain["chain"]), bytes.fromhex(plain["destination"]), int(plain["amount_sat"]) or None
    )
    coins = tuple(Outpoint(str(txid), int(vout), int(sat)) for txid, vout, sat in plain["coins"])
    return Withdrawal(order, coins, CTransaction.deserialize(bytes.fromhex(plain["transaction"])))
