"""Records of refund and claim say what the chain has, wherever a command ended."""

from collections.abc import Callable

import pytest
from deal_stages import Sale
from interrupted_broadcast import interrupt

from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.chain.kernel import KernelChain


def mine(sale: Sale, blocks: int) -> None:
    assert sale.run("chain", "mine", str(blocks)).code == 0


def at_timeout(sale: Sale) -> Sale:
    mine(sale, 143)
    return sale


class TestRefund:
    def test_that_was_not_sent_is_not_claimed(self, sale: Callable[[str], Sale]) -> None:
        deal = at_timeout(sale("locked"))
        tx = interrupt(deal, "before", "buyer", "refund")
        said = deal.run("buyer", "status").out
        assert txid_of(tx) not in said
        assert "refund is signed, perhaps not sent; next: zkcmp buyer refund" in said
        again = deal.run("buyer", "refund")
        assert again.code == 0
        assert txid_of(tx) in again.out, "the same transaction"
        assert f"refunded by {txid_of(tx)}" in deal.run("buyer", "status").out

    def test_that_was_sent_and_not_recorded_is_found(self, sale: Callable[[str], Sale]) -> None:
        deal = at_timeout(sale("locked"))
        tx = interrupt(deal, "after", "buyer", "refund")
        assert "refunded by" not in deal.run("buyer", "status").out
        mine(deal, 1)
        again = deal.run("buyer", "refund", "--fee", "7")
        assert again.code == 0
        assert f"{txid_of(tx)}, 1 confirmation" in again.out
        assert f"refunded by {txid_of(tx)}" in deal.run("buyer", "status").out

    def test_that_the_chain_refuses_is_not_claimed(self, sale: Callable[[str], Sale]) -> None:
        deal = at_timeout(sale("locked"))
        assert deal.run("buyer", "refund", "--fee", "9999").refused
        assert "refunded by" not in deal.run("buyer", "status").out
        assert deal.run("buyer", "refund").code == 0

    def test_that_a_claim_overtook_is_forgotten(self, sale: Callable[[str], Sale]) -> None:
        """A reorganisation undid the refund, and the seller's claim came first."""
        deal = at_timeout(sale("locked"))
        deal.keep("chain")
        assert deal.run("buyer", "refund").code == 0
        deal.put_back("chain")
        claim = late_claim(deal)
        with KernelChain(deal.root / "chain") as chain:
            chain.broadcast(claim)
        assert "zkcmp buyer open" in deal.run("buyer", "refund").err
        assert "refunded by" not in deal.run("buyer", "status").out
        assert deal.open().code == 0

    def test_that_the_chain_forgot_is_sent_again(self, sale: Callable[[str], Sale]) -> None:
        deal = at_timeout(sale("locked"))
        deal.keep("chain")
        first = deal.run("buyer", "refund")
        deal.put_back("chain")
        assert deal.run("buyer", "refund").out == first.out


def late_claim(sale: Sale):  # type: ignore[no-untyped-def]
    """The seller's claim, made without the checks that forbid it so late."""
    from bitcoin_scripts.claim import build_claim
    from zkcmp.exchange.buyer import Buyer
    from zkcmp.exchange.seller import Seller

    with Seller.opened(sale.root / "seller") as seller, Buyer.opened(sale.root / "buyer") as buyer:
        htlc, outpoint = buyer.locked(buyer.need(sale.deal))
        deal = seller.need(sale.deal)
        preimage = (deal.directory / "preimage").read_bytes()
        secret = deal.keys().coin_secret
        return build_claim(htlc, outpoint, preimage, secret, seller.wallet_script, 2)


class TestClaim:
    def test_that_was_not_sent_is_not_claimed(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("locked")
        tx = interrupt(deal, "before", "seller", "redeem")
        said = deal.run("seller", "status").out
        assert txid_of(tx) not in said
        assert "claim is signed, perhaps not sent; next: zkcmp seller redeem" in said
        again = deal.run("seller", "redeem")
        assert again.code == 0
        assert again.out.startswith("redeemed ")
        assert txid_of(tx) in again.out
        assert f"redeemed by {txid_of(tx)}" in deal.run("seller", "status").out

    @pytest.mark.parametrize("blocks", [110, 150])
    def test_that_was_not_sent_is_checked_again(
        self, sale: Callable[[str], Sale], blocks: int
    ) -> None:
        """A claim that nobody has seen must not reveal the key shortly before the refund."""
        deal = sale("locked")
        interrupt(deal, "before", "seller", "redeem")
        mine(deal, blocks)
        journal = (deal.root / "chain" / "journal").read_bytes()
        result = deal.run("seller", "redeem")
        assert result.refused
        assert "blocks are left" in result.err
        assert (deal.root / "chain" / "journal").read_bytes() == journal, "the key is not out"

    def test_that_was_not_sent_is_not_sent_for_a_refunded_lock(
        self, sale: Callable[[str], Sale]
    ) -> None:
        deal = sale("locked")
        interrupt(deal, "before", "seller", "redeem")
        mine(deal, 143)
        assert deal.run("buyer", "refund").code == 0
        result = deal.run("seller", "redeem")
        assert result.refused
        assert "refund" in result.err
        assert "redeemed by" not in deal.run("seller", "status").out

    @pytest.mark.parametrize("lost", [None, "claims"])
    def test_that_was_sent_and_not_recorded_is_found(
        self, sale: Callable[[str], Sale], lost: str | None
    ) -> None:
        deal = sale("locked")
        tx = interrupt(deal, "after", "seller", "redeem")
        if lost:
            (deal.private("seller") / lost).write_bytes(b"damaged")
        mine(deal, 150)
        deal.message("lock").unlink()
        again = deal.run("seller", "redeem", "--fee", "7")
        assert again.code == 0, again
        assert f"already redeemed   transaction {txid_of(tx)}, 150 confirmations" in again.out
        assert f"redeemed by {txid_of(tx)}" in deal.run("seller", "status").out

    def test_that_was_sent_is_sent_again_however_late(self, sale: Callable[[str], Sale]) -> None:
        """The key is out: every block without the claim is one for the buyer's refund."""
        deal = sale("locked")
        deal.keep("chain")
        first = deal.run("seller", "redeem")
        assert first.code == 0
        deal.put_back("chain")
        mine(deal, 150)
        again = deal.run("seller", "redeem")
        assert again.code == 0
        assert again.out.split()[3] == first.out.split()[2]
        mine(deal, 1)
        assert deal.open().code == 0

    def test_whose_lock_a_reorganisation_undid_brings_the_lock_back(
        self, sale: Callable[[str], Sale]
    ) -> None:
        """Nobody but the buyer would send the lock again, and the buyer has the key by now."""
        deal = sale("verified")
        deal.keep("chain")
        assert deal.run("buyer", "lock").code == 0
        mine(deal, 1)
        assert deal.run("seller", "redeem").code == 0
        mine(deal, 1)
        deal.put_back("chain")
        again = deal.run("seller", "redeem")
        assert again.code == 0, again
        mine(deal, 1)
        assert "1 confirmation" in deal.run("seller", "redeem").out

    def test_overtaken_by_a_refund_is_told(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("locked")
        deal.keep("chain")
        assert deal.run("seller", "redeem").code == 0
        deal.put_back("chain")
        mine(deal, 143)
        assert deal.run("buyer", "refund").code == 0
        mine(deal, 1)
        result = deal.run("seller", "redeem")
        assert result.refused
        assert "the buyer took the refund" in result.err
