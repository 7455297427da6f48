"""Reading the preimage out of a claim: sha256(preimage) = hashlock, checked here."""

import hashlib

from bitcoin.core import CTransaction

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
