"""The buyer's lock: coins of one script into the hash-locked output, and change.

sum(coins) = amount + change + rate * vsize

Who makes every lock over coins of one script with its `oldest` coin as `first` can forget a lock
that is signed and not mined, and make another: they exclude each other. For the first can be mined
only while its coin is unspent, and coins that arrive later come after that in the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript

from bitcoin_scripts import fees
from bitcoin_scripts.chain import FoundOutput, Outpoint, txid_of
from bitcoin_scripts.chain.block import COINBASE_MATURITY
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import p2wpkh_script_code, public_key
from bitcoin_scripts.spend import input_of, signature, with_witnesses


@dataclass(frozen=True)
class LockPlan:
    """Which coins go into a lock, in order, and the unsigned transaction that spends them."""

    coins: tuple[Outpoint, ...]
    transaction: CTransaction


def oldest(coins: Sequence[FoundOutput]) -> FoundOutput:
    """The mined coin that could be spent first; of several, that of the smallest id.

    A coinbase counts from the block at which it is mature, and no later: else it would come before
    coins that were spendable when it was not, or after coins that were not when it was.
    """
    return min(coins, key=lambda c: (_spendable_from(c), c.txid, c.vout))


def _spendable_from(coin: FoundOutput) -> int:
    return (coin.height or 0) + (COINBASE_MATURITY - 1 if coin.coinbase else 0)


def plan_lock(
    utxos: Sequence[Outpoint],
    htlc: Htlc,
    amount_sat: int,
    change_script: bytes,
    witness: Sequence[bytes],
    fee_sat_per_vb: int,
    first: Outpoint | None = None,
) -> LockPlan:
    """An unsigned transaction that pays exactly `amount_sat` to the lock, output 0.

    Takes the coin `first` if it is given, then the largest, as few as will do; each is spent by a
    witness of the sizes of `witness`. Change too small to be relayed is left to the fee. Raises
    SettlementError when the coins do not suffice, the amount is dust, or the fee is out of bounds.
    """
    fees.check_not_dust(amount_sat, htlc.script_pubkey)
    dust = fees.dust_limit_sat(change_script)
    distinct = {coin.place: coin for coin in utxos}
    available = sum(coin.amount_sat for coin in distinct.values())
    coins: list[Outpoint] = []
    for coin in sorted(
        distinct.values(), key=lambda c: (c != first, -c.amount_sat, c.txid, c.vout)
    ):
        coins.append(coin)
        total = sum(c.amount_sat for c in coins)
        for with_change in (True, False):
            draft = _unsigned(coins, htlc, 1, change_script, int(with_change))
            size = fees.vsize(with_witnesses(draft, [witness] * len(coins)))
            fee = fees.fee_sat(size, fee_sat_per_vb)
            change = total - amount_sat - fee
            if change >= (dust if with_change else 0):
                fees.check_fee(fee, amount_sat)
                change_sat = change if with_change else 0
                tx = _unsigned(coins, htlc, amount_sat, change_script, change_sat)
                return LockPlan(tuple(coins), tx)
    raise SettlementError(
        f"{available} sat in {len(distinct)} coins do not cover {amount_sat} sat and the fee; "
        "send more coins to the deal's address"
    )


def build_lock(
    utxos: Sequence[Outpoint],
    htlc: Htlc,
    amount_sat: int,
    change_script: bytes,
    secret_key: bytes,
    fee_sat_per_vb: int,
    first: Outpoint | None = None,
) -> CTransaction:
    """The signed lock over P2WPKH coins of `secret_key`; otherwise as `plan_lock`."""
    key = public_key(secret_key)
    witness = [fees.DUMMY_SIGNATURE, key]
    plan = plan_lock(utxos, htlc, amount_sat, change_script, witness, fee_sat_per_vb, first)
    code = p2wpkh_script_code(key)
    return with_witnesses(
        plan.transaction,
        [
            [signature(code, plan.transaction, index, coin.amount_sat, secret_key), key]
            for index, coin in enumerate(plan.coins)
        ],
    )


def lock_outpoint(tx: CTransaction, htlc: Htlc) -> Outpoint:
    """The output of `tx` that pays to the lock. Raises SettlementError unless there is just one."""
    script = bytes(htlc.script_pubkey)
    found = [i for i, output in enumerate(tx.vout) if bytes(output.scriptPubKey) == script]
    if len(found) != 1:
        raise SettlementError(
            f"the transaction pays {len(found)} times to the lock; ask for one that pays once"
        )
    return Outpoint(txid_of(tx), found[0], tx.vout[found[0]].nValue)


def _unsigned(
    coins: Sequence[Outpoint], htlc: Htlc, amount_sat: int, change_script: bytes, change_sat: int
) -> CTransaction:
    outputs = [CTxOut(amount_sat, htlc.script_pubkey)]
    if change_sat:
        outputs.append(CTxOut(change_sat, CScript(change_script)))
    return CTransaction([input_of(c) for c in coins], outputs, 0, 2)
