"""Coins of one P2WPKH key to any script: all of them, or an amount and the change back.

    all       destination = sum(coins) - rate * vsize
    amount    sum(coins) = amount + change + rate * vsize

A transaction that is to take the place of another one spends the very same coins, so that never
both are mined. Coins that cost more than they bring are left where they are: anybody can send some.
"""

from collections.abc import Sequence
from typing import TypeVar

from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import p2wpkh_script, p2wpkh_script_code, public_key
from bitcoin_scripts.spend import input_of, signature, with_witnesses

Coin = TypeVar("Coin", bound=Outpoint)

MAX_COINS = 500
"""A transaction of more coins could be too large for nodes to relay."""

INPUT_VB = 69
"""What spending one P2WPKH coin takes, rounded up."""


def worth_spending(coins: Sequence[Coin], fee_sat_per_vb: int) -> list[Coin]:
    """Coins that bring more than they cost, each once, the largest first."""
    distinct = {coin.place: coin for coin in coins}.values()
    worth = [coin for coin in distinct if coin.amount_sat > INPUT_VB * fee_sat_per_vb]
    return sorted(worth, key=lambda c: (-c.amount_sat, c.txid, c.vout))


def choose_coins(
    available: Sequence[Outpoint],
    destination: bytes,
    amount_sat: int | None,
    secret_key: bytes,
    fee_sat_per_vb: int,
    first: Outpoint | None = None,
) -> list[Outpoint]:
    """The coins of a withdrawal: as few as will do, or all worth their fee.

    The coin `first`, if it is given and worth its fee, then the largest. Raises SettlementError
    when they do not suffice.
    """
    worth = worth_spending(available, fee_sat_per_vb)
    worth = sorted(worth, key=lambda coin: coin != first)[:MAX_COINS]
    if not worth:
        raise SettlementError(
            f"{len(available)} coins can be spent, none worth its fee at {fee_sat_per_vb} sat/vB; "
            "send some to the wallet, or choose a lower --fee"
        )
    if amount_sat is None:
        return worth
    for count in range(1, len(worth) + 1):
        size_vb = fees.vsize(_draft(worth[:count], destination, amount_sat, secret_key))
        total = sum(coin.amount_sat for coin in worth[:count])
        if total >= amount_sat + fees.fee_sat(size_vb, fee_sat_per_vb):
            return worth[:count]
    total = sum(coin.amount_sat for coin in worth)
    raise SettlementError(
        f"{total} sat in {len(worth)} coins do not cover {amount_sat} sat and the fee; choose a "
        "smaller amount, or leave --amount-sat out"
    )


def build_withdrawal(
    coins: Sequence[Outpoint],
    destination: bytes,
    amount_sat: int | None,
    secret_key: bytes,
    fee_sat_per_vb: int,
) -> CTransaction:
    """The signed transaction over exactly these coins; output 0 is the destination's.

    Change too small to be relayed is left to the fee. Raises SettlementError when the coins do not
    suffice, an output is dust, or the fee is over half of what is moved.
    """
    total = sum(coin.amount_sat for coin in coins)
    change_script = bytes(p2wpkh_script(public_key(secret_key)))
    plain_vb = fees.vsize(_draft(coins, destination, total, secret_key))
    fee = fees.fee_sat(plain_vb, fee_sat_per_vb)
    sent = total - fee if amount_sat is None else amount_sat
    if total - fee < sent:
        raise SettlementError(
            f"{total} sat in {len(coins)} coins do not cover {sent} sat and a fee of {fee} sat; "
            "choose a lower --fee"
        )
    outputs = [CTxOut(sent, CScript(destination))]
    change = _change(coins, outputs, change_script, secret_key, fee_sat_per_vb)
    if change:
        outputs.append(CTxOut(change, CScript(change_script)))
    fees.check_not_dust(sent, destination)
    fees.check_fee(total - sent - change, total - change)
    return _signed(_unsigned(coins, outputs), coins, secret_key)


def _change(
    coins: Sequence[Outpoint],
    outputs: Sequence[CTxOut],
    change_script: bytes,
    secret_key: bytes,
    fee_sat_per_vb: int,
) -> int:
    """What goes back, 0 when that would be dust."""
    dust = fees.dust_limit_sat(change_script)
    draft = _unsigned(coins, [*outputs, CTxOut(dust, CScript(change_script))])
    fee = fees.fee_sat(fees.vsize(_sized(draft, secret_key)), fee_sat_per_vb)
    change = sum(coin.amount_sat for coin in coins) - outputs[0].nValue - fee
    return int(change) if change >= dust else 0


def _draft(
    coins: Sequence[Outpoint], destination: bytes, amount_sat: int, secret_key: bytes
) -> CTransaction:
    return _sized(_unsigned(coins, [CTxOut(amount_sat, CScript(destination))]), secret_key)


def _sized(tx: CTransaction, secret_key: bytes) -> CTransaction:
    """With witnesses of the largest size."""
    return with_witnesses(tx, [[fees.DUMMY_SIGNATURE, public_key(secret_key)]] * len(tx.vin))


def _unsigned(coins: Sequence[Outpoint], outputs: Sequence[CTxOut]) -> CTransaction:
    return CTransaction([input_of(coin) for coin in coins], list(outputs), 0, 2)


def _signed(tx: CTransaction, coins: Sequence[Outpoint], secret_key: bytes) -> CTransaction:
    key = public_key(secret_key)
    code = p2wpkh_script_code(key)
    stacks = [
        [signature(code, tx, index, coin.amount_sat, secret_key), key]
        for index, coin in enumerate(coins)
    ]
    return with_witnesses(tx, stacks)
