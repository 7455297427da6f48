"""What one party accepts of the other, at its limits: the last value that will do, and the next."""

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from bitcoin.core import CTransaction, CTxIn, CTxOut

from bitcoin_scripts import fees
from bitcoin_scripts.chain import FoundOutput, Outpoint, txid_of
from bitcoin_scripts.fee_rates import FeeChoice
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import public_key
from zkcmp.errors import DealError, DecodeError, VerificationError
from zkcmp.exchange import checks
from zkcmp.exchange.checks import NotYet
from zkcmp.exchange.messages.contents import Delivery, Lock, Offer, Request
from zkcmp.exchange.messages.identity import ReadingKey, fingerprint
from zkcmp.exchange.method import FREIVALDS, FULL, Method
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.model.export_size import export_bytes
from zkcmp.model.layers import Dense, Flatten

ARCHITECTURE = Architecture((1, 1, 2), 4, (Flatten(), Dense(2, 2, 4, 8)))
TEST_SET = TestSet(np.array([[[[3, 1]]], [[[0, 2]]]]), np.array([0, 1]))
SELLER, BUYER, STRANGER = (public_key(bytes([n]) * 32) for n in (1, 2, 3))
READING = ReadingKey.generate().public_key
COIN = 100_000_000
CIPHERTEXT = b"\x09" * 64
OFFER = Offer(
    sender=b"\x01" * 32,
    digest=b"\x02" * 32,
    deal=b"\x03" * 16,
    claim_key=SELLER,
    reading_key=READING,
    commitment=b"\x05" * 32,
    ciphertext_digest=hashlib.sha256(CIPHERTEXT).digest(),
    n_blocks=2,
    chain="signet",
    price_sat=100_000,
    timeout_blocks=144,
    confirmations=6,
    min_blocks_left=36,
    expires_at=1000,
    architecture=ARCHITECTURE.to_bytes(),
)
REQUEST = Request(
    sender=b"\x06" * 32,
    digest=b"\x07" * 32,
    reading_key=READING,
    refund_key=BUYER,
    threshold=2,
    method=FREIVALDS.line,
    nonce=bytes(16),
    test_set=TEST_SET.to_bytes(),
)
DELIVERY = Delivery(b"\x01" * 32, b"\x08" * 32, REQUEST.digest, b"\x0a" * 32, CIPHERTEXT, b"proof")


@dataclass
class FakeChain:
    """A chain on which one transaction lies `depth` blocks deep below the tip."""

    name: str = "signet"
    tip: int = 1000
    depth: int = 6
    transactions: dict[str, CTransaction] = field(default_factory=dict)
    hidden_until_searched: bool = False
    spend: CTransaction | None = None
    rates: dict[int, int] = field(default_factory=dict)
    searched: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def height(self) -> int:
        return self.tip

    def confirmations(self, txid: str) -> int:
        return self.depth if txid in self.transactions else 0

    def get_transaction(self, txid: str) -> CTransaction | None:
        return None if self.hidden_until_searched else self.transactions.get(txid)

    def find_output(self, script_pubkey: bytes, since_height: int = 0) -> list[FoundOutput]:
        self.searched.append(since_height)
        self.hidden_until_searched = False
        return [
            FoundOutput(txid, n, out.nValue, bytes(script_pubkey), None, False, None)
            for txid, tx in self.transactions.items()
            for n, out in enumerate(tx.vout)
            if bytes(out.scriptPubKey) == bytes(script_pubkey)
        ]

    def find_spend(self, outpoint: Outpoint, since_height: int = 0) -> CTransaction | None:
        self.searched.append(since_height)
        return self.spend

    def fee_rate(self, target_blocks: int) -> int | None:
        self.asked.append(target_blocks)
        return self.rates.get(target_blocks)


MINED_AT = 995  # six confirmations at height 1000


def terms(timeout_height: int) -> Htlc:
    return Htlc(OFFER.commitment, SELLER, BUYER, timeout_height)


