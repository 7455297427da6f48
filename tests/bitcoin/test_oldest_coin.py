"""The oldest coin stays the oldest: what becomes spendable later never comes before it."""

import pytest

from bitcoin_scripts.chain import FoundOutput
from bitcoin_scripts.chain.block import COINBASE_MATURITY
from bitcoin_scripts.funding import oldest


def coin(first_byte: int, height: int, coinbase: bool) -> FoundOutput:
    return FoundOutput(f"{first_byte:064x}", 0, 1000, b"", height, coinbase, None)


def is_spendable(each: FoundOutput, tip: int) -> bool:
    """As chains and consensus say it: in the block after the tip."""
    depth = tip + 1 - (each.height or 0)
    return depth >= (COINBASE_MATURITY if each.coinbase else 1)


@pytest.mark.parametrize("coinbase_comes_first_by_its_id", [True, False])
@pytest.mark.parametrize("later", range(-2, 3))
def test_a_coinbase_beside_a_payment(later: int, coinbase_comes_first_by_its_id: bool) -> None:
    """`later`: in how many blocks after the coinbase is mature the payment is mined."""
    ids = (1, 2) if coinbase_comes_first_by_its_id else (2, 1)
    mature_at = 1 + COINBASE_MATURITY - 1
    coins = [coin(ids[0], 1, True), coin(ids[1], mature_at + later, False)]
    taken = []
    for tip in range(mature_at - 3, mature_at + 4):
        spendable = [each for each in coins if is_spendable(each, tip)]
        taken += [oldest(spendable)] if spendable else []
    assert set(taken) == {taken[0]}
