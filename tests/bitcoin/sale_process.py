"""A buyer's and a seller's commands in one resumable run, killed where the caller says.

Run as `python sale_process.py DIRECTORY N`: the process sends itself SIGKILL at its N-th event, a
write (w, cut in half), sync (s) or block given to consensus (b). With N = 0 it finishes and prints
its events. Every step looks on the chain for what an earlier run has done before it does anything.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from bitcoin_sale import (
    AMOUNT_SAT,
    ANYONE,
    BUYER,
    BUYER_SCRIPT,
    PREIMAGE,
    SELLER,
    SELLER_SCRIPT,
    terms,
)

from bitcoin_scripts.chain.consensus import ConsensusChain
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.funding import build_lock
from bitcoin_scripts.preimage import extract_preimage


def run_sale(directory: str) -> tuple[str, str, int]:
    """Lock, claim, read the preimage; returns the two transaction ids and the height."""
    with KernelChain(directory) as chain:
        htlc = terms()
        if not chain.find_output(htlc.script_pubkey):
            coins = chain.find_spendable(BUYER_SCRIPT)
            chain.broadcast(build_lock(coins, htlc, AMOUNT_SAT, BUYER_SCRIPT, BUYER, 3))
        [lock] = chain.find_output(htlc.script_pubkey)
        if chain.confirmations(lock.txid) == 0:
            chain.mine(1, ANYONE)
        if chain.find_spend(lock) is None:
            chain.broadcast(build_claim(htlc, lock, PREIMAGE, SELLER, SELLER_SCRIPT, 3))
        [lock] = chain.find_output(htlc.script_pubkey)
        assert lock.spent_by
        if chain.confirmations(lock.spent_by) == 0:
            chain.mine(1, ANYONE)
        claim = chain.find_spend(lock)
        assert claim is not None
        assert extract_preimage(claim, htlc) == PREIMAGE
        return lock.txid, lock.spent_by, chain.height()


def arm(kill_at: int) -> list[str]:
    """Die at event number `kill_at`, counted from 1; the list that events are added to."""
    events: list[str] = []
    pwrite, fsync, submit = os.pwrite, os.fsync, ConsensusChain.submit

    def due(event: str) -> bool:
        events.append(event)
        return len(events) == kill_at

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def torn_pwrite(fd: int, data: bytes, offset: int) -> int:
        if due("w"):
            pwrite(fd, data[: len(data) // 2], offset)
            die()
        return pwrite(fd, data, offset)

    def then_die(event: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            result = function(*arguments)
            if due(event):
                die()
            return result

        return wrapped

    os.pwrite = torn_pwrite  # type: ignore[assignment]
    os.fsync = then_die("s", fsync)
    ConsensusChain.submit = then_die("b", submit)  # type: ignore[method-assign]
    return events


if __name__ == "__main__":
    trace = arm(int(sys.argv[2]))
    run_sale(sys.argv[1])
    print("".join(trace))
