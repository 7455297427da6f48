"""The seller claims the locked coins, which publishes the key.

Two states, and the chain tells them apart when our own record does not:
- *the key is not out*: no chain took a claim of ours. Every check on the lock has to pass, also if
  a claim was signed before: shortly before the timeout a claim would give the key away and could
  still lose the coins to the refund. The claim's fee must be one that gets it mined in time.
- *the key is out*: the chain took a claim. Whatever happens then, the claim is sent again, with a
  higher fee where that is needed, against a refund that waits, too, and the lock with it if a
  reorganisation undid that: the buyer, who has the key, would not.
"""

import contextlib
from dataclasses import dataclass

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Chain, Outpoint, spent_place, txid_of
from bitcoin_scripts.claim import build_claim, claim_vsize
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fee_rates import FeeChoice, claim_target
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.preimage import is_claim
from zkcmp.errors import DealError, DecodeError, ZkcmpError
from zkcmp.exchange import checks, rescue
from zkcmp.exchange.bound_buyer import BoundBuyer, bound_buyer
from zkcmp.exchange.checks import NotYet
from zkcmp.exchange.deal import SellerState, missing
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Lock, Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.settlement.pushing import Spending, Urgency, paid_script, push
from zkcmp.exchange.settlement.signed_spends import CLAIMS_FILE, SignedSpends

_LOCK_FILE = "lock.tx"


@dataclass(frozen=True)
class Redeemed:
    """The claim that the chain has. `blocks_left` until the buyer's refund competes with it."""

    txid: str
    confirmations: int
    repeated: bool
    replaced: bool
    fee_sat_per_vb: int
    blocks_left: int
    timeout_height: int


@dataclass(frozen=True)
class _Case:
    """What a redemption is about: the deal's lock, as its message says and was checked to say."""

    offer: Offer
    request: BoundBuyer
    lock: Lock
    htlc: Htlc
    outpoint: Outpoint


def redeem(
    seller: Party[SellerState], deal: Deal[SellerState], chain: Chain, choice: FeeChoice
) -> Redeemed:
    """Find our claim on the chain, or send it: again, or for the first time once that is safe.

    A claim that waits is replaced by one that pays more when `choice`, or the chain, says so.
    Raises NotYet while waiting helps, DealError when it is too late or over.
    """
    state, offer = deal.state, deal.offer()
    if not state.delivery:
        raise missing(Kind.DELIVERY)
    checks.check_chain(offer, chain)
    request = bound_buyer(deal, offer)
    case = _own_case(deal, offer, request)
    found = case and chain.find_spend(case.outpoint, _since(case, chain))
    if case is not None and found is None:
        _bring_back_lock(deal, case, chain)
    if case is None or (found is None and not _may_be_out(deal, case, chain)):
        _take_lock(deal, offer, request)
        case = _own_case(deal, offer, request)
        found = case and chain.find_spend(case.outpoint, _since(case, chain))
    if case is None:
        raise DecodeError(
            f"{deal.own(Kind.LOCK)} is damaged; restore it from a copy of the private directory"
        )
    _keep_lock(deal, case, chain)
    claim = found if found is not None and is_claim(found, case.outpoint, case.htlc) else None
    repeated = claim is not None or bool(state.claim_txid)
    if not repeated:
        claim = _send_first(seller, deal, case, chain, choice, found)
    elif found is None or not chain.confirmations(txid_of(found)):
        claim = _push(seller, deal, case, chain, choice, found)
    elif claim is None:
        raise _lost(deal, chain, case, found)
    return _record(deal, chain, case, claim, repeated, found)


def deadlines(deal: Deal[SellerState]) -> tuple[int, int] | None:
    """Up to which height the key may be revealed, and from which on the refund competes.

    For the lock that was taken in; None before, or where our copy of it cannot be read.
    """
    if not deal.own(Kind.LOCK).exists():
        return None
    offer = deal.offer()
    case = _own_case(deal, offer, bound_buyer(deal, offer))
    if case is None:
        return None
    return checks.last_safe_height(case.lock, offer), case.lock.timeout_height


