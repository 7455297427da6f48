"""The buyer takes the coins back after the timeout, if the seller has not redeemed.

Repeated, it sends the refund again, or one that pays more. All of them spend the same output to the
same script, so repeating it never spends anything twice.

A claim that was seen, mined or not, is never raced: who has read the key has what was paid for.
That holds also after a reorganisation undid the claim, and it is this program's honesty, not a rule
of the chain: a seller whose claim is not mined before the timeout can lose to a refund.
"""

from dataclasses import dataclass

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Chain, Outpoint, txid_of
from bitcoin_scripts.fee_rates import REFUND_TARGET_BLOCKS, FeeChoice
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.refund import build_refund, refund_vsize
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import known_key
from zkcmp.exchange.buyer.locking import need_lock
from zkcmp.exchange.checks import NotYet
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.pushing import Spending, Urgency, push
from zkcmp.exchange.signed_spends import REFUNDS_FILE, SignedSpends


@dataclass(frozen=True)
class Refunded:
    """The refund that the chain has."""

    txid: str
    confirmations: int
    repeated: bool
    replaced: bool
    fee_sat_per_vb: int


def refund(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, choice: FeeChoice
) -> Refunded:
    """Find the refund on the chain or send it, or replace the one that waits by one that pays more.

    Raises NotYet before the timeout, and DealError once the key was seen.
    """
    if known_key.look(deal, chain) is not None:
        _record(deal, "")  # a reorganisation can have put the claim in a refund's place
        SignedSpends(deal, REFUNDS_FILE).forget()
        raise DealError("the seller has redeemed; run `zkcmp buyer open` to get the network")
    htlc, outpoint = need_lock(deal, chain)
    found = chain.find_spend(
        outpoint, checks.first_height(htlc.timeout_height, deal.offer(), chain)
    )
    spending = _spending(buyer, deal, htlc, outpoint, found)
    tx = found
    if tx is None or not chain.confirmations(txid_of(tx)):
        _refuse_early(htlc, chain)
        tx = push(chain, spending, found, choice, Urgency(REFUND_TARGET_BLOCKS, False))
    txid = txid_of(tx)
    _record(deal, txid)
    replaced = found is not None and txid_of(found) != txid
    depth = chain.confirmations(txid)
    return Refunded(txid, depth, found is not None, replaced, spending.sat_per_vb(tx))


def _refuse_early(htlc: Htlc, chain: Chain) -> None:
    wait = htlc.timeout_height - chain.height()
    if wait > 0:
        raise NotYet(
            f"the refund is possible from height {htlc.timeout_height} on, {wait} blocks from "
            "now; repeat this then"
        )


def _spending(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    htlc: Htlc,
    outpoint: Outpoint,
    found: CTransaction | None,
) -> Spending:
    """How this deal's refunds are signed: all to the script that the first one pays to."""
    record, secret = SignedSpends(deal, REFUNDS_FILE), deal.keys().coin_secret
    earlier = [spend.transaction for spend in record.load()] + ([found] if found else [])
    destination = buyer.wallet_script
    if earlier:
        destination = bytes(earlier[0].vout[0].scriptPubKey)

    def sign(rate: int) -> CTransaction:
        return build_refund(htlc, outpoint, secret, destination, rate)

    return Spending(outpoint, refund_vsize(htlc, destination), destination, sign, record)


def _record(deal: Deal[BuyerState], txid: str) -> None:
    """Note which refund the chain has, if any."""
    if deal.state.refund_txid != txid:
        deal.state.refund_txid = txid
        deal.save()
