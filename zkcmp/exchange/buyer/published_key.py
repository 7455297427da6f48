"""A key that is public is not paid for, whoever paid for it, and whatever our directory remembers.

A claim has the whole script of its lock in its witness, with E in it. So a lock that this directory
has forgotten, over whatever coins, is found once it was claimed: by E, in the blocks since the
deal was begun. How long ago that was, the date of our request's file says; as a copy may have lost
that, RECENT_BLOCKS are looked at in any case, which a pruned node is told to keep (docs/node.md).
Without a request, as after a recovery, it is as many as a message could ask for.
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
    if find(deal, offer, chain) is not None:
        raise DealError(
            "the key of this deal is public already: pay nothing; `zkcmp buyer open` gets the "
            "network"
        )


def find(deal: Deal[BuyerState], offer: Offer, chain: Chain) -> bytes | None:
    """The preimage, on disk by now, if it is known or any claim on the chain publishes it."""
    return seen_claim.kept(deal) or _find(deal, offer, chain, since_height(deal, chain))


def find_recent(deal: Deal[BuyerState], offer: Offer, chain: Chain) -> bytes | None:
    """As `find`, of a node that has RECENT_BLOCKS only: that none is there proves nothing."""
    since = max(0, chain.height() + 1 - RECENT_BLOCKS)
    return seen_claim.kept(deal) or _find(deal, offer, chain, since)


def _find(deal: Deal[BuyerState], offer: Offer, chain: Chain, since: int) -> bytes | None:
    known = None
    for tx in chain.find_containing(offer.commitment, since):
        known = known or seen_claim.keep(deal, tx)
    return known


def since_height(deal: Deal[BuyerState], chain: Chain) -> int:
    """From which block on a claim of this deal can be."""
    blocks, request = checks.SCAN_BLOCKS, deal.own(Kind.REQUEST)
    if request.exists():
        since_s = int((time.time() - request.stat().st_mtime) / _SHORTEST_BLOCK_S)
        blocks = min(blocks, max(RECENT_BLOCKS, since_s))
    return max(0, chain.height() + 1 - blocks)
