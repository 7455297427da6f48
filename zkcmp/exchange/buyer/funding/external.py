"""A lock that any wallet pays by its address: terms first, on disk; then the payment is looked for.

What was paid counts once it is mined, with exactly the price. Until then it can be replaced by
another transaction, or have another id when it is mined.
"""

from dataclasses import dataclass

from bitcoin_scripts.chain import Chain, FoundOutput
from zkcmp.errors import DealError
from zkcmp.exchange.buyer.funding.outputs import LockOutput, is_claimed, paid_outputs, terms
from zkcmp.exchange.buyer.funding.record import Begun, FundingRecord, Way
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.party import Deal


@dataclass(frozen=True)
class Payable:
    """What to pay, or, where `waiting` is something, what is to be mined first."""

    address: str
    amount_sat: int
    begun: Begun
    height: int
    waiting: FoundOutput | None
    repeated: bool

    @property
    def blocks_left(self) -> int:
        """For how many more blocks it may be paid."""
        return self.begun.pay_until - self.height


def ask(deal: Deal[BuyerState], offer: Offer, chain: Chain) -> Payable:
    """The terms to pay to, on disk. Raises DealError when nothing may be paid to them any more."""
    record, height = FundingRecord(deal.directory), chain.height()
    current = record.current()
    begun = current[-1] if current else Begun.at(Way.EXTERNAL, height, offer)
    if not current:
        record.add(begun)
    address = terms(deal, offer, begun.timeout_height).address(chain.name)
    paid = paid_outputs(deal, chain)
    priced = (p.output for p in paid if p.output.amount_sat == offer.price_sat)
    waiting = next((o for o in priced if o.height is None and o.spent_by is None), None)
    for other in paid if waiting is None else ():
        _refuse_more(other, deal, offer, chain)
    if waiting is None and height > begun.pay_until:
        raise DealError(
            f"nothing was paid up to height {begun.pay_until}, so do NOT pay to {address} any "
            "more; if nothing is on its way there, add --abandon to fund anew"
        )
    return Payable(address, offer.price_sat, begun, height, waiting, bool(current))


def _refuse_more(paid: LockOutput, deal: Deal[BuyerState], offer: Offer, chain: Chain) -> None:
    """Raise DealError for coins that cannot be the lock; more coins would not mend that."""
    output, timeout_height = paid.output, paid.htlc.timeout_height
    if is_claimed(paid, deal, chain):
        raise DealError(
            f"the seller took the {output.amount_sat} sat of {output.txid}, which made the key "
            "public: pay nothing more, and run `zkcmp buyer open`"
        )
    if output.spent_by is None:
        raise DealError(
            f"{output.txid} paid {output.amount_sat} sat, and the price is exactly "
            f"{offer.price_sat}: pay nothing more, the seller could take both; "
            f"`zkcmp buyer refund` returns them from height {timeout_height} on"
        )
