"""A fingerprint that is given is compared every time, also when the deal is bound long since."""

from collections.abc import Callable

import pytest
from deal_stages import Result, Sale

from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages.identity import Identity
from zkcmp.exchange.seller import Seller

STRANGER = Identity(bytes(range(32))).fingerprint

REPEATED: dict[str, tuple[str, Callable[[Sale, str], Result]]] = {
    "request": ("requested", lambda sale, typed: sale.request(1, "--seller", typed)),
    "request at the end": ("opened", lambda sale, typed: sale.request(1, "--seller", typed)),
    "audit": ("proved", lambda sale, typed: sale.run("seller", "audit", "--buyer", typed)),
    "prove": ("proved", lambda sale, typed: sale.run("seller", "prove", "--buyer", typed)),
}


def true_fingerprint(sale: Sale, command: str) -> str:
    if command.startswith("request"):
        with Seller.opened(sale.root / "seller") as seller:
            return seller.identity.fingerprint
    with Buyer.opened(sale.root / "buyer") as buyer:
        return buyer.identity.fingerprint


@pytest.mark.parametrize("command", REPEATED)
@pytest.mark.parametrize("typed", [STRANGER, ""], ids=["a stranger's", "empty"])
def test_another_ones_is_refused_on_a_bound_deal(
    sale: Callable[[str], Sale], command: str, typed: str
) -> None:
    stage, repeat = REPEATED[command]
    deal = sale(stage)
    for name in ("request", "delivery"):
        deal.message(name).unlink(missing_ok=True)
    before = deal.tree()
    result = repeat(deal, typed)
    assert result.refused, result
    assert f"fingerprint: expected {typed!r}" in result.err
    assert deal.tree() == before, "nothing was sent again"


@pytest.mark.parametrize("command", REPEATED)
def test_the_right_one_is_welcome(sale: Callable[[str], Sale], command: str) -> None:
    stage, repeat = REPEATED[command]
    deal = sale(stage)
    typed = true_fingerprint(deal, command)
    assert repeat(deal, typed).code == 0
    assert repeat(deal, typed.upper().replace(" ", "")).code == 0


def test_a_key_audited_without_it_is_not_proved_with_for_another(
    sale: Callable[[str], Sale],
) -> None:
    deal = sale("set_up")
    assert deal.run("seller", "audit").code == 0
    assert deal.run("seller", "prove", "--buyer", STRANGER).refused
    assert not deal.message("delivery").exists()
    assert deal.prove().code == 0
