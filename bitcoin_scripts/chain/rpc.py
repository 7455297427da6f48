"""The chain of a real bitcoind, asked through its JSON-RPC interface.

The node decides what is valid and what is buried; this file decides whether the node can be
believed. One that is still loading old blocks, or whose newest block is hours old, would report
too few blocks and so too much time before a refund: outside of regtest every question about the
chain is refused then. Answers that need several calls are put together from one tip: when it
changed meanwhile, everything is asked again.

With `-txindex=1` the node finds any transaction at once. Without it, it is looked for in the
mempool, the wallet, the unspent outputs, and the last RECENT_BLOCKS blocks, in this order.

Where there is no index, the caller must not ask about transactions buried deeper than that; on long
chains it must pass `since_height`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any, TypeVar

from bitcoin.core import CTransaction, CTxIn, b2lx, lx

from bitcoin_scripts.chain import Closing, FoundOutput, Outpoint, txid_of
from bitcoin_scripts.chain.block import COINBASE_MATURITY
from bitcoin_scripts.chain.block_search import BlockSearch
from bitcoin_scripts.chain.node_client import NodeClient, NodeError, NodeUnreachable
from bitcoin_scripts.chain.node_wallet import NodeWallet
from bitcoin_scripts.chain.rejections import rejected
from bitcoin_scripts.errors import SettlementError

T = TypeVar("T")

NAMES = {
    "main": "main",
    "test": "testnet",
    "testnet4": "testnet",
    "signet": "signet",
    "regtest": "regtest",
}
"""What the node calls its chain, and what addresses on it are called here."""

MAX_TIP_AGE_S = 4 * 3600
"""Four hours without a block happen by chance once in millions of years."""

MAX_TIP_AHEAD_S = 2 * 3600
"""Nodes take no block that is dated further ahead of their clock (consensus)."""

MAX_BLOCKS_BEHIND = 2
"""More headers than this without their blocks: the node is catching up."""

RECENT_BLOCKS = 4_032
"""Four weeks: twice the longest time for which a buyer's coins can be locked."""

MAX_FEE_SAT_PER_VB = 10_000
"""A transaction that pays more is not sent: that is a typing error."""

_SCAN_TIMEOUT_S = 1_800.0
_NOT_FOUND = -5
_REJECTIONS = (-22, -25, -26, -27)
_WAITING_ALREADY = ("txn-already-in-mempool", "txn-same-nonwitness-data-in-mempool")
_ATTEMPTS = 10
_LAST_VOUT = 0x7FFFFFFF
_FIRST_OUTPUTS = 4
"""So many outputs of a transaction are looked for when nothing else tells where it is."""


@dataclass(frozen=True)
class _Tip:
    height: int
    block_hash: str

    @property
    def first_recent(self) -> int:
        """Height of the first of the last RECENT_BLOCKS blocks."""
        return max(self.height - RECENT_BLOCKS + 1, 0)


@dataclass(frozen=True)
class _Place:
    """A transaction and the block of the active chain that has it; None while it waits."""

    transaction: CTransaction
    block_hash: str | None


