"""Refunds that the buyer makes by hand, of more coins than the lock: they do not stop a claim."""

from collections.abc import Callable, Sequence

import pytest
from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript
from deal_stages import PRICE_SAT, Sale
from funding_wallet import KEY, SCRIPT, SECRET, earn, spend_coin
from settling import chain_of, lock_place, mine, reorganise, spend_of_lock

from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import p2wpkh_script_code
from bitcoin_scripts.preimage import is_claim
from bitcoin_scripts.spend import input_of, signature, with_witnesses
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.seller import Seller

At = Callable[[str], Sale]


@pytest.fixture
def late(sale: At) -> Sale:
    """The key is out, everybody has dropped the claim, and the timeout has passed."""
    deal = sale("locked")
    earn(deal)
    assert deal.run("seller", "redeem", "--fee", "1").code == 0
    reorganise(deal, 1, txid_of(spent(deal)))
    mine(deal, 144)
    return deal


def spent(sale: Sale) -> CTransaction:
    found = spend_of_lock(sale)
    assert found is not None
    return found


def terms(sale: Sale) -> tuple[Htlc, Outpoint, bytes]:
    """The lock, where it is, and the secret that refunds it."""
    with Buyer.opened(sale.root / "buyer") as buyer:
        deal = buyer.need(sale.deal)
        return *buyer.locked(deal), deal.keys().coin_secret


def coin_of(sale: Sale) -> Outpoint:
    """A coin of the buyer's other wallet."""
    with chain_of(sale) as chain:
        return chain.find_spendable(SCRIPT)[0]


def send_refund(sale: Sale, coins: Sequence[Outpoint], script: bytes, *paid_sat: int) -> str:
    """A refund of the lock and of these coins, after them, to outputs of one script; it waits."""
    htlc, place, secret = terms(sale)
    inputs = [input_of(each) for each in (*coins, place)]
    outputs = [CTxOut(each, CScript(script)) for each in paid_sat]
    tx = CTransaction(inputs, outputs, htlc.timeout_height, 2)
    code, last = p2wpkh_script_code(KEY), len(coins)
    stacks = [[signature(code, tx, i, c.amount_sat, SECRET), KEY] for i, c in enumerate(coins)]
    ours = signature(htlc.redeem_script, tx, last, place.amount_sat, secret)
    with chain_of(sale) as chain:
        chain.broadcast(with_witnesses(tx, [*stacks, [ours, b"", bytes(htlc.redeem_script)]]))
    return txid_of(tx)


def is_claimed(sale: Sale) -> bool:
    """Whether a claim is what spends the lock now."""
    htlc, place, _ = terms(sale)
    found = spend_of_lock(sale)
    return found is not None and is_claim(found, place, htlc)


