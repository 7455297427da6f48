"""The three spends of a taproot lock into one output: claim, refund, and with both shares.

output = amount - rate * vsize; sizes are exact, as every signature has 64 bytes. A transaction's
id is the same each time it is built; its signature is not (`schnorr`).
"""

import hashlib
from collections.abc import Sequence

from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import PREIMAGE_BYTES
from bitcoin_scripts.keys import public_key
from bitcoin_scripts.spend import input_of, with_witnesses
from bitcoin_scripts.taproot.aggregation import aggregate_secret
from bitcoin_scripts.taproot.lock import TaprootLock
from bitcoin_scripts.taproot.schnorr import SIGNATURE_BYTES, sign
from bitcoin_scripts.taproot.sighash import signature_digest
from bitcoin_scripts.taproot.tree import leaf_hash


def build_claim(
    lock: TaprootLock,
    funding: Outpoint,
    preimage: bytes,
    seller_secret_key: bytes,
    destination_script: bytes,
    fee_sat_per_vb: int,
) -> CTransaction:
    """The signed claim. Whoever sees it has the preimage, even if it is never mined.

    The caller must have checked what `claim.build_claim` says, and that it never handed over its
    share. Raises SettlementError when preimage or key do not fit, or for a fee out of bounds.
    """
    hashlock = lock.terms.hashlock
    if len(preimage) != PREIMAGE_BYTES or hashlib.sha256(preimage).digest() != hashlock:
        raise SettlementError("the preimage does not open this hashlock; check which deal it is of")
    if public_key(seller_secret_key) != lock.terms.seller_pubkey:
        raise SettlementError("the secret key is not the seller's of this lock; use the deal's key")
    tx = _unsigned(lock, funding, [preimage], lock.claim_leaf, destination_script, fee_sat_per_vb)
    return _signed(lock, funding, tx, [preimage], lock.claim_leaf, seller_secret_key)


def build_refund(
    lock: TaprootLock,
    funding: Outpoint,
    buyer_secret_key: bytes,
    destination_script: bytes,
    fee_sat_per_vb: int,
) -> CTransaction:
    """The signed refund; it may be built at once and is accepted from height `timeout_height` on.

    Raises SettlementError when the key is not the buyer's or the fee is out of bounds.
    """
    if public_key(buyer_secret_key) != lock.terms.buyer_pubkey:
        raise SettlementError("the secret key is not the buyer's of this lock; use the deal's key")
    tx = _unsigned(lock, funding, [], lock.refund_leaf, destination_script, fee_sat_per_vb)
    return _signed(lock, funding, tx, [], lock.refund_leaf, buyer_secret_key)


def build_cooperative(
    lock: TaprootLock,
    funding: Outpoint,
    seller_share_secret: bytes,
    buyer_share_secret: bytes,
    destination_script: bytes,
    fee_sat_per_vb: int,
) -> CTransaction:
    """The signed spend of whoever has both shares, at any time and without the preimage.

    Raises SettlementError when a share is not the one in the lock, or for a fee out of bounds.
    """
    secrets = (seller_share_secret, buyer_share_secret)
    publics = (lock.seller_share, lock.buyer_share)
    for secret, public, owner in zip(secrets, publics, ("seller", "buyer"), strict=True):
        if public_key(secret) != public:
            raise SettlementError(
                f"this is not the {owner}'s share of the lock; ask for the right one, or spend "
                "through your own leaf"
            )
    tx = _unsigned(lock, funding, [], None, destination_script, fee_sat_per_vb)
    secret = lock.tree.output_secret(aggregate_secret(secrets, publics))
    return _signed(lock, funding, tx, [], None, secret)


def _unsigned(
    lock: TaprootLock,
    funding: Outpoint,
    arguments: Sequence[bytes],
    leaf: CScript | None,
    destination_script: bytes,
    fee_sat_per_vb: int,
) -> CTransaction:
    """All of `funding`, less the fee, to the destination. Raises SettlementError as its callers."""
    locktime = lock.terms.timeout_height if leaf == lock.refund_leaf else 0

    def paying(amount_sat: int) -> CTransaction:
        output = CTxOut(amount_sat, CScript(destination_script))
        return CTransaction([input_of(funding)], [output], locktime, 2)

    draft = _witnessed(lock, paying(funding.amount_sat), arguments, leaf, bytes(SIGNATURE_BYTES))
    fee = fees.fee_sat(fees.vsize(draft), fee_sat_per_vb)
    fees.check_fee(fee, funding.amount_sat)
    fees.check_not_dust(funding.amount_sat - fee, destination_script)
    return paying(funding.amount_sat - fee)


def _signed(
    lock: TaprootLock,
    funding: Outpoint,
    tx: CTransaction,
    arguments: Sequence[bytes],
    leaf: CScript | None,
    secret_key: bytes,
) -> CTransaction:
    spent = CTxOut(funding.amount_sat, lock.script_pubkey)
    digest = signature_digest(tx, spent, None if leaf is None else leaf_hash(bytes(leaf)))
    return _witnessed(lock, tx, arguments, leaf, sign(secret_key, digest))


def _witnessed(
    lock: TaprootLock,
    tx: CTransaction,
    arguments: Sequence[bytes],
    leaf: CScript | None,
    signature: bytes,
) -> CTransaction:
    shown = [] if leaf is None else [bytes(leaf), lock.control_block(leaf)]
    return with_witnesses(tx, [[signature, *arguments, *shown]])
