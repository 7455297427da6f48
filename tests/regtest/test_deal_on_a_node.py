"""Whole deals by the two parties' commands on a real node: paid, refunded, and reorganised."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from bitcoin.core.script import CScript
from bitcoind import Bitcoind
from deal_stages import NETWORK, PRICE_SAT, Result, Sale, Stages, samples, wallet_of

from bitcoin_scripts.chain.rpc import RpcChain
from zkcmp.model.data_files import save_npz
from zkcmp.model.onnx import export_onnx

pytestmark = pytest.mark.regtest

TIMEOUT_BLOCKS = 144
BOTH = pytest.mark.parametrize("options", [("-txindex=1",), ()], ids=["indexed", "not-indexed"])


@dataclass
class NodeSale(Sale):
    """A sale whose commands ask a node."""

    node: Bitcoind | None = None

    def arguments(self, *command: str) -> list[str]:
        assert self.node is not None
        arguments = super().arguments(*command)
        if "--chain-dir" in arguments:
            at = arguments.index("--chain-dir")
            cookie = str(self.node.cookie)
            arguments[at : at + 2] = ["--node", self.node.url, "--node-cookie", cookie]
        return arguments

    @property
    def chain(self) -> RpcChain:
        assert self.node is not None
        return RpcChain.connect(self.node.url, cookie=self.node.cookie)

    def mine(self, n: int = 1) -> None:
        assert self.node is not None
        self.node.mine(n)

    def done(self, *command: str) -> Result:
        result = self.run(*command)
        assert result.code == 0, result.err
        return result

    def refused(self, words: str, *command: str) -> None:
        result = self.run(*command)
        assert result.refused, result
        assert words in result.err

    def waiting(self) -> str:
        """The one transaction that waits."""
        assert self.node is not None
        [txid] = self.node.call("getrawmempool")
        return str(txid)

    def locked(self) -> str:
        """The id of a lock with one confirmation."""
        self.done("buyer", "lock")
        txid = self.waiting()
        self.mine()
        return txid

    def redeemed(self) -> str:
        """The id of a claim that waits."""
        self.done("seller", "redeem")
        return self.waiting()

    def has_the_network(self) -> None:
        assert self.open().code == 0
        assert (self.root / "bought.onnx").read_bytes() == export_onnx(NETWORK)


@pytest.fixture(scope="session")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """A deal up to the buyer's verification; no chain was needed for it."""
    root = tmp_path_factory.mktemp("stages")
    sale = Sale(root / "verified")
    sale.root.mkdir()
    (sale.root / "model.onnx").write_bytes(export_onnx(NETWORK))
    save_npz(sale.root / "samples1.npz", samples(1))
    assert sale.seal().code == 0
    sale.ask_and_prove("--backend", "libra", "--commitment", "hyrax")
    assert sale.run("buyer", "verify").code == 0
    return Stages(root)


@pytest.fixture
def sale(
    verified: Stages,
    new_node: Callable[..., Bitcoind],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> NodeSale:
    """The deal, and a node of its own on which the buyer has coins."""
    parameters = getattr(request.node, "callspec", None)
    node = new_node(*(parameters.params["options"] if parameters else ("-txindex=1",)))
    copy = verified.copy("verified", tmp_path / "sale")
    node.call("generatetoaddress", 1, wallet_of(copy.root))
    node.mine(100)
    return NodeSale(copy.root, capsys, node=node)


@BOTH
def test_paid(sale: NodeSale, options: tuple[str, ...]):
    sale.done("buyer", "lock")
    sale.refused("the lock has 0 of 1 confirmations", "seller", "redeem")
    sale.mine()
    assert "already locked" in sale.done("buyer", "lock").out
    sale.refused("the seller has not redeemed yet", *open_command(sale))
    claim = sale.redeemed()
    sale.has_the_network()  # the key is read before it is mined
    sale.mine()
    assert f"transaction {claim}, 1 confirmation" in sale.done("seller", "redeem").out
    sale.has_the_network()
    sale.mine(TIMEOUT_BLOCKS)
    sale.refused("the seller has redeemed", "buyer", "refund")
    [paid] = sale.chain.find_spendable(wallet_script(sale, "seller"))
    assert PRICE_SAT - 1000 < paid.amount_sat < PRICE_SAT


@BOTH
def test_refunded(sale: NodeSale, options: tuple[str, ...]):
    sale.locked()
    sale.refused("the refund is possible from height", "buyer", "refund")
    sale.mine(TIMEOUT_BLOCKS)
    sale.refused("blocks are left before the buyer's refund", "seller", "redeem")
    assert "0 confirmations" in sale.done("buyer", "refund").out
    sale.mine()
    assert "1 confirmation" in sale.done("buyer", "refund").out
    sale.refused("the lock was refunded", *open_command(sale))
    sale.refused("the buyer took the refund", "seller", "redeem")
    [_, back] = sale.chain.find_spendable(wallet_script(sale, "buyer"))
    assert PRICE_SAT - 1000 < back.amount_sat < PRICE_SAT


def test_lock_reorganised_before_the_reveal(sale: NodeSale):
    lock = sale.locked()
    sale.node.reorganise(1)
    sale.refused("the lock has 0 of 1 confirmations", "seller", "redeem")
    sale.mine()
    sale.node.reorganise(1, forget=[lock])
    sale.refused("is not on the chain", "seller", "redeem")
    sale.done("buyer", "lock")
    assert sale.waiting() == lock, "the same lock is sent again, no second one"
    sale.mine()
    sale.redeemed()
    sale.has_the_network()


def test_lock_and_claim_reorganised_away_after_the_reveal(sale: NodeSale):
    lock = sale.locked()
    claim = sale.redeemed()
    sale.mine()
    sale.node.reorganise(2, forget=[lock])
    assert sale.node.call("getrawmempool") == []
    sale.done("seller", "redeem")  # the key is out: nothing is waited for
    assert set(sale.node.call("getrawmempool")) == {lock, claim}
    sale.mine()
    assert f"transaction {claim}, 1 confirmation" in sale.done("seller", "redeem").out
    sale.has_the_network()


def test_claim_reorganised_away(sale: NodeSale):
    sale.locked()
    claim = sale.redeemed()
    sale.mine()
    sale.has_the_network()
    sale.node.reorganise(1, forget=[claim])
    sale.done("seller", "redeem")
    assert sale.waiting() == claim
    sale.mine()
    sale.has_the_network()


def test_fees_are_raised_by_repeating(sale: NodeSale):
    sale.locked()
    first = sale.redeemed()
    assert "replaces" in sale.done("seller", "redeem", "--fee", "20").out
    better = sale.waiting()
    assert better != first
    sale.has_the_network()
    sale.mine()
    assert f"transaction {better}, 1 confirmation" in sale.done("seller", "redeem").out


def test_a_node_that_is_down_costs_a_line(sale: NodeSale):
    sale.locked()
    sale.node.stop()
    sale.refused("is the node running", "seller", "redeem")
    sale.node.start()
    sale.redeemed()
    sale.has_the_network()


def open_command(sale: Sale) -> tuple[str, ...]:
    return ("buyer", "open", "--out", str(sale.root / "bought.onnx"))


def wallet_script(sale: Sale, party: str) -> CScript:
    from zkcmp.exchange.buyer import Buyer
    from zkcmp.exchange.seller import Seller

    with {"buyer": Buyer, "seller": Seller}[party].opened(sale.root / party) as opened:
        return opened.wallet_script
