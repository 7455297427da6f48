"""A taproot lock's terms and builders: sizes, fees, and what they refuse."""

import pytest
from bitcoin.core import CTransaction
from bitcoin_sale import BUYER, BUYER_SCRIPT, PREIMAGE, SELLER, SELLER_SCRIPT, STRANGER, terms
from taproot_sale import BUYER_SHARE, FUNDING, SELLER_SHARE, TaprootSale, taproot_lock

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.ecdsa import ORDER
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import public_key
from bitcoin_scripts.spend import with_witnesses
from bitcoin_scripts.taproot.lock import TaprootLock
from bitcoin_scripts.taproot.preimage import extract_preimage, is_cooperative, is_refund
from bitcoin_scripts.taproot.spends import build_claim, build_cooperative, build_refund

LOCK = taproot_lock()


def claim(rate: int = 5, funding: Outpoint = FUNDING) -> CTransaction:
    return build_claim(LOCK, funding, PREIMAGE, SELLER, SELLER_SCRIPT, rate)


def refund(rate: int = 5) -> CTransaction:
    return build_refund(LOCK, FUNDING, BUYER, BUYER_SCRIPT, rate)


def close(rate: int = 5) -> CTransaction:
    return build_cooperative(LOCK, FUNDING, SELLER_SHARE, BUYER_SHARE, BUYER_SCRIPT, rate)


def test_golden_output():
    """Pinned, so that a lock made today can be spent by what is written tomorrow."""
    assert (
        bytes(LOCK.script_pubkey).hex()
        == "5120d6cbd2606d64e12abeaabb7d6db49c6c6064dbf39db2c3423cad37b69291b6af"
    )
    assert (
        LOCK.address("regtest")
        == "bcrt1p6m9aycrdvnsj4042hd7kmdyud3sxfklnnkevxs3u45mmdy53k6hsj3xth8"
    )
    assert bytes(LOCK.claim_leaf).hex() == (
        "82012088a820" + LOCK.terms.hashlock.hex() + "8820" + public_key(SELLER)[1:].hex() + "ac"
    )
    assert bytes(LOCK.refund_leaf).hex() == "016eb17520" + public_key(BUYER)[1:].hex() + "ac"


def test_addresses_name_their_chain():
    prefixes = {"main": "bc1p", "testnet": "tb1p", "signet": "tb1p", "regtest": "bcrt1p"}
    for chain, prefix in prefixes.items():
        assert LOCK.address(chain).startswith(prefix)
    with pytest.raises(SettlementError, match="unknown chain"):
        LOCK.address("litecoin")


def test_spends_are_accepted_and_can_be_replaced_and_only_the_refund_waits():
    sale = TaprootSale(LOCK, FUNDING)
    for tx, locktime in ((claim(), 0), (refund(), 110), (close(), 0)):
        assert sale.accepts(tx)
        assert tx.nLockTime == locktime
        assert [i.nSequence for i in tx.vin] == [0xFFFFFFFD]


def test_same_transaction_each_time_but_for_its_signature():
    for build in (claim, refund, close):
        assert build().GetTxid() == build().GetTxid()
        assert build().GetHash() != build().GetHash()


@pytest.mark.parametrize("rate", [1, 5, 80])
def test_the_fee_is_exactly_the_rate_times_the_size(rate: int):
    for tx, size in ((claim(rate), 143), (refund(rate), 126), (close(rate), 99)):
        assert fees.vsize(tx) == size
        assert FUNDING.amount_sat - tx.vout[0].nValue == rate * size


def test_fees_and_dust_out_of_bounds_are_refused():
    for build in (claim, refund, close):
        with pytest.raises(SettlementError, match="lower fee rate"):
            build(300)
        with pytest.raises(SettlementError, match="at least 1 sat/vB"):
            build(0)
    with pytest.raises(SettlementError, match="is dust"):
        claim(1, Outpoint("11" * 32, 0, 400))
    with pytest.raises(SettlementError, match="malformed"):
        claim(1, Outpoint("11" * 31, 0, 50_000))


