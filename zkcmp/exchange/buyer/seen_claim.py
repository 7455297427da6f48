"""The claim that published the key, kept from the moment that this buyer has seen it.

A claim need not be mined to publish its preimage, and can vanish again: evicted, or undone by a
reorganisation. The key stays known, so the seal stays open, and the coins are the seller's: what
this claim spends, `refunding` does not race it for.
"""

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Outpoint, spent_place
from bitcoin_scripts.preimage import extract_preimage
from zkcmp.errors import DecodeError
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.party import Deal

SEEN_CLAIM_FILE = "claim-seen"


def kept(deal: Deal[BuyerState]) -> bytes | None:
    """The preimage, if this buyer has seen a claim; a damaged file counts as none."""
    claim = _claim(deal)
    return None if claim is None else _preimage(deal, claim)


def keep(deal: Deal[BuyerState], tx: CTransaction) -> bytes | None:
    """The preimage that a transaction publishes, which is on disk by now; None without one."""
    preimage = _preimage(deal, tx)
    if preimage is not None:
        deal.save_transaction(SEEN_CLAIM_FILE, tx)
    return preimage


def is_claimed(deal: Deal[BuyerState], outpoint: Outpoint) -> bool:
    """Whether the claim that we have seen spends this output."""
    claim = _claim(deal)
    if claim is None or _preimage(deal, claim) is None:
        return False
    return outpoint.place in map(spent_place, claim.vin)


def _claim(deal: Deal[BuyerState]) -> CTransaction | None:
    try:
        return deal.load_transaction(SEEN_CLAIM_FILE)
    except (FileNotFoundError, DecodeError):
        return None


def _preimage(deal: Deal[BuyerState], claim: CTransaction) -> bytes | None:
    return extract_preimage(claim, bytes.fromhex(deal.state.commitment))
