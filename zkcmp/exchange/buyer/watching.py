"""The buyer looks at the chain until it has the network or its coins.

    wait for the claim -> read the key, open the seal -> opened
         `-- timeout --> refund, raise its fee -> buried as deep as the seller asked of the lock

The key is on disk before the seal is opened with it. Looking again after any crash, outage or
reorganisation is always right: a network that was opened stays, a claim that was seen is not raced,
a refund that was undone is sent again.

The deal is over with refunds only where no claim was seen, also none while they were looked at:
besides the lock, other outputs can be refunded, and anybody can pay one.
"""

from pathlib import Path

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fee_rates import FeeChoice
from zkcmp.errors import DealError
from zkcmp.exchange.buyer import known_key, seen_claim
from zkcmp.exchange.buyer.opening import open_network
from zkcmp.exchange.buyer.refunding import Refunded, refund
from zkcmp.exchange.checks import NotYet
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.settlement.watched import Watched
from zkcmp.model.network import Network

_REDEEMED = "the seller has redeemed: the key is known"


def look(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    chain: Chain,
    out: Path,
    refunds: bool,
    choice: FeeChoice,
) -> Watched[Network | Refunded]:
    """Do what can be done now; with `refunds`, also take the coins back once that is possible.

    Raises DealError when there is no lock to look at.
    """
    try:
        known = known_key.look(deal, chain) is not None
    except DealError as reason:
        if not deal.state.funding_txid:
            raise
        return Watched(f"height {chain.height()}: {reason}")
    if not known:
        try:
            where = _take_back(buyer, deal, chain, refunds, choice)
        except (DealError, SettlementError):
            if seen_claim.kept(deal) is None:
                raise
        else:
            if seen_claim.kept(deal) is None:
                return where
    return Watched(_REDEEMED, open_network(buyer, deal, chain, out))


def _take_back(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    chain: Chain,
    refunds: bool,
    choice: FeeChoice,
) -> Watched[Refunded]:
    """Where the refunds stand, if they are to be taken; who asks looks for a claim afterwards."""
    height = chain.height()
    if not refunds:
        return Watched(f"height {height}: no claim yet; no refund is to be taken")
    try:
        refunded = refund(buyer, deal, chain, choice)
    except NotYet as reason:
        return Watched(f"height {height}: no claim yet; {reason}")
    depth, needed = refunded.least_confirmations, deal.offer().confirmations
    line = f"refund {refunded.txid}: {depth} of {needed} confirmations"
    if depth >= needed and not refunded.unripe:
        return Watched(line, refunded)
    if refunded.unripe:
        line += f", {refunded.unripe} more to come later"
    return Watched(f"height {height}: {line}, {refunded.fee_sat_per_vb} sat/vB")
