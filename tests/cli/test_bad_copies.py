"""What a shared folder can do once a good message was accepted, and looking without buying."""

import os
from collections.abc import Callable

import pytest
from deal_stages import Sale

from zkcmp.exchange.costs.proof_size import key_material_limit
from zkcmp.exchange.method import FREIVALDS
from zkcmp.exchange.seller import Seller
from zkcmp.model.architecture import Architecture


def test_inspect_sends_and_spends_nothing(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    before = {path.name for path in deal.deal.iterdir()}
    result = deal.run("buyer", "inspect")
    assert result.code == 0
    with Seller.opened(deal.root / "seller") as seller:
        assert seller.identity.fingerprint in result.out
    assert "100000 sat" in result.out
    assert {path.name for path in deal.deal.iterdir()} == before
    assert deal.request().code == 0, "the samples are still unspent"


def test_inspect_refuses_a_damaged_offer(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    data = bytearray(deal.message("offer").read_bytes())
    data[-1] ^= 1
    deal.message("offer").write_bytes(data)
    assert deal.run("buyer", "inspect").refused


@pytest.mark.parametrize("content", [b"", b"garbage" * 100])
def test_a_bad_request_does_not_undo_the_bound_one(
    sale: Callable[[str], Sale], content: bytes
) -> None:
    deal = sale("proved")
    deal.message("delivery").unlink()
    deal.message("request").write_bytes(content)
    assert deal.prove().code == 0
    assert deal.message("delivery").exists()


@pytest.mark.parametrize("content", [b"", b"garbage" * 100])
def test_a_bad_lock_does_not_undo_the_accepted_one(
    sale: Callable[[str], Sale], content: bytes
) -> None:
    deal = sale("verified")
    assert deal.run("buyer", "lock").code == 0
    assert deal.run("seller", "redeem").refused, "not confirmed yet, but the lock is accepted"
    deal.message("lock").write_bytes(content)
    assert deal.run("chain", "mine", "1").code == 0
    assert deal.run("seller", "redeem").code == 0


def test_key_material_longer_than_this_circuits_is_not_copied(sale: Callable[[str], Sale]) -> None:
    deal = sale("set_up")
    with Seller.opened(deal.root / "seller") as seller:
        mine = seller.find(deal.deal)
        assert mine is not None
        limit = key_material_limit(Architecture.from_bytes(mine.offer().architecture), 3, FREIVALDS)
    honest = deal.message("key-material").stat().st_size
    assert honest <= limit < 4 * honest
    with open(deal.message("key-material"), "r+b") as file:
        os.ftruncate(file.fileno(), limit + 1)
    assert deal.prove().refused
