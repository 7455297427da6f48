"""The buyer's spend after the timeout: nLockTime = timeout_height, the ELSE branch."""

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import public_key
from bitcoin_scripts.spend import spend_htlc, spend_vsize


def build_refund(
    htlc: Htlc,
    funding: Outpoint,
    buyer_secret_key: bytes,
    destination_script: bytes,
    fee_sat_per_vb: int,
) -> CTransaction:
    """The signed refund; it may be built at once and is accepted from height `timeout_height` on.

    (Chains accept it when the tip is at `timeout_height`, for the block after.) The seller's
    claim stays valid until the refund is mined. Raises SettlementError when the key is not the
    buyer's or the fee is out of bounds.
    """
    if public_key(buyer_secret_key) != htlc.buyer_pubkey:
        raise SettlementError("the secret key is not the buyer's of this lock; use the deal's key")
    locktime = htlc.timeout_height
    return spend_htlc(
        htlc, funding, [b""], buyer_secret_key, destination_script, fee_sat_per_vb, locktime
    )


def refund_vsize(htlc: Htlc, destination_script: bytes) -> int:
    """Size of the refund in vbytes, whatever its fee."""
    return spend_vsize(htlc, [b""], destination_script)
