"""A key that is public is not paid for, whoever paid for it, and whatever our directory remembers.

A claim has the whole script of its lock in its witness, with E in it. So a lock that this directory
has forgotten, over whatever coins, is found once it was claimed: by E, in the blocks since the
deal was begun. How long ago that was, the date of our request's file says; as a copy may have lost
that, RECENT_BLOCKS are looked at in any case.
"""

import time

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.chain.node_transactions import RECENT_BLOCKS
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import seen_claim
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal

_SHORTEST_BLOCK_S = 400
"""Over days, blocks do not come faster than this."""


def refuse(deal: Deal[BuyerState], offer: Offer, chain: Chain) -> None:
    """Raise DealError when the key is known, or the chain shows a claim; that is kept then."""
    known = seen_claim.kept(deal)
    if known is None:
        for tx in chain.find_containing(offer.commitment, since_height(deal, offer, chain)):
            known = known or seen_claim.keep(deal, tx)
    if known is not None:
        raise DealError(
            "the key of this deal is public already: pay nothing; `zkcmp buyer open` gets the "
            "network"
        )


def since_height(deal: Deal[BuyerState], offer: Offer, chain: Chain) -> int:
    """From which block on a lock of this deal can be."""
    requested_at = deal.own(Kind.REQUEST).stat().st_mtime
    blocks = max(RECENT_BLOCKS, int((time.time() - requested_at) / _SHORTEST_BLOCK_S))
    return checks.first_height(chain.height() - blocks, offer, chain)
