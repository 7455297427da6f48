"""Lock, claim and refund: golden bytes, sizes, fees, and what their builders refuse."""

import hashlib
import json
from pathlib import Path

import pytest
from bitcoin.core import CTransaction, CTxOut
from bitcoin_sale import (
    AMOUNT_SAT,
    BUYER,
    BUYER_SCRIPT,
    PREIMAGE,
    SELLER,
    SELLER_SCRIPT,
    STRANGER,
    Sale,
    terms,
)

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.chain.consensus import verify_input
from bitcoin_scripts.claim import build_claim, claim_vsize
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock, lock_outpoint
from bitcoin_scripts.keys import p2wpkh_script, public_key
from bitcoin_scripts.preimage import extract_preimage, is_refund
from bitcoin_scripts.refund import build_refund, refund_vsize

FUNDING = Outpoint("11" * 32, 0, 50_000)
COIN = Outpoint("22" * 32, 1, 2_000_000)
GOLDEN = json.loads((Path(__file__).parent / "golden_transactions.json").read_text())


def claim(fee_sat_per_vb: int = 5, funding: Outpoint = FUNDING) -> CTransaction:
    return build_claim(terms(), funding, PREIMAGE, SELLER, SELLER_SCRIPT, fee_sat_per_vb)


def refund(fee_sat_per_vb: int = 5) -> CTransaction:
    return build_refund(terms(), FUNDING, BUYER, BUYER_SCRIPT, fee_sat_per_vb)


def lock(coins: list[Outpoint], amount_sat: int = AMOUNT_SAT, rate: int = 2) -> CTransaction:
    return build_lock(coins, terms(), amount_sat, BUYER_SCRIPT, BUYER, rate)


def test_golden_transactions_are_built_and_valid():
    """`golden_transactions.json`: the claim of FUNDING, its refund and a lock of COIN, as hex."""
    built = {"claim": claim(), "refund": refund(), "lock": lock([COIN])}
    assert {name: tx.serialize().hex() for name, tx in built.items()} == GOLDEN
    locked = CTxOut(FUNDING.amount_sat, terms().script_pubkey)
    coin = CTxOut(COIN.amount_sat, BUYER_SCRIPT)
    for name, spent in [("claim", locked), ("refund", locked), ("lock", coin)]:
        assert verify_input(CTransaction.deserialize(bytes.fromhex(GOLDEN[name])), 0, [spent])


def test_claim_and_refund_can_be_replaced_and_only_the_refund_waits():
    assert (claim().nLockTime, refund().nLockTime) == (0, 110)
    for tx in (claim(), refund(), lock([COIN])):
        assert [i.nSequence for i in tx.vin] == [0xFFFFFFFD]


@pytest.mark.parametrize("rate", [1, 5, 80])
def test_the_fee_is_the_rate_times_the_size(rate: int):
    for tx, spent in [
        (claim(rate), FUNDING.amount_sat),
        (refund(rate), FUNDING.amount_sat),
        (lock([COIN], rate=rate), COIN.amount_sat),
    ]:
        fee = spent - sum(o.nValue for o in tx.vout)
        assert 0 <= fee - rate * fees.vsize(tx) <= rate


@pytest.mark.parametrize("rate", [1, 5, 40])
def test_sizes_are_known_beforehand(rate: int):
    """A signature may be a byte or two shorter than was reckoned with, and never longer."""
    for size, tx in (
        (claim_vsize(terms(), SELLER_SCRIPT), claim(rate)),
        (refund_vsize(terms(), BUYER_SCRIPT), refund(rate)),
    ):
        assert fees.vsize(tx) <= size <= fees.vsize(tx) + 1


