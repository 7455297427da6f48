"""An offer that the seller swaps after it was looked at: the price is held to the buyer's copy."""

import re
from collections.abc import Callable

import pytest
from deal_stages import PRICE_SAT, Sale

from zkcmp.exchange.private.ledger import SpentSamples


def swap(deal: Sale, price_sat: int) -> None:
    """The same seller puts another offer into the folder."""
    folder, deal.folder = deal.folder, "dearer"
    model = str(deal.root / "model.onnx")
    assert deal.run("seller", "seal", model, "--price-sat", str(price_sat)).code == 0
    data = deal.message("offer").read_bytes()
    deal.folder = folder
    deal.message("offer").write_bytes(data)


@pytest.mark.parametrize("option", ["--price-sat", "--max-price-sat"])
def test_a_dearer_offer_of_the_same_seller_is_refused(
    sale: Callable[[str], Sale], option: str
) -> None:
    """Nothing is spent or sent: no sample, no deal, no message."""
    deal = sale("sealed")
    seen = deal.run("buyer", "inspect").out
    seller = re.findall(r"--seller '([^']+)'", seen)[0]
    swap(deal, PRICE_SAT + 1)
    before = deal.tree()
    result = deal.request(1, "--seller", seller, option, str(PRICE_SAT))
    assert result.refused, result
    assert "offer: price" in result.err
    assert deal.tree() == before
    assert deal.request(1, "--seller", seller, option, str(PRICE_SAT + 1)).code == 0


def test_the_command_that_inspect_prints_is_taken(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    seen = deal.run("buyer", "inspect").out
    options = re.findall(r"zkcmp buyer request .* --seller '([^']+)' (--price-sat) (\d+)", seen)
    assert [option[2] for option in options] == [str(PRICE_SAT)]
    assert deal.request(1, "--seller", *options[0]).code == 0
    assert SpentSamples(deal.root / "buyer" / "spent-samples").path.exists()


@pytest.mark.parametrize(("option", "fits"), [("--price-sat", False), ("--max-price-sat", True)])
def test_a_cheaper_offer(sale: Callable[[str], Sale], option: str, fits: bool) -> None:
    deal = sale("sealed")
    swap(deal, PRICE_SAT - 1)
    assert deal.request(1, option, str(PRICE_SAT)).code == (0 if fits else 2)


def test_a_repeated_request_is_held_to_it(sale: Callable[[str], Sale]) -> None:
    deal = sale("requested")
    assert deal.request(1, "--price-sat", str(PRICE_SAT)).code == 0
    assert deal.request(1, "--price-sat", str(PRICE_SAT - 1)).refused
