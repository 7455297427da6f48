"""The claim shows the key before it is mined: who can use that, and who cannot."""

from collections.abc import Callable

import pytest
from bitcoin.core import CTransaction, CTxOut
from deal_stages import NETWORK, Sale
from interrupted_broadcast import interrupt
from settling import chain_of, mine, spend_of_lock

from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import generate_secret_key, p2wpkh_script, public_key
from bitcoin_scripts.preimage import extract_preimage
from bitcoin_scripts.refund import build_refund
from bitcoin_scripts.spend import spend_htlc, with_witnesses
from zkcmp.exchange.buyer import Buyer
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize


def has_the_network(sale: Sale) -> bool:
    opened = sale.open()
    return opened.code == 0 and quantize(read_onnx(sale.root / "bought.onnx")) == NETWORK


def test_whoever_sees_it_cannot_take_the_coins(sale: Callable[[str], Sale]) -> None:
    """What it would win: the price, for a key that was read out of the mempool.

    An observer, or the buyer, sends its own claim at a higher fee, changes where the seller's
    pays to, or takes the refund early. The buyer opens meanwhile, the seller is paid.
    """
    deal = sale("locked")
    assert deal.run("seller", "redeem").code == 0
    claim = spend_of_lock(deal)
    with Buyer.opened(deal.root / "buyer") as buyer:
        bought = buyer.need(deal.deal)
        htlc, place = buyer.locked(bought)
        own = bought.keys().coin_secret
    preimage = extract_preimage(claim, htlc)
    assert preimage is not None
    thief = generate_secret_key()
    to_thief = bytes(p2wpkh_script(public_key(thief)))
    moved = CTxOut(claim.vout[0].nValue - 20_000, to_thief)
    attempts = [
        spend_htlc(htlc, place, [preimage, b"\x01"], key, to_thief, 100, 0) for key in (thief, own)
    ]
    attempts.append(CTransaction(claim.vin, [moved], claim.nLockTime, claim.nVersion, claim.wit))
    attempts.append(build_refund(htlc, place, own, to_thief, 100))
    with chain_of(deal) as chain:
        for attempt in attempts:
            with pytest.raises(SettlementError, match="consensus rejects"):
                chain.broadcast(attempt)
    assert has_the_network(deal)
    mine(deal, 1)
    assert txid_of(spend_of_lock(deal)) == txid_of(claim)


@pytest.mark.parametrize("mined", [False, True], ids=["waiting", "mined"])
@pytest.mark.parametrize("item", [b"\x02", b"\x01\x00"])
def test_rewritten_by_a_miner(sale: Callable[[str], Sale], item: bytes, mined: bool) -> None:
    """What it would win: a claim in which the buyer does not find the key it paid for.

    The item that selects the branch is not signed; any true value will do in a block.
    """
    deal = sale("locked")
    claim = interrupt(deal, "before", "seller", "redeem")
    signature, preimage, _, script = claim.wit.vtxinwit[0].scriptWitness.stack
    rewritten = with_witnesses(claim, [[signature, preimage, item, script]])
    assert rewritten.GetHash() != claim.GetHash()
    with chain_of(deal) as chain:
        chain.broadcast(rewritten)
        if mined:
            chain.mine(1, b"\x51")
    assert has_the_network(deal)
    redeemed = deal.run("seller", "redeem")
    assert redeemed.code == 0
    assert txid_of(claim) in redeemed.out
