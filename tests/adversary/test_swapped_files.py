"""The deal folder is everybody's: its files change between check and use, or are no files.

Whoever writes to the folder is the other party, or somebody on the way.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import MESSAGES, PRICE_SAT, Sale
from forged_messages import READER, offer_terms, refused_without_a_trace
from malicious import WRITER, CheatingBuyer, at_home
from settling import lock_place

from zkcmp.exchange import party
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.seller import Seller


def offer_with(sale: Sale, **changed: object) -> bytes:
    """The seller's offer on other terms, validly signed."""
    honest, path = messages.read_offer(sale.message("offer")), sale.root / "offer"
    with Seller.opened(sale.root / "seller") as seller:
        messages.write_offer(
            path, seller.identity, offer_terms(honest, **changed), honest.architecture
        )
    return path.read_bytes()


@pytest.mark.parametrize("name", MESSAGES[1:])
def test_swapped_as_soon_as_it_was_copied(
    sale: Callable[[str], Sale], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would win: one message is checked, another one is acted on."""
    stage, read = READER[name]
    deal = sale(stage)
    path, copy = deal.message(name), party.copy_durably
    honest, other = path.read_bytes(), (deal.root / "other" / path.name).read_bytes()

    def copy_and_swap(source: Path, destination: Path, mode: int, limit: int) -> None:
        copy(source, destination, mode, limit)
        if source == path:
            path.write_bytes(other)

    monkeypatch.setattr(party, "copy_durably", copy_and_swap)
    assert read(deal).code == 0
    assert path.read_bytes() == other
    if name == "key-material":
        return  # only the key in it is kept, and is gone once it has served
    reader = "seller" if name in ("request", "lock") else "buyer"
    [kept] = [
        own
        for own in (deal.root / reader / "deals").glob(f"*/{path.name}")
        if own.read_bytes() == honest
    ]
    assert kept.read_bytes() != other


@pytest.mark.parametrize("looks", [0, 1, 2])
def test_offer_swapped_for_one_about_real_coins(
    sale: Callable[[str], Sale], looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would win: images, and a deal, from a buyer that has not agreed to real coins.

    The swap comes after so many of the looks that a request takes at the folder.
    """
    deal = sale("sealed")
    path, copy, taken = deal.message("offer"), party.copy_durably, []
    real = offer_with(deal, chain="main", confirmations=6)
    if not looks:
        path.write_bytes(real)

    def copy_and_swap(source: Path, *given: object) -> None:
        copy(source, *given)
        taken.append(source)
        if taken.count(path) == looks:
            path.write_bytes(real)

    monkeypatch.setattr(party, "copy_durably", copy_and_swap)
    result = deal.request()
    begun = [own.parent for own in (deal.root / "buyer" / "deals").glob("*/offer.zkcmp")]
    assert [messages.read_offer(own / "offer.zkcmp").chain for own in begun] == (
        ["regtest"] * len(begun)
    )
    assert len(begun) == 1 + (result.code == 0)
    assert result.code == 0 or "this deal settles with real coins" in result.err


def test_offer_swapped_before_the_payment(sale: Callable[[str], Sale]) -> None:
    """What it would win: a price, or a hash-lock, that the buyer has never agreed to."""
    deal = at_home(sale("verified"))
    honest = messages.read_offer(deal.message("offer"))
    swapped = offer_with(deal, price_sat=2 * PRICE_SAT, commitment=bytes(32))
    deal.message("offer").write_bytes(swapped)
    assert deal.run("buyer", "lock").code == 0
    assert lock_place(deal).amount_sat == PRICE_SAT
    with Buyer.opened(deal.root / "buyer") as buyer:
        assert buyer.locked(buyer.need(deal.deal))[0].hashlock == honest.commitment


def test_delivery_and_lock_swapped_before_the_end(sale: Callable[[str], Sale]) -> None:
    """What it would win: a seal that the key does not open, or a claim of another output."""
    deal = at_home(sale("locked"))
    cheat = CheatingBuyer.of(deal)
    for name in ("offer", "request", "key-material", "delivery"):
        deal.message(name).write_bytes((deal.root / "other" / f"{name}.zkcmp").read_bytes())
    assert deal.run("seller", "redeem").code == 0
    htlc = cheat.terms(144)
    cheat.announce(htlc, lock_place(deal), txid=bytes(32))
    assert deal.run("chain", "mine", "1").code == 0
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0


@pytest.mark.parametrize("secret", ["identity.key", "wallet.key"])
@pytest.mark.parametrize("name", MESSAGES)
def test_a_link_to_the_readers_secrets(sale: Callable[[str], Sale], name: str, secret: str) -> None:
    """What it would win: bytes of a secret in an error, or a copy of it where others can read."""
    stage, read = READER[name]
    deal = sale(stage)
    reader = "seller" if name in ("request", "key-material", "lock") else "buyer"
    target = deal.root / reader / secret
    deal.message(name).unlink()
    deal.message(name).symlink_to(target)
    said = refused_without_a_trace(deal, read)
    assert target.read_bytes().hex()[:16] not in said
    assert repr(target.read_bytes())[2:10] not in said


@pytest.mark.parametrize("name", MESSAGES)
def test_written_past_a_planted_link(sale: Callable[[str], Sale], name: str) -> None:
    """What it would win: the other party's own file overwritten, its identity say."""
    stage, write = WRITER[name]
    deal = sale(stage)
    deal.deal.mkdir(exist_ok=True)
    writer = "seller" if name in ("offer", "delivery") else "buyer"
    victim = deal.root / writer / "identity.key"
    kept = victim.read_bytes()
    (deal.deal / f".{name}.zkcmp.part").symlink_to(victim)
    assert write(deal).code == 0
    assert victim.read_bytes() == kept
    assert not deal.message(name).is_symlink()


@pytest.mark.parametrize("name", MESSAGES)
def test_written_over_a_planted_link(sale: Callable[[str], Sale], name: str) -> None:
    """What it would win: as above, or a message of ours that lies where only it can be seen."""
    stage, write = WRITER[name]
    deal = sale(stage)
    deal.deal.mkdir(exist_ok=True)
    writer = "seller" if name in ("offer", "delivery") else "buyer"
    victim = deal.root / writer / "identity.key"
    kept = victim.read_bytes()
    deal.message(name).symlink_to(victim)
    result = write(deal)
    assert victim.read_bytes() == kept
    if name == "delivery":  # the only one whose place is ours from the beginning
        assert result.code == 0
        assert not deal.message(name).is_symlink()
    else:
        assert result.refused
        assert "that is not ours" in result.err


@pytest.mark.parametrize("name", MESSAGES)
def test_a_directory_where_it_is_written(sale: Callable[[str], Sale], name: str) -> None:
    """What it would win: half a step: coins locked twice, a request counted twice, a lost seal."""
    stage, write = WRITER[name]
    deal = sale(stage)
    planted = deal.deal / f".{name}.zkcmp.part"
    planted.mkdir(parents=True)
    result = write(deal)
    assert result.refused, result
    assert str(planted) in result.err
    planted.rmdir()
    assert write(deal).code == 0
    sent = deal.message(name).read_bytes()
    assert write(deal).code == 0
    assert deal.message(name).read_bytes() == sent


@pytest.mark.parametrize("name", ["request", "delivery", "lock"])
def test_a_huge_file_is_not_copied(sale: Callable[[str], Sale], name: str) -> None:
    """What it would win: the reader's disk."""
    stage, read = READER[name]
    deal = sale(stage)
    with deal.message(name).open("r+b") as file:
        file.truncate(1 << 32)
    result = read(deal)
    assert result.refused
    assert "more than such a message has" in result.err
    for reader in ("seller", "buyer"):
        assert not list((deal.root / reader).rglob("*incoming*"))
