"""Which spends of a taproot lock Bitcoin's consensus code takes; builders' checks are bypassed.

Every rejected case is one change away from an accepted one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bitcoin.core.script import CScript
from bitcoin_sale import (
    ANYONE,
    BUYER,
    BUYER_SCRIPT,
    PREIMAGE,
    SELLER,
    SELLER_SCRIPT,
    STRANGER,
    TIMEOUT_HEIGHT,
)
from taproot_sale import (
    BUYER_SHARE,
    FUNDING,
    SELLER_SHARE,
    TaprootSale,
    open_taproot_sale,
    taproot_lock,
)

from bitcoin_scripts.ecdsa import base_multiple
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import public_key
from bitcoin_scripts.spend import with_witnesses
from bitcoin_scripts.taproot.aggregation import aggregate_secret
from bitcoin_scripts.taproot.preimage import extract_preimage, is_cooperative, is_refund
from bitcoin_scripts.taproot.spends import build_claim, build_cooperative, build_refund
from bitcoin_scripts.taproot.tree import TAPSCRIPT, Tree, leaf_hash

ANNEX = b"\x50annex"


@pytest.fixture
def sale() -> TaprootSale:
    return TaprootSale(taproot_lock(), FUNDING)


@pytest.fixture
def mined(tmp_path: Path) -> Iterator[TaprootSale]:
    sale = open_taproot_sale(tmp_path / "chain")
    yield sale
    sale.chain.close()


def claim_leaf(sale: TaprootSale) -> bytes:
    return bytes(sale.lock.claim_leaf)


def refund_leaf(sale: TaprootSale) -> bytes:
    return bytes(sale.lock.refund_leaf)


def test_claim_confirms(mined: TaprootSale):
    claim = build_claim(mined.lock, mined.funding, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    mined.chain.broadcast(claim)
    mined.chain.mine(1, ANYONE)
    assert mined.chain.find_spend(mined.funding) == claim
    assert extract_preimage(claim, mined.lock) == PREIMAGE
    assert not is_refund(claim, mined.lock)
    assert not is_cooperative(claim, mined.funding)


def test_refund_waits_for_the_timeout(mined: TaprootSale):
    refund = build_refund(mined.lock, mined.funding, BUYER, BUYER_SCRIPT, 3)
    assert mined.accepts(refund)  # the script sees only the lock time the refund states
    mined.chain.mine(TIMEOUT_HEIGHT - 1 - mined.chain.height(), ANYONE)
    with pytest.raises(SettlementError, match="bad-txns-nonfinal"):
        mined.chain.broadcast(refund)
    mined.chain.mine(1, ANYONE)
    mined.chain.broadcast(refund)
    mined.chain.mine(1, ANYONE)
    assert mined.chain.find_spend(mined.funding) == refund
    assert extract_preimage(refund, mined.lock) is None
    assert is_refund(refund, mined.lock)
    assert not is_cooperative(refund, mined.funding)


@pytest.mark.parametrize("script", [SELLER_SCRIPT, BUYER_SCRIPT])
def test_both_shares_spend_before_the_timeout_and_show_nothing(mined: TaprootSale, script: bytes):
    assert mined.chain.height() < TIMEOUT_HEIGHT
    close = build_cooperative(mined.lock, mined.funding, SELLER_SHARE, BUYER_SHARE, script, 3)
    mined.chain.broadcast(close)
    mined.chain.mine(1, ANYONE)
    assert mined.chain.find_spend(mined.funding) == close
    assert is_cooperative(close, mined.funding)
    assert not is_refund(close, mined.lock)
    assert extract_preimage(close, mined.lock) is None
    raw = close.serialize()
    hidden = (PREIMAGE, mined.lock.terms.hashlock, SELLER_SHARE, BUYER_SHARE)
    assert not any(secret in raw for secret in hidden)


@pytest.mark.parametrize("shares", [(SELLER_SHARE, SELLER_SHARE), (BUYER_SHARE, BUYER_SHARE)])
def test_one_share_is_not_enough(sale: TaprootSale, shares: tuple[bytes, bytes]):
    tree, publics = sale.lock.tree, (sale.lock.seller_share, sale.lock.buyer_share)

    def close(secrets: tuple[bytes, bytes]):
        key = tree.output_secret(aggregate_secret(secrets, publics))
        return sale.spend([], None, key)

    assert sale.accepts(close((SELLER_SHARE, BUYER_SHARE)))
    assert not sale.accepts(close(shares))
    for key in (*shares, SELLER, BUYER):
        assert not sale.accepts(sale.spend([], None, key))


@pytest.mark.parametrize("flipped", [0, 31])
def test_wrong_preimage_is_rejected(sale: TaprootSale, flipped: int):
    wrong = bytes(b ^ (i == flipped) for i, b in enumerate(PREIMAGE))
    assert sale.accepts(sale.spend([PREIMAGE], claim_leaf(sale), SELLER))
    assert not sale.accepts(sale.spend([wrong], claim_leaf(sale), SELLER))


@pytest.mark.parametrize("length", [31, 32, 33])
def test_only_a_preimage_of_32_bytes_opens_its_own_hash(length: int):
    preimage = bytes(range(1, length + 1))
    sale = TaprootSale(taproot_lock(preimage=preimage), FUNDING)
    tx = sale.spend([preimage], claim_leaf(sale), SELLER)
    assert sale.accepts(tx) == (length == 32)
    assert extract_preimage(tx, sale.lock) == (preimage if length == 32 else None)


@pytest.mark.parametrize("key", [BUYER, STRANGER, SELLER_SHARE, BUYER_SHARE])
def test_claim_by_another_key_is_rejected(sale: TaprootSale, key: bytes):
    assert not sale.accepts(sale.spend([PREIMAGE], claim_leaf(sale), key))


@pytest.mark.parametrize("key", [SELLER, STRANGER, SELLER_SHARE, BUYER_SHARE])
def test_refund_by_another_key_is_rejected(sale: TaprootSale, key: bytes):
    leaf = refund_leaf(sale)
    assert sale.accepts(sale.spend([], leaf, BUYER, locktime=TIMEOUT_HEIGHT))
    assert not sale.accepts(sale.spend([], leaf, key, locktime=TIMEOUT_HEIGHT))


@pytest.mark.parametrize(
    ("locktime", "sequence"),
    [(0, 0xFFFFFFFD), (TIMEOUT_HEIGHT - 1, 0xFFFFFFFD), (TIMEOUT_HEIGHT, 0xFFFFFFFF)],
)
def test_refund_that_avoids_its_lock_time_is_rejected(
    sale: TaprootSale, locktime: int, sequence: int
):
    tx = sale.spend([], refund_leaf(sale), BUYER, locktime=locktime, sequence=sequence)
    assert not sale.accepts(tx)


def test_extra_or_missing_arguments_are_rejected(sale: TaprootSale):
    leaf = claim_leaf(sale)
    for arguments in ([], [PREIMAGE, PREIMAGE], [b"\x01", PREIMAGE], [PREIMAGE, b"\x01"]):
        assert not sale.accepts(sale.spend(arguments, leaf, SELLER))


def test_control_block_of_the_other_leaf_is_rejected(sale: TaprootSale):
    claim, refund = sale.lock.claim_leaf, sale.lock.refund_leaf
    other = sale.lock.control_block(refund)
    assert not sale.accepts(sale.spend([PREIMAGE], bytes(claim), SELLER, control=other))
    other = sale.lock.control_block(claim)
    tx = sale.spend([], bytes(refund), BUYER, locktime=TIMEOUT_HEIGHT, control=other)
    assert not sale.accepts(tx)


@pytest.mark.parametrize("position", [0, 1, 32, 33, 64])
def test_tampered_control_block_is_rejected(sale: TaprootSale, position: int):
    good = sale.lock.control_block(sale.lock.claim_leaf)
    assert len(good) == 65
    bad = bytes(b ^ (i == position) for i, b in enumerate(good))
    assert sale.accepts(sale.spend([PREIMAGE], claim_leaf(sale), SELLER, control=good))
    assert not sale.accepts(sale.spend([PREIMAGE], claim_leaf(sale), SELLER, control=bad))


@pytest.mark.parametrize("length", [33, 64, 66, 97])
def test_control_block_of_another_length_is_rejected(sale: TaprootSale, length: int):
    good = sale.lock.control_block(sale.lock.claim_leaf)
    bad = (good + bytes(32))[:length]
    assert not sale.accepts(sale.spend([PREIMAGE], claim_leaf(sale), SELLER, control=bad))


def test_leaf_of_other_terms_is_rejected(sale: TaprootSale):
    """A leaf that pays the stranger, shown with every control block that could be tried."""
    leaf = CScript([public_key(STRANGER)[1:], 0xAC])
    for shown in (sale.lock.claim_leaf, sale.lock.refund_leaf):
        control = sale.lock.control_block(shown)
        assert not sale.accepts(sale.spend([], bytes(leaf), STRANGER, control=control))


def test_internal_key_of_somebody_else_is_rejected(sale: TaprootSale):
    tree = Tree(base_multiple(7), sale.lock.tree.leaves)
    control = tree.control_block(leaf_hash(claim_leaf(sale)))
    assert control[0] & 0xFE == TAPSCRIPT
    assert not sale.accepts(sale.spend([PREIMAGE], claim_leaf(sale), SELLER, control=control))


def test_order_of_the_shares_is_a_part_of_the_lock(sale: TaprootSale):
    lock = sale.lock
    swapped = type(lock)(lock.terms, lock.buyer_share, lock.seller_share)
    assert swapped.script_pubkey != lock.script_pubkey


def test_annex_hides_nothing(sale: TaprootSale):
    """Consensus takes it if it is signed; the preimage and the kind of spend are still found."""
    claim = sale.spend([PREIMAGE], claim_leaf(sale), SELLER, annex=ANNEX)
    refund = sale.spend([], refund_leaf(sale), BUYER, annex=ANNEX, locktime=TIMEOUT_HEIGHT)
    publics = (sale.lock.seller_share, sale.lock.buyer_share)
    key = sale.lock.tree.output_secret(aggregate_secret((SELLER_SHARE, BUYER_SHARE), publics))
    close = sale.spend([], None, key, annex=b"\x50")
    for tx in (claim, refund, close):
        assert sale.accepts(tx)
    assert extract_preimage(claim, sale.lock) == PREIMAGE
    assert [is_refund(tx, sale.lock) for tx in (claim, refund, close)] == [False, True, False]
    assert [is_cooperative(tx, FUNDING) for tx in (claim, refund, close)] == [False, False, True]


def test_nobody_else_can_add_take_away_or_change_the_annex(sale: TaprootSale):
    signed = sale.spend([PREIMAGE], claim_leaf(sale), SELLER, annex=ANNEX)
    bare = sale.spend([PREIMAGE], claim_leaf(sale), SELLER)
    assert sale.accepts(signed)
    assert sale.accepts(bare)
    for tx, annex in ((signed, []), (signed, [b"\x50other"]), (bare, [ANNEX])):
        stack = [bytes(item) for item in tx.wit.vtxinwit[0].scriptWitness.stack][:4]
        assert not sale.accepts(with_witnesses(tx, [[*stack, *annex]]))
