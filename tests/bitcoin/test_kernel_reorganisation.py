"""Reorganisations of the embedded chain: what the suite of every chain cannot ask."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bitcoin_sale import ANYONE, BUYER, BUYER_SCRIPT, PREIMAGE, SELLER, SELLER_SCRIPT, Sale, terms

from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.chain.branch import Branch
from bitcoin_scripts.chain.consensus import ConsensusChain
from bitcoin_scripts.chain.journal import Journal
from bitcoin_scripts.chain.kernel import MAX_REORGANISED_BLOCKS, KernelChain
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock

HERE = Path(__file__).parent

REORGANISING = """
import sys
from sale_process import arm
from bitcoin_scripts.chain.kernel import KernelChain
trace = arm(int(sys.argv[2]))
with KernelChain(sys.argv[1]) as chain:
    chain.reorganise(2)
print("".join(trace))
"""


def test_every_reorganisation_makes_blocks_that_never_were(tmp_path: Path):
    with KernelChain(tmp_path / "chain") as chain:
        seen = set(chain.mine(6, ANYONE))
        for depth in (1, 1, 3, 2, 5):
            new = chain.reorganise(depth)
            assert len(new) == depth + 1
            assert not seen & set(new)
            seen |= set(new)
        assert chain.height() == 11
        seen |= set(chain.mine(1, ANYONE))
        assert len(seen) == 6 + 12 + 5 + 1


def test_consensus_code_alone_arrives_at_the_same_chain(sale: Sale, tmp_path: Path):
    sale.chain.mine(3, ANYONE)
    sale.chain.reorganise(2)
    sale.chain.mine(1, ANYONE)
    judge = ConsensusChain(tmp_path / "judge")
    try:
        assert all(judge.submit(raw) for raw in sale.chain.raw_blocks())
        assert judge.height == sale.chain.height() == len(sale.chain.raw_blocks())
    finally:
        judge.close()


def test_a_reopened_chain_is_the_same(sale: Sale, tmp_path: Path):
    chain = sale.chain
    claim = build_claim(sale.htlc, sale.funding, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    better = build_claim(sale.htlc, sale.funding, PREIMAGE, SELLER, SELLER_SCRIPT, 9)
    chain.broadcast(claim)
    chain.mine(1, ANYONE)
    chain.reorganise(3)
    chain.broadcast(better)
    chain.reorganise(1)
    blocks, height = chain.raw_blocks(), chain.height()
    chain.close()
    with KernelChain(tmp_path / "chain") as again:
        assert (again.raw_blocks(), again.height()) == (blocks, height)
        assert again.get_transaction(txid_of(claim)) is None
        assert again.find_spend(sale.funding) == better
        again.mine(1, ANYONE)
        assert again.confirmations(sale.funding.txid) == again.confirmations(txid_of(better)) == 1


def test_what_spends_a_coinbase_that_is_gone_is_gone(tmp_path: Path):
    with KernelChain(tmp_path / "chain") as chain:
        chain.mine(1, BUYER_SCRIPT)
        chain.mine(100, ANYONE)
        coins = chain.find_spendable(BUYER_SCRIPT)
        lock = build_lock(coins, terms(), 100_000, BUYER_SCRIPT, BUYER, 3)
        chain.broadcast(lock)
        chain.reorganise(100)
        assert chain.get_transaction(txid_of(lock)) == lock
        chain.reorganise(102)
        assert chain.get_transaction(txid_of(lock)) is None
        assert chain.find_output(BUYER_SCRIPT) == []
        chain.mine(1, ANYONE)


@pytest.mark.parametrize("depth", [0, -1, 103, MAX_REORGANISED_BLOCKS + 1])
def test_depths_out_of_range(sale: Sale, depth: int):
    with pytest.raises(SettlementError, match=r"cannot replace .* ask for 1 to 102"):
        sale.chain.reorganise(depth)


def test_only_known_transactions_can_be_forgotten(sale: Sale):
    with pytest.raises(SettlementError, match=r"does not have abab"):
        sale.chain.reorganise(1, forget=["ab" * 32])
    assert sale.chain.confirmations(sale.funding.txid) == 1


def test_killed_at_any_step_it_happened_or_it_did_not(sale: Sale, tmp_path: Path):
    claim = build_claim(sale.htlc, sale.funding, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    sale.chain.broadcast(claim)
    sale.chain.mine(1, ANYONE)
    sale.chain.close()

    def reorganise(name: str, kill_at: int) -> subprocess.CompletedProcess[str]:
        shutil.copytree(tmp_path / "chain", tmp_path / name)
        command = [sys.executable, "-c", REORGANISING, str(tmp_path / name), str(kill_at)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, cwd=HERE
        )

    trace = reorganise("undisturbed", 0).stdout.strip()
    assert trace.endswith("ws"), "one record, then one sync"
    heights = []
    for kill_at in range(len(trace) - 3, len(trace) + 1):
        name = f"killed-{kill_at}"
        assert reorganise(name, kill_at).returncode == -signal.SIGKILL
        with KernelChain(tmp_path / name) as chain:
            heights.append(chain.height())
            happened = chain.height() == 104
            assert chain.confirmations(txid_of(claim)) == (0 if happened else 1)
            assert chain.find_spend(sale.funding) == claim
            chain.mine(1, ANYONE)
            assert chain.confirmations(txid_of(claim)) == (1 if happened else 2)
    assert heights == sorted(heights)
    assert set(heights) == {103, 104}


def test_records_of_branches():
    branch = Branch(2, ("ab" * 32, "01" * 32), (b"one", b"", b"three"))
    data = branch.to_bytes()
    assert Branch.from_bytes(data) == branch
    for size in range(len(data)):
        with pytest.raises(ValueError, match="cut short"):
            Branch.from_bytes(data[:size])
    with pytest.raises(ValueError, match="after the record"):
        Branch.from_bytes(data + b"\0")


@pytest.mark.parametrize("depth", [0, 103])
def test_a_record_of_an_impossible_depth_is_an_error(sale: Sale, tmp_path: Path, depth: int):
    blocks = sale.chain.raw_blocks()
    sale.chain.close()
    journal = Journal(tmp_path / "chain" / "journal")
    list(journal.replay())
    journal.append(b"R", Branch(depth, (), tuple(blocks[-1:])).to_bytes())
    journal.close()
    with pytest.raises(SettlementError, match="after block 102: consensus rejects the next"):
        KernelChain(tmp_path / "chain")
