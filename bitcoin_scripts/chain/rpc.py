"""The chain of a real bitcoind, asked through its JSON-RPC interface.

The node decides what is valid and what is buried; node_tip.py decides whether the node can be
believed, and node_transactions.py finds what it has no index of.

Where it has none, the caller must not ask about transactions buried deeper than RECENT_BLOCKS; on
long chains it must pass `since_height`.
"""

from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Closing, FoundOutput, Outpoint, txid_of
from bitcoin_scripts.chain.block import COINBASE_MATURITY
from bitcoin_scripts.chain.block_search import BlockSearch, Reading, unheard
from bitcoin_scripts.chain.node_client import NodeClient, NodeError, NodeUnreachable
from bitcoin_scripts.chain.node_tip import NodeTip, Tip
from bitcoin_scripts.chain.node_transactions import NodeTransactions, first_recent
from bitcoin_scripts.chain.node_wallet import NodeWallet
from bitcoin_scripts.chain.rejections import rejected
from bitcoin_scripts.errors import SettlementError

NAMES = {
    "main": "main",
    "test": "testnet",
    "testnet4": "testnet",
    "signet": "signet",
    "regtest": "regtest",
}
"""What the node calls its chain, and what addresses on it are called here."""

MAX_FEE_SAT_PER_VB = 10_000
"""A transaction that pays more is not sent: that is a typing error."""

_SCAN_TIMEOUT_S = 1_800.0
_REJECTIONS = (-22, -25, -26, -27)
_WAITING_ALREADY = ("txn-already-in-mempool", "txn-same-nonwitness-data-in-mempool")


class RpcChain(NodeWallet, Closing):
    """The chain of the node that `node` calls, and the wallet that it names.

    Raises SettlementError when the node cannot be asked, and for the main chain unless
    `accept_unaudited_on_mainnet`. `reading` is told how many blocks of a search are read. Holds
    no connection between calls. A context manager.
    """

    def __init__(
        self,
        node: NodeClient,
        accept_unaudited_on_mainnet: bool = False,
        reading: Reading = unheard,
    ):
        super().__init__(node)
        self._search = BlockSearch(node, reading)
        self._transactions = NodeTransactions(node, self._search)
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
        self._tip = NodeTip(node, self._node_chain)

    @classmethod
    def connect(
        cls,
        url: str = "",
        *,
        cookie: Path | None = None,
        conf: Path | None = None,
        wallet: str = "",
        accept_unaudited_on_mainnet: bool = False,
        reading: Reading = unheard,
    ) -> "RpcChain":
        """The chain of the node at a URL, or of a bitcoin.conf; see `node_address`."""
        client = NodeClient.connect(url, cookie=cookie, conf=conf, wallet=wallet)
        return cls(client, accept_unaudited_on_mainnet, reading)

    @property
    def name(self) -> str:
        """`main`, `testnet` (either of them), `signet` or `regtest`."""
        return NAMES[self._node_chain]

    def height(self) -> int:
        """Height of the tip; the genesis block has height 0."""
        return self._tip.now().height

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

        def look(tip: Tip) -> int:
            place = self._transactions.place(txid, tip)
            return self._transactions.depth(place.block_hash) if place and place.block_hash else 0

        return self._tip.steadily(look)

    def get_transaction(self, txid: str) -> CTransaction | None:
        """The transaction, mined or waiting."""
        place = self._tip.steadily(lambda tip: self._transactions.place(txid, tip))
        return place.transaction if place else None

    def find_output(self, script_pubkey: bytes, since_height: int = 0) -> list[FoundOutput]:
        """Every output that pays to the script, oldest first, spent and waiting ones included.

        Blocks below `since_height` are not looked at; name it where it is known. Without it the
        last RECENT_BLOCKS are read, which takes minutes on the main chain, and of what is older
        only unspent outputs are found. Raises SettlementError for more blocks than can be searched.
        """
        script = bytes(script_pubkey)

        def look(tip: Tip) -> list[FoundOutput]:
            since = since_height or first_recent(tip)
            found: list[FoundOutput] = []
            if since > since_height:
                older = (o for o in self._unspent(script) if o.height is None or o.height < since)
                found += [self._with_spend(output, tip) for output in older]
            for height, block_hash, tx in self._search.mined(script, since, tip.height):
                self._transactions.found_in(tx, block_hash)
                found += self._outputs(tx, script, height, tip)
            for tx in self._search.waiting(script):
                found += self._outputs(tx, script, None, tip)
            return found

        return self._tip.steadily(look)

    def find_spendable(self, script_pubkey: bytes) -> list[FoundOutput]:
        """Mined outputs of the script that the next block may spend and no known one does.

        The node reads all unspent outputs for it, which takes minutes on the main chain.
        """
        script = bytes(script_pubkey)

        def look(tip: Tip) -> list[FoundOutput]:
            mature = [o for o in self._unspent(script) if _mature(o, tip)]
            self._transactions.mined_at({o.txid: o.height or 0 for o in mature})
            return [o for o in mature if self._transactions.waiting_spend(o) is None]

        return self._tip.steadily(look)

    def find_spend(self, outpoint: Outpoint, since_height: int = 0) -> CTransaction | None:
        """The transaction that spends the output, mined or waiting.

        Blocks below `since_height`, and below the output's own, are not looked at.
        """
        return self._tip.steadily(lambda tip: self._transactions.spend(outpoint, since_height, tip))

    def find_containing(self, data: bytes, since_height: int = 0) -> list[CTransaction]:
        """Every transaction with these bytes in it, witnesses included, waiting ones last.

        Blocks below `since_height` are not looked at; without it, those before the last
        RECENT_BLOCKS are not. Raises SettlementError for more blocks than can be searched.
        """

        def look(tip: Tip) -> list[CTransaction]:
            found = []
            since = since_height or first_recent(tip)
            for _, block_hash, tx in self._search.mined(data, since, tip.height):
                self._transactions.found_in(tx, block_hash)
                found.append(tx)
            return found + self._search.waiting(data)

        return self._tip.steadily(look)

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

    def _has(self, txid: str) -> bool:
        return self._tip.steadily(lambda tip: self._transactions.place(txid, tip)) is not None

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

    def _with_spend(self, output: FoundOutput, tip: Tip) -> FoundOutput:
        spend = self._transactions.spend(output, output.height or 0, tip)
        return replace(output, spent_by=txid_of(spend) if spend else None)

    def _outputs(
        self, tx: CTransaction, script: bytes, height: int | None, tip: Tip
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


def _mature(output: FoundOutput, tip: Tip) -> bool:
    depth = tip.height + 1 - (output.height or 0)
    return not output.coinbase or depth >= COINBASE_MATURITY
