"""Locks that are not what their announcement says: no key is revealed for any of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from deal_stages import PRICE_SAT, Sale
from malicious import CheatingBuyer

from zkcmp.exchange.messages import contents as messages

TIMEOUT_BLOCKS = 144


def keeps_the_key(sale: Sale) -> str:
    """Why `redeem` refuses; nothing was sent, and no claim was signed."""
    journal = (sale.root / "chain" / "journal").read_bytes()
    result = sale.run("seller", "redeem")
    assert result.refused, result
    assert (sale.root / "chain" / "journal").read_bytes() == journal
    assert not (sale.private("seller") / "claims").exists()
    return result.err


@pytest.mark.parametrize("paid_sat", [PRICE_SAT + 1, PRICE_SAT // 2])
def test_another_amount_than_it_says(sale: Callable[[str], Sale], paid_sat: int) -> None:
    """What it would win: the key for part of the price; too much is no lock of these terms."""
    cheat = CheatingBuyer.of(sale("verified"))
    htlc = cheat.terms(TIMEOUT_BLOCKS)
    cheat.announce(htlc, cheat.pay(htlc, paid_sat))
    assert "lock: amount on the chain" in keeps_the_key(cheat.sale)


def test_another_price_than_was_agreed(sale: Callable[[str], Sale]) -> None:
    """What it would win: terms that the seller has not offered, even if they are better."""
    cheat = CheatingBuyer.of(sale("verified"))
    htlc = cheat.terms(TIMEOUT_BLOCKS)
    cheat.announce(htlc, cheat.pay(htlc, PRICE_SAT + 1), amount_sat=PRICE_SAT + 1)
    assert "lock: amount in satoshi" in keeps_the_key(cheat.sale)


def test_two_halves(sale: Callable[[str], Sale]) -> None:
    """What it would win: half of the price, since one claim spends one output."""
    cheat = CheatingBuyer.of(sale("verified"))
    htlc = cheat.terms(TIMEOUT_BLOCKS)
    for _ in range(2):
        cheat.announce(htlc, cheat.pay(htlc, PRICE_SAT // 2))
    assert "lock: amount on the chain" in keeps_the_key(cheat.sale)


def test_a_shorter_timeout_on_the_chain(sale: Callable[[str], Sale]) -> None:
    """What it would win: the refund before the claim can be mined, with the key already out."""
    cheat = CheatingBuyer.of(sale("verified"))
    told = cheat.terms(TIMEOUT_BLOCKS)
    cheat.announce(told, cheat.pay(replace(told, timeout_height=told.timeout_height - 140)))
    assert "lock: script on the chain" in keeps_the_key(cheat.sale)


def test_a_shorter_timeout_in_the_script(sale: Callable[[str], Sale]) -> None:
    """What it would win: a seller that trusts the number beside the script waits too long."""
    cheat = CheatingBuyer.of(sale("verified"))
    short = cheat.terms(4)
    place = cheat.pay(short)
    cheat.announce(short, place, timeout_height=short.timeout_height + 140)
    assert "lock: redeem script" in keeps_the_key(cheat.sale)
    cheat.announce(short, place)
    assert "blocks are left" in keeps_the_key(cheat.sale)


def test_the_lock_of_another_deal(sale: Callable[[str], Sale]) -> None:
    """What it would win: one payment for two keys."""
    deal = sale("verified")
    with_other = Sale(deal.root, deal.capsys, folder="other")
    paid = CheatingBuyer.of(with_other)
    lock = messages.read_lock(
        with_other.message("lock"), paid.offer.deal, paid.identity.public_key, paid.delivery
    )
    cheat = CheatingBuyer.of(deal)
    htlc = cheat.terms(TIMEOUT_BLOCKS)
    place = replace(cheat.pay(htlc), txid=lock.txid.hex(), vout=lock.vout)
    cheat.announce(htlc, place)
    assert "lock: script on the chain" in keeps_the_key(deal)


@pytest.mark.parametrize("told", ["nowhere", "reversed"])
def test_another_outpoint(sale: Callable[[str], Sale], told: str) -> None:
    """What it would win: a claim that spends nothing, and has shown the key to whoever relays it.

    The chain has a lock to the right script, and still only the announced one counts.
    """
    cheat = CheatingBuyer.of(sale("verified"))
    htlc = cheat.terms(TIMEOUT_BLOCKS)
    place = cheat.pay(htlc)
    wrong = bytes(32) if told == "nowhere" else bytes.fromhex(place.txid)[::-1]
    cheat.announce(htlc, place, txid=wrong)
    said = keeps_the_key(cheat.sale)
    assert "is not on the chain yet" in said
    assert f"{place.txid} pays to the same terms" in said
    cheat.announce(htlc, place)
    assert cheat.sale.run("seller", "redeem").code == 0
