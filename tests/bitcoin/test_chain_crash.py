"""Real processes: SIGKILL at every step of a sale, and two of them on one chain."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest
from bitcoin_sale import AMOUNT_SAT, ANYONE, BUYER, BUYER_SCRIPT, terms
from sale_process import run_sale

from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock

HERE = Path(__file__).parent

HOLDER = """
import sys
from bitcoin_scripts.chain.kernel import KernelChain
with KernelChain(sys.argv[1]) as chain:
    chain.mine(1, b"\\x51")
    print("open", flush=True)
    sys.stdin.readline()
"""


def points_to_kill(trace: str) -> list[int]:
    """Every event of a trace but the inside of the long runs of blocks that a replay submits."""
    return [
        i + 1
        for i, event in enumerate(trace)
        if event != "b" or trace[max(i - 1, 0) : i + 2] != "bbb" or i % 100 == 50
    ]


@pytest.fixture(scope="module")
def funded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain at height 101 on which the buyer has one coin."""
    directory = tmp_path_factory.mktemp("funded") / "chain"
    with KernelChain(directory) as chain:
        chain.mine(1, BUYER_SCRIPT)
        chain.mine(100, ANYONE)
    return directory


def sale_process(directory: Path, kill_at: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "sale_process.py"), str(directory), str(kill_at)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_sale_killed_at_any_step_resumes_to_the_same_end(funded: Path, tmp_path: Path):
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(funded, undisturbed)
    trace = sale_process(undisturbed, 0).stdout.strip()
    assert trace.count("w") == 5, "the process id in the lock file, two transactions, two blocks"
    expected = run_sale(str(undisturbed))
    assert expected[2] == 103
    for kill_at in points_to_kill(trace):
        directory = tmp_path / f"killed-{kill_at}"
        shutil.copytree(funded, directory)
        done = sale_process(directory, kill_at)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert run_sale(str(directory)) == expected, f"killed at event {kill_at} of {trace}"


def test_a_broadcast_that_was_answered_survives(funded: Path, tmp_path: Path):
    directory = tmp_path / "chain"
    shutil.copytree(funded, directory)
    with KernelChain(directory) as chain:
        coins = chain.find_spendable(BUYER_SCRIPT)
        lock = build_lock(coins, terms(), AMOUNT_SAT, BUYER_SCRIPT, BUYER, 3)
    program = (
        "import os, sys\n"
        "from bitcoin.core import CTransaction\n"
        "from bitcoin_scripts.chain.kernel import KernelChain\n"
        "chain = KernelChain(sys.argv[1])\n"
        "chain.broadcast(CTransaction.deserialize(bytes.fromhex(sys.argv[2])))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", program, str(directory), lock.serialize().hex()]
    assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL
    with KernelChain(directory) as chain:
        assert chain.get_transaction(txid_of(lock)) == lock
        assert chain.confirmations(txid_of(lock)) == 0
        chain.mine(1, ANYONE)
        assert chain.confirmations(txid_of(lock)) == 1


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that mines a block in `tmp_path` and keeps the chain until it is written to."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_second_process_gets_one_line_that_names_the_first(
    tmp_path: Path, holder: subprocess.Popen[str]
):
    with pytest.raises(SettlementError, match=f"in use by process {holder.pid}; ") as caught:
        KernelChain(tmp_path, lock_timeout_s=0.1)
    assert "\n" not in str(caught.value)


def test_the_lock_dies_with_its_holder_and_its_blocks_do_not(
    tmp_path: Path, holder: subprocess.Popen[str]
):
    holder.kill()
    holder.wait()
    with KernelChain(tmp_path, lock_timeout_s=0) as chain:
        assert chain.height() == 1


def test_second_process_waits_for_its_turn(tmp_path: Path, holder: subprocess.Popen[str]):
    assert holder.stdin is not None
    start = time.monotonic()
    Timer(0.3, holder.stdin.close).start()
    with KernelChain(tmp_path, lock_timeout_s=60) as chain:
        assert time.monotonic() - start >= 0.3
        assert chain.height() == 1
        chain.mine(1, ANYONE)
    assert holder.wait() == 0
