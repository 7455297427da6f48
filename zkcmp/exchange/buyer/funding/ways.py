"""One way of funding at a time: another only once the first can surely bring no coins any more.

    own, draft   a coin of the transaction is spent elsewhere, `confirmations` of the offer deep
    draft        or it was never signed, which its owner says (`abandon`)
    external     or nothing was paid nor will be, which its owner says (`abandon`)

That the chain knows nothing of a payment proves nothing: it can be signed already, scheduled, on
its way, or on the chain that our node has not seen. Whoever says `abandon` answers for it; what
comes nevertheless can still be refunded, and the seller could take it beside the price.
"""

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Chain, Outpoint, spent_place, txid_of
from bitcoin_scripts.psbt import transaction_in
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer.funding.outputs import is_claimed, paid_outputs, terms
from zkcmp.exchange.buyer.funding.psbt_draft import drafted_ids
from zkcmp.exchange.buyer.funding.record import FundingRecord, Way
from zkcmp.exchange.buyer.funding.signed_locks import SignedLocks
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.party import Deal


def begun_way(deal: Deal[BuyerState]) -> Way | None:
    """The way that goes on, if any was begun."""
    current = FundingRecord(deal.directory).current()
    if current:
        return current[-1].way
    return Way.OWN if SignedLocks(deal.directory).load() else None


def enter(
    deal: Deal[BuyerState], offer: Offer, chain: Chain, way: Way, abandon: bool = False
) -> None:
    """Go on with `way`, or begin it. Raises DealError while another could still bring coins.

    To be called when the chain shows no lock of ours.
    """
    begun = begun_way(deal)
    if begun is None or (begun is way is Way.OWN):
        return
    if begun is not Way.EXTERNAL and _coins_are_gone(deal, offer, chain):
        _end(deal)
    elif begun is way and not abandon:
        return
    elif abandon:
        _refuse_abandoning(deal, offer, chain, begun)
        _end(deal)
    else:
        raise DealError(_goes_on(deal, offer, chain, begun))


def _end(deal: Deal[BuyerState]) -> None:
    """First what was signed: until the record ends, the way is still known to have been begun."""
    signed, record = SignedLocks(deal.directory), FundingRecord(deal.directory)
    if signed.load():
        signed.forget()
    record.end()


def _coins_are_gone(deal: Deal[BuyerState], offer: Offer, chain: Chain) -> bool:
    """Whether a coin of what was signed or drafted last is surely spent elsewhere.

    Raises DealError while the transaction that spends it could still vanish.
    """
    tx, timeout_height = _last(deal)
    ours = drafted_ids(deal) | {signed.txid for signed in SignedLocks(deal.directory).load()}
    since = checks.our_first_height(timeout_height, offer)
    for tx_input in tx.vin:
        spend = chain.find_spend(Outpoint(*spent_place(tx_input), 0), since)
        if spend is None or txid_of(spend) in ours:
            continue
        depth = chain.confirmations(txid_of(spend))
        if depth >= offer.confirmations:
            return True
        raise DealError(
            f"{txid_of(spend)} spends coins of the transaction that was begun for this lock, and "
            f"has {depth} of {offer.confirmations} confirmations; repeat the command when it has "
            "them"
        )
    return False


def _last(deal: Deal[BuyerState]) -> tuple[CTransaction, int]:
    """The transaction whose coins all others of this way spend too, and its timeout."""
    current = FundingRecord(deal.directory).current()
    if current:
        return transaction_in(current[-1].psbt), current[-1].timeout_height
    signed = SignedLocks(deal.directory).load()[-1]
    return signed.transaction, signed.timeout_height


def _refuse_abandoning(deal: Deal[BuyerState], offer: Offer, chain: Chain, begun: Way) -> None:
    """Raise DealError where somebody's word that nothing comes is not enough, or is wrong."""
    if begun is not Way.EXTERNAL and SignedLocks(deal.directory).load():
        raise DealError(_goes_on(deal, offer, chain, begun))
    for paid in paid_outputs(deal, chain):
        txid, spent_by = paid.output.txid, paid.output.spent_by
        if spent_by is None:
            raise DealError(
                f"{txid} did pay {paid.output.amount_sat} sat for this lock, so it is not given "
                f"up; `zkcmp buyer refund` returns them from height {paid.htlc.timeout_height} on"
            )
        if is_claimed(paid, deal, chain):
            raise DealError("the seller took what was paid; `zkcmp buyer open` gets the network")
        depth = chain.confirmations(spent_by)
        if depth < offer.confirmations:
            raise DealError(
                f"the refund {spent_by} has {depth} of {offer.confirmations} confirmations; "
                "repeat the command when it has them"
            )


def _goes_on(deal: Deal[BuyerState], offer: Offer, chain: Chain, begun: Way) -> str:
    """Why no other way may be begun, and how to go on with this one or to end it."""
    if begun is Way.EXTERNAL:
        timeout_height = FundingRecord(deal.directory).current()[-1].timeout_height
        address = terms(deal, offer, timeout_height).address(chain.name)
        return (
            f"a payment to {address} was asked for, and could still come: `zkcmp buyer lock "
            "--external` goes on with it; if nothing was paid there nor will be, add --abandon"
        )
    txid, vout = spent_place(_last(deal)[0].vin[0])
    spend_it = f"to end that, spend its coin {txid}:{vout} to yourself"
    if begun is Way.OWN:
        return (
            "a lock over coins of our own wallet is signed, and could still be mined: "
            f"`zkcmp buyer lock` goes on with it; {spend_it}"
        )
    never = (
        "" if SignedLocks(deal.directory).load() else ", or if it was never signed add --abandon"
    )
    return (
        "a transaction was drafted for another wallet to sign, and could still be mined: "
        f"--psbt-in, --psbt-out or --wallet go on with it; {spend_it}{never}"
    )
