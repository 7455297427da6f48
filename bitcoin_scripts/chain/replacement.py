"""When a transaction may take the place of waiting ones (BIP 125, and Core's rule on fee rates):

    fee >= sum(fees of all it evicts) + 1 sat/vB * vsize,    fee / vsize > that of each it conflicts

Every one that it conflicts with must signal by an input below 0xfffffffe. Evicted are those and
whatever waits and spends from them.
"""

from bitcoin.core import CTransaction

from bitcoin_scripts import fees
from bitcoin_scripts.chain.index import ChainIndex
from bitcoin_scripts.errors import SettlementError

_LAST_SIGNALLING = 0xFFFFFFFD

MAX_EVICTED = 100


def check_replacement(index: ChainIndex, tx: CTransaction, txid: str) -> None:
    """Raise SettlementError unless `tx` may replace the waiting ones that it conflicts with."""
    conflicts = index.waiting_conflicts(tx)
    if not conflicts:
        return
    evicted = index.with_descendants(conflicts)
    first = conflicts[0]
    fault = ""
    for conflict in conflicts:
        inputs = index.transactions[conflict].vin
        if not any(each.nSequence <= _LAST_SIGNALLING for each in inputs):
            first, fault = conflict, "which does not allow to be replaced; wait until it is mined"
    if len(evicted) > MAX_EVICTED:
        fault = f"and would evict over {MAX_EVICTED} transactions; wait until some are mined"
    if any(o and o.txid in evicted for o in map(index.spent_output, tx.vin)):
        fault = "and spends from what it would replace; build it again from the chain"
    fee_sat, least_sat = index.fee_sat(tx), _least_fee(index, tx, conflicts, evicted)
    if not fault and fee_sat < least_sat:
        fault = f"and pays {fee_sat} sat; a replacement has to pay at least {least_sat} sat"
    if fault:
        raise SettlementError(
            f"transaction {txid} spends an output already spent by {first}, {fault}"
        )


def _least_fee(
    index: ChainIndex, tx: CTransaction, conflicts: list[str], evicted: list[str]
) -> int:
    size_vb = fees.vsize(tx)
    least_sat = sum(index.fee_sat(index.transactions[t]) for t in evicted) + size_vb
    for conflict in conflicts:
        replaced = index.transactions[conflict]
        same_rate_sat = index.fee_sat(replaced) * size_vb // fees.vsize(replaced)
        least_sat = max(least_sat, same_rate_sat + 1)
    return least_sat
