"""SIGKILL before every durable step of every command: repeating the command goes on from there."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import NETWORK, PRICE_SAT, Sale
from test_command_order import COMMANDS

from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.funding import build_lock
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import public_key
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.ledger import AnsweredRequests, SpentSamples
from zkcmp.exchange.seller import weights_digest
from zkcmp.model.onnx_io import read_onnx
from zkcmp.model.quantize import quantize

SCRIPT = str(Path(__file__).with_name("killed_command.py"))
REST = ["seal", "request", "setup", "prove", "verify", "lock", "redeem", "open"]


def kill_everywhere(sale: Sale, arguments: list[str]) -> int:
    """Kill the command at its 1st, 2nd, … rename, each time on what is left; how often it died."""
    for n in range(1, 20):
        done = subprocess.run(
            [sys.executable, SCRIPT, str(n), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != -signal.SIGKILL:
            assert done.returncode == 0, done.stderr
            return n - 1
    raise AssertionError("the command never ends")


def finish(sale: Sale, commands: list[str]) -> None:
    """The rest of the deal, unharmed, ends with the right network and one payment."""
    for name in commands:
        assert COMMANDS[name](sale).code == 0, name
        if name in ("lock", "redeem"):
            assert sale.run("chain", "mine", "1").code == 0
    assert quantize(read_onnx(sale.root / "bought.onnx")) == NETWORK
    with Buyer.opened(sale.root / "buyer") as buyer:
        assert len(SpentSamples(buyer.home.path / "spent-samples").load()) == 6
    answered = AnsweredRequests(sale.root / "seller" / "answered.json")
    assert answered.count(weights_digest(NETWORK)) == 2
    with KernelChain(sale.root / "chain") as chain:
        paid = chain.find_output(lock_script(sale))
    assert [(output.amount_sat, bool(output.spent_by)) for output in paid] == [(PRICE_SAT, True)]


def lock_script(sale: Sale) -> bytes:
    """Where the price of this deal was paid to."""
    with Buyer.opened(sale.root / "buyer") as buyer:
        htlc, _ = buyer.locked(buyer.need(sale.deal))
    return bytes(htlc.script_pubkey)


@pytest.mark.parametrize(
    ("stage", "command", "arguments"),
    [
        ("ready", "seal", ("{root}/model.onnx", "--price-sat", str(PRICE_SAT))),
        ("sealed", "request", ("--test-set", "{root}/samples1.npz", "--threshold", "2")),
        ("requested", "setup", ()),
        ("set_up", "prove", ()),
        ("set_up", "audit", ()),
        ("proved", "verify", ()),
        ("verified", "lock", ()),
        ("locked", "redeem", ()),
        ("redeemed", "open", ("--out", "{root}/bought.onnx")),
    ],
)
def test_killed(
    sale: Callable[[str], Sale], stage: str, command: str, arguments: tuple[str, ...]
) -> None:
    deal = sale(stage)
    party = "seller" if command in ("seal", "audit", "prove", "redeem") else "buyer"
    given = [argument.format(root=deal.root) for argument in arguments]
    assert kill_everywhere(deal, deal.arguments(party, command, *given)) >= 2
    finish(deal, REST[REST.index("prove" if command == "audit" else command) :])


class TestPreparedFunding:
    """Killed after the funding transaction was signed and before it was sent."""

    def prepare(self, sale: Sale) -> str:
        with Buyer.opened(sale.root / "buyer") as buyer, KernelChain(sale.root / "chain") as chain:
            deal = buyer.need(sale.deal)
            buyer._fund(deal, deal.offer(), chain, 2)
            return deal.state.funding_txid

    def funding(self, sale: Sale) -> str:
        with Buyer.opened(sale.root / "buyer") as buyer:
            return buyer.need(sale.deal).state.funding_txid

    def test_is_kept_when_a_chain_refuses_it(self, sale: Callable[[str], Sale]) -> None:
        """A chain that does not know its coins says nothing about the chain it was made for."""
        deal = sale("verified")
        prepared = self.prepare(deal)
        (deal.root / "chain").rename(deal.root / "chain-of-the-deal")
        assert deal.run("buyer", "lock").refused
        assert self.funding(deal) == prepared
        shutil.rmtree(deal.root / "chain")
        (deal.root / "chain-of-the-deal").rename(deal.root / "chain")
        assert deal.run("buyer", "lock").code == 0
        assert self.funding(deal) == prepared

    def test_is_replaced_when_its_coins_are_gone(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("verified")
        prepared = self.prepare(deal)
        with Buyer.opened(deal.root / "buyer") as buyer, KernelChain(deal.root / "chain") as chain:
            htlc = Htlc(bytes(32), *(public_key(bytes(31) + bytes([k])) for k in (1, 2)), 500)
            coins = chain.find_spendable(buyer.wallet_script)
            secret = (deal.root / "buyer" / "wallet.key").read_bytes()
            all_coins = sum(coin.amount_sat for coin in coins) - 10_000
            chain.broadcast(build_lock(coins, htlc, all_coins, buyer.wallet_script, secret, 2))
            chain.mine(101, buyer.wallet_script)
        result = deal.run("buyer", "lock")
        assert result.refused
        assert "spent elsewhere" in result.err
        assert deal.run("buyer", "lock").code == 0
        assert self.funding(deal) != prepared