def locked(
    timeout_height: int = MINED_AT + 144, amount_sat: int = OFFER.price_sat, **chain: object
) -> tuple[Lock, FakeChain]:
    """A lock message and the chain that has its transaction."""
    htlc = terms(timeout_height)
    outputs = [CTxOut(7, b"\x51"), CTxOut(amount_sat, htlc.script_pubkey)]
    tx = CTransaction([CTxIn()], outputs)
    lock = Lock(
        sender=REQUEST.sender,
        digest=b"\x0b" * 32,
        deal=OFFER.deal,
        answers=DELIVERY.digest,
        redeem_script=bytes(htlc.redeem_script),
        txid=bytes.fromhex(txid_of(tx)),
        vout=1,
        amount_sat=OFFER.price_sat,
        timeout_height=timeout_height,
    )
    return lock, FakeChain(transactions={txid_of(tx): tx}, **chain)  # type: ignore[arg-type]


class TestTerms:
    @pytest.mark.parametrize(
        ("chain", "price_sat", "default", "least"),
        [
            ("regtest", 1000, 1, 1),
            ("regtest", 50 * COIN, 1, 1),
            ("signet", COIN - 1, 6, 3),
            ("signet", COIN, 7, 3),
            ("testnet", 2 * COIN, 8, 4),
            ("main", 10 * COIN, 16, 8),
            ("main", 993 * COIN, 999, 499),
            ("main", 994 * COIN, 1000, 500),
            ("main", 20_000_000 * COIN, 1000, 500),
        ],
    )
    def test_depth_grows_with_the_price(
        self, chain: str, price_sat: int, default: int, least: int
    ) -> None:
        assert checks.default_confirmations(chain, price_sat) == default
        assert checks.min_confirmations(chain, price_sat) == least

    @pytest.mark.parametrize(("chain", "least"), [("signet", 2), ("testnet", 3), ("main", 3)])
    def test_no_default_gives_one_or_two_blocks(
        self, monkeypatch: pytest.MonkeyPatch, chain: str, least: int
    ) -> None:
        monkeypatch.setattr(checks, "default_confirmations", lambda *_: 1)
        assert checks.min_confirmations(chain, 1000) == least

    def test_constants(self) -> None:
        """A party's risk is in them: a change has to be meant."""
        assert (checks.DEFAULT_TIMEOUT_BLOCKS, checks.MAX_TIMEOUT_BLOCKS) == (144, 2016)
        assert (checks.DEFAULT_MIN_BLOCKS_LEFT, checks.TIMEOUT_SLACK_BLOCKS) == (36, 6)
        assert (checks.SCAN_BLOCKS, checks.MIN_PRICE_SAT) == (13_000, 1000)

    @pytest.mark.parametrize(
        ("good", "bad", "said"),
        [
            ({"price_sat": 1000}, {"price_sat": 999}, "price"),
            ({"timeout_blocks": 2016}, {"timeout_blocks": 2017}, "timeout blocks"),
            ({"confirmations": 3}, {"confirmations": 2}, "offer: confirmations"),
            ({"min_blocks_left": 18}, {"min_blocks_left": 17}, "blocks left"),
            ({"timeout_blocks": 54}, {"timeout_blocks": 53}, "12 more to act in"),
            (
                {"chain": "regtest", "confirmations": 1, "min_blocks_left": 1, "timeout_blocks": 2},
                {"chain": "regtest", "confirmations": 1, "min_blocks_left": 1, "timeout_blocks": 1},
                "1 to be left, got 1",
            ),
            ({"n_blocks": 2}, {"n_blocks": 1}, "number of ciphertext blocks"),
            ({"n_blocks": 2}, {"n_blocks": 3}, "number of ciphertext blocks"),
        ],
    )
    def test_limits(self, good: dict[str, object], bad: dict[str, object], said: str) -> None:
        assert checks.check_offer(replace(OFFER, **good)) == ARCHITECTURE  # type: ignore[arg-type]
        with pytest.raises(VerificationError, match=said):
            checks.check_offer(replace(OFFER, **bad))  # type: ignore[arg-type]

    def test_keys(self) -> None:
        with pytest.raises(DecodeError, match="offer: claim key"):
            checks.check_offer(replace(OFFER, claim_key=b"\x02" + b"\xff" * 32))
        with pytest.raises(DecodeError, match="X25519"):
            checks.check_offer(replace(OFFER, reading_key=bytes(32)))

    def test_network_that_wraps_cannot_be_proved_or_not_be_written(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each of the three is asked, and none instead of another."""

        def refuse(_: object) -> None:
            raise VerificationError("asked")

        for name in ("check_no_wrap", "check_provable"):
            with monkeypatch.context() as patch:
                patch.setattr(checks, name, refuse)
                with pytest.raises(VerificationError, match="asked"):
                    checks.check_offer(OFFER)
        size = export_bytes(ARCHITECTURE)
        monkeypatch.setattr(checks, "MAX_EXPORT_BYTES", size)
        checks.check_offer(OFFER)
        monkeypatch.setattr(checks, "MAX_EXPORT_BYTES", size - 1)
        with pytest.raises(VerificationError, match="size of the ONNX file"):
            checks.check_offer(OFFER)


class TestWhatWasSaid:
    def test_real_coins_have_to_be_meant(self) -> None:
        checks.check_accepted_chain("main", True)
        checks.check_accepted_chain("signet", False)
        with pytest.raises(DealError, match="real coins"):
            checks.check_accepted_chain("main", False)

    def test_fingerprint(self) -> None:
        checks.check_fingerprint("seller", None, OFFER.sender)
        checks.check_fingerprint("seller", fingerprint(OFFER.sender), OFFER.sender)
        with pytest.raises(VerificationError, match="seller"):
            checks.check_fingerprint("seller", fingerprint(REQUEST.sender), OFFER.sender)

    @pytest.mark.parametrize("typed", ["", "9aac", fingerprint(OFFER.sender)[:-1], "g" * 32])
    def test_what_is_no_fingerprint_is_said_to_be(self, typed: str) -> None:
        with pytest.raises(VerificationError, match="a fingerprint is eight groups of four"):
            checks.check_fingerprint("seller", typed, OFFER.sender)

    def test_another_whole_fingerprint_is_just_another_one(self) -> None:
        with pytest.raises(VerificationError) as refusal:
            checks.check_fingerprint("seller", fingerprint(REQUEST.sender), OFFER.sender)
        assert "eight groups" not in str(refusal.value)

    def test_expiry(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checks.time, "time", lambda: 1000.0)
        checks.check_not_expired(OFFER)
        monkeypatch.setattr(checks.time, "time", lambda: 1000.5)
        with pytest.raises(DealError, match="1970-01-01 00:16 UTC"):
            checks.check_not_expired(OFFER)

    def test_mode(self) -> None:
        checks.check_mode(None, FULL)
        checks.check_mode("full", FULL)
        with pytest.raises(VerificationError, match="request: mode"):
            checks.check_mode("full", FREIVALDS)

    def test_chain(self) -> None:
        checks.check_chain(OFFER, FakeChain())  # type: ignore[arg-type]
        with pytest.raises(DealError, match="settles on signet, not on regtest"):
            checks.check_chain(OFFER, FakeChain("regtest"))  # type: ignore[arg-type]


class TestRequest:
    def test_the_test_set_is_returned(self) -> None:
        assert checks.check_request(REQUEST, OFFER, ARCHITECTURE) == TEST_SET

    @pytest.mark.parametrize(
        ("changed", "error", "said"),
        [
            ({"threshold": 3}, VerificationError, "at most 2 images"),
            ({"refund_key": SELLER}, VerificationError, "a key of the buyer's"),
            ({"refund_key": b"\x02" + b"\xff" * 32}, DecodeError, "request: refund key"),
            ({"reading_key": bytes(32)}, DecodeError, "X25519"),
            ({"test_set": b""}, DecodeError, "test set"),
            (
                {"test_set": TestSet(TEST_SET.images * 9, TEST_SET.labels).to_bytes()},
                VerificationError,
                "pixels",
            ),
        ],
    )
    def test_is_refused(
        self, changed: dict[str, object], error: type[Exception], said: str
    ) -> None:
        with pytest.raises(error, match=said):
            checks.check_request(replace(REQUEST, **changed), OFFER, ARCHITECTURE)  # type: ignore[arg-type]

    def test_size_of_its_proof(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[Architecture, int, Method]] = []
        monkeypatch.setattr(checks, "check_proof_size", lambda *args: asked.append(args))
        checks.check_request(REQUEST, OFFER, ARCHITECTURE)
        assert asked == [(ARCHITECTURE, 2, FREIVALDS)]


def test_delivery() -> None:
    checks.check_delivery(DELIVERY, OFFER, b"\x0a" * 32)
    with pytest.raises(VerificationError, match="hash of the ciphertext"):
        checks.check_delivery(replace(DELIVERY, ciphertext=bytes(64)), OFFER, b"\x0a" * 32)
    with pytest.raises(VerificationError, match="what to verify with"):
        checks.check_delivery(DELIVERY, OFFER, b"\x0b" * 32)


class TestLock:
    """Before the key is revealed."""

    def check(self, lock: Lock, chain: FakeChain) -> None:
        htlc, outpoint = checks.check_lock(lock, OFFER, BUYER, chain)  # type: ignore[arg-type]
        assert htlc == terms(lock.timeout_height)
        assert outpoint == Outpoint(lock.txid.hex(), 1, OFFER.price_sat)

    def test_a_good_one(self) -> None:
        lock, chain = locked()
        self.check(lock, chain)
        assert chain.searched == [MINED_AT - 144]  # and what a reorganisation may have moved

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"amount_sat": 99_999}, "amount in satoshi"),
            ({"amount_sat": 100_001}, "amount in satoshi"),
            ({"timeout_height": 1200}, "redeem script"),
            ({"vout": 2}, "below 2, got 2"),
            ({"vout": 0}, "script on the chain"),
        ],
    )
    def test_a_message_that_says_otherwise(self, changed: dict[str, int], said: str) -> None:
        lock, chain = locked()
        with pytest.raises(VerificationError, match=said):
            self.check(replace(lock, **changed), chain)  # type: ignore[arg-type]

    def test_a_script_that_is_none_or_has_others_keys(self) -> None:
        lock, chain = locked()
        with pytest.raises(DecodeError, match="lock: the redeem script"):
            self.check(replace(lock, redeem_script=b"\x51"), chain)
        for refund_key, offer in (
            (SELLER, replace(OFFER, claim_key=BUYER)),
            (STRANGER, OFFER),
            (BUYER, replace(OFFER, commitment=bytes(32))),
        ):
            with pytest.raises(VerificationError, match="redeem script"):
                checks.lock_terms(lock, offer, refund_key)

    def test_another_chain(self) -> None:
        with pytest.raises(DealError, match="settles on signet"):
            self.check(*locked(name="regtest"))

    @pytest.mark.parametrize("amount_sat", [99_999, 100_001])
    def test_another_amount_on_the_chain(self, amount_sat: int) -> None:
        with pytest.raises(VerificationError, match="amount on the chain"):
            self.check(*locked(amount_sat=amount_sat))

    @pytest.mark.parametrize("later", [0, 6])
    def test_a_timeout_as_agreed_or_a_little_later(self, later: int) -> None:
        self.check(*locked(MINED_AT + 144 + later))

    def test_a_later_timeout(self) -> None:
        with pytest.raises(VerificationError, match="at most 1145, 144 blocks after the lock"):
            self.check(*locked(MINED_AT + 144 + 7))

    def test_one_block_too_few_confirmations(self) -> None:
        self.check(*locked(tip=1000, depth=6))
        with pytest.raises(NotYet, match=r"5 of 6 confirmations; repeat this later, up to.* 1103"):
            self.check(*locked(tip=999, depth=5))

    def test_the_last_block_at_which_the_key_may_be_revealed(self) -> None:
        last = MINED_AT + 144 - 36
        self.check(*locked(tip=last, depth=last + 1 - MINED_AT))
        with pytest.raises(DealError, match=r"only 35 blocks.* up to height 1103"):
            self.check(*locked(tip=last + 1, depth=last + 2 - MINED_AT))

    def test_a_lock_that_is_deep_enough_only_when_it_is_too_late(self) -> None:
        """Told while it waits: at its sixth confirmation, height 1000, 36 blocks must be left."""
        with pytest.raises(NotYet, match="1 of 6 confirmations"):
            self.check(*locked(1000 + 36, tip=995, depth=1))
        with pytest.raises(DealError, match=r"6 confirmations at height 1000 at the earliest.* 35"):
            self.check(*locked(1000 + 35, tip=995, depth=1))

    def test_spent_already(self) -> None:
        with pytest.raises(DealError, match="spent already"):
            self.check(*locked(spend=CTransaction()))

    def test_found_only_by_a_search(self) -> None:
        """A node without an index knows a transaction once it has looked at its block."""
        lock, chain = locked(hidden_until_searched=True)
        self.check(lock, chain)
        assert chain.searched == [MINED_AT - 144, MINED_AT - 144]

    def test_not_on_the_chain(self) -> None:
        lock, chain = locked()
        with pytest.raises(
            NotYet, match=f"{'ab' * 32} is not on the chain yet, but {lock.txid.hex()}"
        ):
            self.check(replace(lock, txid=b"\xab" * 32), chain)
        chain.transactions.clear()
        with pytest.raises(NotYet, match=r"is not on the chain yet; repeat this later$"):
            self.check(lock, chain)

    def test_not_on_our_regtest_chain(self) -> None:
        """Two home directories have two of them."""
        lock, chain = locked()
        chain.transactions.clear()
        chain.name, offer = "regtest", replace(OFFER, chain="regtest")
        with pytest.raises(NotYet, match="the embedded chain, the buyer's has to be named, by --c"):
            checks.check_lock(lock, offer, BUYER, chain)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("timeout", "tip", "first"), [(100, 50, 0), (20_000, 20_000, 19_712), (288, 13_001, 1)]
    )
    def test_how_far_back_is_searched(self, timeout: int, tip: int, first: int) -> None:
        chain = FakeChain(tip=tip)
        assert checks.first_height(timeout, OFFER, chain) == first  # type: ignore[arg-type]


class TestFirstClaim:
    """The rate of the transaction that reveals the key, `left` blocks before the timeout."""

    def rate(
        self, choice: FeeChoice, left: int = 90, affordable: int = 10_000, **chain: object
    ) -> tuple[int, FakeChain]:
        fake = FakeChain(**chain)  # type: ignore[arg-type]
        rate = checks.first_claim_rate(fake, choice, fake.tip + left, affordable)  # type: ignore[arg-type]
        return rate, fake

    def test_the_estimate_for_a_sixth_of_the_blocks(self) -> None:
        rate, chain = self.rate(FeeChoice(), left=24, rates={4: 30, 8: 20})
        assert rate == 30
        assert set(chain.asked) == {4, 8}

    def test_mainnet_needs_an_estimate_or_a_word(self) -> None:
        with pytest.raises(NotYet, match="knows no fee rates yet"):
            self.rate(FeeChoice(), name="main")
        assert self.rate(FeeChoice(3), name="main")[0] == 3
        assert self.rate(FeeChoice(), name="main", rates={6: 12})[0] == 12
        assert self.rate(FeeChoice())[0] == 2

    def test_more_than_it_may_pay(self) -> None:
        assert self.rate(FeeChoice(), rates={6: 40}, affordable=40)[0] == 40
        with pytest.raises(NotYet, match=r"about 41 sat/vB now, and 40 .* --accept-high-fee"):
            self.rate(FeeChoice(), rates={6: 41}, affordable=40)
        with pytest.raises(NotYet, match=r"fees have fallen$"):
            self.rate(FeeChoice(accept_high=True), rates={6: 41}, affordable=40)
        said = FeeChoice(41)
        assert self.rate(said, affordable=40)[0] == 41  # whether it can be paid is asked later

    def test_a_rate_at_which_it_would_not_be_mined(self) -> None:
        """What was said is held to the estimate for a third of the blocks, at most a day."""
        assert self.rate(FeeChoice(7), rates={30: 7})[0] == 7
        with pytest.raises(NotYet, match=r"at 6 sat/vB .* in the 90 blocks .* 7 sat/vB"):
            self.rate(FeeChoice(6), rates={30: 7})
        with pytest.raises(NotYet, match="might not be mined"):
            self.rate(FeeChoice(6), left=2, rates={1: 7})
        with pytest.raises(NotYet, match="might not be mined"):
            self.rate(FeeChoice(6), left=3 * 145, rates={144: 7})

    def test_a_node_gone_wrong_does_not_ask_for_more_than_the_ceiling(self) -> None:
        ceiling = fees.CEILING_SAT_PER_VB
        assert self.rate(FeeChoice(ceiling), rates={30: 9 * ceiling})[0] == ceiling
        with pytest.raises(NotYet, match="might not be mined"):
            self.rate(FeeChoice(ceiling - 1), rates={30: 9 * ceiling})
