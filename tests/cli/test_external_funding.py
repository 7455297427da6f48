"""A lock that any wallet pays by its address: every mistake costs time at most, never coins."""

import re
from collections.abc import Callable

import pytest
from bitcoin.core import CTransaction
from deal_stages import PRICE_SAT, Sale
from funding_wallet import earn, pay
from interrupted_broadcast import interrupt
from test_dishonest_parties import offer_terms

from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.funding import build_lock
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import public_key
from zkcmp.cli.deal import funding
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.buyer.funding.outputs import paid_outputs
from zkcmp.exchange.buyer.funding.record import FundingRecord
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.identity import ReadingKey
from zkcmp.exchange.seller import Seller

TIMEOUT_BLOCKS = 144
WINDOW_BLOCKS = TIMEOUT_BLOCKS - 36 - 1 - 6
"""Of them, 36 are the seller's, 1 is for the confirmation, 6 for being mined."""

LOCK = ("buyer", "lock", "--external")

At = Callable[[str], Sale]


@pytest.fixture
def verified(sale: At) -> Sale:
    """A verified deal, and an external wallet with coins."""
    deal = sale("verified")
    earn(deal)
    return deal


def mine(sale: Sale, blocks: int) -> None:
    with KernelChain(sale.root / "chain") as chain:
        chain.mine(blocks, b"\x51")


def ask(sale: Sale, *options: str) -> str:
    """The address that is to be paid."""
    result = sale.run(*LOCK, *options)
    assert result.code == 0, result
    found = re.search(r"exactly 100000 sat, in one payment, to (bcrt1\w+)", result.out)
    assert found, result.out
    return found[1]


def refused(sale: Sale, *options: str) -> str:
    result = sale.run(*LOCK, *options)
    assert result.refused, result
    return result.err


def locked(sale: Sale) -> str:
    """Where the command finds the lock, of which the seller is told by then."""
    result = sale.run(*LOCK)
    assert result.code == 0, result
    assert sale.message("lock").exists()
    return re.search(r"locked +100000 sat in ([0-9a-f]{64})", result.out)[1]


def refund(sale: Sale) -> str:
    result = sale.run("buyer", "refund")
    assert result.code == 0, result
    return result.out


def returned_sat(sale: Sale) -> int:
    """What came back to the buyer's own wallet by refunds."""
    with Buyer.opened(sale.root / "buyer") as buyer, KernelChain(sale.root / "chain") as chain:
        paid = chain.find_output(buyer.wallet_script)
        return sum(o.amount_sat for o in paid if not o.coinbase and o.amount_sat < 10**9)


def spend_own_coins(sale: Sale, tx: CTransaction) -> None:
    """Somebody with the buyer's own wallet spends the coins of `tx` elsewhere."""
    places = {(i.prevout.hash[::-1].hex(), i.prevout.n) for i in tx.vin}
    htlc = Htlc(bytes(32), *(public_key(bytes(31) + bytes([k])) for k in (1, 2)), 500)
    with Buyer.opened(sale.root / "buyer") as buyer, KernelChain(sale.root / "chain") as chain:
        script = buyer.wallet_script
        coins = [c for c in chain.find_spendable(script) if (c.txid, c.vout) in places]
        chain.broadcast(build_lock(coins, htlc, 10**9, script, buyer.coin_secret, 2))


@pytest.mark.parametrize("ending", ["open", "refund"])
def test_paid_mined_and_announced(verified: Sale, ending: str) -> None:
    address = ask(verified)
    txid = pay(verified, address)
    mine(verified, 1)
    assert locked(verified) == txid
    assert locked(verified) == txid, "and says so again"
    if ending == "open":
        assert verified.run("seller", "redeem").code == 0
        assert verified.open().code == 0
    else:
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)


def test_what_is_shown(verified: Sale) -> None:
    result = verified.run(*LOCK)
    with KernelChain(verified.root / "chain") as chain:
        height = chain.height()
    address = re.search(r"bcrt1\w{58,}", result.out)[0]
    assert f"uri        bitcoin:{address}?amount=0.00100000&label=zkcmp\n" in result.out
    assert f"height {height + WINDOW_BLOCKS}, {WINDOW_BLOCKS} blocks from now" in result.out
    assert f"from height {height + TIMEOUT_BLOCKS} on" in result.out
    assert "do NOT pay" in result.out
    assert "▀" not in result.out, "the QR code is for terminals"


