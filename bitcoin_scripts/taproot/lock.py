"""The terms of `htlc` as a taproot output.

    claim leaf:   SIZE 32 EQUALVERIFY SHA256 <hashlock> EQUALVERIFY <seller> CHECKSIG
    refund leaf:  <timeout> CHECKLOCKTIMEVERIFY DROP <buyer> CHECKSIG
    internal key: aggregate of seller's and buyer's share, in this order

A claim's witness is [signature, preimage, leaf, control block] and a refund's [signature, leaf,
control block], each possibly with an annex behind it. Unlike with P2WSH nothing in them selects a
branch, and a third party can change no byte of them: the signature covers the annex.

The caller must still check what `htlc` says, and that its own share is one of the two.
"""

from dataclasses import dataclass

from bitcoin.core.script import (
    OP_1,
    OP_CHECKLOCKTIMEVERIFY,
    OP_CHECKSIG,
    OP_DROP,
    OP_EQUALVERIFY,
    OP_SHA256,
    OP_SIZE,
    CScript,
)
from embit import bech32

from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import PREIMAGE_BYTES, Htlc
from bitcoin_scripts.keys import BECH32_PREFIXES, check_public_key
from bitcoin_scripts.taproot.aggregation import aggregate
from bitcoin_scripts.taproot.tree import Tree, leaf_hash


@dataclass(frozen=True)
class TaprootLock:
    """The terms of one hash-locked taproot output; the shares are compressed public keys.

    Raises SettlementError for keys that are invalid or used twice. A share is handed over in the
    end, so one that is also a leaf's key would give that leaf away.
    """

    terms: Htlc
    seller_share: bytes
    buyer_share: bytes

    def __post_init__(self) -> None:
        check_public_key(self.seller_share, "seller's share")
        check_public_key(self.buyer_share, "buyer's share")
        keys = (self.terms.seller_pubkey, self.terms.buyer_pubkey)
        if len({key[1:] for key in (*keys, self.seller_share, self.buyer_share)}) != 4:
            raise SettlementError("one key is used twice in the lock; each must have its own")

    @property
    def claim_leaf(self) -> CScript:
        """The seller's script."""
        hashed = [OP_SIZE, bytes([PREIMAGE_BYTES]), OP_EQUALVERIFY]
        hashed += [OP_SHA256, self.terms.hashlock, OP_EQUALVERIFY]
        return CScript([*hashed, self.terms.seller_pubkey[1:], OP_CHECKSIG])

    @property
    def refund_leaf(self) -> CScript:
        """The buyer's script."""
        locked = [self.terms.timeout_height, OP_CHECKLOCKTIMEVERIFY, OP_DROP]
        return CScript([*locked, self.terms.buyer_pubkey[1:], OP_CHECKSIG])

    @property
    def tree(self) -> Tree:
        """Internal key and leaves."""
        leaves = leaf_hash(bytes(self.claim_leaf)), leaf_hash(bytes(self.refund_leaf))
        return Tree(aggregate([self.seller_share, self.buyer_share]), leaves)

    def control_block(self, leaf: CScript) -> bytes:
        """What a spend through one of the two leaves shows beside it."""
        return self.tree.control_block(leaf_hash(bytes(leaf)))

    @property
    def script_pubkey(self) -> CScript:
        """The output script: 1 <x of the output key>."""
        return CScript([OP_1, self.tree.output[0].to_bytes(32, "big")])

    def address(self, chain_name: str) -> str:
        """The bech32m address of the output on `main`, `testnet`, `signet` or `regtest`.

        Raises SettlementError for another chain.
        """
        if chain_name not in BECH32_PREFIXES:
            known = ", ".join(BECH32_PREFIXES)
            raise SettlementError(f"unknown chain {chain_name!r}; use one of {known}")
        program = bytes(self.script_pubkey)[2:]
        return str(bech32.encode(BECH32_PREFIXES[chain_name], 1, program))
