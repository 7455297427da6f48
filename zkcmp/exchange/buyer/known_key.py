"""The key that the seller's claim publishes, as soon as the chain shows the claim.

On disk (`seen_claim`) before anything is done with it, and from then on the chain is not asked.
"""

from bitcoin_scripts.chain import Chain
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import published_key, seen_claim
from zkcmp.exchange.buyer.locking import need_lock
from zkcmp.exchange.deal import BuyerState
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

    Of a node that reads many blocks, so for who asks once. Raises DealError where there is neither.
    """
    try:
        return look(deal, chain)
    except DealError:
        offer = deal.offer()
        checks.check_chain(offer, chain)
        published = published_key.find(deal, offer, chain)
        if published is None:
            raise
        return published
