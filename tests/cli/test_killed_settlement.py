"""Lock, redeem and refund, killed before each of their steps, and looked at again some time later.

Whenever the crash comes: nobody has both coins and network, nobody has neither, the key goes out
only where the claim can still be mined, and no status tells of a transaction that the chain does
not have.
"""

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from deal_stages import Sale, Stages

from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.preimage import extract_preimage
from zkcmp.errors import ZkcmpError
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.buyer.funding.signed_locks import SignedLocks
from zkcmp.exchange.seller import Seller

MAX_STEPS = 40
MIN_BLOCKS_LEFT, TIMEOUT_BLOCKS = 36, 144
FEE_SAT_PER_VB = 2

Killed = Callable[[int, list[str]], bool]
Crashes = Callable[[str, int, tuple[str, str]], Iterator["Parties"]]


@dataclass
class Parties:
    """Both parties and the chain after a crash."""

    sale: Sale
    seller: Seller
    buyer: Buyer
    chain: KernelChain

    def lock(self) -> None:
        self.buyer.lock(self.sale.deal, self.chain, FEE_SAT_PER_VB)

    def redeem(self) -> str:
        return self.seller.redeem(self.sale.deal, self.chain, FEE_SAT_PER_VB).txid

    def open(self) -> None:
        self.buyer.open(self.sale.deal, self.chain, self.sale.root / "bought.onnx")

    def refund(self) -> str:
        return self.buyer.refund(self.sale.deal, self.chain, FEE_SAT_PER_VB).txid

    def mine(self, blocks: int) -> None:
        self.chain.mine(blocks, b"\x51")

    def is_locked(self) -> bool:
        deal = self.buyer.need(self.sale.deal)
        signed = SignedLocks(deal.directory).load()
        return any(self.chain.get_transaction(lock.txid) for lock in signed)

    def is_claimed(self) -> bool:
        htlc, outpoint = self.buyer.locked(self.buyer.need(self.sale.deal))
        spend = self.chain.find_spend(outpoint)
        return spend is not None and extract_preimage(spend, htlc) is not None


def works(act: Callable[[], object]) -> bool:
    """Whether the party does it, or refuses."""
    try:
        act()
    except ZkcmpError:
        return False
    return True


@contextlib.contextmanager
def meeting(sale: Sale) -> Iterator[Parties]:
    told = "".join(sale.run(party, "status").out for party in ("seller", "buyer"))
    with (
        Seller.opened(sale.root / "seller") as seller,
        Buyer.opened(sale.root / "buyer") as buyer,
        KernelChain(sale.root / "chain") as chain,
    ):
        for txid in re.findall(r" (?:in|by) ([0-9a-f]{64})", told):
            assert chain.get_transaction(txid) is not None, told
        yield Parties(sale, seller, buyer, chain)


@pytest.fixture
def crashes(
    stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str], killed: Killed
) -> Crashes:
    """The parties, for every step that a command can die before, each crash on its own."""

    def at_every_step(stage: str, blocks: int, command: tuple[str, str]) -> Iterator[Parties]:
        start = stages.copy(stage, tmp_path / "start", capsys)
        if blocks:
            assert start.run("chain", "mine", str(blocks)).code == 0
        for step in range(1, MAX_STEPS):
            shutil.copytree(start.root, tmp_path / str(step))
            sale = Sale(tmp_path / str(step), capsys)
            if not killed(step, sale.arguments(*command)):
                assert step > 3
                return
            with meeting(sale) as parties:
                yield parties

    return at_every_step


@pytest.mark.parametrize("blocks", [1, 120])
def test_lock(crashes: Crashes, blocks: int) -> None:
    """A lock that was sent ends when it says; one that was not begins when it is sent."""
    for parties in crashes("verified", 0, ("buyer", "lock")):
        sent = parties.is_locked()
        parties.mine(blocks)
        parties.lock()
        parties.mine(1)
        in_time = not sent or TIMEOUT_BLOCKS - blocks - 1 >= MIN_BLOCKS_LEFT
        assert works(parties.redeem) == in_time
        assert works(parties.open) == in_time
        parties.mine(TIMEOUT_BLOCKS)
        assert works(parties.refund) != in_time


@pytest.mark.parametrize("blocks", [1, 120, 150])
def test_redeem(crashes: Crashes, blocks: int) -> None:
    """Late, only a claim that is out already is sent; the key of any other stays secret."""
    for parties in crashes("locked", 0, ("seller", "redeem")):
        was_out = parties.is_claimed()
        parties.mine(blocks)
        redeemed = works(parties.redeem)
        assert redeemed == parties.is_claimed() == (was_out or blocks == 1)
        parties.mine(TIMEOUT_BLOCKS)
        assert works(parties.open) == redeemed
        assert works(parties.refund) != redeemed
        assert works(parties.redeem) == redeemed


@pytest.mark.parametrize("party", ["seller", "buyer"])
def test_a_higher_fee(
    stages: Stages,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    killed: Killed,
    party: str,
) -> None:
    """Whichever version the chain has after the crash, it is found, raised or mined."""
    start = stages.copy("locked", tmp_path / "start", capsys)
    if party == "buyer":
        assert start.run("chain", "mine", str(TIMEOUT_BLOCKS)).code == 0
    command = ("seller", "redeem") if party == "seller" else ("buyer", "refund")
    assert start.run(*command).code == 0
    for step in range(1, MAX_STEPS):
        sale = start.copied(tmp_path / str(step))
        arguments = [*sale.arguments(*command), "--fee", "9"]
        if not killed(step, arguments):
            assert step > 3
            return
        with meeting(sale) as parties:
            _, outpoint = parties.buyer.locked(parties.buyer.need(sale.deal))
            waiting = parties.chain.find_spend(outpoint)
            assert waiting is not None
            txid = parties.redeem() if party == "seller" else parties.refund()
            assert txid == txid_of(waiting), "found as it is, without being told of a higher fee"
            act = parties.seller.redeem if party == "seller" else parties.buyer.refund
            raised = act(sale.deal, parties.chain, 12)
            assert raised.replaced
            parties.mine(1)
            assert act(sale.deal, parties.chain).txid == raised.txid
            assert works(parties.open) == (party == "seller")


def test_refund(crashes: Crashes) -> None:
    for parties in crashes("locked", TIMEOUT_BLOCKS - 1, ("buyer", "refund")):
        parties.mine(1)
        txid = parties.refund()
        parties.mine(1)
        assert parties.refund() == txid
        assert parties.buyer.need(parties.sale.deal).state.refund_txid == txid
        assert not works(parties.redeem)
        assert not works(parties.open)
