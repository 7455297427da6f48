"""A buyer's directory that is older than a draft: never two of them are mined."""

import re
from collections.abc import Callable

import pytest
from bitcoin.core import COIN, CTransaction, CTxOut
from bitcoin.core.script import CScript
from deal_stages import PRICE_SAT, Sale
from funding_wallet import ADDRESS, SCRIPT, earn, sign_psbt, signed
from interrupted_broadcast import interrupt
from settling import chain_of, mine

from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.psbt import transaction_in
from zkcmp.exchange.buyer import Buyer

WINDOW_BLOCKS = 144 - 36 - 1 - 6


def drafted(deal: Sale, name: str) -> bytes:
    out = deal.root / name
    result = deal.run("buyer", "lock", "--psbt-out", str(out), "--from", ADDRESS)
    assert result.code == 0, result
    return out.read_bytes()


def final(psbt: bytes) -> CTransaction:
    """What a wallet sends that signs the draft and broadcasts it by itself."""
    from embit.finalizer import finalize_psbt
    from embit.psbt import PSBT

    whole = finalize_psbt(PSBT.parse(sign_psbt(psbt)))
    return CTransaction.deserialize(whole.serialize())


def locks_on_chain(deal: Sale) -> int:
    """How many outputs of the price the wallet's transactions have made."""
    with chain_of(deal) as chain:
        spends = {c.spent_by for c in chain.find_output(SCRIPT) if c.spent_by}
        made = [tx for txid in spends if (tx := chain.get_transaction(txid))]
        return sum(out.nValue == PRICE_SAT for tx in made for out in tx.vout)


@pytest.mark.parametrize("announced", [True, False])
def test_draft_that_is_newer_than_the_directory_is_found(
    sale: Callable[[str], Sale], announced: bool
) -> None:
    """It spends the coins of the draft that the directory knows, with a later timeout."""
    deal = sale("verified")
    earn(deal)
    drafted(deal, "first.psbt")
    deal.keep("buyer")
    mine(deal, WINDOW_BLOCKS + 1)
    back = deal.root / "signed.psbt"
    back.write_bytes(sign_psbt(drafted(deal, "second.psbt")))
    locked = deal.run("buyer", "lock", "--psbt-in", str(back))
    txid = re.search(r"locked +100000 sat in ([0-9a-f]{64})", locked.out)[1]
    mine(deal, 2)
    deal.put_back("buyer")
    if not announced:
        deal.message("lock").unlink()
    third = deal.root / "third.psbt"
    again = deal.run("buyer", "lock", "--psbt-out", str(third), "--from", ADDRESS)
    assert again.code == 0, again
    assert f"locked     100000 sat in {txid}" in again.out
    assert not third.exists()
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0


def test_two_drafts_of_a_directory_that_forgot_the_first_exclude_each_other(
    sale: Callable[[str], Sale],
) -> None:
    """The first is signed and nowhere to be seen; larger coins came since."""
    deal = sale("verified")
    earn(deal)
    deal.keep("buyer")
    first = final(drafted(deal, "first.psbt"))
    deal.put_back("buyer")
    mine(deal, 1)  # another height, so another timeout
    with chain_of(deal) as chain:
        coins = [c for c in chain.find_spendable(SCRIPT) if (c.txid, c.vout) not in places(first)]
        chain.broadcast(signed(coins, []))
        chain.mine(1, b"\x51")
    second = final(drafted(deal, "second.psbt"))
    assert txid_of(second) != txid_of(first)
    assert places(second) & places(first)
    with chain_of(deal) as chain:
        chain.broadcast(first)
        chain.mine(1, b"\x51")
        with pytest.raises(SettlementError):
            chain.broadcast(second)
    # the one that was forgotten counts, and is found by the coins of the one that is known
    back = deal.root / "signed.psbt"
    back.write_bytes(sign_psbt((deal.root / "second.psbt").read_bytes()))
    locked = deal.run("buyer", "lock", "--psbt-in", str(back))
    assert f"locked     100000 sat in {txid_of(first)}" in locked.out
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0
    assert locks_on_chain(deal) == 1


