"""Spending a hash-locked output into one output: what `claim` and `refund` share.

witness = [signature, *branch, redeem_script],  output = amount - rate * vsize
"""

from collections.abc import Sequence

from bitcoin.core import COutPoint, CTransaction, CTxIn, CTxInWitness, CTxOut, CTxWitness, lx
from bitcoin.core.script import (
    SIGHASH_ALL,
    SIGVERSION_WITNESS_V0,
    CScript,
    CScriptWitness,
    SignatureHash,
)

from bitcoin_scripts import ecdsa, fees
from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import Htlc

SEQUENCE_REPLACEABLE = 0xFFFFFFFD
"""Below 0xfffffffe: the fee can be bumped (BIP 125); below 0xffffffff: lock times are enforced.
The top bit switches relative lock times off (BIP 68)."""


def input_of(outpoint: Outpoint) -> CTxIn:
    """The unsigned input that spends an output. Raises SettlementError for a malformed one."""
    try:
        txid = lx(outpoint.txid)
    except ValueError:
        txid = b""
    if len(txid) != 32 or not 0 <= outpoint.vout < 0xFFFFFFFF or outpoint.amount_sat <= 0:
        raise SettlementError("the funding output is malformed; take it from the chain again")
    return CTxIn(COutPoint(txid, outpoint.vout), nSequence=SEQUENCE_REPLACEABLE)


def signature(
    script_code: bytes, tx: CTransaction, index: int, amount_sat: int, secret_key: bytes
) -> bytes:
    """Signature of input `index` over all of the transaction (BIP 143), with its sighash type."""
    digest = SignatureHash(
        CScript(script_code), tx, index, SIGHASH_ALL, amount_sat, SIGVERSION_WITNESS_V0
    )
    return ecdsa.sign(secret_key, digest) + bytes([SIGHASH_ALL])


def with_witnesses(tx: CTransaction, stacks: Sequence[Sequence[bytes]]) -> CTransaction:
    """The transaction with one witness stack per input."""
    witness = CTxWitness([CTxInWitness(CScriptWitness(stack)) for stack in stacks])
    return CTransaction(tx.vin, tx.vout, tx.nLockTime, tx.nVersion, witness)


def spend_vsize(htlc: Htlc, branch: Sequence[bytes], destination_script: bytes) -> int:
    """Size of `spend_htlc`'s transaction in vbytes, with a signature of the largest size."""
    draft = _unsigned(Outpoint("00" * 32, 0, 1), 1, destination_script, 0)
    return fees.vsize(_witnessed(draft, fees.DUMMY_SIGNATURE, branch, htlc))


def spend_htlc(
    htlc: Htlc,
    funding: Outpoint,
    branch: Sequence[bytes],
    secret_key: bytes,
    destination_script: bytes,
    fee_sat_per_vb: int,
    locktime: int,
) -> CTransaction:
    """The signed transaction that moves all of `funding`, less the fee, to the destination.

    Raises SettlementError when the fee or what is left is out of bounds.
    """
    input_of(funding)
    fee = fees.fee_sat(spend_vsize(htlc, branch, destination_script), fee_sat_per_vb)
    fees.check_fee(fee, funding.amount_sat)
    fees.check_not_dust(funding.amount_sat - fee, destination_script)
    tx = _unsigned(funding, funding.amount_sat - fee, destination_script, locktime)
    signed = signature(htlc.redeem_script, tx, 0, funding.amount_sat, secret_key)
    return _witnessed(tx, signed, branch, htlc)


def _unsigned(
    funding: Outpoint, amount_sat: int, destination_script: bytes, locktime: int
) -> CTransaction:
    output = CTxOut(amount_sat, CScript(destination_script))
    return CTransaction([input_of(funding)], [output], locktime, 2)


def _witnessed(tx: CTransaction, first: bytes, branch: Sequence[bytes], htlc: Htlc) -> CTransaction:
    return with_witnesses(tx, [[first, *branch, bytes(htlc.redeem_script)]])
