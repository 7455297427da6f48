"""Replacement of waiting transactions on the embedded chain: every rule, kept and broken."""

import pytest
from bitcoin.core import CTransaction, CTxIn, CTxOut
from bitcoin.core.script import CScript
from bitcoin_sale import ANYONE, Sale

from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.chain import replacement as rules
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fees import vsize
from bitcoin_scripts.spend import input_of

FREE = CScript(ANYONE)  # an output that anyone can spend, so that no keys are in the way
FINAL, LAST_REPLACEABLE = 0xFFFFFFFE, 0xFFFFFFFD


@pytest.fixture
def coins(sale: Sale) -> list[Outpoint]:
    """Three mined outputs that anyone can spend."""
    sale.chain.mine(100, ANYONE)
    return list(sale.chain.find_spendable(ANYONE)[:3])


def spend(
    coins: list[Outpoint], fee_sat: int, sequence: int = LAST_REPLACEABLE, outputs: int = 1
) -> CTransaction:
    each_sat, rest_sat = divmod(sum(c.amount_sat for c in coins) - fee_sat, outputs)
    inputs = [CTxIn(input_of(c).prevout, nSequence=sequence) for c in coins]
    amounts = [each_sat + rest_sat, *[each_sat] * (outputs - 1)]
    return CTransaction(inputs, [CTxOut(amount, FREE) for amount in amounts], 0, 2)


def output_of(tx: CTransaction, vout: int = 0) -> Outpoint:
    return Outpoint(txid_of(tx), vout, int(tx.vout[vout].nValue))


def refused(chain: KernelChain, tx: CTransaction, words: str) -> None:
    """The transaction is refused, and nothing that waits has changed."""
    before = list(chain._index.mempool)
    with pytest.raises(SettlementError, match=words):
        chain.broadcast(tx)
    assert list(chain._index.mempool) == before


def test_the_least_fee_is_what_is_evicted_and_the_own_size(sale: Sale, coins: list[Outpoint]):
    chain = sale.chain
    parent = spend(coins[:1], 1_000)
    child = spend([output_of(parent)], 5_000)
    for tx in (parent, child):
        chain.broadcast(tx)
    size_vb = vsize(spend(coins[:1], 0))
    short, enough = (spend(coins[:1], 6_000 + size_vb - missing) for missing in (1, 0))
    refused(chain, short, f"pays {6_000 + size_vb - 1} sat; .* at least {6_000 + size_vb} sat")
    chain.broadcast(enough)
    assert list(chain._index.mempool) == [txid_of(enough)]


def test_a_large_replacement_pays_a_better_rate_too(sale: Sale, coins: list[Outpoint]):
    """Else whoever pays a little more for much more space would push out what miners prefer."""
    chain = sale.chain
    small = spend(coins[:1], 10_000)
    chain.broadcast(small)
    size_vb = vsize(spend(coins[:1], 0, outputs=50))
    same_rate_sat = 10_000 * size_vb // vsize(small)
    assert same_rate_sat > 10_000 + size_vb
    refused(chain, spend(coins[:1], same_rate_sat, outputs=50), f"least {same_rate_sat + 1} sat")
    chain.broadcast(spend(coins[:1], same_rate_sat + 1, outputs=50))


def test_all_conflicts_have_to_signal(sale: Sale, coins: list[Outpoint]):
    chain = sale.chain
    replaceable, final = spend(coins[:1], 1_000), spend(coins[1:2], 1_000, FINAL)
    for tx in (replaceable, final):
        chain.broadcast(tx)
    refused(
        chain,
        spend(coins[:2], 50_000),
        f"spent by {txid_of(final)}, which does not allow to be replaced",
    )
    chain.broadcast(spend(coins[:1], 50_000))


def test_one_signalling_input_is_enough(sale: Sale, coins: list[Outpoint]):
    mixed = spend(coins[:2], 1_000, FINAL)
    inputs = [mixed.vin[0], CTxIn(mixed.vin[1].prevout, nSequence=LAST_REPLACEABLE)]
    sale.chain.broadcast(CTransaction(inputs, mixed.vout, 0, 2))
    sale.chain.broadcast(spend(coins[:1], 50_000))


def test_several_are_replaced_by_one_that_pays_for_all(sale: Sale, coins: list[Outpoint]):
    chain = sale.chain
    for coin in coins:
        chain.broadcast(spend([coin], 1_000))
    size_vb = vsize(spend(coins, 0))
    refused(chain, spend(coins, 3_000 + size_vb - 1), f"at least {3_000 + size_vb} sat")
    chain.broadcast(spend(coins, 3_000 + size_vb))
    assert len(chain._index.mempool) == 1
    chain.mine(1, ANYONE)


def test_it_cannot_spend_from_what_it_replaces(sale: Sale, coins: list[Outpoint]):
    parent = spend(coins[:1], 1_000)
    child = spend([output_of(parent)], 1_000)
    for tx in (parent, child):
        sale.chain.broadcast(tx)
    circle = spend([coins[0], output_of(child)], 90_000)
    refused(sale.chain, circle, "spends from what it would replace")


def test_it_cannot_evict_too_many(
    sale: Sale, coins: list[Outpoint], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rules, "MAX_EVICTED", 2)
    chain = sale.chain
    parent = spend(coins[:1], 1_000, outputs=2)
    chain.broadcast(parent)
    chain.broadcast(spend([output_of(parent, 0)], 1_000))
    last = spend([output_of(parent, 1)], 1_000)
    chain.broadcast(last)
    refused(chain, spend(coins[:1], 90_000), "would evict over 2 transactions")
    chain.broadcast(spend([output_of(parent, 1)], 90_000))


def test_a_replacement_that_consensus_refuses_replaces_nothing(sale: Sale, coins: list[Outpoint]):
    chain = sale.chain
    chain.broadcast(spend(coins[:1], 1_000))
    locked = spend(coins[:1], 50_000)
    refused(chain, CTransaction(locked.vin, locked.vout, 10_000, 2), "locked until height 10000")


def test_what_was_replaced_can_come_back_only_by_paying_more(sale: Sale, coins: list[Outpoint]):
    first, second = spend(coins[:1], 1_000), spend(coins[:1], 2_000)
    for tx in (first, second):
        sale.chain.broadcast(tx)
    refused(sale.chain, first, "a replacement has to pay at least")
    sale.chain.mine(1, ANYONE)
    refused(sale.chain, first, f"already spent by {txid_of(second)}; build it again")
