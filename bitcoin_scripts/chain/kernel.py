"""An embedded regtest chain in a directory: no node, no network, Bitcoin Core's own rules.

    directory/journal   every accepted block, broadcast transaction and reorganisation, in order
    directory/lock      one process at a time
    directory/state     the consensus code's working files; rebuilt from the journal on opening
    directory/trial     the same for a trial block

A transaction is broadcast when a trial block with it and everything that waits is accepted by a
second chain state replayed from the journal; only then is it written to the journal, synced, and
answered. Blocks are written after the consensus code took them and synced before `mine` returns.
So a process killed at any point has lost nothing that it had announced, and the directory opens.

A waiting transaction gives way to one that pays more (`replacement`), and `reorganise` replaces the
last blocks: what settlement has to withstand can be tried. It has no other relay policy, and every
block is mined by whoever asks: for demonstrations and tests, never for money.
"""

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path

from bitcoin.core import CBlock, CTransaction, b2lx
from bitcoin.core.serialize import SerializationError

from bitcoin_scripts.chain import Closing, FoundOutput, Outpoint, txid_of
from bitcoin_scripts.chain.block import COINBASE_MATURITY, mine_block
from bitcoin_scripts.chain.branch import Branch
from bitcoin_scripts.chain.consensus import MAX_MONEY_SAT, ConsensusChain
from bitcoin_scripts.chain.index import ChainIndex
from bitcoin_scripts.chain.journal import Journal
from bitcoin_scripts.chain.lock import DirectoryLock
from bitcoin_scripts.chain.replacement import check_replacement
from bitcoin_scripts.errors import SettlementError

DEFAULT_LOCK_TIMEOUT_S = 10.0

MAX_BLOCKS_PER_CALL = 10_000

MAX_REORGANISED_BLOCKS = 1_000

_BLOCK, _TRANSACTION, _BRANCH = b"B", b"T", b"R"
_ANYONE_CAN_SPEND = b"\x51"
_LOCKTIME_THRESHOLD = 500_000_000