def test_one_that_pays_the_seller_is_no_claim(late: Sale) -> None:
    """It goes when its other coin is spent, and the claim has to be sent again then."""
    with Seller.opened(late.root / "seller") as seller:
        script = seller.wallet_script
    refund = send_refund(late, [coin_of(late)], script, PRICE_SAT // 2)
    result = late.run("seller", "redeem")
    assert refund not in result.out
    assert not is_claimed(late), "its fee is a whole coin"
    waiting = spent(late)
    reorganise(late, 1, refund)
    spend_coin(late, waiting)
    assert late.run("seller", "watch", "--once").code == 0
    assert is_claimed(late)


def test_a_record_with_another_party_s_refund_in_it_still_claims(late: Sale) -> None:
    refund = send_refund(late, [coin_of(late)], SCRIPT, PRICE_SAT // 2)
    waiting = spent(late)
    claims = late.private("seller") / "claims"
    claims.write_text(claims.read_text() + f"1 {waiting.serialize().hex()}\n")
    reorganise(late, 1, refund)
    spend_coin(late, waiting)
    assert lock_place(late).amount_sat == PRICE_SAT
    assert late.run("seller", "watch", "--once").code == 0
    assert is_claimed(late)


def test_one_that_hides_its_fee_is_outbid(late: Sale) -> None:
    """With a coin that nobody else knows the amount of, its outputs are above the price."""
    coin, fee_sat = coin_of(late), 3000
    refund = send_refund(late, [coin], SCRIPT, PRICE_SAT + coin.amount_sat - fee_sat)
    result = late.run("seller", "watch", "--once")
    assert result.code == 0, result
    assert txid_of(spent(late)) != refund
    assert is_claimed(late)
    assert fee_sat < PRICE_SAT - spent(late).vout[0].nValue < 2 * fee_sat


def test_one_that_hides_its_fee_is_not_outbid_beyond_what_was_said(late: Sale) -> None:
    coin = coin_of(late)
    refund = send_refund(late, [coin], SCRIPT, PRICE_SAT + coin.amount_sat - 3000)
    result = late.run("seller", "redeem", "--fee", "5")
    assert result.refused
    assert "a replacement has to pay at least" in result.err
    assert txid_of(spent(late)) == refund
    assert late.run("seller", "redeem", "--fee", "40").code == 0
    assert is_claimed(late)


def test_a_fee_that_all_see_is_not_outbid_beyond_what_was_said(late: Sale) -> None:
    refund = send_refund(late, [], SCRIPT, PRICE_SAT - 3000)
    result = late.run("seller", "redeem", "--fee", "5")
    assert result.refused
    assert "a replacement has to pay at least" in result.err
    assert txid_of(spent(late)) == refund
    assert late.run("seller", "redeem").code == 0
    assert is_claimed(late)


def test_a_refund_made_by_hand_is_left_alone(sale: At) -> None:
    """Its first output pays somebody else, and ours must never pay all of it there."""
    deal = sale("locked")
    earn(deal)
    mine(deal, 145)
    refund = send_refund(deal, [], SCRIPT, PRICE_SAT // 2, PRICE_SAT // 2 - 300)
    assert deal.run("buyer", "refund", "--fee", "50").code == 0
    assert txid_of(spent(deal)) == refund
    reorganise(deal, 1, refund)
    assert deal.run("buyer", "refund", "--fee", "50").code == 0
    (paid,) = spent(deal).vout
    with Buyer.opened(deal.root / "buyer") as buyer:
        assert bytes(paid.scriptPubKey) == buyer.wallet_script


def test_one_that_cannot_be_outbid_costs_no_more_than_half(late: Sale) -> None:
    """What was refused is not sent for ever: the look ends, and says why."""
    coin = coin_of(late)
    refund = send_refund(late, [coin], SCRIPT, PRICE_SAT + coin.amount_sat - PRICE_SAT)
    result = late.run("seller", "redeem")
    assert result.refused
    assert "a replacement has to pay at least" in result.err
    assert txid_of(spent(late)) == refund


def test_an_outage_is_no_reason_to_pay_more(late: Sale, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node goes away after the refund was seen; what is signed then would be sent later."""
    send_refund(late, [], SCRIPT, PRICE_SAT - 200)
    claims = late.private("seller") / "claims"

    def away(*_: object) -> None:
        raise SettlementError("the node does not answer; is it running?")

    def refuse(chain: KernelChain, tx: CTransaction) -> None:
        monkeypatch.setattr(KernelChain, "get_transaction", away)
        away()

    monkeypatch.setattr(KernelChain, "broadcast", refuse)
    assert "does not answer" in late.run("seller", "redeem").err
    assert len(claims.read_text().splitlines()) == 2


def test_one_that_waits_does_not_end_a_deal_whose_claim_was_not_noted(sale: At) -> None:
    """The command died after the claim was sent: some miner can have it, whoever forgot it."""
    deal = sale("locked")
    earn(deal)
    state = deal.private("seller") / "state.json"
    before = state.read_bytes()
    assert deal.run("seller", "redeem", "--fee", "1").code == 0
    state.write_bytes(before)
    claim = spent(deal)
    reorganise(deal, 1, txid_of(claim))
    mine(deal, 144)
    refund = send_refund(deal, [], SCRIPT, PRICE_SAT - 3000)
    result = deal.run("seller", "watch", "--once")
    assert f"spent already by {refund}: the buyer took the refund; it waits" in result.out
    assert "secret" not in result.out
    assert "over" not in result.out
    reorganise(deal, 1, refund)
    with chain_of(deal) as chain:
        chain.broadcast(claim)
    mine(deal, 1)
    result = deal.run("seller", "watch", "--once")
    assert "paid" in result.out, result
