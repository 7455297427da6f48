"""Which way a taproot lock was spent, and the preimage if through the claim leaf.

Consensus allows one item more than a spend needs, the annex: the last of two or more that begins
with 50. A claimant who wants to hide the preimage could have a miner take one, so it is set aside
before a witness is read.
"""

import hashlib

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.htlc import PREIMAGE_BYTES
from bitcoin_scripts.spend import input_of
from bitcoin_scripts.taproot.lock import TaprootLock

ANNEX = 0x50

_CLAIM_ITEMS = 4  # signature, preimage, leaf, control block
_REFUND_ITEMS = 3  # signature, leaf, control block
_LEAF_AT = -2


def extract_preimage(tx: CTransaction, lock: TaprootLock) -> bytes | None:
    """The preimage that an input of `tx` reveals, or None when none does (a refund, say)."""
    for stack in map(_without_annex, _witness_stacks(tx)):
        if len(stack) != _CLAIM_ITEMS or stack[_LEAF_AT] != bytes(lock.claim_leaf):
            continue
        candidate = stack[1]
        hashed = hashlib.sha256(candidate).digest()
        if len(candidate) == PREIMAGE_BYTES and hashed == lock.terms.hashlock:
            return candidate
    return None


def is_refund(tx: CTransaction, lock: TaprootLock) -> bool:
    """Whether an input of `tx` has the shape of this lock's refund."""
    leaf = bytes(lock.refund_leaf)
    stacks = map(_without_annex, _witness_stacks(tx))
    return any(len(s) == _REFUND_ITEMS and s[_LEAF_AT] == leaf for s in stacks)


def is_cooperative(tx: CTransaction, funding: Outpoint) -> bool:
    """Whether `tx` spends this taproot output through its key, as only both shares can."""
    for tx_input, stack in zip(tx.vin, _witness_stacks(tx), strict=False):
        if tx_input.prevout == input_of(funding).prevout:
            return len(_without_annex(stack)) == 1
    return False


def _witness_stacks(tx: CTransaction) -> list[list[bytes]]:
    return [[bytes(item) for item in w.scriptWitness.stack] for w in tx.wit.vtxinwit]


def _without_annex(stack: list[bytes]) -> list[bytes]:
    has_annex = len(stack) > 1 and stack[-1][:1] == bytes([ANNEX])
    return stack[:-1] if has_annex else stack