class KernelChain(Closing):
    """The chain in `directory`, created there if there is none.

    Holds the directory until `close`: another process waits up to `lock_timeout_s`, then gets a
    SettlementError, so close it between waits. Usable as a context manager.
    """

    name = "regtest"

    def __init__(self, directory: Path | str, lock_timeout_s: float = DEFAULT_LOCK_TIMEOUT_S):
        self._directory = Path(directory)
        self._open = False
        with ExitStack() as cleanup:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                _check_ours(self._directory)
                lock = DirectoryLock(self._directory, lock_timeout_s)
                cleanup.callback(lock.release)
                self._journal = Journal(self._directory / "journal")
                cleanup.callback(self._journal.close)
            except OSError as error:
                raise SettlementError(
                    f"cannot use {directory} for a chain: {error.strerror}; name another directory"
                ) from error
            self._state = ConsensusChain(self._directory / "state")
            cleanup.callback(self._state.close)
            self._index = ChainIndex()
            self._blocks: list[bytes] = []
            self._branches = 0
            for kind, payload in self._journal.replay():
                self._apply(kind, payload)
            self._cleanup = cleanup.pop_all()
        self._open = True

    def height(self) -> int:
        """Height of the tip; the genesis block has height 0."""
        return self._opened().height

    def broadcast(self, tx: CTransaction) -> str:
        """Submit a transaction for the next block and return its id.

        One that is already mined or waiting is accepted again; one that pays enough more replaces
        the waiting ones that it conflicts with. Raises SettlementError for one that consensus would
        not take into the next block: lock time not reached included.
        """
        index = self._opened()
        txid = txid_of(tx)
        if txid in index.transactions:
            return txid
        self._check_amounts(tx, txid)
        check_replacement(index, tx, txid)
        self._check_trial_block(tx, txid)
        self._record(_TRANSACTION, tx.serialize())
        self._sync()
        index.add_to_mempool(tx)
        return txid

    def mine(self, n: int, to_script: bytes) -> list[str]:
        """Mine `n` blocks paying to a script, the first with all that waits; their hashes."""
        index = self._opened()
        if not 0 < n <= MAX_BLOCKS_PER_CALL:
            raise SettlementError(f"cannot mine {n} blocks; ask for 1 to {MAX_BLOCKS_PER_CALL}")
        hashes = []
        for _ in range(n):
            block = self._next_block(list(index.mempool.values()), to_script)
            raw = block.serialize()
            if not self._state.submit(raw):
                raise self._own_block_rejected()
            self._record(_BLOCK, raw)
            self._blocks.append(raw)
            index.add_block(block)
            hashes.append(str(b2lx(block.GetHash())))
        self._sync()
        return hashes

    def reorganise(
        self, depth: int, forget: Collection[str] = (), to_script: bytes = _ANYONE_CAN_SPEND
    ) -> list[str]:
        """Replace the last `depth` blocks by `depth` + 1 empty ones; the new blocks' hashes.

        Transactions of the old blocks wait again, before what waited already. Left out and unknown
        from then on are those with an id in `forget`, those that spend a coinbase of the old
        blocks, and whatever spends from either. Raises SettlementError for a depth out of range.
        """
        index = self._opened()
        if not 0 < depth <= min(index.height, MAX_REORGANISED_BLOCKS):
            most = min(index.height, MAX_REORGANISED_BLOCKS)
            raise SettlementError(f"cannot replace {depth} blocks; ask for 1 to {most}")
        for txid in forget:
            if txid not in index.transactions:
                raise SettlementError(f"the chain does not have {txid}; name one of its own")
        fork = self._indexed(self._blocks[:-depth])
        raw_blocks = []
        for _ in range(depth + 1):
            place = (fork.tip_hash, fork.tip_time, fork.height + 1)
            block = mine_block(*place, [], 0, to_script, self._branches + 1)
            fork.add_block(block)
            raw_blocks.append(block.serialize())
        branch = Branch(depth, tuple(forget), tuple(raw_blocks))
        if not self._state.submit_branch(branch.raw_blocks):
            raise self._own_block_rejected()
        self._record(_BRANCH, branch.to_bytes())
        self._sync()
        self._take_branch(branch)
        return [str(b2lx(CBlock.deserialize(raw).GetHash())) for raw in raw_blocks]

    def raw_blocks(self) -> list[bytes]:
        """The active chain without the genesis block, as any regtest node takes it."""
        self._opened()
        return list(self._blocks)

    def confirmations(self, txid: str) -> int:
        """How many blocks bury the transaction, its own included; 0 if none or unknown."""
        mined_at = self._opened().height_of(txid)
        return 0 if mined_at is None else self._index.height - mined_at + 1

    def get_transaction(self, txid: str) -> CTransaction | None:
        """The transaction, mined or waiting."""
        return self._opened().transactions.get(txid)

    def find_output(self, script_pubkey: bytes, since_height: int = 0) -> list[FoundOutput]:
        """Every output that pays to the script, oldest first, spent and waiting ones included."""
        return list(self._opened().outputs(script_pubkey))

    def find_spendable(self, script_pubkey: bytes) -> list[FoundOutput]:
        """Mined outputs of the script that the next block may spend and no known one does."""
        found = self._opened().outputs(script_pubkey)
        return [o for o in found if o.spent_by is None and o.height and self._mature(o)]

    def fee_rate(self, target_blocks: int) -> int | None:
        """Nothing: who mines here takes whatever waits."""
        return None

    def find_spend(self, outpoint: Outpoint, since_height: int = 0) -> CTransaction | None:
        """The transaction that spends the output, mined or waiting."""
        output = self._opened().output(outpoint.txid, outpoint.vout)
        spender = output.spent_by if output else None
        return self._index.transactions[spender] if spender else None

    def find_containing(self, data: bytes, since_height: int = 0) -> list[CTransaction]:
        """Every transaction with these bytes in it, witnesses included, waiting ones last."""
        index = self._opened()
        known = sorted(index.transactions, key=lambda txid: txid in index.mempool)
        return [tx for t in known if data in (tx := index.transactions[t]).serialize()]

    def close(self) -> None:
        """Release the directory. Closing twice is harmless."""
        if self._open:
            self._open = False
            self._cleanup.close()

    def _opened(self) -> ChainIndex:
        if not self._open:
            raise SettlementError(f"the chain in {self._directory} is closed; open it again")
        return self._index

    def _record(self, kind: bytes, payload: bytes) -> None:
        """Append to the journal. What could not be written is forgotten by closing the chain."""
        try:
            self._journal.append(kind, payload)
        except SettlementError:
            self.close()
            raise

    def _sync(self) -> None:
        try:
            self._journal.sync()
        except SettlementError:
            self.close()
            raise

    def _apply(self, kind: bytes, payload: bytes) -> None:
        """Take one record of the journal into state and index."""
        where = f"{self._directory / 'journal'}, after block {self._index.height}"
        try:
            if kind == _TRANSACTION:
                self._index.add_to_mempool(CTransaction.deserialize(payload))
            elif kind == _BRANCH:
                self._replay_branch(Branch.from_bytes(payload), where)
            else:
                self._replay_block(kind, payload, where)
        except (SerializationError, ValueError) as error:
            raise SettlementError(f"{where}: not decodable; start a new chain") from error

    def _replay_block(self, kind: bytes, raw: bytes, where: str) -> None:
        block = CBlock.deserialize(raw)
        if kind != _BLOCK or not self._state.submit(raw):
            raise SettlementError(f"{where}: consensus rejects the next record; start a new chain")
        self._blocks.append(raw)
        self._index.add_block(block)

    def _replay_branch(self, branch: Branch, where: str) -> None:
        possible = 0 < branch.depth <= len(self._blocks)
        if not possible or not self._state.submit_branch(branch.raw_blocks):
            raise SettlementError(f"{where}: consensus rejects the next record; start a new chain")
        self._take_branch(branch)

    def _take_branch(self, branch: Branch) -> None:
        """Put blocks that consensus accepted in the place of the last ones."""
        old = [CBlock.deserialize(raw) for raw in self._blocks[-branch.depth :]]
        waiting = [*(tx for block in old for tx in block.vtx[1:]), *self._index.mempool.values()]
        self._blocks[-branch.depth :] = branch.raw_blocks
        self._branches += 1
        self._index = self._indexed(self._blocks)
        for tx in waiting:
            known = all(self._index.spent_output(tx_input) for tx_input in tx.vin)
            if known and txid_of(tx) not in branch.forgotten:
                self._index.add_to_mempool(tx)

    @staticmethod
    def _indexed(raw_blocks: Sequence[bytes]) -> ChainIndex:
        index = ChainIndex()
        for raw in raw_blocks:
            index.add_block(CBlock.deserialize(raw))
        return index

    def _own_block_rejected(self) -> SettlementError:
        return SettlementError(
            f"consensus rejects the mined block: {self._state.last_rejection}; report this defect"
        )

    def _check_amounts(self, tx: CTransaction, txid: str) -> None:
        """What assembling a block needs: known, unspent, mature coins that cover the outputs."""
        fault, spent = "", []
        for tx_input in tx.vin:
            output = self._index.spent_output(tx_input)
            if output is None:
                fault = "spends an output that this chain does not have"
            elif output.spent_by is not None and output.spent_by not in self._index.mempool:
                fault = f"spends an output already spent by {output.spent_by}"
            elif not self._mature(output):
                fault = f"spends a coinbase before it is {COINBASE_MATURITY} blocks deep"
            else:
                spent.append(output)
        if len({o.place for o in spent}) != len(tx.vin) or not tx.vin:
            fault = fault or "does not spend one or more distinct outputs"
        if not tx.vout or not all(0 <= output.nValue <= MAX_MONEY_SAT for output in tx.vout):
            fault = fault or "has no outputs or amounts out of range"
        if not fault and sum(o.nValue for o in tx.vout) > sum(o.amount_sat for o in spent):
            fault = "pays out more than it spends"
        if fault:
            raise SettlementError(f"transaction {txid} {fault}; build it again from the chain")

    def _check_trial_block(self, tx: CTransaction, txid: str) -> None:
        """Mine everything that waits and `tx` on a copy of the chain that is thrown away."""
        trial = ConsensusChain(self._directory / "trial")
        try:
            replayed = all(trial.submit(raw) for raw in self._blocks)
            evicted = self._index.with_descendants(self._index.waiting_conflicts(tx))
            staying = [t for txid, t in self._index.mempool.items() if txid not in evicted]
            block = self._next_block([*staying, tx], _ANYONE_CAN_SPEND)
            accepted = replayed and trial.submit(block.serialize())
        finally:
            trial.close()
        if not accepted:
            hint = "check key, preimage and amounts"
            if self._index.height < tx.nLockTime < _LOCKTIME_THRESHOLD:
                wait = tx.nLockTime - self._index.height
                hint = f"it is locked until height {tx.nLockTime}, wait for {wait} more blocks"
            raise SettlementError(
                f"consensus rejects transaction {txid}: {trial.last_rejection}; {hint}"
            )

    def _next_block(self, transactions: list[CTransaction], to_script: bytes) -> CBlock:
        index = self._index
        fees_sat = sum(index.fee_sat(tx) for tx in transactions)
        height = index.height + 1
        return mine_block(index.tip_hash, index.tip_time, height, transactions, fees_sat, to_script)

    def _mature(self, output: FoundOutput) -> bool:
        if not output.coinbase or output.height is None:
            return not output.coinbase
        return self._index.height + 1 - output.height >= COINBASE_MATURITY


def _check_ours(directory: Path) -> None:
    """Raise SettlementError for a directory of something else: `state` in it would be deleted."""
    found = {path.name for path in directory.iterdir()}
    if "journal" not in found and found - {"lock"}:
        raise SettlementError(
            f"{directory} is not empty and no chain is in it; name another directory"
        )
