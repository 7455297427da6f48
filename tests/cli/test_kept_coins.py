"""Two deals of one buyer: a lock that the chain has lost keeps its coins from the other deal."""

from collections.abc import Callable

import pytest
from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript
from deal_stages import Sale
from funding_wallet import ADDRESS, SCRIPT, earn
from settling import chain_of, mine, reorganise

from bitcoin_scripts.spend import input_of
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.buyer.funding.kept_coins import free_coins
from zkcmp.exchange.buyer.funding.record import FundingRecord, Way
from zkcmp.exchange.buyer.funding.signed_locks import SignedLock, SignedLocks

BLOCKS = 144


def other_deal(sale: Sale) -> Sale:
    """The deal of the same parties that is locked already."""
    return Sale(sale.root, sale.capsys, "other")


def last_lock(sale: Sale) -> SignedLock:
    return SignedLocks(sale.private("buyer")).load()[-1]


def with_lost_lock(sale: Sale) -> Sale:
    """A reorganisation undid the other deal's lock, and no node has it any more."""
    reorganise(sale, 1, last_lock(other_deal(sale)).txid)
    return sale


def depth(sale: Sale, txid: str) -> int:
    with chain_of(sale) as chain:
        return chain.confirmations(txid)


def refused(sale: Sale, *command: str) -> str:
    result = sale.run(*command)
    assert result.refused, result
    return result.err


def test_own_coins_of_a_lost_lock_are_left_to_it(sale: Callable[[str], Sale]) -> None:
    """Its seller may have revealed the key for it: it must be able to come back."""
    deal = with_lost_lock(sale("verified"))
    other = other_deal(deal)
    said = refused(deal, "buyer", "lock")
    assert f"of the lock of deal {other.private('buyer').name}, which can still be sent" in said
    assert not SignedLocks(deal.private("buyer")).load()
    assert other.run("buyer", "lock").code == 0
    assert deal.run("buyer", "lock").code == 0
    assert not last_lock(deal).coins & last_lock(other).coins
    mine(deal, 1)
    assert depth(deal, last_lock(other).txid) == depth(deal, last_lock(deal).txid) == 1


def test_other_ways_stay_open_meanwhile(sale: Callable[[str], Sale]) -> None:
    deal = with_lost_lock(sale("verified"))
    assert "--external, --psbt-out or --wallet" in refused(deal, "buyer", "lock")
    earn(deal)
    assert deal.run("buyer", "lock", "--external").code == 0


def test_from_its_timeout_on_they_are_free(sale: Callable[[str], Sale]) -> None:
    deal = with_lost_lock(sale("verified"))
    lost = last_lock(other_deal(deal))
    with chain_of(deal) as chain:
        chain.mine(lost.timeout_height - chain.height() - 1, b"\x51")
    assert f"free from height {lost.timeout_height} on" in refused(deal, "buyer", "lock")
    mine(deal, 1)
    assert deal.run("buyer", "lock").code == 0
    assert last_lock(deal).coins & lost.coins, "the oldest coin, as ever"


def drafted(sale: Sale, name: str) -> bytes:
    out = sale.root / name
    result = sale.run("buyer", "lock", "--psbt-out", str(out), "--from", ADDRESS)
    assert result.code == 0, result
    return out.read_bytes()


def test_a_draft_of_another_deal_keeps_its_coin(sale: Callable[[str], Sale]) -> None:
    """Two drafts over one coin: whichever is mined would be the end of the other."""
    deal = sale("verified")
    earn(deal)
    drafted(deal, "first.psbt")
    record = deal.private("buyer") / "funding"
    record.rename(other_deal(deal).private("buyer") / "funding")  # as if that deal had drafted it
    out = str(deal.root / "second.psbt")
    said = refused(deal, "buyer", "lock", "--psbt-out", out, "--from", ADDRESS)
    assert "which can still be sent" in said
    assert not record.exists()
    mine(deal, BLOCKS)
    drafted(deal, "third.psbt")


@pytest.mark.parametrize("given_up", [True, False])
def test_a_draft_that_was_given_up_keeps_nothing(
    sale: Callable[[str], Sale], given_up: bool
) -> None:
    """Its owner says that it was never signed."""
    deal = sale("verified")
    earn(deal)
    drafted(deal, "first.psbt")
    theirs = other_deal(deal).private("buyer") / "funding"
    (deal.private("buyer") / "funding").rename(theirs)
    if given_up:
        FundingRecord(theirs.parent).end()
        assert drafted(deal, "second.psbt")
        assert FundingRecord(deal.private("buyer")).current()[-1].way is Way.DRAFT
    else:
        out = str(deal.root / "second.psbt")
        refused(deal, "buyer", "lock", "--psbt-out", out, "--from", ADDRESS)


def test_younger_coins_of_another_deal_are_passed_over(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal) as chain:
        coins = sorted(chain.find_spendable(buyer.wallet_script), key=lambda coin: coin.height)
        spend = CTransaction([input_of(coins[1])], [CTxOut(1000, CScript(SCRIPT))])
        theirs = SignedLocks(other_deal(deal).private("buyer"))
        theirs.add(SignedLock(chain.height() + 1, spend))
        free = free_coins(buyer, buyer.need(deal.deal), chain, coins)
    assert free == [coins[0], *coins[2:]]
