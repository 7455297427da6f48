"""A lock that was signed and not sent: sent later with a fresh timeout, from the same coins.

A buyer pays once. Every lock that was ever signed for a deal may have reached some node, so each
one spends coins of all the others: at most one of them confirms, and that one is ours to open or
to refund.
"""

import re
import shutil
from collections.abc import Callable

import pytest
from bitcoin.core import CTransaction
from deal_stages import Sale
from interrupted_broadcast import interrupt

from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import public_key
from zkcmp.exchange.buyer import Buyer

TIMEOUT_BLOCKS = 144


def coins_of(tx: CTransaction) -> set[tuple[bytes, int]]:
    return {(tx_input.prevout.hash, tx_input.prevout.n) for tx_input in tx.vin}


def locked(sale: Sale, *options: str) -> tuple[str, int]:
    """Run `lock`: the transaction's id, and the height from which a refund is possible."""
    result = sale.run("buyer", "lock", *options)
    assert result.code == 0, result
    return (
        re.search(r" sat in ([0-9a-f]{64})", result.out)[1],
        int(re.search(r"from height (\d+)", result.out)[1]),
    )


def height(sale: Sale) -> int:
    with KernelChain(sale.root / "chain") as chain:
        return chain.height()


def mine(sale: Sale, blocks: int) -> None:
    assert sale.run("chain", "mine", str(blocks)).code == 0


def broadcast(sale: Sale, tx: CTransaction) -> None:
    with KernelChain(sale.root / "chain") as chain:
        chain.broadcast(tx)


def spend_all_coins(sale: Sale) -> None:
    """Somebody with the same wallet pays all of its coins elsewhere."""
    with Buyer.opened(sale.root / "buyer") as buyer, KernelChain(sale.root / "chain") as chain:
        htlc = Htlc(bytes(32), *(public_key(bytes(31) + bytes([k])) for k in (1, 2)), 500)
        coins = chain.find_spendable(buyer.wallet_script)
        secret = (sale.root / "buyer" / "wallet.key").read_bytes()
        amount_sat = sum(coin.amount_sat for coin in coins) - 10_000
        chain.broadcast(build_lock(coins, htlc, amount_sat, buyer.wallet_script, secret, 2))


