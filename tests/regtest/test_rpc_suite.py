"""The suite of every chain, on a real node: with an index of transactions, and without."""

from collections.abc import Callable, Collection

import pytest
from bitcoind import Bitcoind
from chain_suite import ANYONE, Bench, ChainSuite, parties

from bitcoin_scripts.chain.rpc import RpcChain

__all__ = ["parties"]

pytestmark = pytest.mark.regtest


class NodeBench(Bench):
    def __init__(self, node: Bitcoind):
        self._node = node
        self.chain = RpcChain.connect(node.url, cookie=node.cookie)

    def mine(self, n: int = 1, script: bytes = ANYONE) -> None:
        self._node.mine(n, script)

    def reorganise(self, depth: int, forget: Collection[str] = ()) -> None:
        self._node.reorganise(depth, forget)


@pytest.fixture(scope="module", params=["with an index", "without an index"])
def node(request: pytest.FixtureRequest, new_node: Callable[..., Bitcoind]) -> Bitcoind:
    return new_node("-txindex=1") if request.param == "with an index" else new_node()


@pytest.fixture
def bench(node: Bitcoind) -> Bench:
    return NodeBench(node)


class TestRpcChain(ChainSuite):
    """Everything, on two chains that grow."""