def test_builders_refuse_what_is_not_the_locks():
    for preimage in (bytes(32), PREIMAGE[:31], PREIMAGE + b"\x00", b""):
        with pytest.raises(SettlementError, match="does not open"):
            build_claim(LOCK, FUNDING, preimage, SELLER, SELLER_SCRIPT, 5)
    for key in (BUYER, STRANGER, SELLER_SHARE):
        with pytest.raises(SettlementError, match="not the seller's"):
            build_claim(LOCK, FUNDING, PREIMAGE, key, SELLER_SCRIPT, 5)
    for key in (SELLER, STRANGER, BUYER_SHARE):
        with pytest.raises(SettlementError, match="not the buyer's"):
            build_refund(LOCK, FUNDING, key, BUYER_SCRIPT, 5)
    mirrored = (ORDER - int.from_bytes(SELLER_SHARE, "big")).to_bytes(32, "big")
    for share in (BUYER_SHARE, SELLER, mirrored):
        with pytest.raises(SettlementError, match="not the seller's share"):
            build_cooperative(LOCK, FUNDING, share, BUYER_SHARE, BUYER_SCRIPT, 5)
    with pytest.raises(SettlementError, match="not the buyer's share"):
        build_cooperative(LOCK, FUNDING, SELLER_SHARE, SELLER_SHARE, BUYER_SCRIPT, 5)
    with pytest.raises(SettlementError, match="not a secp256k1 secret key"):
        build_cooperative(LOCK, FUNDING, bytes(32), BUYER_SHARE, BUYER_SCRIPT, 5)


def mirrored(key: bytes) -> bytes:
    """The other point with the same x."""
    return bytes([5 - key[0]]) + key[1:]


def test_no_key_is_used_twice():
    """Whoever got a share that is also a leaf's key could spend through that leaf."""
    seller, buyer = public_key(SELLER), public_key(BUYER)
    shares = LOCK.seller_share, LOCK.buyer_share
    for key in (seller, buyer, mirrored(seller), mirrored(buyer)):
        with pytest.raises(SettlementError, match="used twice"):
            TaprootLock(terms(), key, shares[1])
        with pytest.raises(SettlementError, match="used twice"):
            TaprootLock(terms(), shares[0], key)
    with pytest.raises(SettlementError, match="used twice"):
        TaprootLock(terms(), shares[0], mirrored(shares[0]))
    with pytest.raises(SettlementError, match="buyer's share"):
        TaprootLock(terms(), shares[0], b"\x02" + b"\xff" * 32)


def test_every_term_changes_the_output():
    others = [
        taproot_lock(preimage=b"x" * 32),
        taproot_lock(timeout_height=111),
        TaprootLock(terms(), LOCK.seller_share, public_key(STRANGER)),
        TaprootLock(terms(), public_key(STRANGER), LOCK.buyer_share),
        TaprootLock(terms(), mirrored(LOCK.seller_share), LOCK.buyer_share),
    ]
    assert len({bytes(lock.script_pubkey) for lock in (LOCK, *others)}) == 6


def test_preimage_is_read_from_this_locks_claim_only():
    assert extract_preimage(claim(), LOCK) == PREIMAGE
    assert extract_preimage(claim(), taproot_lock(preimage=b"x" * 32)) is None
    assert extract_preimage(refund(), LOCK) is None
    assert extract_preimage(close(), LOCK) is None
    assert (is_refund(refund(), LOCK), is_refund(claim(), LOCK)) == (True, False)
    assert not is_refund(refund(), taproot_lock(timeout_height=111))
    assert not is_cooperative(close(), Outpoint("22" * 32, 0, 1))


def test_preimage_of_another_shape_is_not_taken():
    leaf, control = bytes(LOCK.claim_leaf), LOCK.control_block(LOCK.claim_leaf)
    good = [bytes(64), PREIMAGE, leaf, control]
    assert extract_preimage(with_witnesses(claim(), [good]), LOCK) == PREIMAGE
    for stack in (
        [],
        [b"\x50"],
        [bytes(64), bytes(32), leaf, control],
        [PREIMAGE, bytes(64), leaf, control],
        [bytes(64), PREIMAGE, control, leaf],
        [bytes(64), PREIMAGE, PREIMAGE, leaf, control],
        [PREIMAGE, leaf, control],
        [*good, b"\x51"],
    ):
        assert extract_preimage(with_witnesses(claim(), [stack]), LOCK) is None
