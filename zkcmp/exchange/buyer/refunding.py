"""The buyer takes the coins back after the timeout, if the seller has not redeemed.

Repeated, it sends the refund again, or one that pays more. All of them spend the same output to the
same script, so repeating it never spends anything twice.

A claim that was seen, mined or not, is never raced: who has read the key has what was paid for.
That holds also after a reorganisation undid the claim, and it is this program's honesty, not a rule
of the chain: a seller whose claim is not mined before the timeout can lose to a refund.

Claims come at any moment, also between two questions. So what is found in the place of a refund is
looked at last of all: taken for a refund of ours, a claim would say whereto the next one pays. And
whatever a claim is found for, it is kept at once: it can be gone at the next question. Where other
outputs are refunded beside it, the deal did not end with that; the key is out.
"""

from dataclasses import dataclass, replace

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Chain, Outpoint, txid_of
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fee_rates import REFUND_TARGET_BLOCKS, FeeChoice
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.preimage import is_claim
from bitcoin_scripts.refund import build_refund, refund_vsize
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import known_key, seen_claim
from zkcmp.exchange.buyer.funding.outputs import find_claim, lock_outputs
from zkcmp.exchange.buyer.locking import need_lock
from zkcmp.exchange.checks import NotYet
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.settlement.pushing import Spending, Urgency, paid_script, push
from zkcmp.exchange.settlement.signed_spends import REFUNDS_FILE, SignedSpends


class AlreadyClaimed(DealError):
    """The seller has the coins, and the key is on disk."""


@dataclass(frozen=True)
class Refunded:
    """A refund that the chain has, and those of other outputs that were paid to this deal.

    `unripe` more outputs cannot be refunded yet. With `redeemed`, the seller has claimed one that
    is not among these, and the key is on disk.
    """

    txid: str
    confirmations: int
    repeated: bool
    replaced: bool
    fee_sat_per_vb: int
    others: tuple["Refunded", ...] = ()
    unripe: int = 0
    redeemed: bool = False

    @property
    def least_confirmations(self) -> int:
        """How deep the last one of all of them is."""
        return min(each.confirmations for each in (self, *self.others))


def refund(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, choice: FeeChoice
) -> Refunded:
    """Find the refund on the chain or send it, or replace the one that waits by one that pays more.

    Of every output that was paid to this deal and that is not the seller's. Raises NotYet before
    the first timeout, AlreadyClaimed when the key was seen and there is nothing else, and
    SettlementError where nothing can be refunded, or not the price.
    """
    known_key.look(deal, chain)
    ours = [paid for paid in _paid(deal, chain) if not seen_claim.is_claimed(deal, paid[1])]
    if not ours:
        raise _claimed(deal)
    ripe = [paid for paid in ours if paid[0].timeout_height <= chain.height()]
    if not ripe:
        raise _early(min(htlc.timeout_height for htlc, _ in ours), chain)
    refunded, refusal, is_price = list[Refunded](), None, False
    for htlc, outpoint in ripe:
        try:
            done = _refund_one(buyer, deal, chain, choice, htlc, outpoint)
            refunded += [done] if done else []
        except SettlementError as error:  # anybody can send coins too small to be moved
            refusal = refusal or error
            is_price |= outpoint.amount_sat >= deal.offer().price_sat
    if refusal is not None and (is_price or not refunded):
        raise refusal
    if not refunded:
        raise _claimed(deal)
    _record(deal, refunded[0].txid)
    return replace(
        refunded[0],
        others=tuple(refunded[1:]),
        unripe=len(ours) - len(ripe),
        redeemed=seen_claim.kept(deal) is not None,
    )


def _paid(deal: Deal[BuyerState], chain: Chain) -> list[tuple[Htlc, Outpoint]]:
    """Every output that was paid to this deal and that no claim spends now, the lock first.

    A claim that is found is on disk by then, unless another one is.
    """
    htlc, outpoint = need_lock(deal, chain)
    found = {Outpoint(outpoint.txid, outpoint.vout, outpoint.amount_sat): htlc}
    for paid in lock_outputs(deal, chain):
        place = Outpoint(paid.output.txid, paid.output.vout, paid.output.amount_sat)
        found.setdefault(place, paid.htlc)
        claim = find_claim(paid, deal, chain)
        if claim is not None:
            del found[place]
            if seen_claim.kept(deal) is None:
                seen_claim.keep(deal, claim)
    return [(htlc, place) for place, htlc in found.items()]


def _refund_one(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    chain: Chain,
    choice: FeeChoice,
    htlc: Htlc,
    outpoint: Outpoint,
) -> Refunded | None:
    """Have a refund of this output wait, or mined; None for one that is claimed by now."""
    since = checks.our_first_height(htlc.timeout_height, deal.offer())
    found = chain.find_spend(outpoint, since)
    if found is not None and seen_claim.keep(deal, found) is not None:
        return None
    spending = _spending(buyer, deal, htlc, outpoint, found)
    tx = found
    if tx is None or not chain.confirmations(txid_of(tx)):
        tx = push(chain, spending, found, choice, Urgency(REFUND_TARGET_BLOCKS, False))
    txid = txid_of(tx)
    replaced = found is not None and txid_of(found) != txid
    depth = chain.confirmations(txid)
    return Refunded(txid, depth, found is not None, replaced, spending.sat_per_vb(tx))


def _claimed(deal: Deal[BuyerState]) -> AlreadyClaimed:
    _record(deal, "")  # a reorganisation can have put the claim in a refund's place
    return AlreadyClaimed("the seller has redeemed; run `zkcmp buyer open` to get the network")


def _early(timeout_height: int, chain: Chain) -> NotYet:
    wait = timeout_height - chain.height()
    return NotYet(
        f"the refund is possible from height {timeout_height} on, {wait} blocks from now; repeat "
        "this then"
    )


def _spending(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    htlc: Htlc,
    outpoint: Outpoint,
    found: CTransaction | None,
) -> Spending:
    """How this deal's refunds are signed: all to the script that the first one pays to."""

    def is_ours(tx: CTransaction) -> bool:
        return not is_claim(tx, outpoint, htlc)

    record, secret = SignedSpends(deal, REFUNDS_FILE, outpoint, is_ours), deal.keys().coin_secret
    earlier = [spend.transaction for spend in record.load()] + ([found] if found else [])
    destination = paid_script(earlier) or buyer.wallet_script

    def sign(rate: int) -> CTransaction:
        return build_refund(htlc, outpoint, secret, destination, rate)

    return Spending(outpoint, refund_vsize(htlc, destination), destination, sign, record)


def _record(deal: Deal[BuyerState], txid: str) -> None:
    """Note which refund the chain has, if any."""
    if deal.state.refund_txid != txid:
        deal.state.refund_txid = txid
        deal.save()
