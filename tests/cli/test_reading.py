"""Whoever waits for a node's blocks is told so, on stderr alone."""

import io
from collections.abc import Sequence
from typing import Any

import pytest

from bitcoin_scripts.chain.block_search import BlockSearch
from bitcoin_scripts.chain.node_client import NodeClient
from bitcoin_scripts.errors import SettlementError
from zkcmp.cli.terminal.reading import tell_blocks_read


class Node(NodeClient):
    """A node of 300 blocks without transactions, of which it has lost those from `lost` on."""

    def __init__(self, lost: int = 300):
        self.lost = lost

    def batch(self, method: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        if method == "getblockhash":
            return [f"{call[0]:064x}" for call in calls]
        return [_block(call) if int(call[0], 16) < self.lost else None for call in calls]


def _block(call: Sequence[Any]) -> Any:
    return "00" if call[1] == 0 else {"tx": [call[0]]}


def _counted(node: Node) -> tuple[BlockSearch, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    return BlockSearch(node, lambda done, total: told.append((done, total))), told


def test_every_part_of_a_search_is_told() -> None:
    search, told = _counted(Node())
    assert list(search.mined(bytes(32), 0, 299)) == []
    assert told == [(8 * k, 300) for k in range(38)] + [(300, 300)]
    assert list(search.mined(bytes(32), 0, 299)) == []
    assert told[39:] == [(0, 0)]


def test_the_end_is_told_of_a_search_that_ends_early() -> None:
    search, told = _counted(Node())
    assert search.block_of(f"{290:064x}", 0, 299) == f"{290:064x}"
    assert told == [(0, 300), (8, 300), (300, 300)]
    search, told = _counted(Node(lost=9))
    with pytest.raises(SettlementError, match="does not have block"):
        list(search.mined(bytes(32), 0, 299))
    assert told == [(0, 300), (8, 300), (300, 300)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _said(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, total: int) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    for done in (0, total // 2, total):
        tell_blocks_read(done, total)
    return stream.getvalue()


def test_one_line_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    said = _said(monkeypatch, io.StringIO(), 4032)
    assert said == "zkcmp: reading 4032 blocks of the node, which may take minutes\n"


def test_a_terminal_sees_it_count_and_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _said(monkeypatch, Terminal(), 4032).split("\r\x1b[K")
    assert lines == [
        "",
        "zkcmp: block 0 of 4032 read from the node",
        "zkcmp: block 2016 of 4032 read from the node",
        "",
    ]


@pytest.mark.parametrize(("stream", "few"), [(io.StringIO, 999), (Terminal, 99)])
def test_nothing_for_few(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], few: int
) -> None:
    assert _said(monkeypatch, stream(), few) == ""
