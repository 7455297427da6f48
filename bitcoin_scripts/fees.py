"""Fees by size: fee = rate * vsize, vsize = ceil((3 * stripped + total) / 4) (BIP 141).

Sizes are exact for the transaction at hand with every signature at its maximum of 70 bytes plus
sighash type (`ecdsa` grinds for low r and s); a real one is a byte shorter once in 128 times.
"""

from bitcoin.core import CTransaction

from bitcoin_scripts.ecdsa import MAX_SIGNATURE_BYTES
from bitcoin_scripts.errors import SettlementError

DUMMY_SIGNATURE = bytes(MAX_SIGNATURE_BYTES + 1)
"""Stands for a signature with its sighash type while a transaction is being sized."""

MAX_FEE_DIVISOR = 2
"""A fee above this fraction of the amount is refused: rates spike, and typing errors happen."""

CEILING_SAT_PER_VB = 500
"""A rate above this is refused unless it is said to be meant; no estimate is followed beyond it."""

INCREMENT_SAT_PER_VB = 1
"""What a replacement pays for its own size above all that the replaced one paid (BIP 125)."""

_DUST_RELAY_SAT_PER_VB = 3
_WITNESS_INPUT_VB = 67  # Bitcoin Core's estimate of what spending a witness output costs
_LEGACY_INPUT_VB = 148


def vsize(tx: CTransaction) -> int:
    """Virtual size in vbytes."""
    total = len(tx.serialize())
    stripped = len(tx.serialize(dict(include_witness=False)))
    return (3 * stripped + total + 3) // 4


def fee_sat(size_vb: int, fee_sat_per_vb: int) -> int:
    """The fee for a size. Raises SettlementError for a rate that no node would relay."""
    if fee_sat_per_vb < 1:
        raise SettlementError("a fee rate is at least 1 sat/vB; raise it")
    return size_vb * fee_sat_per_vb


def check_rate(fee_sat_per_vb: int, accept_high: bool = False) -> None:
    """Raises SettlementError for a rate above the ceiling that nobody said is meant."""
    if fee_sat_per_vb > CEILING_SAT_PER_VB and not accept_high:
        raise SettlementError(
            f"{fee_sat_per_vb} sat/vB is above the ceiling of {CEILING_SAT_PER_VB}; choose a lower "
            "--fee, or say --accept-high-fee"
        )


def affordable_sat_per_vb(size_vb: int, amount_sat: int, destination_script: bytes) -> int:
    """The highest rate at which `amount_sat` can be moved to the script; 0 if there is none."""
    most = min(amount_sat // MAX_FEE_DIVISOR, amount_sat - dust_limit_sat(destination_script))
    return max(0, most // size_vb)


def replacing_sat_per_vb(replaced_fee_sat: int, replaced_vb: int, size_vb: int) -> int:
    """The lowest rate at which a transaction of this size may replace one of that fee and size.

    It has to pay more in all, by the increment for its own size, and more for each vbyte.
    """
    in_all = -(-replaced_fee_sat // size_vb) + INCREMENT_SAT_PER_VB
    return max(in_all, replaced_fee_sat // replaced_vb + INCREMENT_SAT_PER_VB)


def check_fee(fee: int, amount_sat: int) -> None:
    """Raises SettlementError when a fee eats more than half of the amount it moves."""
    if fee * MAX_FEE_DIVISOR > amount_sat:
        raise SettlementError(
            f"a fee of {fee} sat is over 1/{MAX_FEE_DIVISOR} of the {amount_sat} sat it moves; "
            "choose a lower fee rate"
        )


def dust_limit_sat(script_pubkey: bytes) -> int:
    """The smallest output to this script that nodes relay (Bitcoin Core's default policy)."""
    script = bytes(script_pubkey)
    witness = 4 <= len(script) <= 42 and script[1] == len(script) - 2
    witness = witness and (script[0] == 0 or 0x51 <= script[0] <= 0x60)
    output_bytes = 8 + 1 + len(script)
    input_vb = _WITNESS_INPUT_VB if witness else _LEGACY_INPUT_VB
    return _DUST_RELAY_SAT_PER_VB * (output_bytes + input_vb)


def check_not_dust(amount_sat: int, script_pubkey: bytes) -> None:
    """Raises SettlementError for an output too small to be relayed."""
    limit = dust_limit_sat(script_pubkey)
    if amount_sat < limit:
        raise SettlementError(
            f"an output of {amount_sat} sat is dust (under {limit}); raise the amount"
        )
