"""What either party refuses, through the command that meets it: why, and what to do."""

import re
from collections.abc import Callable

import pytest
from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript
from deal_stages import PRICE_SAT, Sale
from funding_wallet import SCRIPT, earn, signed
from interrupted_broadcast import interrupt
from settling import chain_of, mine, reorganise, spend_of_lock, weather

from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock, lock_outpoint
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import public_key
from bitcoin_scripts.spend import input_of, signature, with_witnesses
from zkcmp.errors import DealError, VerificationError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer, read_offer

UNKNOWN_VERSION = bytes([0x52, 32]) + b"\x01" * 32
"""An output that anybody may spend, with any witness."""


def dressed_refund(sale: Sale) -> CTransaction:
    """A refund beside an input whose witness has all the words of the claim, which the chain had.

    Nodes do not relay it: the buyer has a miner take it.
    """
    claim = spend_of_lock(sale)
    assert claim is not None
    with chain_of(sale) as chain:
        chain.reorganise(1, [txid_of(claim)])
        chain.mine(144, b"\x51")
        coin = chain.find_spendable(SCRIPT)[:1]
        made = signed(coin, [CTxOut(1000, CScript(UNKNOWN_VERSION))])
        chain.broadcast(made)
        with Buyer.opened(sale.root / "buyer") as buyer:
            deal = buyer.need(sale.deal)
            (htlc, place), secret = buyer.locked(deal), deal.keys().coin_secret
        inputs = [input_of(Outpoint(txid_of(made), 0, 1000)), input_of(place)]
        output = CTxOut(place.amount_sat, CScript(buyer.wallet_script))
        tx = CTransaction(inputs, [output], htlc.timeout_height, 2)
        ours = signature(htlc.redeem_script, tx, 1, place.amount_sat, secret)
        words = list(claim.wit.vtxinwit[0].scriptWitness.stack)
        tx = with_witnesses(tx, [words, [ours, b"", bytes(htlc.redeem_script)]])
        chain.broadcast(tx)
        chain.mine(1, b"\x51")
    return tx