def _own_case(deal: Deal[SellerState], offer: Offer, request: BoundBuyer) -> _Case | None:
    """About the lock that we took in; None if there is none, or a damaged one."""
    answers = bytes.fromhex(deal.state.delivery)
    try:
        lock = messages.read_lock(deal.own(Kind.LOCK), offer.deal, request.sender, answers)
    except (DecodeError, OSError):
        return None
    htlc, outpoint = checks.lock_terms(lock, offer, request.refund_key)
    return _Case(offer, request, lock, htlc, outpoint)


def _may_be_out(deal: Deal[SellerState], case: _Case, chain: Chain) -> bool:
    """Whether the key may have been seen for this lock: then no other lock takes its place.

    That a claim was signed says nothing; but a node could have taken it and lost it again, and a
    buyer who saw it could announce another lock to keep the coins in this one.
    """
    if deal.state.claim_txid:
        return True
    signed = _record_of_claims(deal, case).load()
    return bool(signed) and chain.get_transaction(case.outpoint.txid) is not None


def _bring_back_lock(deal: Deal[SellerState], case: _Case, chain: Chain) -> None:
    """Send the lock again that a claim was signed for and that the chain has lost, if it takes it.

    A recovered directory, or one whose command died, cannot tell whether that claim was ever out.
    If it was, the buyer has the key and will not send the lock. It reveals nothing: the buyer made
    it, for all to see. After the timeout it would only be refunded.
    """
    is_lost = chain.get_transaction(case.outpoint.txid) is None
    signed = _record_of_claims(deal, case).load()
    if is_lost and signed and _has_lock(deal, case) and chain.height() < case.htlc.timeout_height:
        with contextlib.suppress(SettlementError):  # its coins went elsewhere; that is told below
            chain.broadcast(deal.load_transaction(_LOCK_FILE))


def _since(case: _Case, chain: Chain) -> int:
    return checks.first_height(case.lock.timeout_height, case.offer, chain)


def _take_lock(deal: Deal[SellerState], offer: Offer, request: BoundBuyer) -> None:
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
    case: _Case,
    chain: Chain,
    choice: FeeChoice,
    found: CTransaction | None,
) -> CTransaction:
    """Check the lock on the chain, then sign and send the claim; both are on disk before."""
    if found is not None:
        raise _lost(deal, chain, case, found)
    if chain.get_transaction(case.outpoint.txid) is None:
        _refuse_conflict(deal, case, chain)
    checks.check_lock(case.lock, case.offer, case.request.refund_key, chain)
    spending = _spending(seller, deal, case, None)
    rate = checks.first_claim_rate(
        chain, choice, case.htlc.timeout_height, spending.affordable_sat_per_vb
    )
    claim = spending.signed(rate, chain.height())
    rescue.keep(seller, deal)
    chain.broadcast(claim)
    return claim


def _push(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    case: _Case,
    chain: Chain,
    choice: FeeChoice,
    found: CTransaction | None,
) -> CTransaction:
    """Send the claim whose key is out, and its lock where a reorganisation undid that."""
    if chain.get_transaction(case.outpoint.txid) is None:
        _refuse_conflict(deal, case, chain, key_is_out=True)
        chain.broadcast(deal.load_transaction(_LOCK_FILE))
    left = case.htlc.timeout_height - chain.height()
    urgency = Urgency(claim_target(left), 2 * left < case.offer.min_blocks_left)
    return push(chain, _spending(seller, deal, case, found), found, choice, urgency)


def _spending(
    seller: Party[SellerState], deal: Deal[SellerState], case: _Case, found: CTransaction | None
) -> Spending:
    """How this deal's claims are signed: all to the script that the first one pays to."""
    record = _record_of_claims(deal, case)
    earlier = [spend.transaction for spend in record.load()]
    if found is not None and record.is_ours(found):
        earlier.append(found)
    destination = paid_script(earlier) or seller.wallet_script
    preimage, secret = deal.read_secret("preimage"), deal.keys().coin_secret

    def sign(rate: int) -> CTransaction:
        return build_claim(case.htlc, case.outpoint, preimage, secret, destination, rate)

    size_vb = claim_vsize(case.htlc, destination)
    return Spending(case.outpoint, size_vb, destination, sign, record)


