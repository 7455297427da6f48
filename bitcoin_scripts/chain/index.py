"""What consensus accepted, made searchable: transactions by id, outputs by script, spends.

Keeps blocks and the mempool in memory in the order they came. Decides nothing: the caller adds
only what `consensus` has accepted.
"""

from collections.abc import Iterator

from bitcoin.core import CBlock, CTransaction, CTxIn

from bitcoin_scripts.chain import FoundOutput, Place, spent_place, txid_of
from bitcoin_scripts.chain.block import GENESIS_HASH, GENESIS_TIME


class ChainIndex:
    """The tip, and every transaction that is mined (with its height) or waits to be."""

    def __init__(self) -> None:
        self.height = 0
        self.tip_hash = GENESIS_HASH
        self.tip_time = GENESIS_TIME
        self.transactions: dict[str, CTransaction] = {}
        self.mempool: dict[str, CTransaction] = {}
        self._heights: dict[str, int] = {}
        self._spends: dict[Place, str] = {}
        self._by_script: dict[bytes, list[Place]] = {}

    def add_block(self, block: CBlock) -> None:
        """The block became the tip."""
        self.height += 1
        self.tip_hash = block.GetHash()
        self.tip_time = block.nTime
        for tx in block.vtx:
            txid = txid_of(tx)
            if self.mempool.pop(txid, None) is None:
                self._add(txid, tx)
            self.transactions[txid] = tx
            self._heights[txid] = self.height

    def add_to_mempool(self, tx: CTransaction) -> None:
        """The transaction will be in the next block, and what it conflicts with will not."""
        txid = txid_of(tx)
        self._remove(self.with_descendants(self.waiting_conflicts(tx)))
        self.mempool[txid] = tx
        self._add(txid, tx)

    def waiting_conflicts(self, tx: CTransaction) -> list[str]:
        """Ids of the waiting transactions that spend an output which `tx` spends."""
        spenders = (self._spends.get(spent_place(tx_input)) for tx_input in tx.vin)
        return list(dict.fromkeys(txid for txid in spenders if txid in self.mempool))

    def with_descendants(self, txids: list[str]) -> list[str]:
        """Ids of waiting transactions, and of all that wait and spend from them."""
        found = dict.fromkeys(txids)
        for txid, tx in self.mempool.items():  # parents come before their children
            if any(spent_place(each)[0] in found for each in tx.vin):
                found[txid] = None
        return list(found)

    def fee_sat(self, tx: CTransaction) -> int:
        """What a transaction leaves to the miner of the known outputs that it spends."""
        spent = (self.spent_output(tx_input) for tx_input in tx.vin)
        return sum(o.amount_sat for o in spent if o) - sum(int(o.nValue) for o in tx.vout)

    def height_of(self, txid: str) -> int | None:
        """Height of the block with the transaction; None while it waits or when it is unknown."""
        return self._heights.get(txid)

    def output(self, txid: str, vout: int) -> FoundOutput | None:
        """A known output."""
        tx = self.transactions.get(txid)
        if tx is None or not 0 <= vout < len(tx.vout):
            return None
        return FoundOutput(
            txid=txid,
            vout=vout,
            amount_sat=tx.vout[vout].nValue,
            script_pubkey=bytes(tx.vout[vout].scriptPubKey),
            height=self._heights.get(txid),
            coinbase=bool(tx.is_coinbase()),
            spent_by=self._spends.get((txid, vout)),
        )

    def spent_output(self, tx_input: CTxIn) -> FoundOutput | None:
        """The known output that an input names."""
        return self.output(*spent_place(tx_input))

    def outputs(self, script_pubkey: bytes) -> Iterator[FoundOutput]:
        """Every known output with this script, oldest first."""
        for txid, vout in self._by_script.get(bytes(script_pubkey), ()):
            found = self.output(txid, vout)
            if found is not None:
                yield found

    def _add(self, txid: str, tx: CTransaction) -> None:
        self.transactions[txid] = tx
        for vout, output in enumerate(tx.vout):
            self._by_script.setdefault(bytes(output.scriptPubKey), []).append((txid, vout))
        if not tx.is_coinbase():
            for tx_input in tx.vin:
                self._spends[spent_place(tx_input)] = txid

    def _remove(self, txids: list[str]) -> None:
        """Forget waiting transactions."""
        for txid in txids:
            tx = self.mempool.pop(txid)
            del self.transactions[txid]
            for vout, output in enumerate(tx.vout):
                self._by_script[bytes(output.scriptPubKey)].remove((txid, vout))
            for tx_input in tx.vin:
                if self._spends.get(spent_place(tx_input)) == txid:
                    del self._spends[spent_place(tx_input)]
