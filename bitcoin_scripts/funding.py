"""The buyer's lock: P2WPKH coins of one key into the hash-locked output, and change.

sum(coins) = amount + change + rate * vsize
"""

from collections.abc import Sequence

from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import p2wpkh_script_code, public_key
from bitcoin_scripts.spend import input_of, signature, with_witnesses


def build_lock(
    utxos: Sequence[Outpoint],
    htlc: Htlc,
    amount_sat: int,
    change_script: bytes,
    secret_key: bytes,
    fee_sat_per_vb: int,
) -> CTransaction:
    """The signed transaction that pays exactly `amount_sat` to the lock, output 0.

    Takes the largest coins first, as few as will do; all of them must pay to `secret_key`'s
    P2WPKH script. Change too small to be relayed is left to the fee. Raises SettlementError when
    the coins do not suffice, the amount is dust, or the fee is out of bounds.
    """
    key = public_key(secret_key)
    fees.check_not_dust(amount_sat, htlc.script_pubkey)
    dust = fees.dust_limit_sat(change_script)
    distinct = {(coin.txid, coin.vout): coin for coin in utxos}
    available = sum(coin.amount_sat for coin in distinct.values())
    coins: list[Outpoint] = []
    for coin in sorted(distinct.values(), key=lambda c: (-c.amount_sat, c.txid, c.vout)):
        coins.append(coin)
        total = sum(c.amount_sat for c in coins)
        for with_change in (True, False):
            size = _vsize(coins, htlc, change_script, key, with_change)
            fee = fees.fee_sat(size, fee_sat_per_vb)
            change = total - amount_sat - fee
            if change >= (dust if with_change else 0):
                fees.check_fee(fee, amount_sat)
                outputs = _outputs(htlc, amount_sat, change_script, change if with_change else 0)
                return _signed(coins, outputs, key, secret_key)
    raise SettlementError(
        f"{available} sat in {len(distinct)} coins do not cover {amount_sat} sat and the fee; "
        "send more coins to the deal's address"
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


def _outputs(htlc: Htlc, amount_sat: int, change_script: bytes, change_sat: int) -> list[CTxOut]:
    outputs = [CTxOut(amount_sat, htlc.script_pubkey)]
    if change_sat:
        outputs.append(CTxOut(change_sat, CScript(change_script)))
    return outputs


def _vsize(
    coins: Sequence[Outpoint], htlc: Htlc, change_script: bytes, key: bytes, with_change: bool
) -> int:
    outputs = _outputs(htlc, 1, change_script, int(with_change))
    draft = CTransaction([input_of(c) for c in coins], outputs, 0, 2)
    return fees.vsize(with_witnesses(draft, [[fees.DUMMY_SIGNATURE, key]] * len(coins)))


def _signed(
    coins: Sequence[Outpoint], outputs: Sequence[CTxOut], key: bytes, secret_key: bytes
) -> CTransaction:
    tx = CTransaction([input_of(c) for c in coins], outputs, 0, 2)
    code = p2wpkh_script_code(key)
    return with_witnesses(
        tx,
        [
            [signature(code, tx, index, coin.amount_sat, secret_key), key]
            for index, coin in enumerate(coins)
        ],
    )
