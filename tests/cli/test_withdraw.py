"""`withdraw`: once, whatever happens, to the right address, and never a coin that a lock needs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from bitcoin.core import COIN, CTxOut
from bitcoin.core.script import CScript
from deal_stages import PRICE_SAT, Result, Sale
from funding_wallet import SCRIPT as FUNDING
from funding_wallet import earn, signed
from interrupted_broadcast import interrupt
from settling import chain_of, mine, reorganise, weather

from bitcoin_scripts.chain import FoundOutput, txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import bech32_address, p2wpkh_script, public_key
from zkcmp import api
from zkcmp.cli import passphrase
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.private.secret_files import SecretFiles
from zkcmp.exchange.seller import Seller

THEIRS = bytes(p2wpkh_script(public_key(b"\x09" * 32)))
ADDRESS = bech32_address(THEIRS, "regtest")
OTHER = bech32_address(p2wpkh_script(public_key(b"\x0a" * 32)), "regtest")
MAIN = bech32_address(THEIRS, "main")
AMOUNT = ("--amount-sat", "20000")
FAST = 4
WORDS = "six words that nobody else knows"


def txid_in(result: Result) -> str:
    assert result.code == 0, result
    return re.findall(r"transaction ([0-9a-f]{64})", result.out)[0]


def received(sale: Sale) -> list[FoundOutput]:
    """What arrived at the address, waiting or mined."""
    with chain_of(sale) as chain:
        return chain.find_output(THEIRS)


def wallet_coins(sale: Sale) -> int:
    with Buyer.opened(sale.root / "buyer") as buyer, chain_of(sale) as chain:
        return len(chain.find_spendable(buyer.wallet_script))


def test_the_seller_takes_all_that_was_redeemed(sale: Callable[[str], Sale]) -> None:
    deal = sale("redeemed")
    result = deal.run("seller", "withdraw", ADDRESS)
    assert "left       0 sat" in result.out
    mine(deal, 1)
    (coin,) = received(deal)
    assert coin.txid == txid_in(result)
    assert PRICE_SAT - 1000 < coin.amount_sat < PRICE_SAT
    repeated = deal.run("seller", "withdraw", ADDRESS, "--all")
    assert txid_in(repeated) == coin.txid
    assert repeated.out.startswith("already withdrawn")


def test_change_and_amount_of_the_buyer(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    before = wallet_coins(deal)
    txid = txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT))
    assert wallet_coins(deal) == before - 1
    mine(deal, 1)
    assert [(coin.txid, coin.amount_sat) for coin in received(deal)] == [(txid, 20_000)]
    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal) as chain:
        assert txid in [coin.txid for coin in chain.find_spendable(buyer.wallet_script)]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("mined", [False, True])
def test_a_killed_withdrawal_pays_once(sale: Callable[[str], Sale], when: str, mined: bool) -> None:
    deal = sale("opened")
    tx = interrupt(deal, when, "buyer", "withdraw", ADDRESS, *AMOUNT)
    if mined:
        mine(deal, 1)
    for _ in range(2):
        txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT))
        mine(deal, 1)
    (coin,) = received(deal)
    assert coin.amount_sat == 20_000
    with chain_of(deal) as chain:
        assert chain.get_transaction(coin.txid) == tx


def test_the_same_amount_is_paid_twice_only_if_said(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    assert deal.run("buyer", "withdraw", ADDRESS, *AMOUNT).code == 0
    mine(deal, 1)
    assert deal.run("buyer", "withdraw", ADDRESS, *AMOUNT).code == 0
    assert len(received(deal)) == 1
    assert deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--again").code == 0
    mine(deal, 1)
    assert len(received(deal)) == 2


def test_a_higher_fee_replaces_what_waits(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    first = txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "2"))
    assert txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "1")) == first
    raised = deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "9")
    assert "raised to" in raised.out
    mine(deal, 1)
    (coin,) = received(deal)
    assert coin.txid == txid_in(raised) != first


def test_a_withdrawal_that_the_chain_lost_is_sent_again(sale: Callable[[str], Sale]) -> None:
    """Also a second one, to another address, leaves its coins alone."""
    deal = sale("opened")
    lost = txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT))
    mine(deal, 1)
    reorganise(deal, 1, lost)
    assert received(deal) == []
    other = txid_in(deal.run("buyer", "withdraw", OTHER))
    assert txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT)) == lost
    mine(deal, 1)
    with chain_of(deal) as chain:
        assert chain.confirmations(lost) == chain.confirmations(other) == 1


def test_coins_of_a_signed_lock_are_kept_up_to_its_timeout(sale: Callable[[str], Sale]) -> None:
    """Spending them after the key was revealed would keep the price and the network."""
    deal = sale("verified")
    lock = interrupt(deal, "before", "buyer", "lock")
    coins = {(i.prevout.hash, i.prevout.n) for i in lock.vin}
    assert "kept" in deal.run("buyer", "withdraw", ADDRESS).out
    second = deal.run("buyer", "withdraw", OTHER)
    assert second.refused, second
    assert "is of the lock of deal" in second.err
    with chain_of(deal) as chain:
        taken = [chain.get_transaction(coin.txid) for coin in chain.find_output(THEIRS)]
    assert taken
    assert all((i.prevout.hash, i.prevout.n) not in coins for tx in taken for i in tx.vin)
    assert deal.run("buyer", "lock").code == 0


def test_coins_of_a_lock_are_free_from_its_timeout_on(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    interrupt(deal, "before", "buyer", "lock")
    mine(deal, 144)
    txid_in(deal.run("buyer", "withdraw", ADDRESS))
    assert wallet_coins(deal) == 0


def test_coins_of_a_reorganised_lock_are_kept(sale: Callable[[str], Sale]) -> None:
    deal = sale("redeemed")
    with Buyer.opened(deal.root / "buyer") as buyer:
        lock = buyer.locked(buyer.need(deal.deal))[1].txid
    reorganise(deal, 2, lock)
    assert "kept" in deal.run("buyer", "withdraw", ADDRESS).out
    second = deal.run("buyer", "withdraw", OTHER)
    assert second.refused
    assert "is of the lock of deal" in second.err
    assert deal.run("buyer", "lock").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((MAIN,), "is not an address on regtest"),
        (("nonsense",), "is not an address on regtest"),
        ((ADDRESS, "--amount-sat", "100"), "is dust"),
        ((ADDRESS, "--amount-sat", "2100000000000000"), "do not cover"),
        ((ADDRESS, "--fee", "501"), "--accept-high-fee"),
        ((ADDRESS, "--all", *AMOUNT), "one of --amount-sat and --all"),
    ],
    ids=["other-chain", "no-address", "dust", "too-much", "high-fee", "both"],
)
def test_refusals_leave_everything_as_it_was(
    sale: Callable[[str], Sale], arguments: tuple[str, ...], says: str
) -> None:
    deal = sale("opened")
    before = deal.tree()
    result = deal.run("buyer", "withdraw", *arguments)
    assert result.code == 2
    assert says in result.err
    assert deal.tree() == before


def test_a_high_fee_that_is_meant(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    meant = deal.run("buyer", "withdraw", ADDRESS, "--fee", "501", "--accept-high-fee")
    assert "501 sat/vB" in meant.out


def test_an_estimate_gone_wrong_is_not_followed(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    with weather(fee_rate=90_000):
        result = deal.run("buyer", "withdraw", ADDRESS)
    assert "500 sat/vB" in result.out


def test_coins_that_wait_are_left_out(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    assert deal.run("seller", "redeem").code == 0
    waiting = deal.run("seller", "withdraw", ADDRESS)
    assert waiting.refused
    assert "no spendable coins" in waiting.err


def test_a_damaged_record_is_refused(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    for content in ("{", "null\n", '{"chain": 1}\n', "é", '{"chain":"regtest","coins":7}\n'):
        (deal.root / "buyer" / "withdrawals").write_text(content)
        result = deal.run("buyer", "withdraw", ADDRESS)
        assert result.refused, result
        assert "withdrawals is damaged" in result.err
    assert received(deal) == []


def test_under_a_passphrase(
    sale: Callable[[str], Sale], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = sale("redeemed")
    SecretFiles(deal.root / "seller").change(WORDS, FAST)
    path = tmp_path / "words"
    path.write_text(WORDS)
    path.chmod(0o600)
    monkeypatch.setenv(passphrase.VARIABLE, str(path))
    txid_in(deal.run("seller", "withdraw", ADDRESS))
    assert len(received(deal)) == 1
    path.write_text("other words")
    assert deal.run("seller", "withdraw", OTHER).refused


def test_a_payment_whose_coins_are_uncertain_is_not_made_anew(sale: Callable[[str], Sale]) -> None:
    """Its coin went to another transaction; until that is sure, both could be mined."""
    deal = sale("opened")
    lost = txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "2"))
    mine(deal, 1)
    reorganise(deal, 1, lost)
    other = txid_in(deal.run("buyer", "withdraw", OTHER, "--again"))
    refused = deal.run("buyer", "withdraw", ADDRESS, *AMOUNT)
    assert refused.refused
    assert "--again" in refused.err
    mine(deal, 1)
    new = txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT))
    mine(deal, 1)
    with chain_of(deal) as chain:
        assert chain.get_transaction(lost) is None
        assert chain.confirmations(other) == 2
        assert [coin.txid for coin in chain.find_output(THEIRS)] == [new]


def test_coins_of_a_drafted_lock_are_kept(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    with Buyer.opened(deal.root / "buyer") as buyer:
        own = buyer.wallet_address("regtest")
    psbt = str(deal.root / "lock.psbt")
    assert deal.run("buyer", "lock", "--psbt-out", psbt, "--from", own).code == 0
    assert "kept" in deal.run("buyer", "withdraw", ADDRESS).out
    assert "is of the lock of deal" in deal.run("buyer", "withdraw", OTHER).err


def test_nothing_is_taken_while_a_record_of_locks_is_damaged(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    (deal.private("buyer") / "signed-locks").write_text("rubbish")
    assert deal.run("buyer", "withdraw", ADDRESS).refused
    assert received(deal) == []


def test_killed_before_each_of_its_steps(
    sale: Callable[[str], Sale], killed: Callable[[int, list[str]], bool], tmp_path: Path
) -> None:
    start = sale("opened")
    for step in range(1, 10):
        deal = start.copied(tmp_path / str(step))
        was_killed = killed(step, deal.arguments("buyer", "withdraw", ADDRESS, *AMOUNT))
        assert deal.run("buyer", "withdraw", ADDRESS, *AMOUNT).code == 0
        mine(deal, 1)
        assert deal.run("buyer", "withdraw", ADDRESS, *AMOUNT).code == 0
        assert [coin.amount_sat for coin in received(deal)] == [20_000]
        if not was_killed:
            assert step > 2
            return
    raise AssertionError("it was killed at every step")


def test_from_python(sale: Callable[[str], Sale]) -> None:
    deal = sale("redeemed")
    with chain_of(deal) as chain:
        done = api.Seller(deal.root / "seller").withdraw(chain, ADDRESS)
        paid = api.Buyer(deal.root / "buyer").withdraw(chain, ADDRESS, 30_000)
        chain.mine(1, b"\x51")
        amounts = sorted(coin.amount_sat for coin in chain.find_output(THEIRS))
    assert amounts == sorted([done.sent_sat, 30_000])
    assert paid.sent_sat == 30_000
    assert paid.left_sat > 0


def forget(deal: Sale) -> None:
    """As a home that was recovered, or put back, before the withdrawal."""
    (deal.root / "buyer" / "withdrawals").unlink()


def give_coins(deal: Sale, *amounts_sat: int) -> None:
    """Coins of other people for the buyer's wallet, mined."""
    earn(deal)
    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal) as chain:
        script = CScript(buyer.wallet_script)
        outputs = [CTxOut(amount, script) for amount in amounts_sat]
        chain.broadcast(signed(chain.find_spendable(FUNDING), outputs))
        chain.mine(1, b"\x51")


