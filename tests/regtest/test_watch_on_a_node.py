"""`watch` of both parties on a real node: its mempool, its rules of replacement, its restarts."""

import pytest
from deal_stages import Result
from test_deal_on_a_node import NodeSale, sale, verified

__all__ = ["sale", "verified"]

pytestmark = pytest.mark.regtest


def look(sale: NodeSale, who: str, *options: str) -> Result:
    """One look of this party's."""
    if who == "buyer":
        options += ("--out", str(sale.root / "bought.onnx"))
    return sale.done(who, "watch", "--once", *options)


@pytest.mark.parametrize("options", [("-txindex=1",), ()], ids=["indexed", "not-indexed"])
def test_from_the_lock_to_the_payment(sale: NodeSale, options: tuple[str, ...]):
    assert "has not announced a lock" in look(sale, "seller").out
    sale.locked()
    assert "refund is possible from height" in look(sale, "buyer").out
    assert "0 of 1 confirmations" in look(sale, "seller").out
    assert "opened" in look(sale, "buyer").out, "the claim waits, and that is enough"
    sale.mine()
    assert "paid" in look(sale, "seller").out


def test_a_refund_is_outbid_by_the_claim_of_a_key_that_is_out(sale: NodeSale):
    """The buyer's node never saw the claim; the claim pays more in all, and by the vbyte."""
    sale.locked()
    claim = sale.redeemed()
    sale.node.reorganise(1, forget=[claim])
    sale.mine(144)
    sale.done("buyer", "refund", "--fee", "20")
    refund = sale.waiting()
    look(sale, "seller")
    assert sale.waiting() not in (claim, refund)
    assert "opened" in look(sale, "buyer").out
    sale.mine()
    assert "paid" in look(sale, "seller").out


def test_a_claim_that_nobody_has_any_more(sale: NodeSale):
    """Undone and forgotten: the buyer keeps the network, and the seller is paid all the same."""
    sale.locked()
    claim = sale.redeemed()
    assert "opened" in look(sale, "buyer").out
    sale.mine()
    sale.node.reorganise(1, forget=[claim])
    sale.mine(150)
    sale.refused("the seller has redeemed", "buyer", "refund")
    assert sale.node.call("getrawmempool") == []
    look(sale, "seller")
    sale.mine()
    assert "paid" in look(sale, "seller").out


def test_a_refund_is_raised_and_buried(sale: NodeSale):
    sale.locked()
    sale.mine(144)
    assert "0 of 1 confirmations" in look(sale, "buyer").out
    first = sale.waiting()
    look(sale, "buyer", "--fee", "9")
    assert sale.waiting() != first
    sale.mine()
    assert "refunded   transaction" in look(sale, "buyer").out


def test_a_restarted_node_is_asked_again(sale: NodeSale):
    sale.locked()
    sale.node.stop()
    for who in ("seller", "buyer"):
        options = ("--out", str(sale.root / "bought.onnx")) if who == "buyer" else ()
        sale.refused("is the node running", who, "watch", "--once", *options)
    sale.node.start()
    look(sale, "seller")
    assert "opened" in look(sale, "buyer").out
