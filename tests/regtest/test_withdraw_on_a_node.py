"""Coins out of a party's wallet on a real node: once, replaced, forgotten by node or record."""

import re

import pytest
from test_deal_on_a_node import BOTH, NodeSale, sale, verified

from bitcoin_scripts.keys import bech32_address, p2wpkh_script, public_key

__all__ = ["sale", "verified"]

pytestmark = pytest.mark.regtest

AMOUNT_SAT = 20_000
THEIRS = bytes(p2wpkh_script(public_key(b"\x09" * 32)))
ADDRESS = bech32_address(THEIRS, "regtest")
ORDER = ("buyer", "withdraw", ADDRESS, "--amount-sat", str(AMOUNT_SAT))


def arrived_sat(sale: NodeSale) -> int:
    """What came to the address, mined."""
    return sum(coin.amount_sat for coin in sale.chain.find_spendable(THEIRS))


def txid_in(said: str) -> str:
    found = re.search(r"transaction ([0-9a-f]{64})", said)
    assert found, said
    return found[1]


@BOTH
def test_all_that_was_redeemed(sale: NodeSale, options: tuple[str, ...]):
    sale.locked()
    sale.redeemed()
    sale.refused("no spendable coins", "seller", "withdraw", ADDRESS)
    sale.mine()
    said = sale.done("seller", "withdraw", ADDRESS).out
    assert txid_in(said) == sale.waiting()
    assert "left       0 sat" in said
    sale.mine()
    assert sale.done("seller", "withdraw", ADDRESS).out.startswith("already withdrawn")
    assert 99_000 < arrived_sat(sale) < 100_000


@BOTH
def test_an_amount_is_replaced_and_paid_once(sale: NodeSale, options: tuple[str, ...]):
    first = txid_in(sale.done(*ORDER, "--fee", "2").out)
    assert txid_in(sale.done(*ORDER).out) == first
    assert "raised to" in sale.done(*ORDER, "--fee", "11").out
    assert sale.waiting() != first
    sale.mine()
    assert sale.done(*ORDER).out.startswith("already withdrawn")
    assert arrived_sat(sale) == AMOUNT_SAT


@BOTH
def test_a_record_that_lacks_it_finds_it_on_the_node(sale: NodeSale, options: tuple[str, ...]):
    """Waiting, then mined: as after going back to an older copy of the directory."""
    txid = txid_in(sale.done(*ORDER).out)
    for _ in range(2):
        (sale.root / "buyer" / "withdrawals").unlink()
        repeated = sale.done(*ORDER).out
        assert repeated.startswith("already withdrawn")
        assert txid_in(repeated) == txid
        sale.mine()
    assert arrived_sat(sale) == AMOUNT_SAT


def test_what_a_reorganisation_undid_is_sent_again(sale: NodeSale):
    assert sale.node is not None
    txid = txid_in(sale.done(*ORDER).out)
    sale.mine()
    sale.node.reorganise(1, forget=[txid])
    assert sale.node.call("getrawmempool") == []
    assert txid_in(sale.done(*ORDER).out) == txid == sale.waiting()
    sale.mine()
    assert arrived_sat(sale) == AMOUNT_SAT


def test_coins_of_a_lock_stay(sale: NodeSale):
    """The lock waits: its coins are spent, and its change is not mined."""
    sale.done("buyer", "lock")
    sale.refused("no spendable coins", "buyer", "withdraw", ADDRESS)
    sale.mine()
    sale.done("buyer", "withdraw", ADDRESS)
    sale.mine()
    sale.redeemed()
    sale.has_the_network()
