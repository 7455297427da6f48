"""Payments to the script of a lock that the buyer did not make: only the seller can compute it."""

from collections.abc import Callable

import pytest
from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript
from deal_stages import PRICE_SAT, Sale
from funding_wallet import SCRIPT, earn, pay, signed
from settling import chain_of, mine
from test_external_funding import ask

from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.claim import build_claim
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.buyer.funding.outputs import lock_outputs, terms
from zkcmp.exchange.buyer.funding.signed_locks import SignedLock, SignedLocks
from zkcmp.exchange.seller import Seller

BLOCKS = 144
DUST_SAT = 600


def pays_the_script(sale: Sale, timeout_height: int, mined: bool) -> CTransaction:
    """The seller pays the price to a lock of this deal, and some satoshi to the buyer's wallet."""
    with Buyer.opened(sale.root / "buyer") as buyer:
        deal = buyer.need(sale.deal)
        htlc = terms(deal, deal.offer(), timeout_height)
        outputs = [
            CTxOut(PRICE_SAT, htlc.script_pubkey),
            CTxOut(DUST_SAT, CScript(buyer.wallet_script)),
        ]
    with chain_of(sale) as chain:
        tx = signed(chain.find_spendable(SCRIPT)[:1], outputs)
        chain.broadcast(tx)
        if mined:
            chain.mine(1, b"\x51")
    return tx


def height(sale: Sale) -> int:
    with chain_of(sale) as chain:
        return chain.height()


def record(sale: Sale) -> list[SignedLock]:
    return SignedLocks(sale.private("buyer")).load()


def take_back(sale: Sale, foreign: CTransaction) -> None:
    """Its sender forgets the lock, and spends its coin elsewhere, which is mined."""
    place = foreign.vin[0].prevout
    with chain_of(sale) as chain:
        chain.reorganise(1, [txid_of(foreign)])
        coins = [
            c
            for c in chain.find_spendable(SCRIPT)
            if (c.txid, c.vout) == (place.hash[::-1].hex(), place.n)
        ]
        chain.broadcast(signed(coins, []))
        chain.mine(1, b"\x51")


def test_one_that_waits_is_not_taken_for_ours(sale: Callable[[str], Sale]) -> None:
    """The seller could replace it, and the deal would be stuck with a lock that never comes."""
    deal = sale("verified")
    earn(deal)
    foreign = pays_the_script(deal, height(deal) + BLOCKS, mined=False)
    locked = deal.run("buyer", "lock")
    assert locked.code == 0, locked
    assert txid_of(foreign) not in locked.out
    assert [lock.txid for lock in record(deal)] != [txid_of(foreign)]
    take_back(deal, foreign)
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0


def signed_unsent(sale: Sale) -> CTransaction:
    """A lock of ours that no node has any more."""
    before = height(sale)
    assert sale.run("buyer", "lock").code == 0
    (ours,) = record(sale)
    with chain_of(sale) as chain:
        chain.mine(1, b"\x51")
        chain.reorganise(1, [ours.txid])
        assert chain.height() == before + 2
    return ours.transaction


def test_one_that_is_mined_does_not_hide_ours(sale: Callable[[str], Sale]) -> None:
    """Ours comes back, and the seller claims it alone: the key is seen all the same."""
    deal = sale("verified")
    earn(deal)
    ours = signed_unsent(deal)
    foreign = pays_the_script(deal, height(deal) + 100, mined=True)
    assert deal.run("buyer", "lock").code == 0
    with chain_of(deal) as chain:
        chain.broadcast(ours)
        chain.mine(1, b"\x51")
        assert chain.get_transaction(txid_of(foreign)) is not None
    claim(deal, ours)
    assert deal.open().code == 0