@pytest.mark.parametrize("mined", [False, True])
def test_a_withdrawal_that_the_record_lacks_is_found_on_the_chain(
    sale: Callable[[str], Sale], mined: bool
) -> None:
    deal = sale("opened")
    give_coins(deal, 30 * COIN)
    txid = txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "2"))
    if mined:
        mine(deal, 1)
    forget(deal)
    repeated = deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "2")
    assert txid_in(repeated) == txid
    assert repeated.out.startswith("already withdrawn")
    if not mined:
        raised = deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "9")
        assert "raised to" in raised.out
        mine(deal, 1)
    assert [coin.amount_sat for coin in received(deal)] == [20_000]
    assert deal.run("buyer", "withdraw", OTHER, *AMOUNT).code == 0, "another order is another one"


def test_withdrawals_of_a_record_that_forgot_the_first_exclude_each_other(
    sale: Callable[[str], Sale],
) -> None:
    """No node has it, and larger coins have come since."""
    deal = sale("opened")
    first = interrupt(deal, "before", "buyer", "withdraw", ADDRESS, *AMOUNT)
    forget(deal)
    give_coins(deal, 120 * COIN)
    second = txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "7"))
    assert second != txid_of(first)
    mine(deal, 1)
    with chain_of(deal) as chain, pytest.raises(SettlementError):
        chain.broadcast(first)
    assert [coin.amount_sat for coin in received(deal)] == [20_000]


