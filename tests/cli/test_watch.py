"""`seller watch` and `buyer watch`: whatever happens meanwhile, nobody loses coins or network."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from deal_stages import NETWORK, Result, Sale
from settling import chain_of, mine, reorganise, spend_of_lock, weather

from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from zkcmp.exchange import party
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

At = Callable[[str], Sale]
Pauses = Callable[..., list[float]]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """`pauses(step, step)`: what happens in each pause of a watch; then it is stopped."""
    slept: list[float] = []

    def script(*steps: Callable[[], object]) -> list[float]:
        remaining: Iterator[Callable[[], object]] = iter(steps)

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            step = next(remaining, None)
            if step is None:
                raise KeyboardInterrupt
            step()

        monkeypatch.setattr(time, "sleep", sleep)
        return slept

    return script


def watch(sale: Sale, who: str, *options: str) -> Result:
    if who == "buyer" and "--out" not in options:
        options += ("--out", str(sale.root / "bought.onnx"))
    return sale.run(who, "watch", *options)


def is_bought(sale: Sale) -> bool:
    return quantize(read_onnx(sale.root / "bought.onnx")) == NETWORK


def lines(text: str, word: str) -> list[str]:
    return [line for line in text.splitlines() if word in line]


class TestSeller:
    def test_from_the_missing_lock_to_the_payment(self, sale: At, pauses: Pauses) -> None:
        deal = sale("verified")
        pauses(
            lambda: deal.run("buyer", "lock"),
            lambda: mine(deal, 1),
            lambda: mine(deal, 1),
        )
        result = watch(deal, "seller")
        assert result.code == 0, result
        # what the buyer's command says within a pause is read away with what came before it
        assert "paid       transaction" in result.out
        with chain_of(deal) as chain:
            assert chain.confirmations(txid_of(spend(deal, chain))) == 1

    @pytest.mark.parametrize("stage", ["verified", "locked", "redeemed"])
    def test_once(self, sale: At, stage: str) -> None:
        result = watch(sale(stage), "seller", "--once")
        assert result.code == 0
        said = {"verified": "has not announced a lock", "locked": "0 of 1", "redeemed": "paid"}
        assert said[stage] in result.out

    def test_too_late_ends_it(self, sale: At, pauses: Pauses) -> None:
        deal = sale("verified")
        assert deal.run("buyer", "lock").code == 0
        pauses(lambda: mine(deal, 120))
        result = watch(deal, "seller")
        assert result.code == 2
        assert "do not reveal" in result.err
        assert spend_of_lock(deal) is None

    def test_a_bad_lock_message_can_be_replaced(self, sale: At, pauses: Pauses) -> None:
        deal = sale("verified")
        deal.message("lock").write_bytes(b"half a mess")

        def announce() -> None:
            deal.message("lock").unlink()
            assert deal.run("buyer", "lock").code == 0
            mine(deal, 1)

        pauses(announce, lambda: mine(deal, 1))
        result = watch(deal, "seller")
        assert result.code == 0, result
        assert spend_of_lock(deal) is not None

    def test_a_reorganised_claim_and_lock_are_sent_again(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")

        def undo() -> None:
            with chain_of(deal) as chain:
                claim = spend(deal, chain)
                lock = chain.get_transaction(lock_txid(deal))
                chain.reorganise(2, [txid_of(claim), txid_of(lock)])
                assert spend(deal, chain) is None

        pauses(undo, lambda: mine(deal, 1))
        result = watch(deal, "seller")
        assert result.code == 0, result
        assert "paid" in result.out
        assert spend_of_lock(deal) is not None

    def test_fees_rise_as_the_estimate_does(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        with weather(fee_rate=3) as now:

            def spike() -> None:
                now.fee_rate = 40

            pauses(spike, lambda: None, lambda: mine(deal, 1))
            result = watch(deal, "seller")
        assert result.code == 0
        waiting = [line.split(", ")[1] for line in lines(result.out, "sat/vB")]
        assert waiting == ["3 sat/vB", "40 sat/vB"]

    def test_a_fee_is_the_least_that_is_paid(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        with weather(fee_rate=3) as now:

            def spike() -> None:
                now.fee_rate = 40

            pauses(spike, lambda: mine(deal, 1))
            result = watch(deal, "seller", "--fee", "12")
        assert result.code == 0
        waiting = [line.split(", ")[1] for line in lines(result.out, "sat/vB")]
        assert waiting == ["12 sat/vB", "40 sat/vB"]

    def test_a_refund_that_waits_is_outbid_once_the_key_is_out(
        self, sale: At, pauses: Pauses
    ) -> None:
        """The claim was dropped by everybody, and a buyer who never saw it took the refund.

        A refund is smaller: what outbids it has to pay more in all and for each vbyte.
        """
        deal = sale("locked")
        assert deal.run("seller", "redeem").code == 0
        claim = txid_of(spend_of_lock(deal))
        reorganise(deal, 1, claim)
        mine(deal, 144)
        assert deal.run("buyer", "refund", "--fee", "20").code == 0
        refund = txid_of(spend_of_lock(deal))
        result = watch(deal, "seller", "--once")
        assert result.code == 0, result
        assert txid_of(spend_of_lock(deal)) not in (claim, refund)
        mine(deal, 1)
        assert "paid" in watch(deal, "seller", "--once").out
        assert deal.open().code == 0

    def test_a_mined_refund_is_told_and_waited_on_for_a_reorganisation(
        self, sale: At, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deal = sale("locked")
        read = party.read_offer
        monkeypatch.setattr(party, "read_offer", lambda path: replace(read(path), confirmations=3))
        assert "1 of 3 confirmations" in deal.run("seller", "redeem").err
        mine(deal, 2)
        assert deal.run("seller", "redeem").code == 0
        reorganise(deal, 1, txid_of(spend_of_lock(deal)))
        mine(deal, 140)
        assert deal.run("buyer", "refund").code == 0
        mine(deal, 1)
        pauses(lambda: mine(deal, 1), lambda: mine(deal, 1))
        result = watch(deal, "seller")
        assert result.code == 2
        assert [line.count("only a reorganisation") for line in result.out.splitlines()] == [1, 1]
        assert "the deal is over" in result.err


class TestBuyer:
    def test_opens_as_soon_as_the_claim_waits(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        pauses(lambda: mine(deal, 1), lambda: deal.run("seller", "redeem"))
        result = watch(deal, "buyer")
        assert result.code == 0, result
        assert "opened" in result.out
        assert is_bought(deal)

    def test_tells_how_long_until_the_refund(self, sale: At) -> None:
        deal = sale("locked")
        result = watch(deal, "buyer", "--once")
        assert result.code == 0
        assert "143 blocks from now" in result.out
        mine(deal, 3)
        assert "140 blocks from now" in watch(deal, "buyer", "--once").out

    def test_refunds_by_itself_and_until_it_is_buried(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        pauses(lambda: mine(deal, 143), lambda: mine(deal, 1))
        result = watch(deal, "buyer")
        assert result.code == 0, result
        assert "0 of 1 confirmations" in result.out
        assert lines(result.out, "refunded")[0].endswith("1 confirmation")

    def test_takes_no_refund_when_told_so(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        mine(deal, 150)
        assert "no refund" in watch(deal, "buyer", "--once", "--no-refund").out
        assert spend_of_lock(deal) is None

    def test_raises_the_fee_of_a_refund(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        mine(deal, 143)
        with weather(fee_rate=2) as now:

            def spike() -> None:
                now.fee_rate = 15

            pauses(spike, lambda: mine(deal, 1))
            result = watch(deal, "buyer")
        assert [line.split(", ")[1] for line in lines(result.out, "sat/vB")] == [
            "2 sat/vB",
            "15 sat/vB",
        ]

    def test_a_claim_that_takes_the_refunds_place_is_read(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        assert deal.run("seller", "redeem").code == 0
        reorganise(deal, 1, txid_of(spend_of_lock(deal)))
        mine(deal, 144)
        pauses(lambda: deal.run("seller", "redeem"))
        result = watch(deal, "buyer")
        assert result.code == 0, result
        assert is_bought(deal)

    @pytest.mark.parametrize("how", ["watch", "open"])
    def test_a_claim_once_seen_is_not_raced(self, sale: At, how: str) -> None:
        """The claim is undone, the timeout passes: the network stays, the coins are not ours."""
        deal = sale("locked")
        assert deal.run("seller", "redeem").code == 0
        assert (watch(deal, "buyer") if how == "watch" else deal.open()).code == 0
        reorganise(deal, 1, txid_of(spend_of_lock(deal)))
        mine(deal, 150)
        assert spend_of_lock(deal) is None
        assert "the seller has redeemed" in deal.run("buyer", "refund").err
        (deal.root / "bought.onnx").unlink()
        assert watch(deal, "buyer").code == 0
        assert is_bought(deal)
        assert spend_of_lock(deal) is None
        assert deal.run("seller", "redeem").code == 0, "the seller is still paid"

    def test_what_was_seen_opens_without_any_chain(self, sale: At) -> None:
        deal = sale("locked")
        assert deal.run("seller", "redeem").code == 0
        assert watch(deal, "buyer").code == 0
        (deal.root / "bought.onnx").unlink()
        (deal.root / "chain" / "journal").unlink()
        assert (
            "the seller has redeemed; next: zkcmp buyer open" not in deal.run("buyer", "status").out
        ), "it says where it was opened"
        assert deal.open().code == 0

    def test_the_key_is_on_disk_before_the_network_is_written(self, sale: At) -> None:
        deal = sale("locked")
        assert deal.run("seller", "redeem").code == 0
        blocker = deal.root / "bought.onnx"
        blocker.write_bytes(b"something of mine")
        assert watch(deal, "buyer").code == 2
        seen = deal.private("buyer") / "claim-seen"
        assert seen.stat().st_mode & 0o777 == 0o600
        assert "next: zkcmp buyer open" in deal.run("buyer", "status").out
        reorganise(deal, 1, txid_of(spend_of_lock(deal)))
        blocker.unlink()
        assert deal.open().code == 0

    def test_a_damaged_copy_of_the_claim_is_read_again(self, sale: At) -> None:
        deal = sale("redeemed")
        assert deal.open().code == 0
        (deal.private("buyer") / "claim-seen").write_bytes(b"damaged")
        (deal.root / "bought.onnx").unlink()
        assert deal.open().code == 0
        assert is_bought(deal)

    def test_a_lock_that_the_chain_lost_is_waited_for(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        reorganise(deal, 1, lock_txid(deal))
        result = watch(deal, "buyer", "--once")
        assert result.code == 0
        assert "zkcmp buyer lock" in result.out

    def test_needs_a_lock(self, sale: At) -> None:
        result = watch(sale("verified"), "buyer")
        assert result.refused
        assert "zkcmp buyer lock" in result.err

    @pytest.mark.parametrize("out", [".", "nowhere/bought.onnx", "deal/bought.onnx"])
    def test_an_out_that_cannot_be_written_is_refused_at_once(self, sale: At, out: str) -> None:
        deal = sale("locked")
        assert watch(deal, "buyer", "--out", str(deal.root / out)).refused


class TestWaiting:
    @pytest.mark.parametrize("who", ["seller", "buyer"])
    def test_an_outage_is_told_once_and_asked_less_and_less(
        self, sale: At, pauses: Pauses, who: str
    ) -> None:
        deal = sale("locked")
        with weather(outages=4):
            slept = pauses(*[lambda: None] * 5)
            result = watch(deal, who, "--interval", "60")
        assert result.code == 130, result
        assert len(lines(result.out, "trying again: the node does not answer")) == 1
        assert slept[:4] == [120, 240, 300, 300]
        assert slept[4] == 60
        assert f"`zkcmp {who} status` shows it; repeat the command to go on" in result.err

    @pytest.mark.parametrize("who", ["seller", "buyer"])
    def test_an_outage_ends_a_single_look(self, sale: At, who: str) -> None:
        deal = sale("locked")
        with weather(outages=9):
            result = watch(deal, who, "--once")
        assert result.refused
        assert "is it running?" in result.err

    def test_other_commands_run_meanwhile(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        pauses(lambda: deal.run("buyer", "status"), lambda: deal.run("seller", "redeem"))
        assert watch(deal, "buyer").code == 0

    def test_a_directory_in_use_is_waited_for(self, sale: At, pauses: Pauses) -> None:
        deal = sale("locked")
        busy = Buyer.opened(deal.root / "buyer")
        pauses(
            lambda: busy.__enter__(),
            lambda: busy.__exit__(None, None, None),
            lambda: deal.run("seller", "redeem"),
        )
        assert watch(deal, "buyer").code == 0

    @pytest.mark.parametrize("who", ["seller", "buyer"])
    def test_a_broadcast_that_fails_is_repeated(
        self, sale: At, pauses: Pauses, monkeypatch: pytest.MonkeyPatch, who: str
    ) -> None:
        deal = sale("locked")
        mine(deal, 143 if who == "buyer" else 1)
        real = KernelChain.broadcast

        def once_refused(chain: KernelChain, tx) -> str:  # type: ignore[no-untyped-def]
            monkeypatch.setattr(KernelChain, "broadcast", real)
            raise SettlementError("the node is away; repeat this later")

        monkeypatch.setattr(KernelChain, "broadcast", once_refused)
        pauses(lambda: None, lambda: mine(deal, 1))
        result = watch(deal, who)
        assert result.code == 0, result
        assert lines(result.out, "trying again")

    def test_a_fee_that_cannot_be_meant_is_refused_at_once(self, sale: At) -> None:
        deal = sale("locked")
        for who in ("seller", "buyer"):
            assert watch(deal, who, "--fee", "5000").refused


def spend(sale: Sale, chain: KernelChain):  # type: ignore[no-untyped-def]
    return chain.find_spend(place_of(sale))


def place_of(sale: Sale):  # type: ignore[no-untyped-def]
    with Buyer.opened(sale.root / "buyer") as buyer:
        deal = buyer.need(sale.deal)
        state = deal.state
        lock = messages.read_lock(
            sale.message("lock"),
            bytes.fromhex(state.deal),
            buyer.identity.public_key,
            bytes.fromhex(state.delivery),
        )
    return Outpoint(lock.txid.hex(), lock.vout, lock.amount_sat)


def lock_txid(sale: Sale) -> str:
    return str(place_of(sale).txid)


def test_a_passphrase_is_asked_for_once(
    sale: At, pauses: Pauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look opens the directory anew; nobody types a passphrase every half minute."""
    deal = sale("locked")
    with Buyer.opened(deal.root / "buyer") as buyer:
        buyer.files.change("correct horse", 4)
    asked = []

    def typed(what: str) -> str:
        asked.append(what)
        return "correct horse"

    monkeypatch.setattr("zkcmp.cli.passphrase.ask", typed)
    pauses(lambda: None, lambda: None, lambda: deal.run("seller", "redeem"))
    assert watch(deal, "buyer").code == 0
    assert len(asked) == 1
    assert b"zkcmp secret" in (deal.private("buyer") / "claim-seen").read_bytes()
