"""The preimage that a claim published, kept from the moment that this buyer has seen it.

A claim need not be mined to publish it, and can vanish again: evicted, or undone by a
reorganisation. The key stays known, so the seal stays open, and the coins are the seller's: while
the preimage is here, `refunding` does not race the claim for them.
"""

import hashlib

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.preimage import extract_preimage
from zkcmp.errors import DecodeError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer.locking import need_lock
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.party import Deal

PREIMAGE_FILE = "published-preimage"


def kept(deal: Deal[BuyerState]) -> bytes | None:
    """The preimage, if this buyer has seen it; a damaged file counts as none."""
    try:
        preimage = deal.read_secret(PREIMAGE_FILE)
    except (FileNotFoundError, DecodeError):
        return None
    matches = hashlib.sha256(preimage).hexdigest() == deal.state.commitment
    return preimage if matches else None


def keep(deal: Deal[BuyerState], preimage: bytes) -> None:
    """Have it on disk before anything is done with it."""
    if kept(deal) != preimage:
        deal.write_secret(PREIMAGE_FILE, preimage)


def look(deal: Deal[BuyerState], chain: Chain) -> bytes | None:
    """The preimage, kept by now, if we have it or the chain shows a claim, mined or waiting."""
    known = kept(deal)
    if known is not None:
        return known
    htlc, outpoint = need_lock(deal, chain)
    since = checks.first_height(htlc.timeout_height, deal.offer(), chain)
    spend = chain.find_spend(outpoint, since)
    preimage = None if spend is None else extract_preimage(spend, htlc)
    if preimage is not None:
        keep(deal, preimage)
    return preimage
