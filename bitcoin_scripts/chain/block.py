"""Assembling and mining a regtest block: BIP 34 height, BIP 141 commitment, proof of work.

Times are one second after the parent's, so that the same calls make the same chain everywhere and
no machine's clock can make a block come from the future.
"""

from collections.abc import Sequence

from bitcoin.core import (
    CBlock,
    CBlockHeader,
    COutPoint,
    CTransaction,
    CTxIn,
    CTxInWitness,
    CTxOut,
    CTxWitness,
    Hash,
)
from bitcoin.core.script import OP_0, OP_RETURN, CScript, CScriptWitness

GENESIS_HASH = bytes.fromhex("06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f")
"""Of regtest, in serialised byte order."""

GENESIS_TIME = 1296688602

COINBASE_MATURITY = 100

_VERSION = 0x20000000
_BITS = 0x207FFFFF
_TARGET = 0x7FFFFF << 232
_HALVING_INTERVAL = 150  # regtest's
_FIRST_SUBSIDY_SAT = 50 * 100_000_000
_WITNESS_RESERVED = bytes(32)
_COMMITMENT_HEADER = bytes.fromhex("aa21a9ed")


def mine_block(
    previous_hash: bytes,
    previous_time: int,
    height: int,
    transactions: Sequence[CTransaction],
    fees_sat: int,
    to_script: bytes,
    branch: int = 0,
) -> CBlock:
    """A block with valid proof of work whose coinbase pays subsidy and fees to `to_script`.

    Of the same arguments it is the same block; another `branch` makes another one. Whether the
    transactions are valid is not looked at here.
    """
    reward_sat = (_FIRST_SUBSIDY_SAT >> height // _HALVING_INTERVAL) + fees_sat
    witness_root = merkle_root([bytes(32), *(tx.GetHash() for tx in transactions)])
    coinbase = _coinbase(height, branch, reward_sat, to_script, witness_root)
    block_transactions = [coinbase, *transactions]
    root = merkle_root([tx.GetTxid() for tx in block_transactions])
    nonce = 0
    while True:
        fields = (_VERSION, previous_hash, root, previous_time + 1, _BITS, nonce)
        if int.from_bytes(CBlockHeader(*fields).GetHash(), "little") <= _TARGET:
            return CBlock(*fields, vtx=block_transactions)
        nonce += 1


def merkle_root(hashes: Sequence[bytes]) -> bytes:
    """Bitcoin's Merkle root: an odd last node is paired with itself."""
    level = list(hashes)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [Hash(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def _coinbase(
    height: int, branch: int, reward_sat: int, to_script: bytes, witness_root: bytes
) -> CTransaction:
    commitment = _COMMITMENT_HEADER + Hash(witness_root + _WITNESS_RESERVED)
    return CTransaction(
        [CTxIn(COutPoint(), CScript([height, branch or OP_0]))],
        [CTxOut(reward_sat, CScript(to_script)), CTxOut(0, CScript([OP_RETURN, commitment]))],
        0,
        2,
        CTxWitness([CTxInWitness(CScriptWitness([_WITNESS_RESERVED]))]),
    )
