"""A directory from before a lock that was claimed: the key is public, and is not paid for."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import NETWORK, Sale
from funding_wallet import earn, pay
from interrupted_broadcast import interrupt
from settling import chain_of, mine

from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import bech32_address, p2wpkh_script, public_key
from zkcmp.cli.main import run
from zkcmp.errors import DealError
from zkcmp.exchange.buyer import Buyer, known_key, published_key
from zkcmp.exchange.buyer.funding.record import FundingRecord
from zkcmp.exchange.buyer.funding.signed_locks import SignedLocks
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

BLOCKS = 144
EXTERNAL = ("buyer", "lock", "--external")
OTHER_SCRIPT = bytes(p2wpkh_script(public_key(b"\x06" * 32)))
OTHER = bech32_address(OTHER_SCRIPT, "regtest")
"""Of yet another wallet: nothing leads from there to the payment that was forgotten."""


def forget(sale: Sale) -> None:
    """The buyer's directory is the one that was kept, and the folder has no lock message."""
    sale.put_back("buyer")
    sale.message("lock").unlink()


def paid_and_forgotten(sale: Sale, claimed: bool) -> Sale:
    """Another wallet paid to an address; the directory, and the folder, are from before that."""
    earn(sale)
    with chain_of(sale) as chain:
        chain.mine(1, OTHER_SCRIPT)
        chain.mine(100, b"\x51")
    sale.keep("buyer")
    address = re.search(r"to (bcrt1\w+)", sale.run(*EXTERNAL).out)[1]
    pay(sale, address)
    mine(sale, 1)
    assert sale.run(*EXTERNAL).code == 0
    if claimed:
        assert sale.run("seller", "redeem").code == 0
    else:
        mine(sale, BLOCKS)
        assert sale.run("buyer", "refund").code == 0
        mine(sale, 1)
    forget(sale)
    return sale


def ways(sale: Sale) -> list[tuple[str, ...]]:
    draft = ("buyer", "lock", "--psbt-out", str(sale.root / "lock.psbt"), "--from", OTHER)
    return [("buyer", "lock"), draft, EXTERNAL]


@pytest.mark.parametrize("blocks", [0, 1, 3 * BLOCKS])
def test_is_not_paid_for_in_any_way(sale: Callable[[str], Sale], blocks: int) -> None:
    deal = paid_and_forgotten(sale("verified"), claimed=True)
    if blocks:
        mine(deal, blocks)
    for way in ways(deal):
        result = deal.run(*way)
        assert result.refused, result
        assert "public already: pay nothing; `zkcmp buyer open`" in result.err
    place = deal.private("buyer")
    assert not SignedLocks(place).load()
    assert not FundingRecord(place).load()
    assert not (deal.root / "lock.psbt").exists()
    assert deal.open().code == 0
    assert quantize(read_onnx(deal.root / "bought.onnx")) == NETWORK


@pytest.mark.parametrize("way", [0, 1])
def test_is_not_paid_for_by_what_was_begun_before(sale: Callable[[str], Sale], way: int) -> None:
    """The old directory has a lock that was never sent, or a draft."""
    deal = sale("verified")
    command = ways(deal)[way]
    with chain_of(deal) as chain:
        chain.mine(1, OTHER_SCRIPT)
        chain.mine(100, b"\x51")
    deal.keep("buyer")
    if way == 0:
        interrupt(deal, "before", *command)
    else:
        assert deal.run(*command).code == 0
    names = ("signed-locks", "funding")
    begun = [path for name in names if (path := deal.private("buyer") / name).exists()]
    kept = {path: path.read_bytes() for path in begun}
    deal.put_back("buyer")
    paid_and_forgotten(deal, claimed=True)
    for path, data in kept.items():
        path.write_bytes(data)
    result = deal.run(*command)
    assert "public already: pay nothing" in result.err, result
    assert deal.open().code == 0


@pytest.mark.parametrize("way", [0, 1, 2])
def test_a_lock_that_was_refunded_publishes_none(sale: Callable[[str], Sale], way: int) -> None:
    """Its script is on the chain, too."""
    deal = paid_and_forgotten(sale("verified"), claimed=False)
    assert deal.run(*ways(deal)[way]).code == 0


def test_an_address_that_was_shown_before_is_not_shown_again(sale: Callable[[str], Sale]) -> None:
    """The backup has the address; what was paid and claimed afterwards went elsewhere."""
    deal = sale("verified")
    earn(deal)
    assert deal.run(*EXTERNAL).code == 0
    deal.keep("buyer")
    mine(deal, 3)
    assert deal.run("buyer", "lock", "--abandon").code == 0
    mine(deal, 1)
    assert deal.run("seller", "redeem").code == 0
    mine(deal, 1)
    forget(deal)
    result = deal.run(*EXTERNAL)
    assert result.refused
    assert "the key of this deal is public already: pay nothing" in result.err
    assert deal.open().code == 0


