"""Fees of claim and refund: estimated, bounded, and raised by replacement."""

from collections.abc import Callable

import pytest
from bitcoin.core import CTransaction
from deal_stages import PRICE_SAT, Sale
from settling import chain_of, fee_sat, lock_place, mine, spend_of_lock, weather

from bitcoin_scripts import fees
from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fee_rates import FeeChoice
from zkcmp.exchange import checks
from zkcmp.exchange.checks import NotYet


def rate(sale: Sale) -> int:
    """sat/vB of what spends the lock, as the sizes of a claim and a refund are."""
    tx = spend_of_lock(sale)
    assert tx is not None
    return round(fee_sat(tx, PRICE_SAT) / fees.vsize(tx))


def ripe(sale: Sale) -> Sale:
    mine(sale, 143)
    return sale


@pytest.fixture(params=["claim", "refund"])
def spending(request: pytest.FixtureRequest, sale: Callable[[str], Sale]):
    """A sale before the claim or the refund, and the command that sends it."""
    deal = sale("locked")
    if request.param == "claim":
        return deal, ("seller", "redeem")
    return ripe(deal), ("buyer", "refund")


def test_the_rate_is_estimated(spending) -> None:
    deal, command = spending
    with weather(fee_rate=23):
        assert deal.run(*command).code == 0
    assert rate(deal) == 23


def test_without_an_estimate_it_is_small(spending) -> None:
    deal, command = spending
    assert deal.run(*command).code == 0
    assert rate(deal) == 2


def test_a_claim_is_to_be_mined_sooner_than_a_refund(sale: Callable[[str], Sale]) -> None:
    with weather(rates={1: 90, 3: 50, 6: 20, 144: 4}):
        deal = sale("locked")
        mine(deal, 100)  # 43 blocks are left
        assert deal.run("seller", "redeem").code == 0
        assert rate(deal) == 20
        mine(deal, 1)
    assert spend_of_lock(deal) is not None


def test_a_repeated_command_with_a_higher_fee_replaces(spending) -> None:
    deal, command = spending
    assert deal.run(*command).code == 0
    first = spend_of_lock(deal)
    again = deal.run(*command, "--fee", "9")
    assert again.code == 0, again
    assert "raised to 9 sat/vB" in again.out
    second = spend_of_lock(deal)
    assert (rate(deal), txid_of(second) in again.out) == (9, True)
    assert [o.scriptPubKey for o in second.vout] == [o.scriptPubKey for o in first.vout]
    assert deal.run(*command, "--fee", "9").code == 0
    assert txid_of(spend_of_lock(deal)) == txid_of(second)


@pytest.mark.parametrize("fee", ["1", "2"])
def test_a_repeated_command_with_no_higher_fee_changes_nothing(spending, fee: str) -> None:
    deal, command = spending
    assert deal.run(*command).code == 0
    first = txid_of(spend_of_lock(deal))
    again = deal.run(*command, "--fee", fee)
    assert again.code == 0
    assert first in again.out
    assert "raised" not in again.out
    assert txid_of(spend_of_lock(deal)) == first


def test_a_repeated_command_follows_a_rising_estimate(spending) -> None:
    deal, command = spending
    with weather(fee_rate=5) as now:
        assert deal.run(*command).code == 0
        now.fee_rate = 4
        assert deal.run(*command).code == 0
        assert rate(deal) == 5
        now.fee_rate = 11
        assert "raised to 11" in deal.run(*command).out
        assert rate(deal) == 11


def test_whichever_version_is_mined_is_found(spending) -> None:
    """An earlier one can reach a miner that never saw its replacement."""
    deal, command = spending
    assert deal.run(*command).code == 0
    first = spend_of_lock(deal)
    assert deal.run(*command, "--fee", "9").code == 0
    with chain_of(deal) as chain:
        chain.reorganise(1, [txid_of(spend) for spend in chain._index.mempool.values()])
        chain.broadcast(first)
        chain.mine(1, b"\x51")
    again = deal.run(*command)
    assert again.code == 0, again
    assert f"{txid_of(first)}, 1 confirmation" in again.out
    assert txid_of(first) in deal.run(command[0], "status").out


def test_of_the_signed_versions_the_dearest_is_sent_again(spending) -> None:
    deal, command = spending
    assert deal.run(*command).code == 0
    assert deal.run(*command, "--fee", "9").code == 0
    dearest = txid_of(spend_of_lock(deal))
    with chain_of(deal) as chain:
        chain.reorganise(1, [dearest])
    mine(deal, 1)
    assert spend_of_lock(deal) is None
    assert deal.run(*command).code == 0
    assert txid_of(spend_of_lock(deal)) == dearest