def test_they_do_at_different_rates_as_well(sale: Callable[[str], Sale]) -> None:
    """A stranger's few satoshi, older than all, are worth their fee at one rate only."""
    deal = sale("redeemed")
    txid_in(deal.run("seller", "withdraw", OTHER, "--all"))
    earn(deal)
    with Seller.opened(deal.root / "seller") as seller, chain_of(deal) as chain:
        script = CScript(seller.wallet_script)
        outputs = [CTxOut(amount, script) for amount in (300, 20 * COIN, 30 * COIN)]
        chain.broadcast(signed(chain.find_spendable(FUNDING), outputs))
        chain.mine(1, b"\x51")
    first = interrupt(deal, "before", "seller", "withdraw", ADDRESS, *AMOUNT, "--fee", "2")
    (deal.root / "seller" / "withdrawals").unlink()
    txid_in(deal.run("seller", "withdraw", ADDRESS, *AMOUNT, "--fee", "7"))
    mine(deal, 1)
    with chain_of(deal) as chain, pytest.raises(SettlementError):
        chain.broadcast(first)


def test_what_others_pay_there_is_no_withdrawal(sale: Callable[[str], Sale]) -> None:
    """The same amount to the same address, with change for the buyer's wallet."""
    deal = sale("opened")
    earn(deal)
    with Buyer.opened(deal.root / "buyer") as buyer, chain_of(deal) as chain:
        outputs = [CTxOut(20_000, CScript(THEIRS)), CTxOut(50_000, CScript(buyer.wallet_script))]
        other = signed(chain.find_spendable(FUNDING), outputs)
        chain.broadcast(other)
        chain.mine(1, b"\x51")
    txid = txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT))
    assert txid != txid_of(other)
    mine(deal, 1)
    assert len(received(deal)) == 2


def test_a_withdrawal_of_coins_that_the_node_cannot_show_is_not_paid_again(
    sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an index, a node finds no transaction that is old and spent."""
    deal = sale("opened")
    give_coins(deal, 30 * COIN)
    txid = txid_in(deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "2"))
    mine(deal, 1)
    forget(deal)
    with chain_of(deal) as chain:
        tx = chain.get_transaction(txid)
    assert tx is not None
    old = {tx_input.prevout.hash[::-1].hex() for tx_input in tx.vin}
    shown = KernelChain.get_transaction
    monkeypatch.setattr(
        KernelChain, "get_transaction", lambda c, txid: None if txid in old else shown(c, txid)
    )
    repeated = deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--fee", "2")
    assert repeated.refused
    assert f"{txid} pays this amount" in repeated.err
    assert [coin.amount_sat for coin in received(deal)] == [20_000]
    assert deal.run("buyer", "withdraw", ADDRESS, *AMOUNT, "--again").code == 0