@pytest.mark.parametrize("from_rescue", [False, True])
def test_opens_without_a_lock_in_our_records(
    sale: Callable[[str], Sale], from_rescue: bool
) -> None:
    """Who has paid, and lost all traces of it, needs only the key."""
    deal, file = sale("verified"), []
    if from_rescue:
        file = [str(deal.root / "old.rescue")]
        assert deal.run("buyer", "rescue", "--out", *file).code == 0
    paid_and_forgotten(deal, claimed=True)
    bought = deal.root / "bought.onnx"
    if from_rescue:
        place = ["--home", str(deal.root / "second"), "--chain-dir", str(deal.root / "chain")]
        assert run(["recover", *file, *place, "--deal", str(deal.deal), "--out", str(bought)]) == 0
    else:
        assert deal.open().code == 0
    assert quantize(read_onnx(bought)) == NETWORK


def test_without_lock_or_key_there_is_nothing_to_open(sale: Callable[[str], Sale]) -> None:
    deal = paid_and_forgotten(sale("verified"), claimed=False)
    result = deal.open()
    assert result.refused
    assert "`zkcmp buyer lock` supplies it" in result.err


@pytest.mark.parametrize(
    ("age_days", "earliest", "latest"),
    [
        (-1, 895_969, 895_969),
        (0, 895_969, 895_969),
        (20, 890_000, 895_968),
        (400, 887_001, 887_001),
        (None, 887_001, 887_001),
    ],
)
def test_looked_for_since_the_request(
    sale: Callable[[str], Sale], age_days: int | None, earliest: int, latest: int
) -> None:
    """Four weeks, or the request's age if it is more, but no more than 90 days."""
    deal = sale("verified")
    request: Path = deal.private("buyer") / "request.zkcmp"
    if age_days is None:
        request.unlink()
    else:
        made_at = time.time() - 86_400 * age_days
        os.utime(request, (made_at, made_at))

    class Tall:
        def height(self) -> int:
            return 900_000

    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal):
        ours = buyer.need(deal.deal)
        assert earliest <= published_key.since_height(ours, Tall()) <= latest


def keep_blocks(patch: pytest.MonkeyPatch, blocks: int) -> None:
    """The chain is a node's that has no older ones."""
    real = KernelChain.find_containing

    def find(chain: KernelChain, data: bytes, since: int = 0) -> object:
        if since < chain.height() + 1 - blocks:
            raise SettlementError("the node does not have block 7 any more; use one that has it")
        return real(chain, data, since)

    patch.setattr(KernelChain, "find_containing", find)


def test_a_pruned_node_has_the_recent_claim(
    sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a recovery, without our request nobody knows how long ago the deal was begun."""
    deal = paid_and_forgotten(sale("verified"), claimed=True)
    mine(deal, 3)
    (deal.private("buyer") / "request.zkcmp").unlink()
    monkeypatch.setattr(published_key, "RECENT_BLOCKS", 50)
    keep_blocks(monkeypatch, 50)
    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal) as chain:
        assert known_key.search(buyer.need(deal.deal), chain) is not None
    assert (deal.private("buyer") / "claim-seen").exists()


@pytest.mark.parametrize("blocks", [0, 50])
def test_a_pruned_node_does_not_hide_what_is_missing(
    sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch, blocks: int
) -> None:
    deal = sale("verified")
    monkeypatch.setattr(published_key, "RECENT_BLOCKS", 50)
    (deal.private("buyer") / "request.zkcmp").unlink()
    keep_blocks(monkeypatch, blocks)
    with (
        Buyer.opened(deal.root / "buyer") as buyer,
        chain_of(deal) as chain,
        pytest.raises(DealError, match="`zkcmp buyer lock` supplies it; not every block") as raised,
    ):
        known_key.search(buyer.need(deal.deal), chain)
    assert "the node does not have block 7 any more" in str(raised.value)


def test_damaged_records_do_not_hide_a_published_key(sale: Callable[[str], Sale]) -> None:
    deal = paid_and_forgotten(sale("verified"), claimed=True)
    (deal.private("buyer") / "signed-locks").write_bytes(b"no locks")
    assert deal.open().code == 0
    assert quantize(read_onnx(deal.root / "bought.onnx")) == NETWORK


def test_damaged_records_without_a_key_are_named(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    (deal.private("buyer") / "signed-locks").write_bytes(b"no locks")
    result = deal.open()
    assert result.refused
    assert "signed-locks is damaged; restore it" in result.err