@pytest.mark.parametrize(
    ("fee", "said"),
    [
        ("501", "above the ceiling of 500; choose a lower --fee, or say --accept-high-fee"),
        ("100000", "above the ceiling"),
        ("400", "is over 1/2 of the 100000 sat"),
    ],
)
def test_absurd_fees_are_refused(spending, fee: str, said: str) -> None:
    deal, command = spending
    before = spend_of_lock(deal)
    result = deal.run(*command, "--fee", fee)
    assert result.refused
    assert said in result.err
    assert spend_of_lock(deal) is before is None
    assert deal.run(*command).code == 0


def test_an_absurd_estimate_reveals_no_key(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    with weather(fee_rate=600) as now:
        result = deal.run("seller", "redeem")
        assert result.refused
        assert "costs about 600 sat/vB now" in result.err
        assert "key was not revealed" in result.err
        assert spend_of_lock(deal) is None
        assert not (deal.private("seller") / "claims").exists()
        now.fee_rate = 30
        assert deal.run("seller", "redeem").code == 0
    assert rate(deal) == 30


def test_a_fee_that_is_too_low_reveals_no_key(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    with weather(rates={1: 80, 40: 30}):
        result = deal.run("seller", "redeem", "--fee", "29")
        assert result.refused
        assert "30 sat/vB is asked for now" in result.err
        assert spend_of_lock(deal) is None
        assert deal.run("seller", "redeem", "--fee", "30").code == 0


def test_an_estimate_is_followed_up_to_the_ceiling_only(spending) -> None:
    """Whoever feeds a node false estimates cannot have the amount paid to miners."""
    deal, command = spending
    assert deal.run(*command).code == 0
    with weather(fee_rate=100_000):
        assert deal.run(*command).code == 0
    paid = fee_sat(spend_of_lock(deal), PRICE_SAT)
    assert PRICE_SAT // 4 < paid <= PRICE_SAT // 2


def test_a_claim_that_is_out_is_raised_at_every_late_block(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    assert deal.run("seller", "redeem").code == 0
    claim = txid_of(spend_of_lock(deal))
    with chain_of(deal) as chain:
        waiting = chain.get_transaction(claim)
        chain.reorganise(1, [claim])
        chain.mine(125, b"\x51")
        chain.broadcast(waiting)
    rates = []
    for _ in range(4):
        assert deal.run("seller", "redeem").code == 0
        rates.append(rate(deal))
        assert deal.run("seller", "redeem").code == 0
        assert rate(deal) == rates[-1], "once a block"
        with chain_of(deal) as chain:
            waiting = spend(chain, deal)
            chain.reorganise(1, [txid_of(waiting)])
            chain.broadcast(waiting)
    assert rates == sorted(set(rates))
    assert rates[0] >= 3


def spend(chain: KernelChain, sale: Sale) -> CTransaction:
    found = chain.find_spend(lock_place(sale))
    assert found is not None
    return found


def test_versions_are_on_disk_before_they_are_sent(spending) -> None:
    deal, command = spending
    assert deal.run(*command).code == 0
    name = "claims" if command[0] == "seller" else "refunds"
    seen = []

    def refuse(chain: KernelChain, tx: CTransaction) -> str:
        text = (deal.private(command[0]) / name).read_text()
        seen.append(tx.serialize().hex() in text)
        raise SettlementError("the node is away; repeat this later")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KernelChain, "broadcast", refuse)
        assert deal.run(*command, "--fee", "7").refused
    assert seen == [True]
    assert rate(deal) == 2, "what waited still waits"
    assert deal.run(*command, "--fee", "8").code == 0
    assert rate(deal) == 8


def test_real_coins_need_an_estimate_before_the_key_is_revealed(
    sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that was just begun knows no rates, and 2 sat/vB may not be mined for days."""
    monkeypatch.setattr(KernelChain, "name", "main")
    with chain_of(sale("locked")) as chain, weather() as now:
        asked = chain, FeeChoice(), chain.height() + 100, 1000
        with pytest.raises(NotYet, match=r"the key was not revealed; .*, or say --fee"):
            checks.first_claim_rate(*asked)
        assert checks.first_claim_rate(chain, FeeChoice(3), *asked[2:]) == 3
        now.fee_rate = 17
        assert checks.first_claim_rate(*asked) == 17
