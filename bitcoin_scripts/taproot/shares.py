"""A party's share of the internal key: derived from its key of the deal, and safe to hand over.

    share = 1 + HMAC-SHA512(key of the deal, label) mod (order - 1)

The deal's key signs for a leaf and is never shown. Whoever gets the share learns nothing about it,
and a party that restores the deal's key has its share again.
"""

import hashlib
import hmac

from bitcoin_scripts.ecdsa import ORDER
from bitcoin_scripts.keys import check_secret_key

_LABEL = b"zkcmp taproot share"


def share_secret(deal_secret_key: bytes) -> bytes:
    """The secret share of whoever has this key. Raises SettlementError for an invalid one."""
    check_secret_key(deal_secret_key)
    wide = int.from_bytes(hmac.digest(deal_secret_key, _LABEL, hashlib.sha512), "big")
    return (1 + wide % (ORDER - 1)).to_bytes(32, "big")