def test_its_timeout_is_counted_from_when_it_is_sent(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    interrupt(deal, "before", "buyer", "lock")
    mine(deal, 120)
    _, timeout_height = locked(deal)
    assert timeout_height == height(deal) + TIMEOUT_BLOCKS
    mine(deal, 1)
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0


@pytest.mark.parametrize("fees", [("2", "2"), ("50", "2"), ("2", "50")])
def test_never_two_of_them_confirm(sale: Callable[[str], Sale], fees: tuple[str, str]) -> None:
    """Not even when better coins have come meanwhile."""
    deal = sale("verified")
    signed = [interrupt(deal, "before", "buyer", "lock", "--fee", fees[0])]
    for fee in fees:
        with Buyer.opened(deal.root / "buyer") as buyer:
            address = buyer.wallet_address("regtest")
        assert deal.run("chain", "mine", "101", "--to", address).code == 0
        signed.append(interrupt(deal, "before", "buyer", "lock", "--fee", fee))
    assert len({txid_of(tx) for tx in signed}) == 3
    assert set.intersection(*map(coins_of, signed))
    txid, _ = locked(deal, "--fee", fees[-1])
    assert txid == txid_of(signed[-1])
    mine(deal, 1)
    for earlier in signed[:-1]:
        with pytest.raises(SettlementError, match="already spent"):
            broadcast(deal, earlier)


def test_is_sent_as_it_is_while_its_timeout_is_fresh(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    first = interrupt(deal, "before", "buyer", "lock")
    assert locked(deal)[0] == txid_of(first)


def test_is_signed_again_for_another_fee(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    first = interrupt(deal, "before", "buyer", "lock")
    txid, _ = locked(deal, "--fee", "9")
    assert txid != txid_of(first)
    with pytest.raises(SettlementError, match="already spent"):
        broadcast(deal, first)


@pytest.mark.parametrize("when", ["before", "after"])
def test_is_not_said_to_be_locked(sale: Callable[[str], Sale], when: str) -> None:
    deal = sale("verified")
    tx = interrupt(deal, when, "buyer", "lock")
    said = deal.run("buyer", "status").out
    assert txid_of(tx) not in said
    assert "signed, perhaps not sent; next: zkcmp buyer lock" in said
    assert locked(deal)[0] == txid_of(tx)
    assert f"locked in {txid_of(tx)}" in deal.run("buyer", "status").out


def test_an_earlier_one_that_arrived_after_all_is_the_lock(sale: Callable[[str], Sale]) -> None:
    """A node had taken it, whatever it answered: the later one can never be mined."""
    deal = sale("verified")
    first = interrupt(deal, "before", "buyer", "lock")
    mine(deal, 3)
    second = interrupt(deal, "before", "buyer", "lock")
    assert txid_of(first) != txid_of(second)
    broadcast(deal, first)
    assert locked(deal) == (txid_of(first), height(deal) - 3 + TIMEOUT_BLOCKS)
    mine(deal, 1)
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0


@pytest.mark.parametrize("ending", ["open", "refund"])
def test_an_earlier_one_that_a_reorganisation_brought_back(
    sale: Callable[[str], Sale], ending: str
) -> None:
    """Announced was the later one; the earlier one is opened or refunded all the same."""
    deal = sale("verified")
    first = interrupt(deal, "before", "buyer", "lock")
    mine(deal, 3)
    deal.keep("chain")
    second, _ = locked(deal)
    assert second != txid_of(first)
    deal.put_back("chain")
    broadcast(deal, first)
    mine(deal, 1)
    if ending == "open":
        assert locked(deal)[0] == txid_of(first), "and the seller is told where it is"
        assert deal.run("seller", "redeem").code == 0
        assert deal.open().code == 0
    else:
        assert f"is possible from height {height(deal) + 140}" in deal.run("buyer", "refund").err
        mine(deal, 140)
        assert deal.run("buyer", "refund").code == 0


def test_is_kept_when_the_chain_is_another(sale: Callable[[str], Sale]) -> None:
    """A chain that does not know its coins says nothing about the chain it was made for."""
    deal = sale("verified")
    first = interrupt(deal, "before", "buyer", "lock")
    (deal.root / "chain").rename(deal.root / "chain-of-the-deal")
    result = deal.run("buyer", "lock")
    assert result.refused
    assert "does not have" in result.err
    shutil.rmtree(deal.root / "chain")
    (deal.root / "chain-of-the-deal").rename(deal.root / "chain")
    assert locked(deal)[0] == txid_of(first)


def test_is_replaced_by_other_coins_only_when_its_own_are_surely_gone(
    sale: Callable[[str], Sale],
) -> None:
    deal = sale("verified")
    first = interrupt(deal, "before", "buyer", "lock")
    spend_all_coins(deal)
    result = deal.run("buyer", "lock")
    assert result.refused, "what spends them waits, and could still be dropped"
    assert "0 of 1 confirmations" in result.err
    with Buyer.opened(deal.root / "buyer") as buyer, KernelChain(deal.root / "chain") as chain:
        chain.mine(101, buyer.wallet_script)
    result = deal.run("buyer", "lock")
    assert result.refused
    assert "spent elsewhere" in result.err
    txid, timeout_height = locked(deal)
    assert txid != txid_of(first)
    assert timeout_height == height(deal) + TIMEOUT_BLOCKS


def test_a_fee_that_its_coins_cannot_pay(sale: Callable[[str], Sale]) -> None:
    """Other coins would do, but must not be taken; the signed lock stays as it is."""
    deal = sale("verified")
    first = interrupt(deal, "before", "buyer", "lock")
    mine(deal, 1)
    result = deal.run("buyer", "lock", "--fee", "10000", "--accept-high-fee")
    assert result.refused
    assert "lower fee" in result.err or "lower --fee" in result.err
    txid, _ = locked(deal)
    assert txid != txid_of(first)
    with pytest.raises(SettlementError, match="already spent"):
        broadcast(deal, first)


def test_a_lock_that_was_announced_is_sent_again_as_it_is(sale: Callable[[str], Sale]) -> None:
    """The seller may have revealed the key for it: no other one may take its coins."""
    deal = sale("verified")
    deal.keep("chain")
    told = locked(deal)
    deal.put_back("chain")
    mine(deal, 120)
    assert locked(deal) == told


def test_one_that_arrives_while_the_chain_is_asked_is_not_forgotten(
    sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As deep as coins spent elsewhere have to be: it is the lock, and not somewhere else."""
    deal = sale("verified")
    interrupt(deal, "after", "buyer", "lock")
    mine(deal, 1)
    with monkeypatch.context() as moment:
        moment.setattr("zkcmp.exchange.buyer.locking._signed_on_chain", lambda *_: None)
        result = deal.run("buyer", "lock")
    assert result.refused
    assert "has just arrived; repeat the command" in result.err
    locked(deal)
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0
