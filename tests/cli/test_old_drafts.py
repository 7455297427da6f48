"""A buyer's directory that is older than the draft that was paid finds it, and drafts no other."""

import re
import shutil
from collections.abc import Callable

import pytest
from deal_stages import Sale
from funding_wallet import ADDRESS, earn, sign_psbt
from settling import mine

WINDOW_BLOCKS = 144 - 36 - 1 - 6


@pytest.mark.parametrize("announced", [True, False])
def test_draft_that_is_newer_than_the_directory_is_found(
    sale: Callable[[str], Sale], announced: bool
) -> None:
    """It spends the coins of the draft that the directory knows, with a later timeout."""
    deal = sale("verified")
    earn(deal)

    def draft(name: str) -> bytes:
        out = deal.root / name
        result = deal.run("buyer", "lock", "--psbt-out", str(out), "--from", ADDRESS)
        assert result.code == 0, result
        return out.read_bytes()

    draft("first.psbt")
    shutil.copytree(deal.root / "buyer", deal.root / "old")
    mine(deal, WINDOW_BLOCKS + 1)
    signed = deal.root / "signed.psbt"
    signed.write_bytes(sign_psbt(draft("second.psbt")))
    locked = deal.run("buyer", "lock", "--psbt-in", str(signed))
    txid = re.search(r"locked +100000 sat in ([0-9a-f]{64})", locked.out)[1]
    mine(deal, 2)
    shutil.rmtree(deal.root / "buyer")
    (deal.root / "old").rename(deal.root / "buyer")
    if not announced:
        deal.message("lock").unlink()
    third = deal.root / "third.psbt"
    again = deal.run("buyer", "lock", "--psbt-out", str(third), "--from", ADDRESS)
    assert again.code == 0, again
    assert f"locked     100000 sat in {txid}" in again.out
    assert not third.exists()
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0
