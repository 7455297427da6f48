"""Every claim, or every refund, that a party signed for its lock, in one file of its directory.

    file = one line each, oldest first: height at which it was signed, transaction (signed_lines.py)

Those of one output all pay to the same script, with rising fees, so at most one is mined and it
does not matter which. The file is written before any of them is sent: a claim that was sent must be
sent again after a crash. Each can be signed anew from the deal's key, so a damaged file
counts as an empty one. They are kept as secret files: a claim has the key in it.

Whose a spend is says the input that takes the locked coins. Its outputs do not: a refund may pay to
the seller's script, beside a coin that the buyer then spends elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Outpoint, spent_place, txid_of
from zkcmp.errors import DecodeError
from zkcmp.exchange.messages import signed_lines
from zkcmp.exchange.party import Deal

CLAIMS_FILE = "claims"
REFUNDS_FILE = "refunds"


@dataclass(frozen=True)
class SignedSpend:
    """A transaction that takes the locked coins, and at which height it was signed."""

    height: int
    transaction: CTransaction = field(repr=False)  # a claim has the key in it

    @property
    def txid(self) -> str:
        return txid_of(self.transaction)

    def spends_only(self, txid: str, vout: int) -> bool:
        """Whether it is a spend of that output, and needs no other coin."""
        return [spent_place(each) for each in self.transaction.vin] == [(txid, vout)]

    @property
    def paid_out_sat(self) -> int:
        """What its output gets: the less, the higher its fee."""
        return int(sum(output.nValue for output in self.transaction.vout))


class SignedSpends:
    """What the record `name` of one deal has of spends of one output.

    `is_ours` tells a spend of it by this party from one by the other party.
    """

    def __init__(
        self,
        deal: Deal[Any],
        name: str,
        outpoint: Outpoint,
        is_ours: Callable[[CTransaction], bool],
    ):
        self._deal, self._name = deal, name
        self._place = outpoint.place
        self.is_ours = is_ours

    def load(self) -> list[SignedSpend]:
        """All of them, oldest first; a file can have another's in it, which is passed over."""
        found = [
            spend for spend in _read(self._deal, self._name) if spend.spends_only(*self._place)
        ]
        return [spend for spend in found if self.is_ours(spend.transaction)]

    def add(self, spend: SignedSpend) -> None:
        """Record one durably; it must not be broadcast before."""
        earlier = _read(self._deal, self._name)
        if all(spend.txid != each.txid for each in earlier):
            pairs = ((each.height, each.transaction) for each in (*earlier, spend))
            self._deal.write_secret(self._name, signed_lines.encode(pairs))


def said(deal: Deal[Any], name: str, txid: str) -> str:
    """How a status names the spend that the chain had last: of several, it can have another now."""
    n_signed = len(_read(deal, name))
    return f"by {txid}" if n_signed < 2 else f"by one of {n_signed} transactions, last seen {txid}"


def _read(deal: Deal[Any], name: str) -> list[SignedSpend]:
    try:
        return [SignedSpend(*pair) for pair in signed_lines.decode(deal.read_secret(name))]
    except (FileNotFoundError, DecodeError):
        return []
