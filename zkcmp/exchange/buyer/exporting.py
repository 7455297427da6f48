"""A verified deal as plain files, for a verifier that is not this program.

    offer.zkcmp, request.zkcmp, delivery.zkcmp      the messages, as they were sent
    request.json                                    refund_key, threshold, method
    test_set.bin, verifying.key                     our own; a method without keys has none
    ciphertext.bin, proof.bin                       what the delivery holds, decrypted
    lock.zkcmp, lock-transaction.hex                once there is a lock

docs/formats.md describes each of them; experiments/verify_standalone.py reads them.
"""

import json
from pathlib import Path

from zkcmp.errors import DealError
from zkcmp.exchange.buyer.funding.signed_locks import SignedLocks
from zkcmp.exchange.buyer.verifying import read_delivery
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages.contents import FILE_NAMES
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.private.store import PRIVATE_FILE, copy_durably, make_private, write_atomic

LOCK_TRANSACTION = "lock-transaction.hex"
_OURS = {"test_set": "test_set.bin", "verifying.key": "verifying.key"}


def export_files(buyer: Party[BuyerState], deal: Deal[BuyerState], out: Path) -> list[str]:
    """Write the files into `out`, a directory that only we enter; return their names.

    What `out` had under these names is replaced, or removed where this deal has no such file.
    """
    state = deal.state
    if not state.delivery:
        raise DealError("the delivery was not verified yet; run `zkcmp buyer verify` first")
    delivery = read_delivery(buyer, deal, deal.offer(), deal.own(Kind.DELIVERY))
    asked = {
        "method": state.method,
        "refund_key": deal.keys().coin_public.hex(),
        "threshold": state.threshold,
    }
    written = {
        "request.json": (json.dumps(asked, indent=2) + "\n").encode("ascii"),
        "ciphertext.bin": delivery.ciphertext,
        "proof.bin": delivery.proof,
        LOCK_TRANSACTION: _announced_lock(deal),
    }
    copied = {deal.directory / name: copy for name, copy in _OURS.items()}
    for kind in (Kind.OFFER, Kind.REQUEST, Kind.DELIVERY, Kind.LOCK):
        copied[deal.own(kind)] = FILE_NAMES[kind]

    if out.exists() and not out.is_dir():
        raise DealError(f"{out} is not a directory; choose another --out")
    make_private(out)
    for name in (*written, *copied.values()):
        (out / name).unlink(missing_ok=True)
    for source, name in copied.items():
        if source.exists():
            copy_durably(source, out / name, PRIVATE_FILE, source.stat().st_size)
    for name, data in written.items():
        if data:
            write_atomic(out / name, data)
    return [name for name in (*copied.values(), *written) if (out / name).exists()]


def _announced_lock(deal: Deal[BuyerState]) -> bytes:
    """The transaction that the lock message names, in hexadecimal; empty before there is one."""
    for lock in SignedLocks(deal.directory).load():
        if lock.txid == deal.state.funding_txid:
            return f"{lock.transaction.serialize().hex()}\n".encode("ascii")
    return b""