class RpcChain(NodeWallet, Closing):
    """The chain of the node that `node` calls, and the wallet that it names.

    Raises SettlementError when the node cannot be asked, and for the main chain unless
    `accept_unaudited_on_mainnet`. Holds no connection between calls. A context manager.
    """

    def __init__(self, node: NodeClient, accept_unaudited_on_mainnet: bool = False):
        super().__init__(node)
        self._search = BlockSearch(node)
        self._blocks: dict[str, str] = {}
        self._node_chain = node.ask(lambda info: str(info["chain"]), "getblockchaininfo")
        if self._node_chain not in NAMES:
            raise SettlementError(
                f"the node is on {self._node_chain[:40]!r}, which is no chain of Bitcoin's; "
                "name another --node"
            )
        if self.name == "main" and not accept_unaudited_on_mainnet:
            raise SettlementError(
                "the node is on the main chain, and this software is experimental and unaudited: "
                "coins can be lost; use signet, or say --accept-unaudited-on-mainnet"
            )

    @classmethod
    def connect(
        cls,
        url: str = "",
        *,
        cookie: Path | None = None,
        conf: Path | None = None,
        wallet: str = "",
        accept_unaudited_on_mainnet: bool = False,
    ) -> "RpcChain":
        """The chain of the node at a URL, or of a bitcoin.conf; see `node_address`."""
        client = NodeClient.connect(url, cookie=cookie, conf=conf, wallet=wallet)
        return cls(client, accept_unaudited_on_mainnet)

    @property
    def name(self) -> str:
        """`main`, `testnet` (either of them), `signet` or `regtest`."""
        return NAMES[self._node_chain]

    def height(self) -> int:
        """Height of the tip; the genesis block has height 0."""
        return self._tip().height

    def broadcast(self, tx: CTransaction) -> str:
        """Submit a transaction and return its id; one already known is accepted again.

        The node tells nobody of a transaction that it refuses. Raises SettlementError then, with
        its reason and what to do.
        """
        txid, raw = txid_of(tx), tx.serialize().hex()
        limit = str(Decimal(MAX_FEE_SAT_PER_VB).scaleb(-5))
        reason, details = self._node.ask(_verdict, "testmempoolaccept", [raw], limit)
        if not reason or reason in _WAITING_ALREADY:
            try:
                self._node.call("sendrawtransaction", raw, limit)
                return txid
            except NodeError as error:
                if error.code not in _REJECTIONS:
                    raise
                details = error.reason
        if self._has(txid):
            return txid
        raise rejected(tx, txid, details, self._node.ask(int, "getblockcount"))

    def confirmations(self, txid: str) -> int:
        """How many blocks bury the transaction, its own included; 0 if none or unknown."""

        def look(tip: _Tip) -> int:
            place = self._place(txid, tip)
            return self._depth(place.block_hash) if place and place.block_hash else 0

        return self._steadily(look)

    def get_transaction(self, txid: str) -> CTransaction | None:
        """The transaction, mined or waiting."""
        place = self._steadily(lambda tip: self._place(txid, tip))
        return place.transaction if place else None

    def find_output(self, script_pubkey: bytes, since_height: int = 0) -> list[FoundOutput]:
        """Every output that pays to the script, oldest first, spent and waiting ones included.

        Blocks below `since_height` are not looked at; name it where it is known. Without it the
        last RECENT_BLOCKS are read, which takes minutes on the main chain, and of what is older
        only unspent outputs are found. Raises SettlementError for more blocks than can be searched.
        """
        script = bytes(script_pubkey)

        def look(tip: _Tip) -> list[FoundOutput]:
            since = since_height or tip.first_recent
            found: list[FoundOutput] = []
            if since > since_height:
                older = (o for o in self._unspent(script) if o.height is None or o.height < since)
                found += [self._with_spend(output, tip) for output in older]
            for height, block_hash, tx in self._search.mined(script, since, tip.height):
                self._blocks[txid_of(tx)] = block_hash
                found += self._outputs(tx, script, height, tip)
            for tx in self._search.waiting(script):
                found += self._outputs(tx, script, None, tip)
            return found

        return self._steadily(look)

    def find_spendable(self, script_pubkey: bytes) -> list[FoundOutput]:
        """Mined outputs of the script that the next block may spend and no known one does.

        The node reads all unspent outputs for it, which takes minutes on the main chain.
        """
        script = bytes(script_pubkey)

        def look(tip: _Tip) -> list[FoundOutput]:
            mature = (o for o in self._unspent(script) if _mature(o, tip))
            return [o for o in mature if self._waiting_spend(o) is None]

        return self._steadily(look)

    def find_spend(self, outpoint: Outpoint, since_height: int = 0) -> CTransaction | None:
        """The transaction that spends the output, mined or waiting.

        Blocks below `since_height`, and below the output's own, are not looked at.
        """
        return self._steadily(lambda tip: self._spend(outpoint, since_height, tip))

    def fee_rate(self, target_blocks: int) -> int | None:
        """sat/vB that should be mined within so many blocks; None where nothing can be said."""
        target = min(max(target_blocks, 1), 1008)
        answer = self._node.call("estimatesmartfee", target, "conservative")

        def read(answer: Any) -> int | None:
            if "feerate" not in answer:
                return None
            sat_per_vb = Decimal(answer["feerate"]).scaleb(5)
            return max(int(sat_per_vb.to_integral_value(ROUND_CEILING)), 1)

        return self._node.understood("estimatesmartfee", read, answer)

    def close(self) -> None:
        """Nothing is held."""

    def _tip(self) -> _Tip:
        """The tip, if the node can be believed about it."""
        info = self._node.ask(dict, "getblockchaininfo")

        def read(info: dict[str, Any]) -> tuple[_Tip, str, bool, int, int]:
            tip = _Tip(int(info["blocks"]), str(info["bestblockhash"]))
            ahead = int(info["headers"]) - tip.height
            loading = bool(info["initialblockdownload"])
            return tip, str(info["chain"]), loading, ahead, int(info["time"])

        tip, chain, loading, ahead, mined_at = self._node.understood(
            "getblockchaininfo", read, info
        )
        if chain != self._node_chain:
            raise SettlementError(
                f"the node was on {self._node_chain} and is on {chain[:40]!r} now; repeat the "
                "command with the right node"
            )
        if chain == "regtest":  # its blocks come when somebody asks for them
            return tip
        if loading or ahead > MAX_BLOCKS_BEHIND:
            raise NodeUnreachable(
                f"the node is still catching up (block {tip.height}, {ahead} behind), so its word "
                "on confirmations counts for nothing; wait until it has all blocks"
            )
        age_s = int(time.time()) - mined_at
        if age_s > MAX_TIP_AGE_S:
            raise NodeUnreachable(
                f"the node's newest block is {age_s // 3600} hours old, so it may be cut off; "
                "check its connections and this machine's clock"
            )
        if age_s < -MAX_TIP_AHEAD_S:  # by such a clock, an old block would look young
            raise NodeUnreachable(
                f"the node's newest block is {-age_s // 3600} hours ahead of this machine's clock; "
                "set that right"
            )
        return tip

    def _steadily(self, look: Callable[[_Tip], T]) -> T:
        """What `look` sees of one tip: again, if the tip changed meanwhile."""
        for attempt in range(_ATTEMPTS):
            tip = self._tip()
            try:
                seen = look(tip)
            except SettlementError:
                if self._best() == tip.block_hash or attempt + 1 == _ATTEMPTS:
                    raise
                continue
            if self._best() == tip.block_hash:
                return seen
        raise NodeUnreachable("the node's chain changes all the time; repeat this in a minute")

    def _best(self) -> str:
        return self._node.ask(str, "getbestblockhash")

    def _depth(self, block_hash: str) -> int:
        """Confirmations of a block; 0 when it is not in the active chain."""
        depth = self._node.ask(lambda h: int(h["confirmations"]), "getblockheader", block_hash)
        return max(depth, 0)

    def _has(self, txid: str) -> bool:
        return self._steadily(lambda tip: self._place(txid, tip)) is not None

    def _place(self, txid: str, tip: _Tip) -> _Place | None:
        """Where the active chain or the mempool has the transaction."""
        known = self._blocks.get(txid)
        if known is not None and self._depth(known):
            return self._in_block(txid, known)
        try:
            found = self._node.ask(dict, "getrawtransaction", txid, 1)
        except NodeError as error:
            if error.code != _NOT_FOUND:
                raise
            return None if self._has_index() else self._place_without_index(txid, tip)
        block_hash = found.get("blockhash")
        if block_hash is None:
            return _Place(self._decoded(found, txid), None)
        # the index also has transactions of blocks that a reorganisation undid
        return self._in_block(txid, str(block_hash)) if self._depth(str(block_hash)) else None

    def _place_without_index(self, txid: str, tip: _Tip) -> _Place | None:
        block_hash = self._block_by_wallet(txid) or self._block_by_outputs(txid, tip)
        if block_hash is None:
            block_hash = self._search.block_of(txid, tip.first_recent, tip.height)
        return self._in_block(txid, block_hash) if block_hash else None

    def _block_by_wallet(self, txid: str) -> str | None:
        if not self.wallet:
            return None
        try:
            found = self._node.ask(dict, "gettransaction", txid)
        except NodeError:
            return None
        block_hash = found.get("blockhash")
        return str(block_hash) if block_hash and self._depth(str(block_hash)) else None

    def _block_by_outputs(self, txid: str, tip: _Tip) -> str | None:
        for vout in range(_FIRST_OUTPUTS):
            output = self._node.call("gettxout", txid, vout, False)
            if output is not None:
                depth = self._node.understood("gettxout", lambda o: int(o["confirmations"]), output)
                return self._node.ask(str, "getblockhash", tip.height - depth + 1)
        return None

    def _in_block(self, txid: str, block_hash: str) -> _Place:
        found = self._node.ask(dict, "getrawtransaction", txid, 1, block_hash)
        self._blocks[txid] = block_hash
        return _Place(self._decoded(found, txid), block_hash)

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

    def _waiting_spend(self, outpoint: Outpoint) -> CTransaction | None:
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

    def _spend(self, outpoint: Outpoint, since_height: int, tip: _Tip) -> CTransaction | None:
        """The spend, first where it costs least to look."""
        if not 0 <= outpoint.vout <= _LAST_VOUT:
            return None
        waiting = self._waiting_spend(outpoint)
        if waiting is not None:
            return waiting
        if self._node.call("gettxout", outpoint.txid, outpoint.vout, False) is not None:
            return None
        place = self._place(outpoint.txid, tip)
        if place is not None and place.block_hash is not None:
            born = tip.height - self._depth(place.block_hash) + 1
            since_height = max(since_height, born)
        elif place is not None or self._has_index():
            return None  # not mined, so no block spends it
        elif not since_height:
            since_height = tip.first_recent
        needle = lx(outpoint.txid) + outpoint.vout.to_bytes(4, "little")
        for _, block_hash, tx in self._search.mined(needle, since_height, tip.height):
            if any(_names(tx_input, outpoint) for tx_input in tx.vin):
                self._blocks[txid_of(tx)] = block_hash
                return tx
        return None

    def _unspent(self, script: bytes) -> list[FoundOutput]:
        """Every mined output of the script that no block spends, oldest first."""
        wanted = [f"raw({script.hex()})"]
        try:
            answer = self._node.call("scantxoutset", "start", wanted, timeout_s=_SCAN_TIMEOUT_S)
        except NodeError as error:
            if "already in progress" not in error.reason:
                raise
            raise NodeUnreachable(
                "the node is busy with another search of its coins; repeat this in a minute"
            ) from None
        found = self._node.understood(
            "scantxoutset", lambda a: [_unspent(each, script) for each in a["unspents"]], answer
        )
        return sorted(found, key=lambda o: (o.height or 0, o.txid, o.vout))

    def _with_spend(self, output: FoundOutput, tip: _Tip) -> FoundOutput:
        spend = self._spend(output, output.height or 0, tip)
        return replace(output, spent_by=txid_of(spend) if spend else None)

    def _outputs(
        self, tx: CTransaction, script: bytes, height: int | None, tip: _Tip
    ) -> list[FoundOutput]:
        """The outputs of `tx` that pay to the script, and who spends them."""
        txid = txid_of(tx)
        found = []
        for vout, output in enumerate(tx.vout):
            if bytes(output.scriptPubKey) != script:
                continue
            found.append(
                FoundOutput(
                    txid=txid,
                    vout=vout,
                    amount_sat=int(output.nValue),
                    script_pubkey=script,
                    height=height,
                    coinbase=bool(tx.is_coinbase()),
                    spent_by=None,
                )
            )
        return [self._with_spend(output, tip) for output in found]


def _verdict(answer: Any) -> tuple[str, str]:
    """Why the node would not take the one transaction asked about, in a word and in more words.

    Both are empty if it would; older nodes have no more words.
    """
    if answer[0]["allowed"]:
        return "", ""
    reason = str(answer[0]["reject-reason"])
    return reason, str(answer[0].get("reject-details", reason))


def _unspent(each: Any, script: bytes) -> FoundOutput:
    return FoundOutput(
        txid=str(each["txid"]),
        vout=int(each["vout"]),
        amount_sat=int(Decimal(each["amount"]).scaleb(8)),
        script_pubkey=script,
        height=int(each["height"]),
        coinbase=bool(each["coinbase"]),
        spent_by=None,
    )


def _mature(output: FoundOutput, tip: _Tip) -> bool:
    depth = tip.height + 1 - (output.height or 0)
    return not output.coinbase or depth >= COINBASE_MATURITY


def _names(tx_input: CTxIn, outpoint: Outpoint) -> bool:
    prevout = tx_input.prevout
    return bool(prevout.n == outpoint.vout and b2lx(prevout.hash) == outpoint.txid)