def places(tx: CTransaction) -> set[tuple[str, int]]:
    return {(i.prevout.hash[::-1].hex(), i.prevout.n) for i in tx.vin}


def test_the_oldest_coin_is_taken_before_larger_ones(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    earn(deal)
    with chain_of(deal) as chain:
        coins = chain.find_spendable(SCRIPT)
        chain.broadcast(signed(coins, [CTxOut(20_000, CScript(SCRIPT))]))
        chain.mine(1, b"\x51")
        (small, large) = sorted(chain.find_spendable(SCRIPT), key=lambda c: c.amount_sat)
        chain.broadcast(signed([large], []))
        chain.mine(1, b"\x51")
    draft = transaction_in(drafted(deal, "lock.psbt"))
    assert (small.txid, small.vout) in places(draft)
    assert len(draft.vin) == 2


@pytest.mark.parametrize("mined", [True, False])
def test_a_draft_that_another_wallet_sent_is_found_by_a_directory_from_before_it(
    sale: Callable[[str], Sale], mined: bool
) -> None:
    deal = sale("verified")
    earn(deal)
    deal.keep("buyer")
    first = final(drafted(deal, "first.psbt"))
    with chain_of(deal) as chain:
        chain.broadcast(first)
        if mined:
            chain.mine(1, b"\x51")
    deal.put_back("buyer")
    out = deal.root / "second.psbt"
    found = deal.run("buyer", "lock", "--psbt-out", str(out), "--from", ADDRESS)
    assert f"locked     100000 sat in {txid_of(first)}" in found.out
    assert not out.exists()
    mine(deal, 1)
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0
    assert locks_on_chain(deal) == 1


def test_a_signed_draft_that_was_sent_is_known_by_its_coins(sale: Callable[[str], Sale]) -> None:
    """The directory is from before any draft, and is given what the other wallet signed."""
    deal = sale("verified")
    earn(deal)
    deal.keep("buyer")
    psbt = drafted(deal, "first.psbt")
    back = deal.root / "signed.psbt"
    back.write_bytes(sign_psbt(psbt))
    deal.put_back("buyer")
    unsent = deal.run("buyer", "lock", "--psbt-in", str(back))
    assert unsent.refused
    assert "nothing was drafted for this deal" in unsent.err
    with chain_of(deal) as chain:
        chain.broadcast(final(psbt))
        chain.mine(1, b"\x51")
    found = deal.run("buyer", "lock", "--psbt-in", str(back))
    assert f"locked     100000 sat in {txid_of(final(psbt))}" in found.out


def test_an_external_payment_is_not_asked_for_beside_a_forgotten_lock(
    sale: Callable[[str], Sale],
) -> None:
    deal = sale("verified")
    deal.keep("buyer")
    assert deal.run("buyer", "lock").code == 0
    with Buyer.opened(deal.root / "buyer") as buyer:
        txid = buyer.locked(buyer.need(deal.deal))[1].txid
    deal.message("lock").unlink()
    deal.put_back("buyer")
    asked = deal.run("buyer", "lock", "--external")
    assert f"locked     100000 sat in {txid}" in asked.out


def test_own_locks_of_a_directory_that_forgot_the_first_exclude_each_other(
    sale: Callable[[str], Sale],
) -> None:
    """Signed, refused by every node, and put back to before it."""
    deal = sale("verified")
    deal.keep("buyer")
    first = interrupt(deal, "before", "buyer", "lock")
    deal.put_back("buyer")
    earn(deal)
    with chain_of(deal) as chain, Buyer.opened(deal.root / "buyer") as buyer:
        larger = CTxOut(120 * COIN, CScript(buyer.wallet_script))
        chain.broadcast(signed(chain.find_spendable(SCRIPT), [larger]))
        chain.mine(1, b"\x51")
    assert deal.run("buyer", "lock").code == 0
    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal) as chain:
        place = buyer.locked(buyer.need(deal.deal))[1]
        second = chain.get_transaction(place.txid)
    assert second is not None
    assert places(second) & places(first)
