"""A withdrawal of ours that the chain has and our record does not: the directory is an older copy.

Nobody else can spend the wallet's coins. So a transaction that does, and whose first output pays
this amount to this address, is the withdrawal that was ordered, whatever our record says: a second
one would pay twice. It is looked for where coins of the wallet came from and went to lately; one
without change, over coins that are older than that, is not found once it is mined.
"""

from typing import Any

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Chain, Outpoint, spent_place, txid_of
from zkcmp.errors import DealError
from zkcmp.exchange.party import Party
from zkcmp.exchange.settlement.withdrawals import Order, Withdrawal

LOOKED_AT_BLOCKS = 1008
"""About a week: a withdrawal is to be mined within a day."""


def find_lost_withdrawal(party: Party[Any], chain: Chain, order: Order) -> Withdrawal | None:
    """The one of this amount, mined or waiting; of several, the newest.

    Raises DealError where it could be one, and the node cannot show what it spends.
    """
    since = max(chain.height() - LOOKED_AT_BLOCKS, 1)
    coins = chain.find_output(party.wallet_script, since)
    coins += chain.find_spendable(party.wallet_script)
    txids = [txid for coin in coins for txid in (coin.txid, coin.spent_by) if txid]
    for txid in dict.fromkeys(reversed(txids)):
        tx = chain.get_transaction(txid)
        if tx is not None and _pays(tx, order):
            spent = _spent(party, chain, tx)
            if spent:
                return Withdrawal(order, spent, tx)
    return None


def _pays(tx: CTransaction, order: Order) -> bool:
    paid = tx.vout[0]
    return bytes(paid.scriptPubKey) == order.destination and paid.nValue == order.amount_sat


def _spent(party: Party[Any], chain: Chain, tx: CTransaction) -> tuple[Outpoint, ...]:
    """The coins that it spends, if they are all of our wallet; else none."""
    coins: list[Outpoint] = []
    if tx.is_coinbase():
        return ()
    for tx_input in tx.vin:
        txid, vout = spent_place(tx_input)
        made_by = chain.get_transaction(txid)
        if made_by is None:  # without an index, a node does not find what is old
            raise DealError(
                f"transaction {txid_of(tx)} pays this amount to this address, and the node cannot "
                "show whether it is ours; say --again if the amount is to be paid in any case, or "
                "start the node with -txindex=1"
            )
        if bytes(made_by.vout[vout].scriptPubKey) != party.wallet_script:
            return ()
        coins.append(Outpoint(txid, vout, made_by.vout[vout].nValue))
    return tuple(coins)
