"""A sale on a fresh embedded chain, and a judge that asks consensus code and nothing else."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bitcoin.core import CTransaction, CTxIn, CTxOut
from bitcoin.core.script import CScript

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.chain.block import mine_block
from bitcoin_scripts.chain.consensus import ConsensusChain, verify_input
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.funding import build_lock, lock_outpoint
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import p2wpkh_script, public_key
from bitcoin_scripts.spend import input_of, signature, with_witnesses

SELLER, BUYER, STRANGER = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
SELLER_SCRIPT, BUYER_SCRIPT = p2wpkh_script(public_key(SELLER)), p2wpkh_script(public_key(BUYER))
ANYONE = b"\x51"
PREIMAGE = bytes(range(32))
AMOUNT_SAT = 1_000_000
TIMEOUT_HEIGHT = 110


def terms(preimage: bytes = PREIMAGE, timeout_height: int = TIMEOUT_HEIGHT) -> Htlc:
    hashlock = hashlib.sha256(preimage).digest()
    return Htlc(hashlock, public_key(SELLER), public_key(BUYER), timeout_height)


@dataclass
class Sale:
    """A chain at height 102 whose last block holds the lock."""

    chain: KernelChain
    htlc: Htlc
    funding: Outpoint

    def spend(
        self,
        branch: Sequence[bytes],
        key: bytes,
        *,
        locktime: int = 0,
        sequence: int = 0xFFFFFFFD,
        amount_sat: int = AMOUNT_SAT - 1000,
        last_item: bytes | None = None,
    ) -> CTransaction:
        """Any spend of the lock, made without the library's checks."""
        tx_input = CTxIn(input_of(self.funding).prevout, nSequence=sequence)
        tx = CTransaction([tx_input], [CTxOut(amount_sat, CScript(SELLER_SCRIPT))], locktime, 2)
        script = bytes(self.htlc.redeem_script)
        signed = signature(script, tx, 0, self.funding.amount_sat, key)
        return with_witnesses(tx, [[signed, *branch, last_item or script]])

    def script_accepts(self, tx: CTransaction) -> bool:
        """The script interpreter alone."""
        return verify_input(tx, 0, [CTxOut(self.funding.amount_sat, self.htlc.script_pubkey)])

    def block_rejection(self, tx: CTransaction, scratch: Path) -> str:
        """Why consensus code refuses a block with `tx` on a replay of the chain; "" if it does not.

        Nothing of `KernelChain` or the builders is asked.
        """
        judge = ConsensusChain(scratch / "judge")
        try:
            assert all(judge.submit(raw) for raw in self.chain._blocks)
            index = self.chain._index
            fee_sat = self.funding.amount_sat - tx.vout[0].nValue
            height = index.height + 1
            block = mine_block(index.tip_hash, index.tip_time, height, [tx], fee_sat, ANYONE)
            accepted = judge.submit(block.serialize())
            assert accepted == (judge.height == height) == (judge.last_rejection == "")
            return judge.last_rejection
        finally:
            judge.close()

    def block_accepts(self, tx: CTransaction, scratch: Path) -> bool:
        return self.block_rejection(tx, scratch) == ""


def open_sale(chain: KernelChain, htlc: Htlc) -> Sale:
    chain.mine(1, BUYER_SCRIPT)
    chain.mine(100, ANYONE)
    coins = chain.find_spendable(BUYER_SCRIPT)
    tx = build_lock(coins, htlc, AMOUNT_SAT, BUYER_SCRIPT, BUYER, 3)
    chain.broadcast(tx)
    chain.mine(1, ANYONE)
    return Sale(chain, htlc, lock_outpoint(tx, htlc))
