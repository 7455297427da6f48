"""What goes wrong inside one command: it dies at a step, or its node answers badly.

Installed in the forked child that runs the command, never in the process that judges.

A *step* is whatever a crash can fall before: a sync, a rename, a removal, a record of the chain's
journal (which may be half written). Syncs are counted and left out, as SIGKILL loses nothing that
was written.
"""

import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitcoin.core import CTransaction, b2lx

from bitcoin_scripts.chain import kernel
from bitcoin_scripts.chain.consensus import ConsensusChain
from bitcoin_scripts.chain.journal import Journal
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError

NODE_STATES = ("up", "silent", "loses", "swallows")
"""A node that answers; that stops answering at some call; that refuses every transaction without
passing it on; that passes it on and then does not answer."""

_READS = (
    "height",
    "confirmations",
    "get_transaction",
    "find_output",
    "find_spendable",
    "find_spend",
    "find_containing",
    "fee_rate",
)
SILENCE = SettlementError("the node does not answer; repeat the command")


@dataclass(frozen=True)
class Faults:
    """The faults of one command; without arguments, none."""

    die_before: int = 0
    torn: bool = False
    node: str = "up"
    silent_from: int = 1


class TrustedState:
    """In place of the consensus code's state while a command runs: the journal is replayed often,
    and every record in it was judged when it was written. New transactions are still judged, as the
    chain's trial blocks are mined on a real state, and so is the whole chain in the end."""

    def __init__(self, scratch: Path):
        self.last_rejection = ""

    def submit(self, raw_block: bytes) -> bool:
        return True

    def submit_branch(self, raw_blocks: Sequence[bytes]) -> bool:
        return True

    def close(self) -> None:
        pass


class Steps:
    """Counts steps, and kills this process before one of them."""

    def __init__(self, die_before: int):
        self._remaining = die_before

    def next_is_last(self) -> bool:
        return self._remaining == 1

    def count(self) -> None:
        if self._remaining == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        self._remaining -= 1


def install(faults: Faults, log: Path) -> None:
    """Have this process fail as `faults` says, and note in `log` what it gives to the chain."""
    trust_the_journal()
    _answer_badly(faults, log)
    _die(faults)


def trust_the_journal() -> None:
    """Replay the chain's journal without judging its blocks a second time."""

    def state(scratch: Path) -> Any:
        return TrustedState(scratch) if scratch.name == "state" else ConsensusChain(scratch)

    kernel.ConsensusChain = state  # type: ignore[assignment, misc]


def judged_chain(directory: Path) -> KernelChain:
    """The chain with every block judged, as if nothing had been trusted."""
    kernel.ConsensusChain = ConsensusChain  # type: ignore[misc]
    try:
        return KernelChain(directory)
    finally:
        trust_the_journal()


def _answer_badly(faults: Faults, log: Path) -> None:
    real = {name: getattr(KernelChain, name) for name in (*_READS, "broadcast")}
    calls = 0

    def is_silent() -> bool:
        nonlocal calls
        calls += 1
        return faults.node == "silent" and calls >= faults.silent_from

    def reading(name: str) -> Callable[..., Any]:
        def read(*arguments: Any, **options: Any) -> Any:
            if is_silent():
                raise SILENCE
            return real[name](*arguments, **options)

        return read

    def broadcast(chain: KernelChain, tx: CTransaction) -> str:
        depths = [real["confirmations"](chain, str(b2lx(i.prevout.hash))) for i in tx.vin]
        noted = {"raw": tx.serialize().hex(), "height": real["height"](chain), "depths": depths}
        with log.open("a") as file:  # also if the node then loses it: it has left the party
            file.write(json.dumps(noted) + "\n")
        if is_silent() or faults.node == "loses":
            raise SILENCE
        txid = real["broadcast"](chain, tx)
        if faults.node == "swallows":
            raise SILENCE
        return str(txid)

    for name in _READS:
        setattr(KernelChain, name, reading(name))
    KernelChain.broadcast = broadcast  # type: ignore[method-assign]


def _die(faults: Faults) -> None:
    steps = Steps(faults.die_before)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            steps.count()
            return function(*arguments, **options)

        return step

    append = Journal.append

    def append_or_tear(journal: Journal, kind: bytes, payload: bytes) -> None:
        if faults.torn and steps.next_is_last():
            write = journal._write_at

            def half(offset: int, data: bytes) -> None:
                write(offset, data[: len(data) // 2])
                steps.count()

            journal._write_at = half  # type: ignore[method-assign]
        else:
            steps.count()
        append(journal, kind, payload)

    Journal.append = append_or_tear  # type: ignore[method-assign]
    os.fsync = counted(lambda descriptor: None)
    for name in ("replace", "rename", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
