"""A claim that comes between two questions of one look: the buyer has the network or the price."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bitcoin.core import CTransaction
from deal_stages import NETWORK, PRICE_SAT, Result, Sale
from funding_wallet import earn, pay
from settling import chain_of, mine, spend_of_lock
from test_external_funding import ask

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.refund import build_refund
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.seller import Seller
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

At = Callable[[str], Sale]
AT_MOST = 30
"""Questions of one look that a spend could be the answer to."""


def claim_of(sale: Sale, rate: int = 1) -> CTransaction:
    """The seller's claim; at the least fee, any refund outbids it."""
    with Buyer.opened(sale.root / "buyer") as buyer:
        htlc, place = buyer.locked(buyer.need(sale.deal))
    with Seller.opened(sale.root / "seller") as seller:
        deal = seller.need(sale.deal)
        preimage, secret = deal.read_secret("preimage"), deal.keys().coin_secret
        return build_claim(htlc, place, preimage, secret, seller.wallet_script, rate)


class Arrival:
    """Sends the claim before the n-th question to the embedded chain."""

    def __init__(self, claim: CTransaction, number: int):
        self.claim, self.left, self.came = claim, number, False

    def in_front_of(self, real: Callable[..., object]) -> Callable[..., object]:
        def ask(chain: KernelChain, *arguments: object) -> object:
            self.left -= 1
            if not self.left:
                self.came = self.taken_by(chain)
            return real(chain, *arguments)

        return ask

    def taken_by(self, chain: KernelChain) -> bool:
        try:
            chain.broadcast(self.claim)
        except SettlementError:  # a refund waits that pays more
            return False
        return True


class PutBack:
    """What a look changes, as it was before."""

    def __init__(self, sale: Sale):
        self.sale, self.place = sale, sale.private("buyer")
        state, journal = self.place / "state.json", sale.root / "chain" / "journal"
        self.before = {path: path.read_bytes() for path in (state, journal)}
        self.made = [self.place / name for name in ("claim-seen", "refunds")]
        self.made += [sale.root / name for name in ("bought.onnx", "bought.onnx.json")]

    def __call__(self) -> None:
        for path, data in self.before.items():
            path.write_bytes(data)
        for path in self.made:
            path.unlink(missing_ok=True)


def endings(sale: Sale, *command: str, rate: int = 1) -> Iterator[Result]:
    """Of the command, with the claim before its first question, its second, and so on."""
    claim, put_back = claim_of(sale, rate), PutBack(sale)
    for number in range(1, AT_MOST):
        put_back()
        arrival = Arrival(claim, number)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("find_spend", "broadcast", "find_output"):
                patch.setattr(KernelChain, name, arrival.in_front_of(getattr(KernelChain, name)))
            result = sale.run(*command)
        if not arrival.came:
            return
        yield result
    pytest.fail("it asks without end")


def is_paid_to(sale: Sale, kind: type[Buyer] | type[Seller], home: Path) -> bool:
    spend = spend_of_lock(sale)
    with kind.opened(home) as owner:
        return spend is not None and bytes(spend.vout[0].scriptPubKey) == owner.wallet_script


@pytest.mark.parametrize("command", ["refund", "watch", "open"])
def test_whenever_it_comes(sale: At, command: str) -> None:
    deal = sale("locked")
    mine(deal, 144)
    out = ["--out", str(deal.root / "bought.onnx")]
    options = {"refund": ["--fee", "5"], "watch": [*out, "--once", "--fee", "5"], "open": out}
    bought = 0
    for result in endings(deal, "buyer", command, *options[command]):
        assert "the deal is over" not in result.err
        if is_paid_to(deal, Buyer, deal.root / "buyer"):
            assert result.code == 0, result
            continue
        assert is_paid_to(deal, Seller, deal.root / "seller")
        assert "refund " not in result.out, result
        assert "refunded" not in result.out, result
        if command == "watch":
            assert result.code == 0, result
        assert deal.open().code == 0, result
        assert quantize(read_onnx(deal.root / "bought.onnx")) == NETWORK
        bought += 1
    assert bought > 2


def two_paid(sale: Sale, is_mined: bool) -> Sale:
    """The lock, and coins besides, of which the refund was sent; the timeout is over."""
    earn(sale)
    txid = pay(sale, ask(sale), PRICE_SAT, 30_000)
    mine(sale, 1)
    assert sale.run("buyer", "lock", "--external").code == 0
    mine(sale, 150)
    with Buyer.opened(sale.root / "buyer") as buyer:
        deal = buyer.need(sale.deal)
        (htlc, lock), secret = buyer.locked(deal), deal.keys().coin_secret
        besides = Outpoint(txid, 1 - lock.vout, 30_000)
        refund = build_refund(htlc, besides, secret, buyer.wallet_script, 5)
    with chain_of(sale) as chain:
        chain.broadcast(refund)
        if is_mined:
            chain.mine(1, b"\x51")
    return sale


@pytest.mark.parametrize("rate", [1, 50])
@pytest.mark.parametrize("is_mined", [False, True])
def test_the_refund_of_other_coins_ends_no_watch(sale: At, is_mined: bool, rate: int) -> None:
    deal = two_paid(sale("verified"), is_mined)
    watch = ["watch", "--out", str(deal.root / "bought.onnx"), "--once", "--fee", "5"]
    bought = 0
    for result in endings(deal, "buyer", *watch, rate=rate):
        if is_paid_to(deal, Seller, deal.root / "seller"):
            assert "refunded" not in result.out, result
            if not (deal.root / "bought.onnx").exists():
                assert rate > 1, result
                result = deal.run("buyer", *watch)
            assert result.code == 0, result
            assert "the seller has redeemed: the key is known" in result.out
            assert quantize(read_onnx(deal.root / "bought.onnx")) == NETWORK
            bought += 1
    assert bought > 6


def test_a_refund_of_other_coins_says_that_the_lock_was_claimed(sale: At) -> None:
    deal = two_paid(sale("verified"), is_mined=False)
    beside = 0
    for result in endings(deal, "buyer", "refund", "--fee", "5"):
        if is_paid_to(deal, Seller, deal.root / "seller"):
            assert result.code == 0, result
            assert "run `zkcmp buyer open` to get the network" in result.out
            assert (deal.private("buyer") / "claim-seen").exists()
            beside += 1
    assert beside > 4


def test_one_that_was_seen_and_is_gone_at_the_next_question(
    sale: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No look fails for it, and what it has read it keeps."""
    deal = sale("locked")
    mine(deal, 144)
    claim, put_back, real = claim_of(deal), PutBack(deal), KernelChain.find_spend
    watch = ["watch", "--out", str(deal.root / "bought.onnx"), "--once", "--fee", "5"]
    opened = 0
    for since, until in [(a, b) for b in range(2, 10) for a in range(1, b)]:
        put_back()
        questions = iter(range(1, AT_MOST))

        def ask(chain: KernelChain, place: Outpoint, since_height: int = 0) -> object:
            found = real(chain, place, since_height)
            comes = since <= next(questions) < until  # noqa: B023
            return claim if found is None and comes else found

        with monkeypatch.context() as patch:
            patch.setattr(KernelChain, "find_spend", ask)
            result = deal.run("buyer", *watch)
        assert result.code == 0, (since, until, result)
        kept = (deal.private("buyer") / "claim-seen").exists()
        assert kept == (deal.root / "bought.onnx").exists()
        opened += kept
    assert opened > 20
