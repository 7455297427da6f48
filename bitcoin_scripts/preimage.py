"""Reading the preimage out of a claim: sha256(preimage) = hashlock, checked here."""

import hashlib

from bitcoin.core import CTransaction, CTxWitness

from bitcoin_scripts.chain import Outpoint, spent_place
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import PREIMAGE_BYTES, Htlc, parse

_CLAIM_ITEMS = 4  # signature, preimage, true, redeem script
_REFUND_ITEMS = 3  # signature, false, redeem script


def extract_preimage(tx: CTransaction, lock: Htlc | bytes) -> bytes | None:
    """The preimage that an input of `tx` reveals, or None when none does (a refund, say).

    `lock` is the whole terms, or only the hashlock, which then any hash-lock script may carry.
    The item that selects the branch is not looked at: third parties can rewrite it (see `htlc`).
    """
    hashlock = lock.hashlock if isinstance(lock, Htlc) else lock
    for stack in _witness_stacks(tx):
        if len(stack) != _CLAIM_ITEMS or not _carries(stack[-1], lock):
            continue
        candidate = stack[1]
        if len(candidate) == PREIMAGE_BYTES and hashlib.sha256(candidate).digest() == hashlock:
            return candidate
    return None


def is_claim(tx: CTransaction, outpoint: Outpoint, htlc: Htlc) -> bool:
    """Whether `tx` spends this output of the lock by its preimage.

    Another input can have the same words in its witness, and the key in them, that mean nothing
    there: the consensus rules look at none of a witness program of an unknown version. So whoever
    asks who has the coins looks at the one input.
    """
    spends = [spent_place(each) == outpoint.place for each in tx.vin]
    own = [w for w, spends_it in zip(tx.wit.vtxinwit, spends, strict=False) if spends_it]
    alone = CTransaction(tx.vin, tx.vout, tx.nLockTime, tx.nVersion, CTxWitness(own))
    return extract_preimage(alone, htlc) is not None


def is_refund(tx: CTransaction, htlc: Htlc) -> bool:
    """Whether an input of `tx` has the shape of this lock's refund."""
    script = bytes(htlc.redeem_script)
    return any(len(s) == _REFUND_ITEMS and s[-1] == script for s in _witness_stacks(tx))


def _witness_stacks(tx: CTransaction) -> list[list[bytes]]:
    return [[bytes(item) for item in w.scriptWitness.stack] for w in tx.wit.vtxinwit]


def _carries(redeem_script: bytes, lock: Htlc | bytes) -> bool:
    if isinstance(lock, Htlc):
        return redeem_script == bytes(lock.redeem_script)
    try:
        return parse(redeem_script).hashlock == lock
    except SettlementError:
        return False
