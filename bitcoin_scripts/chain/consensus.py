"""The judge: Bitcoin Core's consensus code in this process (py-bitcoinkernel, regtest).

`verify_input` runs the script interpreter on one input; `ConsensusChain` keeps a chain state and
takes blocks. The library aborts the interpreter on an input index or a number of spent outputs
that does not fit the transaction, and answers True for blocks with invalid scripts: so arguments
are checked before it is called, and a block counts as accepted when the tip becomes that block.
Why it rejects is written to its log alone, so the log is read.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from bitcoin.core import CTransaction, CTxOut

from bitcoin_scripts.errors import SettlementError

try:
    import pbk
    from pbk.script import PrecomputedTransactionData
except ImportError:
    pbk = None

MAX_BLOCK_BYTES = 4_000_000
MAX_MONEY_SAT = 21_000_000 * 100_000_000

_REASON = re.compile(
    r"(?:Block validation error|\[error\] \w+): (.*?)(?:, input \d| in transaction|$)"
)


def check_available() -> None:
    """Raises SettlementError where py-bitcoinkernel could not be installed."""
    if pbk is None:
        raise SettlementError(
            "the embedded chain needs py-bitcoinkernel 0.1.0a5, which is missing here; "
            "pip install it with a Python for which it has a wheel, 3.11 to 3.13 on Linux"
        )


def verify_input(tx: CTransaction, index: int, spent_outputs: Sequence[CTxOut]) -> bool:
    """Whether input `index` satisfies the script of the output it spends, under all rules.

    `spent_outputs` are those of all inputs, in order. Says nothing about whether they exist, are
    unspent, or cover the outputs. Raises SettlementError for arguments that do not fit together.
    """
    check_available()
    if not 0 <= index < len(tx.vin) or len(spent_outputs) != len(tx.vin):
        raise SettlementError("one spent output per input is needed; look them up again")
    if not all(0 <= output.nValue <= MAX_MONEY_SAT for output in spent_outputs):
        raise SettlementError("a spent amount is out of range; look it up again")
    try:
        kernel_tx = pbk.Transaction(tx.serialize())
    except RuntimeError as error:
        raise SettlementError("the transaction cannot be decoded; build it again") from error
    spent = [
        pbk.TransactionOutput(pbk.ScriptPubkey(bytes(output.scriptPubKey)), output.nValue)
        for output in spent_outputs
    ]
    script = pbk.ScriptPubkey(bytes(spent_outputs[index].scriptPubKey))
    return bool(
        script.verify(
            spent_outputs[index].nValue,
            kernel_tx,
            PrecomputedTransactionData(kernel_tx, spent),
            index,
            pbk.ScriptVerificationFlags.ALL,
        )
    )


class ConsensusChain:
    """A regtest chain state that starts at the genesis block and forgets everything at the end.

    `scratch` is a directory of its own; what is in it is deleted now and on `close`.
    """

    def __init__(self, scratch: Path):
        check_available()
        self._scratch = scratch
        self.last_rejection = ""
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            scratch.mkdir(parents=True)
            options = pbk.ChainstateManagerOptions(
                pbk.make_context(pbk.ChainType.REGTEST), str(scratch), str(scratch / "blocks")
            )
            options.update_block_tree_db_in_memory(True)
            options.update_chainstate_db_in_memory(True)
            self._manager = pbk.ChainstateManager(options)
            self._log: list[str] = []
            self._log_connection = pbk.LoggingConnection(self._log.append)
        except (OSError, RuntimeError) as error:
            raise SettlementError(
                f"cannot start a chain state in {scratch}: {error}; check space and permissions"
            ) from error

    @property
    def height(self) -> int:
        """Height of the tip."""
        return int(self._manager.get_active_chain().height)

    def submit(self, raw_block: bytes) -> bool:
        """Whether consensus accepts the block as the new tip; if not, `last_rejection` says why."""
        return self.submit_branch([raw_block])

    def submit_branch(self, raw_blocks: Sequence[bytes]) -> bool:
        """Whether consensus accepts blocks, each upon the one before, as one block more than now.

        They need not stand on the tip: those that they replace are undone.
        """
        self.last_rejection = "not decodable as a block"
        height = self.height
        self._log.clear()
        for raw_block in raw_blocks:
            if len(raw_block) > MAX_BLOCK_BYTES:
                return False
            try:
                self._manager.process_block(pbk.Block(raw_block))
            except pbk.ProcessBlockException:
                pass  # the height decides
            except RuntimeError:
                return False
        accepted = self.height == height + 1
        reasons = (_REASON.search(line.rstrip()) for line in self._log)
        given = [found[1] for found in reasons if found]
        self.last_rejection = "" if accepted else given[0] if given else "no reason given"
        return accepted

    def close(self) -> None:
        """Drop the state and its directory."""
        del self._manager, self._log_connection
        shutil.rmtree(self._scratch, ignore_errors=True)
