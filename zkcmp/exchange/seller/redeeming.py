"""The seller claims the locked coins, which publishes the key.

Two states, and the chain tells them apart when our own record does not:
- *the key is not out*: no chain took a claim of ours. Every check on the lock has to pass, also if
  a claim was signed before: shortly before the timeout a claim would give the key away and could
  still lose the coins to the refund.
- *the key is out*: the chain took a claim. Whatever happens then, the claim is sent again, and the
  lock with it if a reorganisation undid that: the buyer, who has the key, would not.
"""

from dataclasses import dataclass

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Chain, txid_of
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.preimage import extract_preimage
from zkcmp.errors import DealError, DecodeError, ZkcmpError
from zkcmp.exchange import checks, messages
from zkcmp.exchange.deal import SellerState, missing
from zkcmp.exchange.envelope import Kind
from zkcmp.exchange.messages import Lock, Offer, Request
from zkcmp.exchange.party import Deal, Party

CLAIM_FILE = "claim.tx"
_LOCK_FILE = "lock.tx"


@dataclass(frozen=True)
class Redeemed:
    """The claim on the chain."""

    txid: str
    confirmations: int
    repeated: bool


def redeem(
    seller: Party[SellerState], deal: Deal[SellerState], chain: Chain, fee_sat_per_vb: int
) -> Redeemed:
    """Find our claim on the chain, or send it: again, or for the first time once that is safe."""
    state, offer = deal.state, deal.offer()
    if not state.delivery:
        raise missing(Kind.DELIVERY)
    checks.check_chain(offer, chain)
    request = messages.read_request(deal.own(Kind.REQUEST), offer, deal.keys().reading)
    claim = _on_chain(deal, offer, request, chain)
    if claim is None and not state.claim_txid:
        _take_lock(deal, offer, request)
        claim = _on_chain(deal, offer, request, chain)
    repeated = bool(claim is not None or state.claim_txid)
    if claim is None and state.claim_txid:
        claim = _send_again(deal, chain)
    elif claim is None:
        claim = _send_first(seller, deal, offer, request, chain, fee_sat_per_vb)
    txid = txid_of(claim)
    if state.claim_txid != txid:
        _keep_claim(deal, claim)
        state.claim_txid = txid
        deal.save()
    return Redeemed(txid, chain.confirmations(txid), repeated)


def _on_chain(
    deal: Deal[SellerState], offer: Offer, request: Request, chain: Chain
) -> CTransaction | None:
    """Our claim of the lock that we took in, if the chain has it.

    Raises DealError when that lock was spent without our key.
    """
    try:
        lock = _own_lock(deal, offer, request)
    except (DecodeError, OSError):  # none, or damaged: then the one in the folder is taken in
        return None
    htlc, outpoint = checks.lock_terms(lock, offer, request.refund_key)
    spend = chain.find_spend(outpoint)
    if spend is not None and extract_preimage(spend, htlc) is None:
        raise DealError("the lock was spent already: the buyer took the refund; the deal is over")
    return spend


def _own_lock(deal: Deal[SellerState], offer: Offer, request: Request) -> Lock:
    answers = bytes.fromhex(deal.state.delivery)
    return messages.read_lock(deal.own(Kind.LOCK), offer.deal, request.sender, answers)


def _take_lock(deal: Deal[SellerState], offer: Offer, request: Request) -> None:
    """Take in the lock message in the folder, if it is about this deal's lock."""
    answers = bytes.fromhex(deal.state.delivery)
    try:
        with deal.taking_in(Kind.LOCK) as copy:
            lock = messages.read_lock(copy, offer.deal, request.sender, answers)
            checks.lock_terms(lock, offer, request.refund_key)
            deal.accept(Kind.LOCK, copy)
    except ZkcmpError:
        # one that came earlier and was good is not undone by a bad one
        if not deal.own(Kind.LOCK).exists():
            raise


def _send_first(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    offer: Offer,
    request: Request,
    chain: Chain,
    fee_sat_per_vb: int,
) -> CTransaction:
    """Check the lock on the chain, then sign and send the claim; both are on disk before."""
    lock = _own_lock(deal, offer, request)
    htlc, outpoint = checks.check_lock(lock, offer, request.refund_key, chain)
    preimage = (deal.directory / "preimage").read_bytes()
    secret = deal.keys().coin_secret
    claim = build_claim(htlc, outpoint, preimage, secret, seller.wallet_script, fee_sat_per_vb)
    locked = chain.get_transaction(outpoint.txid)
    if locked is not None:
        deal.save_transaction(_LOCK_FILE, locked)
    deal.save_transaction(CLAIM_FILE, claim)
    chain.broadcast(claim)
    return claim


def _send_again(deal: Deal[SellerState], chain: Chain) -> CTransaction:
    """Send the claim whose key is out, and its lock where a reorganisation undid that."""
    lock, claim = deal.load_transaction(_LOCK_FILE), deal.load_transaction(CLAIM_FILE)
    if chain.get_transaction(txid_of(lock)) is None:
        chain.broadcast(lock)
    chain.broadcast(claim)
    return claim


def _keep_claim(deal: Deal[SellerState], claim: CTransaction) -> None:
    """Have the claim on disk as we signed it; as the chain has it where ours is lost.

    Third parties can change a witness on its way so that nodes relay it no further.
    """
    try:
        kept = txid_of(deal.load_transaction(CLAIM_FILE))
    except (DecodeError, OSError):
        kept = ""
    if kept != txid_of(claim):
        deal.save_transaction(CLAIM_FILE, claim)
