"""Where a node's chain has a transaction, and which one spends an output.

With `-txindex=1` the node finds any transaction at once. Without it, it is looked for in the
mempool, the wallet, the unspent outputs, and the last RECENT_BLOCKS blocks, in this order.
"""

from dataclasses import dataclass
from typing import Any

from bitcoin.core import CTransaction, lx

from bitcoin_scripts.chain import Outpoint, spent_place, txid_of
from bitcoin_scripts.chain.block_search import BlockSearch
from bitcoin_scripts.chain.node_client import NodeClient, NodeError, NodeUnreachable
from bitcoin_scripts.chain.node_tip import Tip

RECENT_BLOCKS = 4_032
"""Four weeks: twice the longest time for which a buyer's coins can be locked."""

_NOT_FOUND = -5
_ATTEMPTS = 10
_LAST_VOUT = 0x7FFFFFFF
_FIRST_OUTPUTS = 4
"""So many outputs of a transaction are looked for when nothing else tells where it is."""


@dataclass(frozen=True)
class Place:
    """A transaction and the block of the active chain that has it; None while it waits."""

    transaction: CTransaction
    block_hash: str | None


class NodeTransactions:
    """The transactions of one node; which block has one is remembered, and asked again."""

    def __init__(self, node: NodeClient, search: BlockSearch):
        self._node = node
        self._search = search
        self._blocks: dict[str, str] = {}

    def found_in(self, tx: CTransaction, block_hash: str) -> None:
        """Remember the block in which a search found a transaction."""
        self._blocks[txid_of(tx)] = block_hash

    def mined_at(self, heights: dict[str, int]) -> None:
        """Remember the blocks of transactions that the node says are at these heights.

        Else each could cost a search of all recent blocks, and anybody can send coins.
        """
        hashes = self._node.batch("getblockhash", [[height] for height in heights.values()])
        self._blocks |= {t: str(h) for t, h in zip(heights, hashes, strict=True) if h}

    def depth(self, block_hash: str) -> int:
        """Confirmations of a block; 0 when it is not in the active chain."""
        depth = self._node.ask(lambda h: int(h["confirmations"]), "getblockheader", block_hash)
        return max(depth, 0)

    def place(self, txid: str, tip: Tip) -> Place | None:
        """Where the active chain or the mempool has the transaction."""
        known = self._blocks.get(txid)
        if known is not None and self.depth(known):
            return self._in_block(txid, known)
        try:
            found = self._node.ask(dict, "getrawtransaction", txid, 1)
        except NodeError as error:
            if error.code != _NOT_FOUND:
                raise
            return None if self._has_index() else self._place_without_index(txid, tip)
        block_hash = found.get("blockhash")
        if block_hash is None:
            return Place(self._decoded(found, txid), None)
        # the index also has transactions of blocks that a reorganisation undid
        return self._in_block(txid, str(block_hash)) if self.depth(str(block_hash)) else None

    def _place_without_index(self, txid: str, tip: Tip) -> Place | None:
        block_hash = self._block_by_wallet(txid) or self._block_by_outputs(txid, tip)
        if block_hash is None:
            block_hash = self._search.block_of(txid, first_recent(tip), tip.height)
        return self._in_block(txid, block_hash) if block_hash else None

    def _block_by_wallet(self, txid: str) -> str | None:
        if not self._node.wallet:
            return None
        try:
            found = self._node.ask(dict, "gettransaction", txid)
        except NodeError:
            return None
        block_hash = found.get("blockhash")
        return str(block_hash) if block_hash and self.depth(str(block_hash)) else None

    def _block_by_outputs(self, txid: str, tip: Tip) -> str | None:
        for vout in range(_FIRST_OUTPUTS):
            output = self._node.call("gettxout", txid, vout, False)
            if output is not None:
                depth = self._node.understood("gettxout", lambda o: int(o["confirmations"]), output)
                return self._node.ask(str, "getblockhash", tip.height - depth + 1)
        return None

    def _in_block(self, txid: str, block_hash: str) -> Place:
        found = self._node.ask(dict, "getrawtransaction", txid, 1, block_hash)
        self._blocks[txid] = block_hash
        return Place(self._decoded(found, txid), block_hash)

    def _decoded(self, found: dict[str, Any], txid: str) -> CTransaction:
        def read(found: dict[str, Any]) -> CTransaction:
            tx = CTransaction.deserialize(bytes.fromhex(found["hex"]))
            if txid_of(tx) != txid:
                raise ValueError("another transaction")
            return tx

        return self._node.understood("getrawtransaction", read, found)

    def _has_index(self) -> bool:
        """Whether an index of all transactions is there, and up to date."""
        return self._node.ask(
            lambda a: bool(a.get("txindex", {}).get("synced", False)), "getindexinfo"
        )

    def waiting_spend(self, outpoint: Outpoint) -> CTransaction | None:
        """The transaction of the mempool that spends the output."""
        where = [{"txid": outpoint.txid, "vout": outpoint.vout}]
        for _ in range(_ATTEMPTS):
            spender = self._node.ask(
                lambda a: a[0].get("spendingtxid"), "gettxspendingprevout", where
            )
            if spender is None:
                return None
            try:
                found = self._node.ask(dict, "getrawtransaction", spender, 1)
            except NodeError as error:
                if error.code != _NOT_FOUND:
                    raise  # else it was mined or replaced a moment ago
            else:
                return self._decoded(found, spender)
        raise NodeUnreachable("the node's mempool changes all the time; repeat this in a minute")

    def spend(self, outpoint: Outpoint, since_height: int, tip: Tip) -> CTransaction | None:
        """The transaction that spends the output, looked for where it costs least first.

        Blocks below `since_height`, and below the output's own, are not looked at.
        """
        if not 0 <= outpoint.vout <= _LAST_VOUT:
            return None
        waiting = self.waiting_spend(outpoint)
        if waiting is not None:
            return waiting
        if self._node.call("gettxout", outpoint.txid, outpoint.vout, False) is not None:
            return None
        place = self.place(outpoint.txid, tip)
        if place is not None and place.block_hash is not None:
            born = tip.height - self.depth(place.block_hash) + 1
            since_height = max(since_height, born)
        elif place is not None or self._has_index():
            return None  # not mined, so no block spends it
        elif not since_height:
            since_height = first_recent(tip)
        needle = lx(outpoint.txid) + outpoint.vout.to_bytes(4, "little")
        for _, block_hash, tx in self._search.mined(needle, since_height, tip.height):
            if any(spent_place(tx_input) == outpoint.place for tx_input in tx.vin):
                self.found_in(tx, block_hash)
                return tx
        return None


def first_recent(tip: Tip) -> int:
    """Height of the first of the last RECENT_BLOCKS blocks."""
    return max(tip.height - RECENT_BLOCKS + 1, 0)
