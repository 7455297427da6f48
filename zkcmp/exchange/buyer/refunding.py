"""The buyer takes the coins back after the timeout, if the seller has not redeemed.

The same command signs the same transaction: with the same fee, the same bytes. With another fee it
is another transaction that spends the same output, so repeating it never spends anything twice.
"""

from bitcoin_scripts.chain import Chain, txid_of
from bitcoin_scripts.preimage import extract_preimage
from bitcoin_scripts.refund import build_refund
from zkcmp.errors import DealError
from zkcmp.exchange.buyer.locking import need_lock
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.party import Deal, Party

REFUND_FILE = "refund.tx"


def refund(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, fee_sat_per_vb: int
) -> str:
    """Find the refund on the chain or send it; its transaction id."""
    htlc, outpoint = need_lock(deal, chain)
    spend = chain.find_spend(outpoint)
    if spend is not None and extract_preimage(spend, htlc) is not None:
        _record(deal, "")  # a reorganisation can have put the claim in a refund's place
        (deal.directory / REFUND_FILE).unlink(missing_ok=True)
        raise DealError("the seller has redeemed; run `zkcmp buyer open` to get the network")
    if spend is not None:
        txid = txid_of(spend)
    else:
        wait = htlc.timeout_height - chain.height()
        if wait > 0:
            raise DealError(
                f"the refund is possible from height {htlc.timeout_height} on, {wait} blocks from "
                "now; repeat this then"
            )
        secret = deal.keys().coin_secret
        tx = build_refund(htlc, outpoint, secret, buyer.wallet_script, fee_sat_per_vb)
        deal.save_transaction(REFUND_FILE, tx)
        txid = chain.broadcast(tx)
    _record(deal, txid)
    return txid


def _record(deal: Deal[BuyerState], txid: str) -> None:
    """Note which refund the chain has, if any."""
    if deal.state.refund_txid != txid:
        deal.state.refund_txid = txid
        deal.save()
