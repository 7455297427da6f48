"""How far a deal has come and what comes next, as `status` says it."""

from typing import TYPE_CHECKING

from zkcmp.cli.deal import funding
from zkcmp.cli.terminal.console import say, typed

if TYPE_CHECKING:
    from zkcmp.exchange.deal import BuyerState, SellerState
    from zkcmp.exchange.party import Deal


def buyer_step(deal: "Deal[BuyerState]") -> str:
    """The last thing that the buyer has done, and the next."""
    from zkcmp.exchange.buyer.funding.signed_locks import SIGNED_LOCKS_FILE
    from zkcmp.exchange.buyer.seen_claim import SEEN_CLAIM_FILE
    from zkcmp.exchange.method import Method
    from zkcmp.exchange.settlement.signed_spends import REFUNDS_FILE, said

    state, here = deal.state, f"--deal {typed(deal.folder)}"
    key_known = (deal.directory / SEEN_CLAIM_FILE).exists()
    refund_signed = (deal.directory / REFUNDS_FILE).exists()
    lock_signed = (deal.directory / SIGNED_LOCKS_FILE).exists()
    begun = funding.begun(deal.directory, here)
    answered = f"next: zkcmp buyer verify {here}, once the seller has answered"
    steps = (
        (state.opened, f"opened, network in {state.opened}"),
        (key_known, f"the seller has redeemed; next: zkcmp buyer open {here} --out FILE"),
        (state.refund_txid, f"refunded {said(deal, REFUNDS_FILE, state.refund_txid)}"),
        (refund_signed, f"the refund is signed, perhaps not sent; next: zkcmp buyer refund {here}"),
        (
            state.funding_txid,
            f"locked in {state.funding_txid}; next: zkcmp buyer watch {here} --out FILE, which "
            f"opens the network, or takes the refund from height {state.timeout_height} on",
        ),
        (begun, begun),
        (lock_signed, f"the lock is signed, perhaps not sent; next: zkcmp buyer lock {here}"),
        (state.delivery, f"verified; next: zkcmp buyer lock {here}"),
        (state.key_material, f"key material sent; {answered}"),
        (
            state.request and not Method.from_line(state.method).has_key_material,
            f"requested; {answered}",
        ),
        (state.request, f"requested; next: zkcmp buyer setup {here}"),
    )
    return next((text for done, text in steps if done), "begun")


def seller_step(deal: "Deal[SellerState]") -> str:
    """The last thing that the seller has done, and the next."""
    from zkcmp.exchange.messages.envelope import Kind
    from zkcmp.exchange.settlement.signed_spends import CLAIMS_FILE, said

    state, here = deal.state, f"--deal {typed(deal.folder)}"
    redeem, prove = f"next: zkcmp seller redeem {here}", f"next: zkcmp seller prove {here}"
    if state.claim_txid:
        return f"redeemed {said(deal, CLAIMS_FILE, state.claim_txid)}"
    if (deal.directory / CLAIMS_FILE).exists():
        return f"the claim is signed, perhaps not sent; {redeem}"
    if deal.own(Kind.LOCK).exists():
        return f"the buyer has announced a lock; {redeem}"
    if state.delivery:
        if deal.folder.is_dir() and not deal.offered(Kind.DELIVERY):
            return f"proved, and the answer is not in the deal folder; {prove}"
        return f"proved; {redeem}, once the buyer has locked"
    if state.request and not state.audited:
        return f"request accepted; {prove}, unless that has refused it"
    if state.audited:
        return f"key material audited; {prove}, unless that has refused it"
    if deal.folder.is_dir() and not deal.offered(Kind.OFFER):
        return "sealed, and the offer is not in the deal folder; next: zkcmp seller seal, as before"
    return f"sealed; {prove}, once the buyer has sent request and key material"


def say_last_moment(deal: "Deal[SellerState]") -> None:
    """Until when the key may be revealed, or the claim has to be mined."""
    from zkcmp.errors import ZkcmpError
    from zkcmp.exchange.seller.redeeming import deadlines

    try:
        found = deadlines(deal)
    except (ZkcmpError, OSError) as error:  # of this deal; the others are shown all the same
        say(f"damaged    {error}")
        return
    if found is None:
        return
    reveal_until, timeout_height = found
    if deal.state.claim_txid:
        say(f"mined      the claim must be by height {timeout_height}; then the refund competes")
        say(f"           (`zkcmp seller watch --deal {typed(deal.folder)}` shows whether it is)")
    else:
        say(f"reveal     only up to height {reveal_until}; the refund is from {timeout_height} on")
