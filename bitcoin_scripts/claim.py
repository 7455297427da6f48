"""The seller's spend: the transaction that is paid for the preimage, and so publishes it."""

import hashlib

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import PREIMAGE_BYTES, Htlc
from bitcoin_scripts.keys import public_key
from bitcoin_scripts.spend import spend_htlc, spend_vsize


def build_claim(
    htlc: Htlc,
    funding: Outpoint,
    preimage: bytes,
    seller_secret_key: bytes,
    destination_script: bytes,
    fee_sat_per_vb: int,
) -> CTransaction:
    """The signed claim. Whoever sees it has the preimage, even if it is never mined.

    The caller must have checked that the lock is confirmed deep enough and that enough blocks
    remain before the timeout, after which the buyer's refund competes with this transaction.
    Raises SettlementError when preimage or key do not fit the terms, or for a fee out of bounds.
    """
    if len(preimage) != PREIMAGE_BYTES or hashlib.sha256(preimage).digest() != htlc.hashlock:
        raise SettlementError("the preimage does not open this hashlock; check which deal it is of")
    if public_key(seller_secret_key) != htlc.seller_pubkey:
        raise SettlementError("the secret key is not the seller's of this lock; use the deal's key")
    branch = [preimage, b"\x01"]
    return spend_htlc(
        htlc, funding, branch, seller_secret_key, destination_script, fee_sat_per_vb, locktime=0
    )


def claim_vsize(htlc: Htlc, destination_script: bytes) -> int:
    """Size of the claim in vbytes, whatever its fee."""
    return spend_vsize(htlc, [bytes(PREIMAGE_BYTES), b"\x01"], destination_script)