def test_status_says_how_it_goes_on(verified: Sale) -> None:
    next_step = re.compile("next: zkcmp buyer lock --deal .*/deal$", re.MULTILINE)
    assert next_step.search(verified.run("buyer", "status").out)
    ask(verified)
    assert "next: zkcmp buyer lock --external --deal" in verified.run("buyer", "status").out
    (verified.private("buyer") / "funding").write_bytes(b"?")
    assert "funding is damaged; restore" in verified.run("buyer", "status").out


def test_dust_beside_a_payment_that_waits(verified: Sale) -> None:
    address = ask(verified)
    pay(verified, address, 400)
    txid = pay(verified, address)
    assert f"in {txid}, not mined yet" in verified.run(*LOCK).out


def test_terms_are_on_disk_before_they_are_shown(
    verified: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def show(payable: object) -> None:
        seen.append(FundingRecord(verified.private("buyer")).load())

    monkeypatch.setattr(funding, "say_payable", show)
    assert verified.run(*LOCK).code == 0
    assert len(seen[0]) == 1


def test_killed_anywhere_it_asks_for_one_address(
    verified: Sale, killed: Callable[[int, list[str]], bool]
) -> None:
    for step in range(1, 20):
        if not killed(step, verified.arguments(*LOCK)):
            break
        shown = FundingRecord(verified.private("buyer")).load()
        address = ask(verified)
        assert ask(verified) == address
        assert len(FundingRecord(verified.private("buyer")).load()) == 1
        assert not shown or shown == FundingRecord(verified.private("buyer")).load()
    assert step > 1


def test_killed_anywhere_the_payment_is_announced(
    verified: Sale, killed: Callable[[int, list[str]], bool]
) -> None:
    txid = pay(verified, ask(verified))
    mine(verified, 1)
    for step in range(1, 20):
        if not killed(step, verified.arguments(*LOCK)):
            break
    assert step > 2
    assert locked(verified) == txid
    assert verified.run("seller", "redeem").code == 0


def test_the_same_address_while_it_may_be_paid(verified: Sale) -> None:
    address = ask(verified)
    mine(verified, WINDOW_BLOCKS)
    assert ask(verified) == address


def test_not_announced_before_it_is_mined(verified: Sale) -> None:
    """Until then another transaction can take its place."""
    address = ask(verified)
    txid = pay(verified, address)
    result = verified.run(*LOCK)
    assert result.code == 0
    assert f"in {txid}, not mined yet" in result.out
    assert address not in result.out, "nobody is asked to pay again"
    assert not verified.message("lock").exists()


class TestNotPaidInTime:
    def test_nobody_is_asked_any_more(self, verified: Sale) -> None:
        address = ask(verified)
        mine(verified, WINDOW_BLOCKS + 1)
        assert f"do NOT pay to {address}" in refused(verified)

    def test_anew_when_its_owner_says_that_nothing_comes(self, verified: Sale) -> None:
        first = ask(verified)
        mine(verified, WINDOW_BLOCKS + 1)
        second = ask(verified, "--abandon")
        assert second != first
        assert ask(verified) == second
        txid = pay(verified, second)
        mine(verified, 1)
        assert locked(verified) == txid

    def test_and_what_comes_to_the_old_address_can_be_refunded(self, verified: Sale) -> None:
        first = ask(verified)
        mine(verified, WINDOW_BLOCKS + 20)
        second = ask(verified, "--abandon")
        late = pay(verified, first)
        mine(verified, 1)
        result = verified.run(*LOCK)
        assert result.refused
        assert f"{late} came too late" in result.err
        pay(verified, second, PRICE_SAT + 1)
        mine(verified, 2 * TIMEOUT_BLOCKS)
        refund(verified)
        assert returned_sat(verified) > 2 * PRICE_SAT - 1000

    def test_too_late_is_not_announced_and_refunded(self, verified: Sale) -> None:
        address = ask(verified)
        mine(verified, WINDOW_BLOCKS + 20)
        txid = pay(verified, address)
        mine(verified, 1)
        said = refused(verified)
        assert f"{txid} came too late for the seller" in said
        assert not verified.message("lock").exists()
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)
        mine(verified, 1)
        assert returned_sat(verified) > PRICE_SAT - 1000
        assert ask(verified, "--abandon") != address, "and the model can still be bought"

    def test_late_yet_in_time_for_the_seller(self, verified: Sale) -> None:
        address = ask(verified)
        mine(verified, WINDOW_BLOCKS + 1)
        txid = pay(verified, address)
        mine(verified, 1)
        assert locked(verified) == txid
        assert verified.run("seller", "redeem").code == 0


