"""Coins of one key to any standard address, judged by consensus code."""

from pathlib import Path

import pytest
from embit import bech32
from embit.ec import PrivateKey
from embit.networks import NETWORKS
from embit.script import p2pkh, p2sh, p2tr, p2wpkh, p2wsh

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import p2wpkh_script, public_key, standard_script
from bitcoin_scripts.withdrawal import MAX_COINS, build_withdrawal, choose_coins

KEY = PrivateKey(b"\x07" * 32)
SECRET = b"\x05" * 32
OURS = bytes(p2wpkh_script(public_key(SECRET)))
SCRIPTS = {
    "p2pkh": p2pkh(KEY),
    "p2sh": p2sh(p2wpkh(KEY)),
    "p2wpkh": p2wpkh(KEY),
    "p2wsh": p2wsh(p2pkh(KEY)),
    "p2tr": p2tr(KEY),
}
DESTINATION = bytes(SCRIPTS["p2wpkh"].data)
CHAINS = {"main": "main", "testnet": "test", "signet": "signet", "regtest": "regtest"}


def coins(*amounts: int) -> list[Outpoint]:
    return [Outpoint(f"{n + 1:064x}", n, amount) for n, amount in enumerate(amounts)]


@pytest.mark.parametrize("kind", SCRIPTS)
@pytest.mark.parametrize("chain", CHAINS)
def test_every_standard_address_is_what_embit_says(chain: str, kind: str) -> None:
    script = SCRIPTS[kind]
    address = script.address(NETWORKS[CHAINS[chain]])
    assert standard_script(address, chain) == script.data
    others = {"main": "regtest"}.get(chain, "main")
    with pytest.raises(SettlementError, match=f"is not an address on {others}"):
        standard_script(address, others)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "1",
        "0OIl",
        "m" * 5000,
        SCRIPTS["p2pkh"].address(NETWORKS["regtest"])[:-1] + "1",
        SCRIPTS["p2wpkh"].address(NETWORKS["regtest"])[:-1] + "b",
        bech32.encode("bcrt", 1, b"\x4e\x73"),  # anybody can spend it
        bech32.encode("bcrt", 2, bytes(32)),
        bech32.encode("bcrt", 1, b"\xff" * 32),  # no point has this x: nobody can
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(SettlementError) as refusal:
        standard_script(address, "regtest")
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("amount", [None, 1_000_000])
@pytest.mark.parametrize("kind", SCRIPTS)
def test_consensus_takes_it(tmp_path: Path, kind: str, amount: int | None) -> None:
    script = bytes(SCRIPTS[kind].data)
    with KernelChain(tmp_path) as chain:
        chain.mine(2, OURS)
        chain.mine(100, b"\x51")
        found = chain.find_spendable(OURS)
        chosen = choose_coins(found, script, amount, SECRET, 3)
        assert len(chosen) == (2 if amount is None else 1)
        tx = build_withdrawal(chosen, script, amount, SECRET, 3)
        txid = chain.broadcast(tx)
        chain.mine(1, b"\x51")
        assert chain.confirmations(txid) == 1
    total = sum(coin.amount_sat for coin in chosen)
    fee = total - sum(output.nValue for output in tx.vout)
    assert 3 * fees.vsize(tx) <= fee <= 3 * (fees.vsize(tx) + len(chosen))
    assert [bytes(o.scriptPubKey) for o in tx.vout] == [script] + [OURS] * (amount is not None)
    assert tx.vout[0].nValue == (total - fee if amount is None else amount)


def test_a_key_of_somebody_else_is_refused_by_consensus(tmp_path: Path) -> None:
    with KernelChain(tmp_path) as chain:
        chain.mine(101, OURS)
        tx = build_withdrawal(chain.find_spendable(OURS), DESTINATION, None, b"\x06" * 32, 2)
        with pytest.raises(SettlementError):
            chain.broadcast(tx)


def test_coins_that_cost_more_than_they_bring_are_left() -> None:
    found = coins(600, 50_000, 300, 50_000)
    assert {c.amount_sat for c in choose_coins(found, DESTINATION, None, SECRET, 10)} == {50_000}
    with pytest.raises(SettlementError, match="none worth its fee"):
        choose_coins(coins(600, 300), DESTINATION, None, SECRET, 10)


def test_a_coin_that_is_named_twice_counts_once() -> None:
    with pytest.raises(SettlementError, match="50000 sat in 1 coins do not cover"):
        choose_coins(coins(50_000) * 2, DESTINATION, 60_000, SECRET, 1)


def test_so_many_coins_as_nodes_relay() -> None:
    chosen = choose_coins(coins(*[10_000] * (MAX_COINS + 1)), DESTINATION, None, SECRET, 1)
    assert len(chosen) == MAX_COINS
    assert fees.vsize(build_withdrawal(chosen, DESTINATION, None, SECRET, 1)) < 100_000


def test_dust_and_fees_above_half_are_refused() -> None:
    with pytest.raises(SettlementError, match="is dust"):
        build_withdrawal(coins(50_000), DESTINATION, 200, SECRET, 1)
    with pytest.raises(SettlementError, match="is over 1/2"):
        build_withdrawal(coins(50_000), DESTINATION, None, SECRET, 300)
    with pytest.raises(SettlementError, match="do not cover"):
        build_withdrawal(coins(50_000), DESTINATION, 49_950, SECRET, 1)


def test_change_that_would_be_dust_goes_to_the_fee() -> None:
    tx = build_withdrawal(coins(50_000), DESTINATION, 49_700, SECRET, 1)
    assert [output.nValue for output in tx.vout] == [49_700]
