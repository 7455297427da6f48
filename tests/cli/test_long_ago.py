"""Who comes back after months still opens, or is refunded: our own timeouts say where to look."""

from collections.abc import Callable

import pytest
from deal_stages import NETWORK, Sale
from funding_wallet import earn, pay
from settling import mine
from test_external_funding import ask

from bitcoin_scripts.chain import FoundOutput, Outpoint, txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from zkcmp.exchange import checks
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

At = Callable[[str], Sale]
SCANNED, LONG = 200, 600


@pytest.fixture(autouse=True)
def looked_at_only_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded chain shows nothing below the height that it is asked from on, as a node."""
    find_spend, find_output = KernelChain.find_spend, KernelChain.find_output

    def spend(chain: KernelChain, place: Outpoint, since: int = 0):  # type: ignore[no-untyped-def]
        found = find_spend(chain, place)
        depth = chain.confirmations(txid_of(found)) if found else 0
        return found if not depth or chain.height() + 1 - depth >= since else None

    def output(chain: KernelChain, script: bytes, since: int = 0) -> list[FoundOutput]:
        found = find_output(chain, script)
        return [each for each in found if each.height is None or each.height >= since]

    monkeypatch.setattr(KernelChain, "find_spend", spend)
    monkeypatch.setattr(KernelChain, "find_output", output)
    monkeypatch.setattr(checks, "SCAN_BLOCKS", SCANNED)


def paid_from_elsewhere(sale: Sale) -> Sale:
    earn(sale)
    pay(sale, ask(sale))
    mine(sale, 1)
    assert sale.run("buyer", "lock", "--external").code == 0
    return sale


@pytest.mark.parametrize("external", [False, True])
def test_a_key_that_was_published(sale: At, external: bool) -> None:
    deal = paid_from_elsewhere(sale("verified")) if external else sale("locked")
    assert deal.run("seller", "redeem").code == 0
    mine(deal, LONG)
    opened = deal.open()
    assert opened.code == 0, opened
    assert quantize(read_onnx(deal.root / "bought.onnx")) == NETWORK


@pytest.mark.parametrize("external", [False, True])
def test_coins_that_were_never_claimed(sale: At, external: bool) -> None:
    deal = paid_from_elsewhere(sale("verified")) if external else sale("locked")
    mine(deal, LONG)
    refunded = deal.run("buyer", "refund")
    assert refunded.code == 0, refunded
    mine(deal, LONG)
    again = deal.run("buyer", "refund")
    assert again.code == 0, again
    assert f"{LONG} confirmations" in again.out
