"""The suite of every chain, on the embedded one."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from chain_suite import ANYONE, Bench, ChainSuite, parties

from bitcoin_scripts.chain.kernel import KernelChain

__all__ = ["parties"]


class KernelBench(Bench):
    def __init__(self, chain: KernelChain):
        self.chain: KernelChain = chain

    def mine(self, n: int = 1, script: bytes = ANYONE) -> None:
        self.chain.mine(n, script)

    def reorganise(self, depth: int, forget: Collection[str] = ()) -> None:
        self.chain.reorganise(depth, forget)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with KernelChain(tmp_path / "chain") as chain:
        yield KernelBench(chain)


class TestKernelChain(ChainSuite):
    """Everything, on a fresh chain each."""
