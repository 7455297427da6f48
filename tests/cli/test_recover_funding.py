"""The buyer's machine is lost after others were asked to pay for the lock."""

import re
import shutil
from collections.abc import Callable

import pytest
from deal_stages import PRICE_SAT, Sale
from funding_wallet import ADDRESS, earn, pay

from zkcmp.cli.main import run

BLOCKS = 144


@pytest.mark.parametrize("amount_sat", [PRICE_SAT, PRICE_SAT // 2])
def test_payment_to_an_address_that_was_shown_comes_back(
    sale: Callable[[str], Sale], amount_sat: int
) -> None:
    """The rescue file was there before the address was shown; the amount is no matter."""
    deal = sale("verified")
    earn(deal)
    shown = deal.run("buyer", "lock", "--external")
    address = re.search(r"to (bcrt1\w+)", shown.out)[1]
    file = deal.root / "copy.rescue"
    shutil.copyfile(deal.root / "buyer" / "rescue" / deal.private("buyer").name, file)
    shutil.rmtree(deal.root / "buyer")
    pay(deal, address, amount_sat)
    assert deal.run("chain", "mine", str(BLOCKS + 1)).code == 0
    given = ["recover", str(file), "--home", str(deal.root / "second"), "--deal", str(deal.deal)]
    given += ["--chain-dir", str(deal.root / "chain")]
    deal.capsys.readouterr()
    assert run(given) == 0
    assert "refunded" in deal.capsys.readouterr().out


def test_recovered_deal_asks_nobody_to_pay(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    earn(deal)
    file = deal.root / "file.rescue"
    assert deal.run("buyer", "rescue", "--out", str(file)).code == 0
    chain = ["--chain-dir", str(deal.root / "chain")]
    place = ["--home", str(deal.root / "second"), "--deal", str(deal.deal)]
    assert run(["recover", str(file), *place, *chain]) == 2
    draft = ["--psbt-out", str(deal.root / "x.psbt"), "--from", ADDRESS]
    for way in (["--external"], draft, []):
        deal.capsys.readouterr()
        assert run(["buyer", "lock", *place, *chain, *way]) == 2
        told = deal.capsys.readouterr()
        assert "recovered from a rescue file" in told.err
        assert told.out == ""
    assert not (deal.root / "x.psbt").exists()
