"""A private directory that was put back to an older copy: nothing is paid a second time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import Sale, Stages
from settling import chain_of, mine

from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from zkcmp.exchange.buyer import Buyer


def put_back(sale: Sale, old: Sale, *places: str) -> None:
    for place in places:
        shutil.rmtree(sale.root / place)
        shutil.copytree(old.root / place, sale.root / place)
        (sale.root / place).chmod(0o700)


def spends_of_wallet(sale: Sale) -> set[str]:
    """Transactions, mined or waiting, that spend coins of the buyer's wallet."""
    with Buyer.opened(sale.root / "buyer") as buyer, chain_of(sale) as chain:
        return {coin.spent_by for coin in chain.find_output(buyer.wallet_script) if coin.spent_by}


def give_coins(sale: Sale) -> None:
    """A second coin, so that no shortage prevents a second payment."""
    with Buyer.opened(sale.root / "buyer") as buyer, KernelChain(sale.root / "chain") as chain:
        chain.mine(1, buyer.wallet_script)
        chain.mine(100, b"\x51")


@pytest.mark.parametrize("blocks", [0, 1])
@pytest.mark.parametrize("places", [("buyer", "deal"), ("buyer",)])
def test_buyer_does_not_pay_again(
    stages: Stages,
    sale: Callable[[str], Sale],
    tmp_path: Path,
    places: tuple[str, ...],
    blocks: int,
) -> None:
    """Its machine, with or without the deal folder, is as before the lock; the chain is not."""
    deal, old = sale("verified"), stages.copy("verified", tmp_path / "old")
    give_coins(deal)
    assert deal.run("buyer", "lock").code == 0
    if blocks:
        mine(deal, blocks)
    paid = spends_of_wallet(deal)
    put_back(deal, old, *places)
    assert deal.run("buyer", "lock").code == 0
    assert spends_of_wallet(deal) == paid
    mine(deal, 1)
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0


@pytest.mark.parametrize("party", ["seller", "buyer"])
@pytest.mark.parametrize("name", ["identity.key", "wallet.key"])
def test_lost_key_is_not_replaced_by_a_fresh_one(
    sale: Callable[[str], Sale], party: str, name: str
) -> None:
    deal = sale("locked")
    (deal.root / party / name).unlink()
    for command in ("redeem", "status") if party == "seller" else ("refund", "status"):
        result = deal.run(party, command)
        assert result.refused
        assert f"{name} is missing, and deals depend on it" in result.err
    assert not (deal.root / party / name).exists()


def test_seller_does_not_answer_again(
    stages: Stages, sale: Callable[[str], Sale], tmp_path: Path
) -> None:
    """A second buyer asks, and the first one's answer lies in the folder."""
    deal, old = sale("proved"), stages.copy("sealed", tmp_path / "old")
    put_back(deal, old, "seller")
    put_back(deal, stages.copy("ready", tmp_path / "other"), "buyer")
    for name in ("request", "key-material"):
        deal.message(name).unlink()
    assert deal.request(3).code == 0
    assert deal.run("buyer", "setup").code == 0
    answer = deal.message("delivery").read_bytes()
    result = deal.prove()
    assert result.refused
    assert "has an answer to a request that our state does not know" in result.err
    assert deal.message("delivery").read_bytes() == answer


def test_seller_of_before_the_claim_can_send_the_lock_again(
    stages: Stages, sale: Callable[[str], Sale], tmp_path: Path
) -> None:
    """A reorganisation undoes lock and claim; the buyer, who has the key, sends nothing."""
    deal, old = sale("locked"), stages.copy("locked", tmp_path / "old")
    assert deal.run("seller", "redeem").code == 0
    mine(deal, 1)
    put_back(deal, old, "seller")
    assert deal.run("seller", "redeem").code == 0
    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal) as chain:
        lock = buyer.locked(buyer.need(deal.deal))[1]
        claim = chain.find_spend(lock)
        assert claim is not None
        blocks = chain.confirmations(lock.txid)
    with KernelChain(deal.root / "chain") as chain:
        chain.reorganise(blocks, forget=(lock.txid, txid_of(claim)))
        assert chain.get_transaction(lock.txid) is None
    assert deal.run("seller", "redeem").code == 0
    mine(deal, 1)
    with chain_of(deal) as chain:
        assert chain.confirmations(lock.txid) == 1
        assert chain.find_spend(lock) is not None