def claim(sale: Sale, lock: CTransaction) -> None:
    """By hand: the seller's tool knows the lock that was announced."""
    (timeout_height,) = (s.timeout_height for s in record(sale) if s.txid == txid_of(lock))
    with Buyer.opened(sale.root / "buyer") as buyer:
        deal = buyer.need(sale.deal)
        htlc = terms(deal, deal.offer(), timeout_height)
    with Seller.opened(sale.root / "seller") as seller, chain_of(sale) as chain:
        of_seller = seller.need(sale.deal)
        secret, preimage = of_seller.keys().coin_secret, of_seller.read_secret("preimage")
        place = Outpoint(txid_of(lock), 0, PRICE_SAT)
        chain.broadcast(build_claim(htlc, place, preimage, secret, seller.wallet_script, 2))


def test_both_come_back_after_the_timeout(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    earn(deal)
    ours = signed_unsent(deal)
    foreign = pays_the_script(deal, height(deal) + 100, mined=True)
    assert deal.run("buyer", "lock").code == 0
    with chain_of(deal) as chain:
        chain.broadcast(ours)
    mine(deal, BLOCKS)
    assert deal.run("buyer", "refund").code == 0
    mine(deal, 1)
    with chain_of(deal) as chain:
        for lock in (ours, foreign):
            spend = chain.find_spend(Outpoint(txid_of(lock), 0, PRICE_SAT))
            assert spend is not None, "left in the lock"
            assert chain.confirmations(txid_of(spend)) == 1


def test_ours_is_not_forgotten_when_a_foreign_one_is_gone(sale: Callable[[str], Sale]) -> None:
    """What ends a record is a coin of what was signed last, by us."""
    deal = sale("verified")
    earn(deal)
    ours = signed_unsent(deal)
    foreign = pays_the_script(deal, height(deal) + 100, mined=True)
    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal) as chain:
        from zkcmp.exchange.buyer.funding.lost_locks import find_lost_locks

        found = find_lost_locks(buyer, buyer.need(deal.deal), chain)
        assert [lock.txid for lock in found] == [txid_of(foreign)]
    assert [lock.txid for lock in record(deal)][-1] == txid_of(ours)


@pytest.mark.parametrize("undone", [1, 5])
def test_a_lock_in_a_block_below_the_one_it_was_signed_at(
    sale: Callable[[str], Sale], undone: int
) -> None:
    """A reorganisation gave its place to a lower block: its timeout is later than usual."""
    deal = sale("verified")
    deal.keep("buyer")
    deal.keep("chain")
    mine(deal, undone)
    assert deal.run("buyer", "lock").code == 0
    (ours,) = record(deal)
    deal.put_back("chain")
    with chain_of(deal) as chain:
        chain.broadcast(ours.transaction)
        chain.mine(1, b"\x51")
    deal.put_back("buyer")
    deal.message("lock").unlink()
    found = deal.run("buyer", "lock")
    assert f"locked     100000 sat in {ours.txid}" in found.out, found


def test_what_the_seller_has_claimed_is_no_refund(sale: Callable[[str], Sale]) -> None:
    """Of two payments the seller takes both, the one that was not announced first."""
    deal = sale("verified")
    earn(deal)
    address = ask(deal)
    for _ in range(2):
        pay(deal, address, PRICE_SAT)
        mine(deal, 1)
    assert deal.run("buyer", "lock", "--external").code == 0
    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal) as chain:
        ours = buyer.need(deal.deal)
        paid, announced = lock_outputs(ours, chain), ours.state.funding_txid
    [second] = [each for each in paid if each.output.txid != announced]
    with Seller.opened(deal.root / "seller") as seller, chain_of(deal) as chain:
        theirs = seller.need(deal.deal)
        preimage, key = theirs.read_secret("preimage"), theirs.keys().coin_secret
        place = Outpoint(second.output.txid, second.output.vout, second.output.amount_sat)
        chain.broadcast(build_claim(second.htlc, place, preimage, key, seller.wallet_script, 2))
        chain.mine(1, b"\x51")
    assert deal.open().code == 0
    assert deal.run("seller", "redeem").code == 0
    mine(deal, BLOCKS)
    result = deal.run("buyer", "refund")
    assert result.refused
    assert "the seller has redeemed" in result.err
