"""What every chain has to do, whoever keeps it: one suite for the embedded chain and a real node.

A test module subclasses `ChainSuite` and has a fixture `bench`. Chains may be shared by tests and
be of any height, so each test has keys of its own and counts blocks from where it starts.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass

import pytest
from bitcoin.core import CTransaction
from bitcoin.core.script import CScript

from bitcoin_scripts.chain import Chain, FoundOutput, Outpoint, txid_of
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock, lock_outpoint
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import p2wpkh_script, public_key
from bitcoin_scripts.preimage import extract_preimage
from bitcoin_scripts.refund import build_refund

ANYONE = b"\x51"
AMOUNT_SAT = 1_000_000
NOWHERE = "ab" * 32
TIMEOUT_BLOCKS = 20


class Bench(ABC):
    """A chain, and power over what is mined on it."""

    chain: Chain

    @abstractmethod
    def mine(self, n: int = 1, script: bytes = ANYONE) -> None:
        """Mine blocks, the first with everything that waits."""

    @abstractmethod
    def reorganise(self, depth: int, forget: Collection[str] = ()) -> None:
        """Replace the last `depth` blocks by one more, all empty; what they had waits again.

        But for transactions in `forget`, and those that spend from them.
        """


@dataclass
class Parties:
    """A buyer with a coin, a seller, and the terms between them."""

    bench: Bench
    name: str

    def __post_init__(self) -> None:
        secrets = [hashlib.sha256(f"{self.name} {who}".encode()).digest() for who in "bsp"]
        self.buyer, self.seller, self.preimage = secrets
        self.buyer_script = p2wpkh_script(public_key(self.buyer))
        self.seller_script = p2wpkh_script(public_key(self.seller))
        self.start = self.chain.height()
        timeout_height = self.start + 101 + TIMEOUT_BLOCKS
        hashlock = hashlib.sha256(self.preimage).digest()
        self.htlc = Htlc(hashlock, public_key(self.seller), public_key(self.buyer), timeout_height)
        self.bench.mine(1, self.buyer_script)
        self.bench.mine(100)

    @property
    def chain(self) -> Chain:
        return self.bench.chain

    @property
    def script(self) -> CScript:
        return self.htlc.script_pubkey

    def build_lock(self, coins: list[FoundOutput] | None = None, fee: int = 3) -> CTransaction:
        coins = coins or self.chain.find_spendable(self.buyer_script)
        return build_lock(coins, self.htlc, AMOUNT_SAT, self.buyer_script, self.buyer, fee)

    def lock(self) -> Outpoint:
        """A lock with one confirmation."""
        tx = self.build_lock()
        self.chain.broadcast(tx)
        self.bench.mine()
        return lock_outpoint(tx, self.htlc)

    def claim(self, lock: Outpoint, fee: int = 3) -> CTransaction:
        return build_claim(self.htlc, lock, self.preimage, self.seller, self.seller_script, fee)

    def refund(self, lock: Outpoint, fee: int = 3) -> CTransaction:
        return build_refund(self.htlc, lock, self.buyer, self.buyer_script, fee)


@pytest.fixture
def parties(bench: Bench, request: pytest.FixtureRequest) -> Parties:
    return Parties(bench, request.node.nodeid)


class ChainSuite:
    """The tests."""

    def test_name(self, bench: Bench):
        assert bench.chain.name == "regtest"
        assert bench.chain.fee_rate(6) is None

    def test_unknown_things_are_none_or_zero(self, parties: Parties):
        chain = parties.chain
        assert chain.confirmations(NOWHERE) == 0
        assert chain.get_transaction(NOWHERE) is None
        assert chain.find_output(parties.script) == []
        assert chain.find_spendable(parties.script) == []
        assert chain.find_spend(Outpoint(NOWHERE, 0, 1)) is None
        lock = parties.lock()
        for vout in (7, 0xFFFFFFFE, 0xFFFFFFFF):
            assert chain.find_spend(Outpoint(lock.txid, vout, 1)) is None

    def test_coins_are_spendable_when_mature_and_until_a_spend_waits(self, parties: Parties):
        chain, bench = parties.chain, parties.bench
        [coin] = chain.find_spendable(parties.buyer_script)
        assert (coin.height, coin.coinbase, coin.spent_by) == (parties.start + 1, True, None)
        bench.mine(1, parties.buyer_script)
        bench.mine(98)
        assert chain.find_spendable(parties.buyer_script) == [coin]
        bench.mine()
        [_, second] = chain.find_spendable(parties.buyer_script)
        chain.broadcast(parties.build_lock([coin]))
        assert chain.find_spendable(parties.buyer_script) == [second]
        assert chain.find_spendable(parties.script) == []
        bench.mine()
        [_, change] = chain.find_spendable(parties.buyer_script)
        [lock] = chain.find_spendable(parties.script)
        assert change.txid == lock.txid
        assert not lock.coinbase

    def test_known_transactions_are_accepted_again(self, parties: Parties):
        chain, bench = parties.chain, parties.bench
        lock = parties.build_lock()
        txid = chain.broadcast(lock)
        assert txid == txid_of(lock) == chain.broadcast(lock)
        assert chain.get_transaction(txid) == lock
        assert chain.confirmations(txid) == 0
        bench.mine()
        assert chain.broadcast(lock) == txid
        assert chain.confirmations(txid) == 1
        chain.broadcast(parties.claim(lock_outpoint(lock, parties.htlc)))
        [change] = chain.find_spendable(parties.buyer_script)
        chain.broadcast(parties.build_lock([change]))
        bench.mine(2)  # now nothing of the first transaction is left to be found by
        assert chain.broadcast(lock) == txid
        assert chain.get_transaction(txid) == lock
        assert chain.confirmations(txid) == 3

    def test_a_child_needs_its_parent(self, parties: Parties):
        chain = parties.chain
        lock = parties.build_lock()
        claim = parties.claim(lock_outpoint(lock, parties.htlc))
        with pytest.raises(SettlementError, match=r"spends .*this chain does not have"):
            chain.broadcast(claim)
        assert chain.get_transaction(txid_of(claim)) is None
        chain.broadcast(lock)
        chain.broadcast(claim)
        parties.bench.mine()
        assert chain.confirmations(txid_of(claim)) == chain.confirmations(txid_of(lock)) == 1

    def test_what_is_spent_in_a_block_is_not_spent_again(self, parties: Parties):
        coins = parties.chain.find_spendable(parties.buyer_script)
        parties.lock()
        with pytest.raises(SettlementError, match=r"spen[dt]"):
            parties.chain.broadcast(parties.build_lock(coins, fee=50))

    def test_a_waiting_spend_gives_way_to_a_better_paid_one(self, parties: Parties):
        chain, lock = parties.chain, parties.lock()
        claims = [parties.claim(lock, fee) for fee in (3, 4, 9)]
        chain.broadcast(claims[1])
        with pytest.raises(SettlementError, match=r"replac"):
            chain.broadcast(claims[0])
        assert chain.find_spend(lock) == claims[1]
        chain.broadcast(claims[2])
        assert chain.find_spend(lock) == claims[2]
        assert chain.get_transaction(txid_of(claims[1])) is None
        [output] = chain.find_output(parties.seller_script, parties.start)
        assert (output.txid, output.height) == (txid_of(claims[2]), None)
        parties.bench.mine()
        assert chain.confirmations(txid_of(claims[2])) == 1
        assert chain.find_spend(lock) == claims[2]

    def test_a_replacement_takes_what_spends_from_the_replaced_with_it(self, parties: Parties):
        chain = parties.chain
        [coin] = chain.find_spendable(parties.buyer_script)
        lock = parties.build_lock([coin])
        chain.broadcast(lock)
        claim = parties.claim(lock_outpoint(lock, parties.htlc))
        chain.broadcast(claim)
        with pytest.raises(SettlementError, match=r"replac"):
            chain.broadcast(parties.build_lock([coin], fee=4))  # pays for the lock alone
        better = parties.build_lock([coin], fee=20)
        chain.broadcast(better)
        for gone in (lock, claim):
            assert chain.get_transaction(txid_of(gone)) is None
        assert [o.txid for o in chain.find_output(parties.script)] == [txid_of(better)]
        assert chain.find_output(parties.seller_script) == []

    def test_outputs_and_spends_from_a_height_on(self, parties: Parties):
        chain, bench = parties.chain, parties.bench
        tx = parties.build_lock()
        chain.broadcast(tx)
        place = lock_outpoint(tx, parties.htlc)
        [waiting] = chain.find_output(parties.script, chain.height())
        assert (waiting.txid, waiting.vout) == (place.txid, place.vout)
        assert (waiting.height, waiting.amount_sat, waiting.spent_by) == (None, AMOUNT_SAT, None)
        assert waiting.script_pubkey == bytes(parties.script)
        bench.mine(2)
        [mined] = chain.find_output(parties.script, chain.height() - 1)
        assert (mined.height, mined.spent_by) == (chain.height() - 1, None)
        assert chain.find_spend(mined, chain.height()) is None
        claim = parties.claim(mined)
        chain.broadcast(claim)
        assert chain.find_spend(mined, chain.height()) == claim
        [mined] = chain.find_output(parties.script, chain.height() - 1)
        assert mined.spent_by == txid_of(claim)
        bench.mine()
        assert chain.find_spend(mined, chain.height()) == claim
        assert chain.find_spend(mined) == claim
        bench.mine(3)
        [mined] = chain.find_output(parties.script, parties.start)
        assert (mined.height, mined.spent_by) == (parties.start + 102, txid_of(claim))

    def test_two_payments_to_one_script_are_both_found(self, parties: Parties):
        first = parties.lock()
        parties.chain.broadcast(parties.build_lock(fee=4))
        found = parties.chain.find_output(parties.script, parties.start)
        assert [o.height for o in found] == [parties.start + 102, None]
        parties.chain.broadcast(parties.claim(first))
        parties.bench.mine()
        [spent, unspent] = parties.chain.find_output(parties.script, parties.start)
        assert spent.txid == first.txid
        assert spent.spent_by
        assert unspent.spent_by is None

    def test_a_hash_is_found_once_a_spend_reveals_it(self, parties: Parties):
        """In the witness: the output has no more than a hash of the script with it."""
        chain, hashlock = parties.chain, parties.htlc.hashlock
        lock = parties.lock()
        assert chain.find_containing(hashlock, parties.start) == []
        claim = parties.claim(lock)
        chain.broadcast(claim)
        assert chain.find_containing(hashlock, parties.start) == [claim]
        parties.bench.mine()
        assert chain.find_containing(hashlock, parties.start) == [claim]
        assert chain.find_containing(hashlock, chain.height()) == [claim]
        parties.bench.mine()
        assert claim in chain.find_containing(hashlock)

    def test_the_preimage_is_read_before_the_claim_is_mined(self, parties: Parties):
        chain, lock = parties.chain, parties.lock()
        chain.broadcast(parties.claim(lock))
        for _ in range(2):
            claim = chain.find_spend(lock)
            assert claim is not None
            assert extract_preimage(claim, parties.htlc) == parties.preimage
            parties.bench.mine()
        assert chain.confirmations(txid_of(claim)) == 2
        [gained] = chain.find_spendable(parties.seller_script)
        assert gained.txid == txid_of(claim)

    def test_a_wrong_preimage_is_refused(self, parties: Parties):
        lock = parties.lock()
        claim = parties.claim(lock)
        witness = claim.wit.vtxinwit[0].scriptWitness
        stack = [item if item != parties.preimage else bytes(32) for item in witness.stack]
        forged = CTransaction.deserialize(claim.serialize())
        object.__setattr__(forged.wit.vtxinwit[0].scriptWitness, "stack", tuple(stack))
        assert forged.GetTxid() == claim.GetTxid()
        with pytest.raises(SettlementError, match=r"check key, preimage and amounts"):
            parties.chain.broadcast(forged)
        parties.chain.broadcast(claim)

    def test_a_refund_waits_for_its_height(self, parties: Parties):
        chain, lock = parties.chain, parties.lock()
        timeout, refund = parties.htlc.timeout_height, parties.refund(lock)
        parties.bench.mine(timeout - 1 - chain.height())
        with pytest.raises(
            SettlementError, match=f"locked until height {timeout}, wait for 1 more"
        ):
            chain.broadcast(refund)
        parties.bench.mine()
        chain.broadcast(refund)
        parties.bench.mine()
        assert chain.confirmations(txid_of(refund)) == 1
        spend = chain.find_spend(lock)
        assert spend == refund
        assert extract_preimage(spend, parties.htlc) is None

    def test_late_claim_and_refund_compete_by_fee(self, parties: Parties):
        chain, lock = parties.chain, parties.lock()
        parties.bench.mine(parties.htlc.timeout_height - chain.height())
        claim, refund = parties.claim(lock, 3), parties.refund(lock, 30)
        chain.broadcast(claim)
        chain.broadcast(refund)
        assert chain.find_spend(lock) == refund
        assert chain.get_transaction(txid_of(claim)) is None

    def test_a_reorganisation_puts_transactions_back_into_the_mempool(self, parties: Parties):
        chain, bench, lock = parties.chain, parties.bench, parties.lock()
        claim = parties.claim(lock)
        chain.broadcast(claim)
        bench.mine()
        assert (chain.confirmations(lock.txid), chain.confirmations(txid_of(claim))) == (2, 1)
        height = chain.height()
        bench.reorganise(1)
        assert chain.height() == height + 1
        assert (chain.confirmations(lock.txid), chain.confirmations(txid_of(claim))) == (3, 0)
        assert chain.find_spend(lock) == claim, "the key stays known"
        bench.reorganise(3)
        assert chain.confirmations(lock.txid) == 0
        assert chain.find_spend(lock) == claim
        [output] = chain.find_output(parties.script, parties.start)
        assert (output.height, output.spent_by) == (None, txid_of(claim))
        bench.mine()
        assert chain.confirmations(lock.txid) == chain.confirmations(txid_of(claim)) == 1

    def test_a_lock_that_was_reorganised_away_can_be_spent_twice(self, parties: Parties):
        chain, bench = parties.chain, parties.bench
        coins = chain.find_spendable(parties.buyer_script)
        lock = parties.lock()
        bench.mine()
        claim = parties.claim(lock)
        chain.broadcast(claim)
        bench.reorganise(2, forget=[lock.txid])
        for txid in (lock.txid, txid_of(claim)):
            assert chain.get_transaction(txid) is None
            assert chain.confirmations(txid) == 0
        assert chain.find_output(parties.script, parties.start) == []
        assert chain.find_spend(lock) is None
        assert chain.find_spendable(parties.buyer_script) == coins
        elsewhere = parties.build_lock(coins, fee=5)
        chain.broadcast(elsewhere)
        bench.mine()
        assert chain.confirmations(txid_of(elsewhere)) == 1
        with pytest.raises(SettlementError, match=r"spen[dt]|does not have"):
            chain.broadcast(claim)
        assert chain.find_spend(lock) is None

    def test_what_was_forgotten_can_be_sent_again(self, parties: Parties):
        chain, bench = parties.chain, parties.bench
        lock = parties.lock()
        tx = chain.get_transaction(lock.txid)
        assert tx is not None
        bench.reorganise(1, forget=[lock.txid])
        assert chain.confirmations(lock.txid) == 0
        chain.broadcast(tx)
        bench.mine()
        assert chain.confirmations(lock.txid) == 1
