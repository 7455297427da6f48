"""Which transactions of the active chain, or of the mempool, contain some bytes.

Bitcoin Core has no index of who spends an output or who pays to a script. Both stand in a
transaction's bytes as they are, so blocks are searched as the node sends them, in hexadecimal, and
only those with a hit are decoded. Results are kept by block hash: a reorganisation makes other
hashes and leaves nothing stale, and whoever polls reads each block once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bitcoin.core import CBlock, CTransaction

from bitcoin_scripts.chain.node_client import NodeClient
from bitcoin_scripts.errors import SettlementError

MAX_BLOCKS = 52_560
"""About a year's: more than any deal lasts, and some hours' work on the main chain."""

_HASH_BYTES = 32
_BLOCKS_PER_CALL = 8
_TRANSACTIONS_PER_CALL = 200
_HASHES_PER_CALL = 5_000

Reading = Callable[[int, int], None]
"""Told how many blocks of so many are read."""


def unheard(done: int, total: int) -> None:
    """Tell nobody."""


class BlockSearch:
    """Searches of one node's blocks and mempool. `reading` is told as blocks come in."""

    def __init__(self, node: NodeClient, reading: Reading = unheard):
        self._node = node
        self._reading = reading
        self._mined: dict[bytes, dict[str, list[CTransaction]]] = {}
        self._without: dict[str, set[str]] = {}
        self._waiting: dict[bytes, dict[str, CTransaction | None]] = {}

    def mined(
        self, needle: bytes, since_height: int, tip_height: int
    ) -> Iterator[tuple[int, str, CTransaction]]:
        """(height, block hash, transaction) of every hit, oldest first.

        The caller must see to it that the tip is the same before and after. Raises
        SettlementError for more than MAX_BLOCKS blocks, and for blocks that the node has pruned.
        """
        known = self._mined.setdefault(needle, {})
        hashes = self._hashes(since_height, tip_height)
        unknown = [block_hash for block_hash in hashes if block_hash not in known]
        for some, texts in self._read(unknown, 0, str):
            for block_hash, text in zip(some, texts, strict=True):
                known[block_hash] = self._hits(needle, text)
        for height, block_hash in enumerate(hashes, since_height):
            for tx in known[block_hash]:
                yield height, block_hash, tx

    def block_of(self, txid: str, since_height: int, tip_height: int) -> str | None:
        """Hash of the block with the transaction, latest first. As `mined` otherwise."""
        without = self._without.setdefault(txid, set())
        hashes = self._hashes(since_height, tip_height)
        unknown = [block_hash for block_hash in reversed(hashes) if block_hash not in without]
        for some, listed in self._read(unknown, 1, lambda block: list(block["tx"])):
            for block_hash, txids in zip(some, listed, strict=True):
                if txid in txids:
                    return str(block_hash)
                without.add(block_hash)
        return None

    def waiting(self, needle: bytes) -> list[CTransaction]:
        """Transactions of the mempool with the bytes in them."""
        listed = self._node.ask(_identifiers, "getrawmempool")
        earlier = self._waiting.get(needle, {})
        known = {txid: earlier[txid] for txid in listed if txid in earlier}
        unknown = [txid for txid in listed if txid not in known]
        for some in _parts(unknown, _TRANSACTIONS_PER_CALL):
            texts = self._node.batch("getrawtransaction", [[txid] for txid in some])
            for txid, text in zip(some, texts, strict=True):
                if text is not None:  # else it left the mempool meanwhile
                    known[txid] = self._hit(needle, text)
        self._waiting[needle] = known
        return [tx for tx in known.values() if tx is not None]

    def _hashes(self, since_height: int, tip_height: int) -> list[str]:
        """Hashes of the active chain from `since_height` on, oldest first."""
        if tip_height - since_height >= MAX_BLOCKS:
            raise SettlementError(
                f"to search {tip_height - since_height + 1} blocks for a transaction takes too "
                "long; start the node with -txindex=1, and begin the deal anew if it is that old"
            )
        hashes: list[str] = []
        for some in _parts(range(max(since_height, 0), tip_height + 1), _HASHES_PER_CALL):
            listed = self._node.batch("getblockhash", [[height] for height in some])
            if None in listed:
                raise SettlementError("the node's chain changes just now; repeat this")
            hashes += self._node.understood("getblockhash", _identifiers, listed)
        return hashes

    def _read(
        self, hashes: Sequence[str], verbosity: int, read: Callable[[Any], Any]
    ) -> Iterator[tuple[Sequence[str], list[Any]]]:
        """Some hashes and their blocks, and so on. The end is told in any case."""
        try:
            for done, some in enumerate(_parts(hashes, _BLOCKS_PER_CALL)):
                self._reading(done * _BLOCKS_PER_CALL, len(hashes))
                yield some, self._blocks(some, verbosity, read)
        finally:
            self._reading(len(hashes), len(hashes))

    def _blocks(
        self, hashes: Sequence[str], verbosity: int, read: Callable[[Any], Any]
    ) -> list[Any]:
        calls = [[block_hash, verbosity] for block_hash in hashes]
        blocks = self._node.batch("getblock", calls)
        if None in blocks:
            raise SettlementError(
                f"the node does not have block {hashes[blocks.index(None)]} any more; use one that "
                "is not pruned, or keeps more (-prune=0)"
            )
        return [self._node.understood("getblock", read, block) for block in blocks]

    def _hits(self, needle: bytes, text: str) -> list[CTransaction]:
        if needle.hex() not in text:
            return []
        block = self._node.understood(
            "getblock", lambda t: CBlock.deserialize(bytes.fromhex(t)), text
        )
        return [tx for tx in block.vtx if needle in tx.serialize()]

    def _hit(self, needle: bytes, text: Any) -> CTransaction | None:
        return self._node.understood(
            "getrawtransaction",
            lambda t: CTransaction.deserialize(bytes.fromhex(t)) if needle.hex() in t else None,
            text,
        )


def _identifiers(answer: Any) -> list[str]:
    """Hashes in hexadecimal; else raises ValueError."""
    for each in answer:
        if len(bytes.fromhex(each)) != _HASH_BYTES:
            raise ValueError("not a hash")
    return list(answer)


def _parts(items: Sequence[Any], size: int) -> Iterator[Any]:
    return (items[i : i + size] for i in range(0, len(items), size))
