"""A claim is told by the input that spends the lock: another one can carry the same words."""

import pytest
from bitcoin.core import CTransaction, CTxOut, CTxWitness
from bitcoin_sale import BUYER, BUYER_SCRIPT, PREIMAGE, SELLER, SELLER_SCRIPT, terms

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.preimage import extract_preimage, is_claim
from bitcoin_scripts.refund import build_refund
from bitcoin_scripts.spend import input_of, with_witnesses

LOCK = Outpoint("11" * 32, 0, 50_000)
OTHER = Outpoint("22" * 32, 1, 50_000)
CLAIM = build_claim(terms(), LOCK, PREIMAGE, SELLER, SELLER_SCRIPT, 5)
REFUND = build_refund(terms(), LOCK, BUYER, BUYER_SCRIPT, 5)


def stack_of(tx: CTransaction) -> list[bytes]:
    (witness,) = tx.wit.vtxinwit
    return [bytes(item) for item in witness.scriptWitness.stack]


def spending(*inputs: tuple[Outpoint, list[bytes]]) -> CTransaction:
    """Coins with their witnesses, in order."""
    unsigned = CTransaction([input_of(coin) for coin, _ in inputs], [CTxOut(1, BUYER_SCRIPT)], 0, 2)
    return with_witnesses(unsigned, [stack for _, stack in inputs])


def test_a_claim_and_a_refund() -> None:
    assert is_claim(CLAIM, LOCK, terms())
    assert not is_claim(REFUND, LOCK, terms())


@pytest.mark.parametrize(
    "place", [Outpoint(LOCK.txid, 1, 50_000), Outpoint(OTHER.txid, LOCK.vout, 50_000)]
)
def test_of_another_output(place: Outpoint) -> None:
    assert not is_claim(CLAIM, place, terms())


def test_of_other_terms() -> None:
    assert not is_claim(CLAIM, LOCK, terms(timeout_height=111))


@pytest.mark.parametrize("is_first", [True, False])
def test_a_refund_beside_the_words_of_a_claim(is_first: bool) -> None:
    """The key is in it, and the coins are the buyer's."""
    inputs = [(LOCK, stack_of(REFUND)), (OTHER, stack_of(CLAIM))]
    tx = spending(*(inputs if is_first else inputs[::-1]))
    assert extract_preimage(tx, terms()) == PREIMAGE
    assert not is_claim(tx, LOCK, terms())


@pytest.mark.parametrize("is_first", [True, False])
def test_a_claim_beside_other_coins(is_first: bool) -> None:
    inputs = [(LOCK, stack_of(CLAIM)), (OTHER, [b"signature", b"key"])]
    assert is_claim(spending(*(inputs if is_first else inputs[::-1])), LOCK, terms())


def test_a_spend_without_witnesses() -> None:
    bare = CTransaction(CLAIM.vin, CLAIM.vout, CLAIM.nLockTime, CLAIM.nVersion, CTxWitness())
    assert not is_claim(bare, LOCK, terms())