def _record_of_claims(deal: Deal[SellerState], case: _Case) -> SignedSpends:
    def is_ours(tx: CTransaction) -> bool:
        return is_claim(tx, case.outpoint, case.htlc)

    return SignedSpends(deal, CLAIMS_FILE, case.outpoint, is_ours)


def _keep_lock(deal: Deal[SellerState], case: _Case, chain: Chain) -> None:
    """Have the lock's transaction on disk while the chain has it: a reorganisation can undo it.

    Before a first claim, and also after it: the directory can be an older copy of itself.
    """
    if not _has_lock(deal, case):
        locked = chain.get_transaction(case.outpoint.txid)
        if locked is not None:
            deal.save_transaction(_LOCK_FILE, locked)


def _has_lock(deal: Deal[SellerState], case: _Case) -> bool:
    try:
        return txid_of(deal.load_transaction(_LOCK_FILE)) == case.outpoint.txid
    except (DecodeError, OSError):
        return False


def _refuse_conflict(
    deal: Deal[SellerState], case: _Case, chain: Chain, key_is_out: bool = False
) -> None:
    """Raise NotYet when another transaction spends coins of a lock that the chain lost.

    DealError once the key is out and that transaction is as deep as the lock had to be.
    """
    if not _has_lock(deal, case):
        return
    hint = "only a reorganisation brings it back" if key_is_out else "the buyer must lock again"
    for tx_input in deal.load_transaction(_LOCK_FILE).vin:
        spend = chain.find_spend(Outpoint(*spent_place(tx_input), 0), _since(case, chain))
        if spend is not None and txid_of(spend) != case.outpoint.txid:
            depth = chain.confirmations(txid_of(spend))
            over = key_is_out and depth >= case.offer.confirmations
            raise (DealError if over else NotYet)(
                f"{txid_of(spend)} ({depth} confirmations) spends coins of the lock, which cannot "
                f"be mined beside it; {hint}"
            )


def _lost(deal: Deal[SellerState], chain: Chain, case: _Case, refund: CTransaction) -> DealError:
    """The refund waits or was mined. NotYet until it is as deep as the lock had to be.

    Until then a claim can still be mined in its place: a miner can have one that was sent and not
    noted. Whoever signed one cannot know that the key is secret.
    """
    depth, needed = chain.confirmations(txid_of(refund)), case.offer.confirmations
    text = f"the lock was spent already by {txid_of(refund)}: the buyer took the refund"
    if not deal.state.claim_txid and not _record_of_claims(deal, case).load():
        text += ", and the key stays secret"
    if not depth:
        return NotYet(f"{text}; it waits to be mined")
    if depth < needed:
        return NotYet(
            f"{text}, {depth} of {needed} confirmations deep; only a reorganisation undoes that"
        )
    return DealError(f"{text}; the deal is over")


def _record(
    deal: Deal[SellerState],
    chain: Chain,
    case: _Case,
    claim: CTransaction,
    repeated: bool,
    found: CTransaction | None,
) -> Redeemed:
    """Note which claim the chain has."""
    state, txid = deal.state, txid_of(claim)
    if state.claim_txid != txid:
        state.claim_txid = txid
        deal.save()
    fee = case.outpoint.amount_sat - sum(output.nValue for output in claim.vout)
    size_vb = claim_vsize(case.htlc, bytes(claim.vout[0].scriptPubKey))
    return Redeemed(
        txid,
        chain.confirmations(txid),
        repeated,
        repeated and found is not None and txid_of(found) != txid,
        fee // size_vb,
        case.htlc.timeout_height - chain.height(),
        case.htlc.timeout_height,
    )
