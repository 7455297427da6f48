"""Which spends of the lock Bitcoin's consensus code takes: the library's own checks are bypassed.

Every rejected case is one change away from an accepted one, and both the script interpreter and
the block acceptance are asked.
"""

from pathlib import Path

import pytest
from bitcoin_sale import (
    AMOUNT_SAT,
    ANYONE,
    BUYER,
    BUYER_SCRIPT,
    PREIMAGE,
    SELLER,
    SELLER_SCRIPT,
    STRANGER,
    TIMEOUT_HEIGHT,
    Sale,
    open_sale,
    terms,
)

from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.preimage import extract_preimage
from bitcoin_scripts.refund import build_refund

TRUE, FALSE = b"\x01", b""


def test_claim_with_the_preimage_confirms(sale: Sale, tmp_path: Path):
    claim = build_claim(sale.htlc, sale.funding, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    assert sale.script_accepts(claim)
    assert sale.block_accepts(claim, tmp_path)
    txid = sale.chain.broadcast(claim)
    assert sale.chain.confirmations(txid) == 0
    sale.chain.mine(2, ANYONE)
    assert sale.chain.confirmations(txid) == 2
    assert sale.chain.find_output(SELLER_SCRIPT)[0].txid == txid


@pytest.mark.parametrize("flipped", [0, 31])
def test_wrong_preimage_is_rejected(sale: Sale, tmp_path: Path, flipped: int):
    wrong = bytes(b ^ (i == flipped) for i, b in enumerate(PREIMAGE))
    tx = sale.spend([wrong, TRUE], SELLER)
    assert not sale.script_accepts(tx)
    assert "OP_EQUALVERIFY" in sale.block_rejection(tx, tmp_path)


@pytest.mark.parametrize("length", [31, 32, 33])
def test_only_a_preimage_of_32_bytes_opens_its_own_hash(tmp_path: Path, length: int):
    preimage = bytes(range(1, length + 1))
    with KernelChain(tmp_path / "chain") as chain:
        sale = open_sale(chain, terms(preimage))
        tx = sale.spend([preimage, TRUE], SELLER)
        assert sale.script_accepts(tx) == (length == 32)
        rejection = sale.block_rejection(tx, tmp_path)
        assert "OP_EQUALVERIFY" in rejection if length != 32 else rejection == ""
        assert extract_preimage(tx, sale.htlc) == (preimage if length == 32 else None)


@pytest.mark.parametrize("key", [BUYER, STRANGER])
def test_claim_by_another_key_is_rejected(sale: Sale, tmp_path: Path, key: bytes):
    tx = sale.spend([PREIMAGE, TRUE], key)
    assert not sale.script_accepts(tx)
    assert "false/empty top stack" in sale.block_rejection(tx, tmp_path)


def test_signature_does_not_carry_over_to_other_outputs(sale: Sale):
    honest = sale.spend([PREIMAGE, TRUE], SELLER)
    other = sale.spend([PREIMAGE, TRUE], SELLER, amount_sat=AMOUNT_SAT - 5000)
    forged = type(other)(other.vin, other.vout, 0, 2, honest.wit)
    assert sale.script_accepts(honest)
    assert not sale.script_accepts(forged)


def test_extra_or_missing_witness_items_are_rejected(sale: Sale):
    assert not sale.script_accepts(sale.spend([PREIMAGE, PREIMAGE, TRUE], SELLER))
    assert not sale.script_accepts(sale.spend([TRUE], SELLER))
    assert not sale.script_accepts(sale.spend([PREIMAGE, TRUE], SELLER, last_item=ANYONE))


@pytest.mark.parametrize("branch_item", [b"\x02", b"\x01\x00", b"\x51"])
def test_rewritten_branch_item_changes_nothing(sale: Sale, tmp_path: Path, branch_item: bytes):
    """MINIMALIF is policy, not consensus: a third party may rewrite the item, not the outcome."""
    claim = sale.spend([PREIMAGE, TRUE], SELLER)
    malleated = sale.spend([PREIMAGE, branch_item], SELLER)
    assert malleated.GetTxid() == claim.GetTxid()
    assert malleated.GetHash() != claim.GetHash()
    assert sale.block_accepts(malleated, tmp_path)
    assert extract_preimage(malleated, sale.htlc) == PREIMAGE


def test_refund_before_the_timeout_is_rejected_by_the_block_rules(sale: Sale, tmp_path: Path):
    refund = build_refund(sale.htlc, sale.funding, BUYER, BUYER_SCRIPT, 3)
    assert sale.script_accepts(refund)  # the script sees only the lock time the refund states
    sale.chain.mine(TIMEOUT_HEIGHT - 1 - sale.chain.height(), ANYONE)
    assert "bad-txns-nonfinal" in sale.block_rejection(refund, tmp_path)
    with pytest.raises(
        SettlementError, match=r"bad-txns-nonfinal.* locked until height 110, wait for 1 more"
    ):
        sale.chain.broadcast(refund)
    sale.chain.mine(1, ANYONE)
    assert sale.block_accepts(refund, tmp_path)
    txid = sale.chain.broadcast(refund)
    sale.chain.mine(1, ANYONE)
    assert sale.chain.confirmations(txid) == 1
    assert sale.chain.find_spend(sale.funding) == refund


@pytest.mark.parametrize(
    ("locktime", "sequence"),
    [(0, 0xFFFFFFFD), (TIMEOUT_HEIGHT - 1, 0xFFFFFFFD), (TIMEOUT_HEIGHT, 0xFFFFFFFF)],
)
def test_refund_that_avoids_its_lock_time_is_rejected_by_the_script(
    sale: Sale, tmp_path: Path, locktime: int, sequence: int
):
    tx = sale.spend([FALSE], BUYER, locktime=locktime, sequence=sequence)
    honest = sale.spend([FALSE], BUYER, locktime=TIMEOUT_HEIGHT)
    assert sale.script_accepts(honest)
    assert not sale.script_accepts(tx)
    sale.chain.mine(TIMEOUT_HEIGHT - sale.chain.height(), ANYONE)
    assert "Locktime requirement" in sale.block_rejection(tx, tmp_path)


@pytest.mark.parametrize("key", [SELLER, STRANGER])
def test_refund_by_another_key_is_rejected_after_the_timeout(
    sale: Sale, tmp_path: Path, key: bytes
):
    sale.chain.mine(TIMEOUT_HEIGHT - sale.chain.height(), ANYONE)
    tx = sale.spend([FALSE], key, locktime=TIMEOUT_HEIGHT)
    assert not sale.script_accepts(tx)
    assert "false/empty top stack" in sale.block_rejection(tx, tmp_path)
    assert sale.block_accepts(sale.spend([FALSE], BUYER, locktime=TIMEOUT_HEIGHT), tmp_path)


def test_claim_stays_valid_after_the_timeout_until_the_refund_is_mined(sale: Sale, tmp_path: Path):
    sale.chain.mine(TIMEOUT_HEIGHT - sale.chain.height(), ANYONE)
    claim = build_claim(sale.htlc, sale.funding, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    assert sale.block_accepts(claim, tmp_path)
    refund = build_refund(sale.htlc, sale.funding, BUYER, BUYER_SCRIPT, 3)
    sale.chain.broadcast(refund)
    sale.chain.mine(1, ANYONE)
    assert "inputs-missingorspent" in sale.block_rejection(claim, tmp_path)
    with pytest.raises(SettlementError, match="already spent"):
        sale.chain.broadcast(claim)


def test_claim_that_creates_money_is_rejected(sale: Sale, tmp_path: Path):
    tx = sale.spend([PREIMAGE, TRUE], SELLER, amount_sat=AMOUNT_SAT + 1)
    assert sale.script_accepts(tx)
    assert "in-belowout" in sale.block_rejection(tx, tmp_path)
    with pytest.raises(SettlementError, match="pays out more"):
        sale.chain.broadcast(tx)
