"""The key that the seller's claim publishes, as soon as the chain shows the claim.

On disk (`seen_claim`) before anything is done with it, and from then on the chain is not asked.
"""

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.errors import SettlementError
from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import published_key, seen_claim
from zkcmp.exchange.buyer.locking import need_lock
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.party import Deal


def look(deal: Deal[BuyerState], chain: Chain) -> bytes | None:
    """The preimage, on disk by now, if we have it or the chain shows a claim, mined or waiting."""
    known = seen_claim.kept(deal)
    if known is not None:
        return known
    htlc, outpoint = need_lock(deal, chain)
    since = checks.our_first_height(htlc.timeout_height, deal.offer())
    spend = chain.find_spend(outpoint, since)
    return None if spend is None else seen_claim.keep(deal, spend)


def search(deal: Deal[BuyerState], chain: Chain) -> bytes | None:
    """As `look`; where our records lead to no lock, also by E, wherever a claim may be.

    Of a node that reads many blocks, so for who asks once. Raises DealError where there is neither,
    which also says if the node has not all of those blocks, or DecodeError for damaged records.
    """
    try:
        return look(deal, chain)
    except (DealError, DecodeError) as reason:
        published = _search_blocks(deal, chain, str(reason))
        if published is None:
            raise
        return published


def _search_blocks(deal: Deal[BuyerState], chain: Chain, reason: str) -> bytes | None:
    offer = deal.offer()
    checks.check_chain(offer, chain)
    try:
        return published_key.find(deal, offer, chain)
    except SettlementError as error:  # of old blocks, perhaps, while the claim is recent
        published = _search_recent(deal, offer, chain)
        if published is None:
            hint = f"not every block was looked at for the key itself: {error}"
            raise DealError(f"{reason}; {hint}") from None
        return published


def _search_recent(deal: Deal[BuyerState], offer: Offer, chain: Chain) -> bytes | None:
    try:
        return published_key.find_recent(deal, offer, chain)
    except SettlementError:
        return None
