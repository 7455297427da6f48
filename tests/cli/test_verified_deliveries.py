"""What is left of a delivery after `verify`: our own copy, a record, and no key material."""

from collections.abc import Callable
from contextlib import contextmanager

import pytest
from deal_stages import Sale

from zkcmp.errors import DealError, VerificationError
from zkcmp.exchange.buyer import Buyer, verifying
from zkcmp.exchange.messages.envelope import Kind

At = Callable[[str], Sale]


@contextmanager
def deal_of(sold: Sale):  # type: ignore[no-untyped-def]
    with Buyer.opened(sold.root / "buyer") as buyer:
        yield buyer, buyer.need(sold.deal)


def test_before_verifying_nothing_is_ours(sale: At) -> None:
    with deal_of(sale("proved")) as (_, deal):
        assert not deal.own(Kind.DELIVERY).exists()
        assert not deal.state.delivery
        assert deal.own(Kind.KEY_MATERIAL).exists()


def test_afterwards_there_are_a_copy_and_a_record(sale: At) -> None:
    sold = sale("proved")
    delivered = sold.message("delivery").read_bytes()
    with deal_of(sold) as (buyer, deal):
        found = verifying.verify(buyer, deal)
        assert (found.threshold, found.n_images) == (2, 3)
        assert found.soundness.startswith("statistical error: at most 2^-")
    sold.message("delivery").unlink()
    with deal_of(sold) as (buyer, deal):  # read from the disk again
        assert deal.own(Kind.DELIVERY).read_bytes() == delivered
        assert len(deal.state.delivery) == 64
        assert not deal.own(Kind.KEY_MATERIAL).exists()
        assert verifying.verify(buyer, deal) == found


def test_key_material_comes_first(sale: At) -> None:
    with deal_of(sale("requested")) as (buyer, deal), pytest.raises(DealError, match="buyer setup"):
        verifying.verify(buyer, deal)


class TestTakeAgain:
    """A rescue file is without a large delivery; the deal folder may still have it."""

    def test_the_verified_one(self, sale: At) -> None:
        with deal_of(sale("verified")) as (buyer, deal):
            copy = deal.own(Kind.DELIVERY)
            data = copy.read_bytes()
            copy.unlink()
            verifying.take_again(buyer, deal)
            assert copy.read_bytes() == data

    def test_no_other_one(self, sale: At) -> None:
        """Validly signed, an answer to the same request, and not what was verified."""
        sold = sale("verified")
        with deal_of(sold) as (buyer, deal):
            deal.own(Kind.DELIVERY).unlink()
            deal.state.delivery = "00" * 32
            verifying.take_again(buyer, deal)
            assert not deal.own(Kind.DELIVERY).exists()

    def test_nothing_where_there_is_nothing(self, sale: At) -> None:
        sold = sale("proved")
        with deal_of(sold) as (buyer, deal):  # not verified: not taken
            verifying.take_again(buyer, deal)
            assert not deal.own(Kind.DELIVERY).exists()

    def test_not_in_the_folder_or_here_already(self, sale: At) -> None:
        sold = sale("verified")
        sold.message("delivery").unlink()
        with deal_of(sold) as (buyer, deal):
            verifying.take_again(buyer, deal)
            deal.own(Kind.DELIVERY).write_bytes(b"ours")
            sold.message("delivery").write_bytes(b"damaged")
            verifying.take_again(buyer, deal)
            assert deal.own(Kind.DELIVERY).read_bytes() == b"ours"
            deal.own(Kind.DELIVERY).unlink()
            sold.message("delivery").unlink()
            verifying.take_again(buyer, deal)
            assert not deal.own(Kind.DELIVERY).exists()


class TestExport:
    def test_too_early_or_not_of_one_round(self, sale: At) -> None:
        sold = sale("proved")
        with deal_of(sold) as (buyer, deal):
            with pytest.raises(DealError, match="was not verified yet"):
                verifying.export(buyer, deal, sold.root / "out")
            verifying.verify(buyer, deal)
            with pytest.raises(DealError, match="Groth16 of one round only"):
                verifying.export(buyer, deal, sold.root / "out")
        assert not (sold.root / "out").exists()

    def test_of_mode_full(self, sale: At) -> None:
        sold = sale("sealed")
        sold.ask_and_prove("--mode", "full")
        out = sold.root / "deep" / "out"
        with deal_of(sold) as (buyer, deal):
            verifying.verify(buyer, deal)
            for _ in range(2):
                verifying.export(buyer, deal, out)
        names = {"verification_key.json", "public.json", "proof.json", "circuit.r1cs"}
        assert {path.name for path in out.iterdir()} == names
        assert out.stat().st_mode & 0o777 == 0o700


def test_a_delivery_that_was_changed_is_not_taken(sale: At) -> None:
    sold = sale("proved")
    with deal_of(sold) as (buyer, deal):
        deal.state.threshold = 3
        with pytest.raises(VerificationError):
            verifying.verify(buyer, deal)
        assert not deal.own(Kind.DELIVERY).exists()
        assert not deal.state.delivery