class TestWrongPayment:
    @pytest.mark.parametrize("amount_sat", [PRICE_SAT - 1, PRICE_SAT + 1])
    @pytest.mark.parametrize("blocks", [0, 1])
    def test_of_another_amount(self, verified: Sale, amount_sat: int, blocks: int) -> None:
        txid = pay(verified, ask(verified), amount_sat)
        if blocks:
            mine(verified, blocks)
        said = refused(verified)
        assert f"{txid} paid {amount_sat} sat, and the price is exactly 100000" in said
        assert "pay nothing more" in said
        assert not verified.message("lock").exists()
        assert "did pay" in refused(verified, "--abandon")
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)
        assert returned_sat(verified) > amount_sat - 1000
        assert "0 of 1 confirmations" in refused(verified, "--abandon")
        mine(verified, 1)
        ask(verified, "--abandon")

    def test_in_two_parts(self, verified: Sale) -> None:
        address = ask(verified)
        pay(verified, address, PRICE_SAT // 2)
        pay(verified, address, PRICE_SAT // 2)
        mine(verified, 1)
        assert "paid 50000 sat" in refused(verified)
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)
        assert returned_sat(verified) > PRICE_SAT - 2000

    def test_mended_by_the_exact_amount(self, verified: Sale) -> None:
        address = ask(verified)
        pay(verified, address, PRICE_SAT - 5)
        txid = pay(verified, address)
        mine(verified, 1)
        assert locked(verified) == txid
        assert "99995 sat more were paid" in verified.run(*LOCK).out

    @pytest.mark.parametrize("transactions", [1, 2])
    def test_twice(self, verified: Sale, transactions: int) -> None:
        """The first one counts, and both come back when nobody redeems."""
        address = ask(verified)
        first = pay(verified, address, *([PRICE_SAT] * (3 - transactions)))
        mine(verified, 1)
        assert locked(verified) == first
        if transactions == 2:
            pay(verified, address)
            mine(verified, 1)
            assert locked(verified) == first, "the one that the seller was told of"
        assert "100000 sat more were paid" in verified.run(*LOCK).out
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)
        assert returned_sat(verified) > 2 * PRICE_SAT - 2000

    def test_twice_and_redeemed(self, verified: Sale) -> None:
        """An honest seller takes one of them; the other comes back."""
        address = ask(verified)
        pay(verified, address)
        mine(verified, 1)
        locked(verified)
        pay(verified, address)
        mine(verified, 1)
        assert verified.run("seller", "redeem").code == 0
        assert verified.open().code == 0
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)
        assert PRICE_SAT > returned_sat(verified) > PRICE_SAT - 1000

    def test_dust_from_anybody_does_not_hold_back_the_refund(self, verified: Sale) -> None:
        address = ask(verified)
        txid = pay(verified, address)
        pay(verified, address, 400)
        mine(verified, 1)
        assert locked(verified) == txid
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)
        assert returned_sat(verified) > PRICE_SAT - 1000

    def test_a_seller_that_takes_what_was_not_announced(self, verified: Sale) -> None:
        """It needs only guess the timeout; the key is public then, for less than the price."""
        pay(verified, ask(verified), PRICE_SAT // 2)
        mine(verified, 1)
        with (
            Buyer.opened(verified.root / "buyer") as buyer,
            Seller.opened(verified.root / "seller") as seller,
            KernelChain(verified.root / "chain") as chain,
        ):
            (paid,) = paid_outputs(buyer.need(verified.deal), chain)
            deal = seller.need(verified.deal)
            secret = deal.keys().coin_secret
            preimage = deal.read_secret("preimage")
            script = seller.wallet_script
            chain.broadcast(build_claim(paid.htlc, paid.output, preimage, secret, script, 2))
        assert "`zkcmp buyer open`" in refused(verified)
        assert "`zkcmp buyer open`" in refused(verified, "--abandon")
        assert verified.open().code == 0


class TestOneWayAtATime:
    def test_own_coins_are_not_sent_after_an_address_was_shown(self, verified: Sale) -> None:
        address = ask(verified)
        journal = (verified.root / "chain" / "journal").read_bytes()
        result = verified.run("buyer", "lock")
        assert result.refused
        assert f"a payment to {address} was asked for" in result.err
        assert (verified.root / "chain" / "journal").read_bytes() == journal

    def test_own_coins_are_not_sent_beside_a_payment(self, verified: Sale) -> None:
        txid = pay(verified, ask(verified))
        assert verified.run("buyer", "lock").refused
        mine(verified, 1)
        result = verified.run("buyer", "lock")
        assert result.code == 0, "it is announced by whichever command"
        assert txid in result.out

    def test_no_address_is_shown_after_own_coins_were_signed(self, verified: Sale) -> None:
        interrupt(verified, "before", "buyer", "lock")
        said = refused(verified)
        assert "of our own wallet is signed" in said
        assert "own wallet" in refused(verified, "--abandon"), "nobody's word is enough"
        assert not FundingRecord(verified.private("buyer")).load()
        assert verified.run("buyer", "lock").code == 0

    def test_no_address_is_shown_when_own_coins_are_locked(self, verified: Sale) -> None:
        assert verified.run("buyer", "lock").code == 0
        result = verified.run(*LOCK)
        assert result.code == 0
        assert "already locked" in result.out

    def test_an_address_once_own_coins_are_surely_gone(self, verified: Sale) -> None:
        spend_own_coins(verified, interrupt(verified, "before", "buyer", "lock"))
        assert "0 of 1 confirmations" in refused(verified)
        mine(verified, 1)
        ask(verified)

    @pytest.mark.parametrize("way", [(), ("--external",)])
    def test_a_payment_asked_for_in_another_deal_for_the_same_key(
        self, verified: Sale, way: tuple[str, ...]
    ) -> None:
        """Nothing was paid yet, but may be at any time."""
        ask(verified)
        twin = Sale(verified.root, verified.capsys, folder="twin")
        twin.deal.mkdir()
        with Seller.opened(verified.root / "seller") as seller:
            offer = messages.read_offer(verified.message("offer"))
            reading = ReadingKey.generate().public_key
            terms = offer_terms(offer, deal=bytes(16), reading_key=reading)
            messages.write_offer(twin.message("offer"), seller.identity, terms, offer.architecture)
        assert twin.request(seed=3).code == 0
        with Buyer.opened(verified.root / "buyer") as buyer:
            deal = buyer.need(twin.deal)
            deal.state.delivery = "00" * 32  # as if its delivery had been verified
            deal.save()
        result = twin.run("buyer", "lock", *way)
        assert result.refused
        assert "already locked to this key" in result.err

    def test_own_coins_when_its_owner_says_that_nothing_comes(self, verified: Sale) -> None:
        address = ask(verified)
        assert verified.run("buyer", "lock", "--abandon").code == 0
        pay(verified, address)
        mine(verified, 1)
        assert "already locked" in verified.run(*LOCK).out
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)
        assert returned_sat(verified) > 2 * PRICE_SAT - 1000, "what came all the same too"


