"""A claim that comes between two questions of one look: the buyer has the network or the price."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bitcoin.core import CTransaction
from deal_stages import NETWORK, Result, Sale
from settling import mine, spend_of_lock

from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.errors import SettlementError
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.seller import Seller
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

At = Callable[[str], Sale]
AT_MOST = 30
"""Questions of one look that a spend could be the answer to."""


def low_claim(sale: Sale) -> CTransaction:
    """The seller's claim, at the least fee: any refund outbids it."""
    with Buyer.opened(sale.root / "buyer") as buyer:
        htlc, place = buyer.locked(buyer.need(sale.deal))
    with Seller.opened(sale.root / "seller") as seller:
        deal = seller.need(sale.deal)
        preimage, secret = deal.read_secret("preimage"), deal.keys().coin_secret
        return build_claim(htlc, place, preimage, secret, seller.wallet_script, 1)


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


def endings(sale: Sale, *command: str) -> Iterator[Result]:
    """Of the command, with the claim before its first question, its second, and so on."""
    claim, put_back = low_claim(sale), PutBack(sale)
    for number in range(1, AT_MOST):
        put_back()
        arrival = Arrival(claim, number)
        with pytest.MonkeyPatch.context() as patch:
            for name in ("find_spend", "broadcast"):
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