def test_vsize_is_that_of_bip_141():
    tx = CTransaction.deserialize(claim().serialize())
    stripped = CTransaction(tx.vin, tx.vout, tx.nLockTime, tx.nVersion)
    weight = 3 * len(stripped.serialize()) + len(tx.serialize())
    assert fees.vsize(tx) == -(-weight // 4)
    assert fees.vsize(stripped) == len(stripped.serialize())


def test_fees_that_eat_the_amount_are_refused():
    limit = FUNDING.amount_sat // 2 // fees.vsize(claim())
    claim(limit)
    with pytest.raises(SettlementError, match="lower fee rate"):
        claim(limit + 1)
    with pytest.raises(SettlementError, match="lower fee rate"):
        refund(2 * limit)
    with pytest.raises(SettlementError, match="lower fee rate"):
        lock([COIN], amount_sat=1_000, rate=10)
    for rate in (0, -1):
        with pytest.raises(SettlementError, match="at least 1 sat/vB"):
            claim(rate)


def test_dust_limits_are_bitcoin_cores():
    limits = {
        bytes(SELLER_SCRIPT): 294,
        bytes(terms().script_pubkey): 330,
        bytes.fromhex("5120" + "00" * 32): 330,
        bytes.fromhex("76a914" + "00" * 20 + "88ac"): 546,
        bytes.fromhex("a914" + "00" * 20 + "87"): 540,
    }
    assert {script: fees.dust_limit_sat(script) for script in limits} == limits
    with pytest.raises(SettlementError, match="is dust"):
        claim(1, Outpoint("11" * 32, 0, 400))
    with pytest.raises(SettlementError, match="is dust"):
        lock([COIN], amount_sat=329)


def test_claim_refuses_what_is_not_its_own():
    htlc = terms()
    for preimage in (bytes(32), PREIMAGE[:31], PREIMAGE + b"\x00", b""):
        with pytest.raises(SettlementError, match="does not open"):
            build_claim(htlc, FUNDING, preimage, SELLER, SELLER_SCRIPT, 5)
    long = terms(bytes(33))
    with pytest.raises(SettlementError, match="does not open"):
        build_claim(long, FUNDING, bytes(33), SELLER, SELLER_SCRIPT, 5)
    for key in (BUYER, STRANGER):
        with pytest.raises(SettlementError, match="not the seller's"):
            build_claim(htlc, FUNDING, PREIMAGE, key, SELLER_SCRIPT, 5)
    for key in (SELLER, STRANGER):
        with pytest.raises(SettlementError, match="not the buyer's"):
            build_refund(htlc, FUNDING, key, BUYER_SCRIPT, 5)


@pytest.mark.parametrize(
    "funding",
    [
        Outpoint("11" * 31, 0, 50_000),
        Outpoint("zz" * 32, 0, 50_000),
        Outpoint("11" * 32, -1, 50_000),
        Outpoint("11" * 32, 2**32, 50_000),
        Outpoint("11" * 32, 0, 0),
    ],
)
def test_malformed_outpoints_are_refused(funding: Outpoint):
    with pytest.raises(SettlementError, match="malformed"):
        claim(5, funding)


def test_lock_takes_the_fewest_coins_and_returns_the_change():
    coins = [Outpoint(f"{i:02x}" * 32, 0, 600_000) for i in range(1, 5)]
    tx = lock([*coins, coins[0]])
    assert len(tx.vin) == 2
    assert tx.vout[0].nValue == AMOUNT_SAT
    assert bytes(tx.vout[1].scriptPubKey) == bytes(BUYER_SCRIPT)
    assert lock_outpoint(tx, terms()) == Outpoint(txid_of(tx), 0, AMOUNT_SAT)


def test_lock_leaves_change_that_is_dust_to_the_fee():
    bare = fees.vsize(lock([Outpoint("22" * 32, 0, AMOUNT_SAT + 300)], rate=1))
    for excess, outputs in [(0, 1), (293, 1), (294 + 31, 2)]:
        tx = lock([Outpoint("22" * 32, 0, AMOUNT_SAT + bare + excess)], rate=1)
        assert len(tx.vout) == outputs, excess
    with pytest.raises(SettlementError, match="do not cover"):
        lock([Outpoint("22" * 32, 0, AMOUNT_SAT + bare - 2)], rate=1)
    with pytest.raises(SettlementError, match="do not cover"):
        lock([])


def test_lock_of_several_coins_confirms(sale: Sale):
    chain, own = sale.chain, p2wpkh_script(public_key(STRANGER))
    chain.mine(3, own)
    chain.mine(100, SELLER_SCRIPT)
    coins = chain.find_spendable(own)
    assert len(coins) == 3
    amount_sat = sum(c.amount_sat for c in coins) - 10_000
    htlc = terms(timeout_height=1000)
    tx = build_lock(coins, htlc, amount_sat, own, STRANGER, 3)
    chain.broadcast(tx)
    chain.mine(1, SELLER_SCRIPT)
    assert chain.find_output(htlc.script_pubkey)[0].amount_sat == amount_sat


def test_lock_outpoint_wants_exactly_one_payment():
    tx = lock([COIN])
    with pytest.raises(SettlementError, match="pays 0 times"):
        lock_outpoint(tx, terms(timeout_height=111))
    twice = CTransaction(tx.vin, [tx.vout[0], *tx.vout], 0, 2, tx.wit)
    with pytest.raises(SettlementError, match="pays 2 times"):
        lock_outpoint(twice, terms())


def test_preimage_is_read_from_the_right_claim_only():
    tx, hashlock = claim(), hashlib.sha256(PREIMAGE).digest()
    assert extract_preimage(tx, terms()) == extract_preimage(tx, hashlock) == PREIMAGE
    assert extract_preimage(tx, terms(timeout_height=111)) is None
    assert extract_preimage(tx, terms(b"x" * 32)) is None
    assert extract_preimage(tx, bytes(32)) is None
    assert extract_preimage(refund(), terms()) is None
    assert extract_preimage(lock([COIN]), hashlock) is None
    assert (is_refund(refund(), terms()), is_refund(tx, terms())) == (True, False)
    assert not is_refund(refund(), terms(timeout_height=111))


def test_preimage_of_another_shape_is_not_taken(sale: Sale):
    honest = sale.spend([PREIMAGE, b"\x01"], SELLER)
    assert extract_preimage(honest, sale.htlc) == PREIMAGE
    for branch in (
        [PREIMAGE],
        [PREIMAGE, b"\x01", b"\x01"],
        [b"\x01", PREIMAGE],
        [bytes(32), b"\x01"],
    ):
        assert extract_preimage(sale.spend(branch, SELLER), sale.htlc) is None
    other = sale.spend([PREIMAGE, b"\x01"], SELLER, last_item=b"\x51")
    assert extract_preimage(other, sale.htlc) is None
    assert extract_preimage(other, sale.htlc.hashlock) is None