class TestReorganised:
    def test_the_payment_waits_again(self, verified: Sale) -> None:
        txid = pay(verified, ask(verified))
        mine(verified, 1)
        assert locked(verified) == txid
        with KernelChain(verified.root / "chain") as chain:
            chain.reorganise(1)
        assert locked(verified) == txid

    def test_the_payment_is_gone_and_sent_again(self, verified: Sale) -> None:
        txid = pay(verified, ask(verified))
        mine(verified, 1)
        assert locked(verified) == txid
        with KernelChain(verified.root / "chain") as chain:
            chain.reorganise(1, [txid])
        assert locked(verified) == txid
        mine(verified, 1)
        assert verified.run("seller", "redeem").code == 0

    def test_another_payment_came_in_its_place(self, verified: Sale) -> None:
        """The same coin, the same address, another id: the seller is told of that one."""
        address = ask(verified)
        first = pay(verified, address)
        mine(verified, 1)
        assert locked(verified) == first
        with KernelChain(verified.root / "chain") as chain:
            chain.reorganise(1, [first])
        second = pay(verified, address, PRICE_SAT, 5000)
        assert second != first
        mine(verified, 1)
        assert locked(verified) == second
        assert verified.run("seller", "redeem").code == 0
        assert verified.open().code == 0


def test_the_offer_is_checked_before_anything_is_shown(sale: At) -> None:
    deal = sale("proved")
    assert "not verified yet" in refused(deal)


@pytest.mark.parametrize("damage", [b"external 1 2\n", b"\xff\n", b"", b"other 1 2 3 -\n"])
def test_a_damaged_record_is_named(verified: Sale, damage: bytes) -> None:
    ask(verified)
    path = verified.private("buyer") / "funding"
    path.write_bytes(damage)
    for command in (LOCK, ("buyer", "lock"), ("buyer", "refund")):
        result = verified.run(*command)
        assert result.refused
        assert "funding is damaged; restore" in result.err


@pytest.mark.parametrize(
    "options",
    [
        ("--external", "--psbt-out", "x"),
        ("--psbt-in", "x", "--psbt-out", "y"),
        ("--from", "bcrt1q"),
        ("--abandon", "--psbt-in", "x"),
    ],
)
def test_options_that_do_not_go_together(verified: Sale, options: tuple[str, ...]) -> None:
    assert verified.run("buyer", "lock", *options).refused
    assert not (verified.private("buyer") / "funding").exists()
