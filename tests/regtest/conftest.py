"""Fixtures with a real node; where none can be had, the tests are skipped and say why."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("bitcoin", "cli")]

from bitcoind import Bitcoind, Unobtainable, bitcoind_command


@pytest.fixture(scope="session")
def new_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Bitcoind]]:
    """`new_node("-txindex=1")` starts a node that is stopped at the end."""
    try:
        bitcoind_command()
    except Unobtainable as reason:
        pytest.skip(f"no bitcoind: {reason}; BITCOIND=/path/to/bitcoind names one")
    nodes: list[Bitcoind] = []

    def start(*options: str) -> Bitcoind:
        nodes.append(Bitcoind(tmp_path_factory.mktemp("node"), *options))
        return nodes[-1]

    yield start
    for node in nodes:
        node.stop()


@pytest.fixture(scope="session")
def indexed_node(new_node: Callable[..., Bitcoind]) -> Bitcoind:
    """One node with an index of transactions, shared by tests."""
    return new_node("-txindex=1")
