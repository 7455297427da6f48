"""Why a node refuses a transaction, in a sentence with what to do about it.

Reasons are Bitcoin Core's reject reasons; the first whose words occur in the node's counts.
"""

from bitcoin.core import CTransaction

from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import LOCKTIME_THRESHOLD

_HINTS = (
    ("non-BIP68-final", "one of its inputs is too young for its relative lock time; wait"),
    (
        "insufficient fee",
        "a replacement has to pay more than what it evicts; raise the fee rate",
    ),
    ("too many potential replacements", "wait until one of those that it competes with is mined"),
    ("txn-mempool-conflict", "it competes with one that waits and cannot be replaced; wait"),
    ("min relay fee not met", "raise the fee rate"),
    ("mempool min fee not met", "the mempool is full; raise the fee rate"),
    ("mempool full", "raise the fee rate"),
    ("max-fee-exceeded", "lower the fee rate"),
    ("Fee exceeds maximum", "lower the fee rate"),
    ("dust", "raise the amount or lower the fee rate"),
    ("too-long-mempool-chain", "wait until one of those that it builds on is mined"),
    ("premature-spend-of-coinbase", "wait until the mined coins are 100 blocks deep"),
    ("missing", "it spends what this chain does not have, or has spent; is it the right chain?"),
    ("script-verify-flag", "check key, preimage and amounts"),
    ("Script", "check key, preimage and amounts"),
)


def rejected(tx: CTransaction, txid: str, reason: str, height: int) -> SettlementError:
    """The error for a transaction that a node at `height` refused with its `reason`."""
    hint = next((hint for words, hint in _HINTS if words.lower() in reason.lower()), "")
    if "non-final" in reason:
        hint = "its lock time is not reached; wait"
        if height < tx.nLockTime < LOCKTIME_THRESHOLD:
            blocks = tx.nLockTime - height
            hint = f"it is locked until height {tx.nLockTime}, wait for {blocks} more blocks"
    return SettlementError(
        f"the node refuses transaction {txid}: {reason}; {hint or 'build it again from the chain'}"
    )
