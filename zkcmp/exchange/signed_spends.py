"""Every claim, or every refund, that a party signed for its lock, in one file of its directory.

    file = one line each, oldest first: height at which it was signed, space, transaction in hex

All of them spend the same output to the same script, with rising fees, so at most one is mined and
it does not matter which. The file is written before any of them is sent: a claim that was sent
must be sent again after a crash. Each can be signed anew from the deal's key, so a damaged file
counts as an empty one.
"""

from dataclasses import dataclass
from typing import Any

from bitcoin.core import CTransaction
from bitcoin.core.serialize import SerializationError

from bitcoin_scripts.chain import txid_of
from zkcmp.errors import DecodeError
from zkcmp.exchange.party import Deal

CLAIMS_FILE = "claims"
REFUNDS_FILE = "refunds"


@dataclass(frozen=True)
class SignedSpend:
    """A transaction that takes the locked coins, and at which height it was signed."""

    height: int
    transaction: CTransaction

    @property
    def txid(self) -> str:
        return txid_of(self.transaction)

    @property
    def paid_out_sat(self) -> int:
        """What its output gets: the less, the higher its fee."""
        return int(sum(output.nValue for output in self.transaction.vout))


class SignedSpends:
    """The record `name` of one deal."""

    def __init__(self, deal: Deal[Any], name: str):
        self._deal, self._name = deal, name

    def load(self) -> list[SignedSpend]:
        """All of them, oldest first."""
        try:
            lines = self._deal.read_secret(self._name).decode("ascii").splitlines()
            return [_decode(line) for line in lines]
        except (FileNotFoundError, DecodeError, ValueError, SerializationError):
            return []

    def add(self, spend: SignedSpend) -> None:
        """Record one durably; it must not be broadcast before."""
        earlier = self.load()
        if all(spend.txid != each.txid for each in earlier):
            lines = [_encode(each) for each in (*earlier, spend)]
            self._deal.write_secret(self._name, "".join(lines).encode("ascii"))

    def forget(self) -> None:
        """Remove the record, once none of its transactions can be mined any more."""
        (self._deal.directory / self._name).unlink(missing_ok=True)


def _encode(spend: SignedSpend) -> str:
    return f"{spend.height} {spend.transaction.serialize().hex()}\n"


def _decode(line: str) -> SignedSpend:
    height, transaction = line.split(" ")
    return SignedSpend(int(height), CTransaction.deserialize(bytes.fromhex(transaction)))
