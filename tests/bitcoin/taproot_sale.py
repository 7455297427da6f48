"""A taproot lock on a fresh embedded chain, and spends of it made without the library's checks."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bitcoin.core import CTransaction, CTxIn, CTxOut, VarIntSerializer
from bitcoin.core.script import CScript
from bitcoin_sale import AMOUNT_SAT, ANYONE, BUYER, BUYER_SCRIPT, SELLER, SELLER_SCRIPT, terms

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.chain.consensus import verify_input
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.funding import build_lock
from bitcoin_scripts.keys import public_key
from bitcoin_scripts.spend import input_of, with_witnesses
from bitcoin_scripts.taproot.lock import TaprootLock
from bitcoin_scripts.taproot.schnorr import sign, tagged_hash
from bitcoin_scripts.taproot.shares import share_secret

SELLER_SHARE, BUYER_SHARE = share_secret(SELLER), share_secret(BUYER)
FUNDING = Outpoint("11" * 32, 0, 50_000)


def taproot_lock(**changed: object) -> TaprootLock:
    """The lock of `bitcoin_sale.terms`."""
    return TaprootLock(terms(**changed), public_key(SELLER_SHARE), public_key(BUYER_SHARE))  # type: ignore[arg-type]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def digest(
    tx: CTransaction, spent: CTxOut, leaf: bytes | None, annex: bytes | None = None
) -> bytes:
    """BIP 341's message for a transaction of one input, with an annex if there is one."""
    size = VarIntSerializer.serialize
    message = b"\x00\x00" + tx.nVersion.to_bytes(4, "little") + tx.nLockTime.to_bytes(4, "little")
    message += sha256(tx.vin[0].prevout.serialize()) + sha256(spent.nValue.to_bytes(8, "little"))
    message += sha256(size(len(spent.scriptPubKey)) + bytes(spent.scriptPubKey))
    message += sha256(tx.vin[0].nSequence.to_bytes(4, "little"))
    message += sha256(b"".join(out.serialize() for out in tx.vout))
    message += bytes([2 * (leaf is not None) + (annex is not None)]) + bytes(4)
    if annex is not None:
        message += sha256(size(len(annex)) + annex)
    if leaf is not None:
        message += tagged_hash("TapLeaf", b"\xc0", size(len(leaf)), leaf) + b"\x00" + b"\xff" * 4
    return tagged_hash("TapSighash", message)


@dataclass
class TaprootSale:
    """A lock in output `funding`, on a chain or not."""

    lock: TaprootLock
    funding: Outpoint
    chain: KernelChain | None = None

    def spend(
        self,
        arguments: Sequence[bytes],
        leaf: bytes | None,
        key: bytes,
        *,
        control: bytes | None = None,
        annex: bytes | None = None,
        locktime: int = 0,
        sequence: int = 0xFFFFFFFD,
    ) -> CTransaction:
        """A spend with these arguments, signed by `key` for this leaf, or for the key path."""
        outpoint = input_of(self.funding).prevout
        output = CTxOut(self.funding.amount_sat - 1000, CScript(SELLER_SCRIPT))
        tx = CTransaction([CTxIn(outpoint, nSequence=sequence)], [output], locktime, 2)
        stack = [sign(key, digest(tx, self.spent, leaf, annex)), *arguments]
        if leaf is not None:
            stack += [leaf, control or self.lock.control_block(CScript(leaf))]
        return with_witnesses(tx, [[*stack, *([] if annex is None else [annex])]])

    @property
    def spent(self) -> CTxOut:
        return CTxOut(self.funding.amount_sat, self.lock.script_pubkey)

    def accepts(self, tx: CTransaction) -> bool:
        """Whether the consensus code's script interpreter does."""
        return verify_input(tx, 0, [self.spent])


def open_taproot_sale(directory: Path) -> TaprootSale:
    """A chain at height 102 whose last block holds the lock."""
    chain = KernelChain(directory)
    chain.mine(1, BUYER_SCRIPT)
    chain.mine(100, ANYONE)
    lock = taproot_lock()
    # build_lock asks its terms for the output script only
    tx = build_lock(chain.find_spendable(BUYER_SCRIPT), lock, AMOUNT_SAT, BUYER_SCRIPT, BUYER, 3)  # type: ignore[arg-type]
    chain.broadcast(tx)
    chain.mine(1, ANYONE)
    (found,) = chain.find_output(lock.script_pubkey)
    return TaprootSale(lock, Outpoint(found.txid, found.vout, found.amount_sat), chain)