def test_a_refund_that_is_dressed_as_a_claim(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    earn(deal)
    assert deal.run("seller", "redeem").code == 0
    refund = dressed_refund(deal)
    for command in ("redeem", "watch"):
        result = deal.run("seller", command)
        assert result.refused, result
        assert f"spent already by {txid_of(refund)}: the buyer took the refund" in result.err


def refuses_to_reveal(sale: Sale, *options: str) -> str:
    """Why `redeem` refuses; nothing was sent and no claim was signed."""
    journal = (sale.root / "chain" / "journal").read_bytes()
    result = sale.run("seller", "redeem", *options)
    assert result.refused, result
    assert (sale.root / "chain" / "journal").read_bytes() == journal
    assert not (sale.private("seller") / "claims").exists()
    return result.err


class TestTimeLeft:
    def test_the_last_safe_block(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("verified")
        assert deal.run("buyer", "lock").code == 0
        timeout = mine(deal, 1) - 1 + 144
        mine(deal, 107)
        with chain_of(deal) as chain:
            assert timeout - chain.height() == 36
        assert deal.run("seller", "redeem").code == 0

    def test_one_block_later(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("verified")
        assert deal.run("buyer", "lock").code == 0
        timeout = mine(deal, 1) - 1 + 144
        mine(deal, 108)
        said = refuses_to_reveal(deal)
        assert "only 35 blocks are left" in said
        assert f"could be revealed up to height {timeout - 36}" in said
        assert "let the buyer take the refund" in said

    def test_it_is_said_before_the_lock_is_deep_enough(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("verified")
        assert deal.run("buyer", "lock").code == 0
        with chain_of(deal) as chain:
            [lock] = chain._index.mempool.values()
            chain.reorganise(1, [txid_of(lock)])
            chain.mine(106, b"\x51")
            chain.broadcast(lock)
        assert "only 36 blocks" not in refuses_to_reveal(deal)
        mine(deal, 1)
        assert deal.run("seller", "redeem").code == 0

    def test_status_shows_the_last_moment(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("verified")
        assert deal.run("buyer", "lock").code == 0
        refuses_to_reveal(deal)
        mined_at = mine(deal, 1)
        timeout = mined_at - 1 + 144
        said = deal.run("seller", "status").out
        assert f"only up to height {timeout - 36}; the refund is from {timeout} on" in said
        assert deal.run("seller", "redeem").code == 0
        said = deal.run("seller", "status").out
        assert f"the claim must be by height {timeout}" in said


class TestConflict:
    def test_an_unconfirmed_lock_is_waited_for(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("verified")
        assert deal.run("buyer", "lock").code == 0
        said = refuses_to_reveal(deal)
        assert re.search(r"0 of 1 confirmations; repeat this later, up to height \d+", said)

    def test_a_lock_that_was_spent_twice_is_told(self, sale: Callable[[str], Sale]) -> None:
        """The buyer sends the lock's coins to itself, in a block that undoes the lock."""
        deal = sale("verified")
        assert deal.run("buyer", "lock").code == 0
        refuses_to_reveal(deal)
        other = double_spend(deal)
        mine(deal, 3)
        said = refuses_to_reveal(deal)
        assert f"{other} (4 confirmations) spends coins of the lock" in said
        assert "the buyer must lock again" in said

    def test_a_waiting_double_spend_is_told(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("verified")
        assert deal.run("buyer", "lock").code == 0
        refuses_to_reveal(deal)
        other = double_spend(deal, mined=False)
        assert f"{other} (0 confirmations) spends coins of the lock" in refuses_to_reveal(deal)

    def test_a_double_spend_after_the_reveal_ends_the_deal(
        self, sale: Callable[[str], Sale]
    ) -> None:
        """What the depth asked for is to prevent: the key is out, and the coins are elsewhere."""
        deal = sale("verified")
        assert deal.run("buyer", "lock").code == 0
        mine(deal, 1)
        assert deal.run("seller", "redeem").code == 0
        claim = txid_of(spend_of_lock(deal))
        reorganise(deal, 1, claim)
        other = double_spend(deal, mined=False)
        watch = ("seller", "watch", "--once")
        assert "only a reorganisation brings it back" in deal.run(*watch).out
        mine(deal, 1)
        result = deal.run(*watch)
        assert result.refused
        assert f"{other} (1 confirmations) spends coins of the lock" in result.err

    def test_a_reorganised_lock_is_not_revealed_for(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("locked")
        reorganise(deal, 1)
        assert "0 of 1 confirmations" in refuses_to_reveal(deal)
        mine(deal, 1)
        assert deal.run("seller", "redeem").code == 0

    def test_a_refund_that_waits_keeps_the_key_secret(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("locked")
        mine(deal, 143)
        assert deal.run("buyer", "refund").code == 0
        said = refuses_to_reveal(deal)
        assert "the buyer took the refund" in said
        assert "the key stays secret" in said


def double_spend(sale: Sale, mined: bool = True) -> str:
    """The buyer's coins of the lock, spent to another lock after the first one was forgotten."""
    with Buyer.opened(sale.root / "buyer") as buyer, chain_of(sale) as chain:
        [lock] = chain._index.mempool.values()
        chain.reorganise(1, [txid_of(lock)])
        htlc = Htlc(bytes(32), *(public_key(bytes(31) + bytes([k])) for k in (1, 2)), 500)
        coins = chain.find_spendable(buyer.wallet_script)
        secret = (sale.root / "buyer" / "wallet.key").read_bytes()
        total = sum(coin.amount_sat for coin in coins)
        tx = build_lock(coins, htlc, total - 10_000, buyer.wallet_script, secret, 2)
        chain.broadcast(tx)
        if mined:
            chain.mine(1, b"\x51")
        return txid_of(tx)


class TestTimeout:
    """A buyer's timeout that differs from what was agreed."""

    def announce(self, sale: Sale, blocks: int) -> None:
        """Fund and announce a lock with its timeout `blocks` after the tip."""
        with Buyer.opened(sale.root / "buyer") as buyer, chain_of(sale) as chain:
            deal = buyer.need(sale.deal)
            offer, height = deal.offer(), chain.height() + blocks
            htlc = Htlc(offer.commitment, offer.claim_key, deal.keys().coin_public, height)
            coins = chain.find_spendable(buyer.wallet_script)
            secret = (sale.root / "buyer" / "wallet.key").read_bytes()
            tx = build_lock(coins, htlc, PRICE_SAT, buyer.wallet_script, secret, 2)
            chain.broadcast(tx)
            chain.mine(1, b"\x51")
            fields = {
                "deal": offer.deal,
                "answers": bytes.fromhex(deal.state.delivery),
                "redeem_script": bytes(htlc.redeem_script),
                "txid": bytes.fromhex(txid_of(tx)),
                "vout": lock_outpoint(tx, htlc).vout,
                "amount_sat": PRICE_SAT,
                "timeout_height": height,
            }
            messages.write_lock(sale.message("lock"), buyer.identity, fields)

    @pytest.mark.parametrize("blocks", [152, 2000, 400_000_000])
    def test_too_late(self, sale: Callable[[str], Sale], blocks: int) -> None:
        deal = sale("verified")
        self.announce(deal, blocks)
        said = refuses_to_reveal(deal)
        assert "lock: timeout height: expected at most" in said
        assert "must take the refund and lock again" in said

    @pytest.mark.parametrize("blocks", [144, 151, 60])
    def test_within_the_terms(self, sale: Callable[[str], Sale], blocks: int) -> None:
        deal = sale("verified")
        self.announce(deal, blocks)
        assert deal.run("seller", "redeem").code == 0

    @pytest.mark.parametrize("blocks", [36, 1, -90])
    def test_too_soon(self, sale: Callable[[str], Sale], blocks: int) -> None:
        deal = sale("verified")
        self.announce(deal, blocks)
        assert "blocks are left" in refuses_to_reveal(deal)


def test_a_lock_that_a_claim_was_signed_for_keeps_its_place(
    sale: Callable[[str], Sale],
) -> None:
    """A node took the claim and lost it, the buyer saw the key and announces another lock."""
    deal = sale("locked")
    claim = interrupt(deal, "before", "seller", "redeem")
    with Buyer.opened(deal.root / "buyer") as buyer:
        bought = buyer.need(deal.deal)
        own = messages.read_lock(
            deal.message("lock"),
            bytes.fromhex(bought.state.deal),
            buyer.identity.public_key,
            bytes.fromhex(bought.state.delivery),
        )
        fields = {
            "deal": own.deal,
            "answers": own.answers,
            "redeem_script": own.redeem_script,
            "txid": bytes(32),
            "vout": own.vout,
            "amount_sat": own.amount_sat,
            "timeout_height": own.timeout_height,
        }
        messages.write_lock(deal.message("lock"), buyer.identity, fields)
    again = deal.run("seller", "redeem")
    assert again.code == 0, again
    assert txid_of(claim) in again.out


class TestTerms:
    """Offers that a party of good faith could lose by are neither made nor answered."""

    def sealed(self, sale: Sale, *options: str):  # type: ignore[no-untyped-def]
        arguments = [str(sale.root / "model.onnx"), "--price-sat", str(PRICE_SAT), *options]
        return Sale(sale.root, sale.capsys, folder="new").run("seller", "seal", *arguments)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--chain", "main"), "real coins, and this software is unaudited"),
            (("--chain", "signet", "--confirmations", "1"), "confirmations: expected at least 3"),
            (("--chain", "signet", "--min-blocks-left", "17"), "at least 18 on signet"),
            (("--chain", "testnet", "--timeout-blocks", "53"), "and 12 more to act in"),
            (
                ("--timeout-blocks", "36"),
                "room for 1 to confirm the lock and 36 to be left, got 36; no lock could",
            ),
            (("--chain", "moon"), "moon"),
        ],
    )
    def test_are_not_offered(
        self, sale: Callable[[str], Sale], options: tuple[str, ...], said: str
    ) -> None:
        deal = sale("ready")
        before = deal.tree()
        result = self.sealed(deal, *options)
        assert result.refused, result
        assert said in result.err
        assert deal.tree() == before

    def test_of_every_chain_can_be_offered(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("ready")
        result = self.sealed(deal, "--chain", "main", "--accept-unaudited-on-mainnet")
        assert result.code == 0, result
        assert f"{PRICE_SAT} sat on main" in result.out

    def test_a_buyer_asks_nothing_about_real_coins_unknowingly(
        self, sale: Callable[[str], Sale]
    ) -> None:
        deal = sale("ready")
        assert self.sealed(deal, "--chain", "main", "--accept-unaudited-on-mainnet").code == 0
        new = Sale(deal.root, deal.capsys, folder="new")
        before = deal.tree()
        result = new.request()
        assert result.refused
        assert "this deal settles with real coins" in result.err
        assert deal.tree() == before
        assert new.request(1, "--accept-unaudited-on-mainnet").code == 0

    def test_a_deal_of_another_chain_is_not_settled_here(
        self, sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deal = sale("locked")
        monkeypatch.setattr(KernelChain, "name", "signet")
        assert "this deal settles on regtest, not on signet" in refuses_to_reveal(deal)
        for command in ("refund", "lock"):
            assert "not on signet" in deal.run("buyer", command).err

    @pytest.mark.parametrize(
        ("changed", "where"),
        [
            ({"price_sat": 999}, "offer: price"),
            ({"chain": "main", "confirmations": 2}, "offer: confirmations"),
            ({"chain": "main", "price_sat": 10**10, "confirmations": 52}, "offer: confirmations"),
            ({"chain": "main", "confirmations": 6, "min_blocks_left": 17}, "offer: blocks left"),
            ({"timeout_blocks": 2017}, "offer: timeout blocks"),
            ({"chain": "main", "confirmations": 6, "timeout_blocks": 53}, "offer: timeout blocks"),
        ],
    )
    def test_are_not_answered(
        self, sale: Callable[[str], Sale], changed: dict[str, object], where: str
    ) -> None:
        from dataclasses import replace

        offer: Offer = read_offer(sale("sealed").message("offer"))
        checks.check_offer(offer)
        with pytest.raises(VerificationError, match=where) as refusal:
            checks.check_offer(replace(offer, **changed))
        assert "the seller has to offer other terms" in str(refusal.value)

    def test_depth_grows_with_the_amount(self) -> None:
        asked = [checks.default_confirmations("main", sat) for sat in (10**5, 10**8, 10**10)]
        least = [checks.min_confirmations("main", sat) for sat in (10**5, 10**8, 10**10)]
        assert (asked, least) == ([6, 7, 106], [3, 3, 53])
        for chain in ("signet", "testnet", "main"):
            assert checks.min_confirmations(chain, 1000) >= 2
        checks.check_accepted_chain("signet", False)
        with pytest.raises(DealError, match="unaudited"):
            checks.check_accepted_chain("main", False)


def test_a_price_that_cannot_pay_for_its_claim(sale: Callable[[str], Sale]) -> None:
    """Fees rose since the offer: what is left would be dust, or less than half."""
    deal = sale("locked")
    with weather(fee_rate=400):
        assert re.search(r"and 3\d\d is the most that this one may pay", refuses_to_reveal(deal))
        assert "is over 1/2 of the" in refuses_to_reveal(deal, "--fee", "400")


def test_a_chain_that_refuses_the_claim_reveals_nothing_twice(sale: Callable[[str], Sale]) -> None:
    """A claim that the node did not take is judged anew."""
    deal = sale("locked")

    def refuse(chain: KernelChain, tx: CTransaction) -> str:
        raise SettlementError("the node refuses the transaction; repeat this later")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KernelChain, "broadcast", refuse)
        assert deal.run("seller", "redeem").refused
    mine(deal, 120)
    assert "blocks are left" in deal.run("seller", "redeem").err
    assert spend_of_lock(deal) is None
