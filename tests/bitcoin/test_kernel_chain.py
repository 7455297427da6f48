"""The embedded chain: what it finds, what it refuses and in which words."""

from collections.abc import Callable
from pathlib import Path

import pytest
from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript
from bitcoin_sale import (
    AMOUNT_SAT,
    ANYONE,
    BUYER,
    BUYER_SCRIPT,
    PREIMAGE,
    SELLER,
    SELLER_SCRIPT,
    Sale,
    terms,
)

from bitcoin_scripts.chain import Outpoint, consensus, txid_of
from bitcoin_scripts.chain.consensus import ConsensusChain, verify_input
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fees import vsize
from bitcoin_scripts.funding import build_lock
from bitcoin_scripts.spend import input_of

COINBASE_SAT = 50 * 100_000_000


def test_finds_outputs_spends_and_transactions(sale: Sale):
    chain, script = sale.chain, sale.htlc.script_pubkey
    [lock] = chain.find_output(script)
    assert (lock.txid, lock.vout, lock.amount_sat) == (sale.funding.txid, 0, AMOUNT_SAT)
    assert (lock.height, lock.coinbase, lock.spent_by) == (102, False, None)
    assert chain.find_spendable(script) == [lock]
    assert chain.find_spend(lock) is None
    claim = build_claim(sale.htlc, lock, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    txid = chain.broadcast(claim)
    assert chain.find_output(script)[0].spent_by == txid
    assert chain.find_spendable(script) == []
    assert chain.find_output(SELLER_SCRIPT)[0].height is None
    assert chain.find_spend(sale.funding) == chain.get_transaction(txid) == claim
    chain.mine(1, ANYONE)
    assert chain.find_output(SELLER_SCRIPT)[0].height == 103
    assert chain.find_spend(sale.funding) == claim


def test_unknown_things_are_none_or_zero(sale: Sale):
    nowhere = "ab" * 32
    assert sale.chain.confirmations(nowhere) == 0
    assert sale.chain.get_transaction(nowhere) is None
    assert sale.chain.find_output(b"\x52") == []
    assert sale.chain.find_spend(Outpoint(nowhere, 0, 1)) is None
    assert sale.chain.find_spend(Outpoint(sale.funding.txid, 99, 1)) is None


def test_the_same_transaction_is_accepted_again_waiting_or_mined(sale: Sale):
    claim = build_claim(sale.htlc, sale.funding, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    assert sale.chain.broadcast(claim) == sale.chain.broadcast(claim)
    sale.chain.mine(1, ANYONE)
    assert sale.chain.broadcast(claim) == txid_of(claim)
    assert len(sale.chain.find_output(SELLER_SCRIPT)) == 1


def test_change_that_waits_can_be_spent_in_the_same_block(sale: Sale):
    [change] = [o for o in sale.chain.find_output(BUYER_SCRIPT) if o.spent_by is None]
    first = build_lock([change], terms(b"a" * 32), AMOUNT_SAT, BUYER_SCRIPT, BUYER, 3)
    sale.chain.broadcast(first)
    waiting = Outpoint(txid_of(first), 1, first.vout[1].nValue)
    second = build_lock([waiting], terms(b"b" * 32), AMOUNT_SAT, BUYER_SCRIPT, BUYER, 3)
    sale.chain.broadcast(second)
    sale.chain.mine(1, ANYONE)
    assert sale.chain.confirmations(txid_of(first)) == 1
    assert sale.chain.confirmations(txid_of(second)) == 1


def _no_such_output(tx: CTransaction) -> CTransaction:
    return CTransaction([input_of(Outpoint("cd" * 32, 0, 1))], tx.vout, 0, 2, tx.wit)


def _no_such_index(tx: CTransaction) -> CTransaction:
    spent = tx.vin[0].prevout.hash[::-1].hex()
    return CTransaction([input_of(Outpoint(spent, 7, 1))], tx.vout, 0, 2, tx.wit)


def _same_input_twice(tx: CTransaction) -> CTransaction:
    return CTransaction([*tx.vin, *tx.vin], tx.vout, 0, 2, tx.wit)


def _no_inputs(tx: CTransaction) -> CTransaction:
    return CTransaction([], tx.vout, 0, 2)


def _no_outputs(tx: CTransaction) -> CTransaction:
    return CTransaction(tx.vin, [], 0, 2, tx.wit)


def _negative_amount(tx: CTransaction) -> CTransaction:
    return CTransaction(tx.vin, [CTxOut(-1, CScript(ANYONE))], 0, 2, tx.wit)


def _no_witness(tx: CTransaction) -> CTransaction:
    return CTransaction(tx.vin, tx.vout, 0, 2)


def _locked_by_time(tx: CTransaction) -> CTransaction:
    return CTransaction(tx.vin, tx.vout, 0xFFFFFFFF, 2, tx.wit)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_such_output, "output that this chain does not have"),
        (_no_such_index, "output that this chain does not have"),
        (_same_input_twice, "distinct outputs"),
        (_no_inputs, "distinct outputs"),
        (_no_outputs, "no outputs"),
        (_negative_amount, "out of range"),
        (_no_witness, "Witness program was passed an empty witness"),
        (_locked_by_time, "bad-txns-nonfinal"),
    ],
)
def test_bad_transactions_are_refused_and_leave_no_trace(
    sale: Sale, spoil: Callable[[CTransaction], CTransaction], message: str
):
    claim = build_claim(sale.htlc, sale.funding, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    with pytest.raises(SettlementError, match=message):
        sale.chain.broadcast(spoil(claim))
    sale.chain.broadcast(claim)
    sale.chain.mine(1, ANYONE)
    assert sale.chain.confirmations(txid_of(claim)) == 1


def test_time_locks_are_judged_by_the_trial_block(sale: Sale):
    tx = sale.spend([PREIMAGE, b"\x01"], SELLER, locktime=0x7FFFFFFF)
    assert sale.script_accepts(tx)
    with pytest.raises(SettlementError, match="bad-txns-nonfinal"):
        sale.chain.broadcast(tx)


def test_second_spend_of_a_waiting_spend_has_to_pay_for_both(sale: Sale):
    first = build_claim(sale.htlc, sale.funding, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    size_vb = vsize(first)
    short, enough = (
        sale.spend([PREIMAGE, b"\x01"], SELLER, amount_sat=AMOUNT_SAT - 4 * size_vb + missing)
        for missing in (1, 0)
    )
    txid = sale.chain.broadcast(first)
    least = f"already spent by {txid}, and pays {4 * size_vb - 1} sat; .* at least {4 * size_vb} "
    with pytest.raises(SettlementError, match=least):
        sale.chain.broadcast(short)
    sale.chain.broadcast(enough)
    assert sale.chain.get_transaction(txid) is None


def test_coinbase_is_spendable_when_100_blocks_deep(tmp_path: Path):
    with KernelChain(tmp_path) as chain:
        chain.mine(1, BUYER_SCRIPT)
        chain.mine(98, ANYONE)
        assert chain.find_spendable(BUYER_SCRIPT) == []
        coins = chain.find_output(BUYER_SCRIPT)
        tx = build_lock(coins, terms(), AMOUNT_SAT, BUYER_SCRIPT, BUYER, 3)
        with pytest.raises(SettlementError, match="100 blocks deep"):
            chain.broadcast(tx)
        chain.mine(1, ANYONE)
        assert chain.find_spendable(BUYER_SCRIPT) == coins
        chain.broadcast(tx)
        chain.mine(1, ANYONE)
        assert chain.confirmations(txid_of(tx)) == 1


def test_reward_includes_fees_and_halves(tmp_path: Path):
    with KernelChain(tmp_path) as chain:
        chain.mine(149, BUYER_SCRIPT)
        coins = chain.find_spendable(BUYER_SCRIPT)
        tx = build_lock(coins, terms(), AMOUNT_SAT, BUYER_SCRIPT, BUYER, 3)
        fee_sat = COINBASE_SAT - sum(o.nValue for o in tx.vout)
        chain.broadcast(tx)
        chain.mine(1, SELLER_SCRIPT)
        assert fee_sat > 0
        assert chain.find_output(SELLER_SCRIPT)[0].amount_sat == COINBASE_SAT // 2 + fee_sat


@pytest.mark.parametrize("n", [0, -1, 10_001])
def test_mine_refuses_silly_counts(sale: Sale, n: int):
    with pytest.raises(SettlementError, match="cannot mine"):
        sale.chain.mine(n, ANYONE)


def test_directory_of_something_else_is_left_alone(tmp_path: Path):
    precious = tmp_path / "state" / "work"
    precious.parent.mkdir()
    precious.write_text("not a chain's")
    with pytest.raises(SettlementError, match="not empty"):
        KernelChain(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["state", "work"]


def test_closed_chain_says_so(tmp_path: Path):
    chain = KernelChain(tmp_path)
    chain.close()
    chain.close()
    with pytest.raises(SettlementError, match="is closed"):
        chain.height()


def test_two_machines_make_the_same_chain(tmp_path: Path):
    with KernelChain(tmp_path / "a") as a, KernelChain(tmp_path / "b") as b:
        assert a.mine(3, ANYONE) == b.mine(3, ANYONE)


def test_judge_refuses_arguments_that_would_abort_the_interpreter(sale: Sale):
    tx = sale.spend([PREIMAGE, b"\x01"], SELLER)
    spent = CTxOut(AMOUNT_SAT, sale.htlc.script_pubkey)
    for index, outputs in [(1, [spent]), (-1, [spent]), (0, []), (0, [spent, spent])]:
        with pytest.raises(SettlementError, match="one spent output per input"):
            verify_input(tx, index, outputs)
    with pytest.raises(SettlementError, match="out of range"):
        verify_input(tx, 0, [CTxOut(-1, sale.htlc.script_pubkey)])
    assert not verify_input(tx, 0, [CTxOut(AMOUNT_SAT + 1, sale.htlc.script_pubkey)])
    assert verify_input(tx, 0, [spent])


def test_judge_refuses_garbage_blocks(tmp_path: Path):
    judge = ConsensusChain(tmp_path / "judge")
    assert not judge.submit(b"")
    assert not judge.submit(bytes(200))
    assert not judge.submit(bytes(4_000_001))
    assert judge.height == 0
    judge.close()


def test_missing_kernel_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(consensus, "pbk", None)
    with pytest.raises(SettlementError, match=r"py-bitcoinkernel .* is missing here"):
        KernelChain(tmp_path)
    monkeypatch.undo()
    KernelChain(tmp_path, lock_timeout_s=0).close()
