"""One deal whose state cannot be read is named, and stands in no other deal's way."""

from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import PRICE_SAT, Sale
from interrupted_broadcast import interrupt

from bitcoin_scripts.chain.kernel import KernelChain
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.deal import SellerState
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.identity import ReadingKey
from zkcmp.exchange.seller import Seller

PARTIES = ("seller", "buyer")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def no_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe" * 40)


def nested(path: Path) -> None:
    path.write_bytes(b"[" * 200_000)


def of_another_version(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"version": ', b'"version": 9'))


def with_a_digest_that_is_none(path: Path) -> None:
    text = path.read_text()
    start = text.index('"offer": "') + len('"offer": "')
    path.write_text(text[:start] + "zz" + text[start + 2 :])


def gone(path: Path) -> None:
    path.unlink()


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE = (
    truncated,
    emptied,
    no_text,
    nested,
    of_another_version,
    with_a_digest_that_is_none,
    gone,
    a_directory,
)


def other_deal(sale: Sale) -> Sale:
    return Sale(sale.root, sale.capsys, folder="other")


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_status_names_it_and_goes_on(
    sale: Callable[[str], Sale], party: str, damage: Callable[[Path], None]
) -> None:
    deal = sale("locked")
    bad, good = other_deal(deal).private(party), deal.private(party)
    damage(bad / "state.json")
    result = deal.run(party, "status")
    assert result.code == 0, result
    assert not result.err
    lines = result.out.splitlines()
    told = [line for line in lines if str(bad) in line]
    assert len(told) == 1
    assert told[0].startswith("damaged    ")
    assert "restore" in told[0] or "use that version" in told[0]
    assert f"deal       {good.name} in " in result.out
    assert bad.name not in result.out.replace(str(bad), "")
    assert "next: zkcmp" in result.out


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_other_deal_is_finished(
    sale: Callable[[str], Sale], damage: Callable[[Path], None]
) -> None:
    deal = sale("verified")
    for party in PARTIES:
        damage(other_deal(deal).private(party) / "state.json")
    assert deal.run("buyer", "lock").code == 0
    assert deal.run("chain", "mine", "1").code == 0
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0


@pytest.mark.parametrize("command", ["seal", "request"])
def test_a_new_deal_can_begin(sale: Callable[[str], Sale], command: str) -> None:
    deal = sale("ready" if command == "seal" else "sealed")
    party = "seller" if command == "seal" else "buyer"
    truncated(other_deal(deal).private(party) / "state.json")
    assert (deal.seal() if command == "seal" else deal.request()).code == 0


@pytest.mark.parametrize(
    ("party", "command"),
    [
        ("seller", ("seal", "{root}/model.onnx", "--price-sat", str(PRICE_SAT))),
        ("seller", ("prove",)),
        ("seller", ("redeem",)),
        ("buyer", ("request", "--test-set", "{root}/samples1.npz", "--threshold", "2")),
        ("buyer", ("setup",)),
        ("buyer", ("lock",)),
        ("buyer", ("refund",)),
    ],
)
@pytest.mark.parametrize("damage", [truncated, gone])
def test_commands_on_the_damaged_deal_say_so(
    sale: Callable[[str], Sale],
    party: str,
    command: tuple[str, ...],
    damage: Callable[[Path], None],
) -> None:
    """Above all, nothing is sealed, asked or paid a second time."""
    deal = sale("locked")
    bad = deal.private(party)
    damage(bad / "state.json")
    before = deal.tree()
    result = deal.run(party, *(part.format(root=deal.root) for part in command))
    assert result.refused, result
    assert str(bad) in result.err
    assert deal.tree() == before


@pytest.mark.parametrize("lost", ["state.json", "offer.zkcmp"])
def test_key_of_a_damaged_deal_is_not_paid_for_again(
    sale: Callable[[str], Sale], lost: str
) -> None:
    """A seller that offers one seal twice would be paid twice for a key published once."""
    deal = sale("locked")
    twin = Sale(deal.root, deal.capsys, folder="twin")
    twin.deal.mkdir()
    with Seller.opened(deal.root / "seller") as seller:
        offer = messages.read_offer(deal.message("offer"))
        terms = {**vars(offer), "deal": bytes(16), "reading_key": ReadingKey.generate().public_key}
        for name in ("sender", "digest", "architecture"):
            del terms[name]
        messages.write_offer(twin.message("offer"), seller.identity, terms, offer.architecture)
    assert twin.request(seed=3).code == 0
    with Buyer.opened(deal.root / "buyer") as buyer:
        bought = buyer.need(twin.deal)
        bought.state.delivery = "00" * 32  # as if its delivery had been verified
        bought.save()
    bad = deal.private("buyer")
    truncated(bad / "state.json")
    truncated(bad / lost)
    result = twin.run("buyer", "lock")
    assert result.refused
    assert str(bad) in result.err
    assert ("already locked to this key" if lost == "state.json" else "restore it") in result.err


def test_state_put_back_to_an_old_copy_frees_no_seal(sale: Callable[[str], Sale]) -> None:
    """The seal answered a request that the old copy does not know."""
    deal = sale("proved")
    with Seller.opened(deal.root / "seller") as seller:
        sold = seller.need(deal.deal)
        state = sold.state
        sold.state = SellerState(state.deal, state.folder, state.offer, state.weights)
        sold.save()
    assert deal.run("seller", "prove").refused
    assert "restore the newest copy" in deal.run("seller", "audit").err


@pytest.mark.parametrize("later", ["locked", "redeemed"])
def test_state_put_back_to_an_old_copy_pays_nothing_twice(
    sale: Callable[[str], Sale], later: str
) -> None:
    """The record of signed locks is a file of its own, and the chain has the lock."""
    deal = sale(later)
    told = deal.run("buyer", "lock").out.splitlines()[0].split()[-1]
    with Buyer.opened(deal.root / "buyer") as buyer:
        bought = buyer.need(deal.deal)
        for name in ("lock", "funding_txid"):
            setattr(bought.state, name, "")
        bought.save()
        wallet = buyer.wallet_script
    with KernelChain(deal.root / "chain") as chain:
        coins = chain.find_spendable(wallet)
    assert told in deal.run("buyer", "lock").out
    with KernelChain(deal.root / "chain") as chain:
        assert chain.find_spendable(wallet) == coins
    if later == "redeemed":
        assert deal.open().code == 0


@pytest.mark.parametrize("damage", [truncated, emptied])
def test_record_of_signed_locks(
    sale: Callable[[str], Sale], damage: Callable[[Path], None]
) -> None:
    """Without it nothing is paid again: what it held may be on its way."""
    deal = sale("verified")
    interrupt(deal, "before", "buyer", "lock")
    damage(deal.private("buyer") / "signed-locks")
    before = deal.tree()
    for command in ("lock", "refund"):
        result = deal.run("buyer", command)
        assert result.refused
        assert "signed-locks is damaged; restore" in result.err
    assert deal.tree() == before
    assert deal.run("buyer", "status").code == 0


@pytest.mark.parametrize("damage", [truncated, no_text, nested, emptied, a_directory])
def test_damaged_ledger_is_named_and_hides_no_deal(
    sale: Callable[[str], Sale], damage: Callable[[Path], None]
) -> None:
    """No request is answered then, and what was answered is redeemed all the same."""
    deal = sale("locked")
    ledger = deal.root / "seller" / "answered.json"
    whole = deal.run("seller", "status")
    damage(ledger)
    result = deal.run("seller", "status")
    assert (result.code, result.err) == (0, "")
    (told,) = [line for line in result.out.splitlines() if line.startswith("damaged    ")]
    assert str(ledger) in told
    assert "restore it" in told
    assert "answered   " not in result.out
    for line in whole.out.splitlines():
        assert line in result.out or line.startswith("answered   ")
    assert deal.run("seller", "redeem").code == 0


@pytest.mark.parametrize("text", [b"[]", b'"x"', b'{"ab": 1}', b'{"ab": [1]}', b"null"])
def test_ledger_of_another_form_counts_as_damaged(sale: Callable[[str], Sale], text: bytes) -> None:
    deal = sale("set_up")
    ledger = deal.root / "seller" / "answered.json"
    ledger.write_bytes(text)
    result = deal.run("seller", "prove")
    assert (result.code, result.out) == (2, "")
    assert "answered.json is damaged; restore it" in result.err
    assert ledger.read_bytes() == text
    assert not deal.message("delivery").exists()


@pytest.mark.parametrize("name", ["keys", "request.zkcmp", "offer.zkcmp"])
@pytest.mark.parametrize("damage", [truncated, emptied, gone])
def test_damaged_file_of_one_deal_hides_no_other(
    sale: Callable[[str], Sale], name: str, damage: Callable[[Path], None]
) -> None:
    deal = sale("redeemed")
    damage(deal.private("seller") / name)
    result = deal.run("seller", "status")
    assert (result.code, result.err) == (0, "")
    assert "damaged    " in result.out
    for path in (deal.root / "seller" / "deals").iterdir():
        assert f"deal       {path.name}" in result.out
