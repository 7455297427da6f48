"""One simulated sale: both parties' directories, the chain, and what may happen to them.

A command runs in a fork of this process, which can die anywhere without harm; the judge only looks
at what it left on the disk.
"""

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bitcoin.core import CTransaction
from injection import Faults, install
from prepared import Facts, arguments

from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from zkcmp.cli.main import run

KILLED = -9
ANYONE = b"\x51"

Misbehaviour = Callable[[Path, list[str]], None]


@dataclass(frozen=True)
class Given:
    """A transaction that a party handed to its node, and what the chain was like then."""

    tx: CTransaction
    height: int
    depths: list[int]
    """Of the outputs that it spends, in the order of its inputs."""


@dataclass(frozen=True)
class Outcome:
    """How one command ended."""

    command: list[str]
    code: int
    out: str
    err: str


@dataclass
class World:
    """The sale in `root`; `trace` says what happened to it, for whoever looks for a defect."""

    root: Path
    facts: Facts
    misbehave: Misbehaviour | None = None
    trace: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    wallet_pays_twice: bool = False
    """Whether the buyer's other wallet pays more than it was asked to."""

    def together(self, *commands: tuple[list[str], Faults]) -> list[Outcome]:
        """Run commands side by side: [party, verb, option, ...] each, with its faults."""
        children = [
            (command, faults, self._start(index, command, faults))
            for index, (command, faults) in enumerate(commands)
        ]
        outcomes = []
        for index, (command, faults, child) in enumerate(children):
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            out, err = (self._output(index, name).read_text() for name in ("out", "err"))
            outcomes.append(Outcome(command, code, out, err))
            self.counts["commands"] += 1
            self.counts["kills"] += code == KILLED
            if faults.node != "up":
                self.counts[f"node {faults.node}"] += 1
            fault = "" if faults == Faults() else f" with {faults}"
            self.trace.append(f"{' '.join(command)}{fault}: {code} {err.strip()[:160]}")
        return outcomes

    def mine(self, blocks: int) -> None:
        """Blocks with all that waits."""
        with self.chain() as chain:
            chain.mine(blocks, ANYONE)
            self.trace.append(f"mine {blocks}: height {chain.height()}")

    def reorganise(self, depth: int, forget: bool) -> None:
        """Replace the last blocks by one more; their transactions wait again, or are forgotten."""
        with self.chain() as chain:
            given = {txid_of(each.tx) for each in self.sent()}
            undone = {txid for txid in given if 0 < chain.confirmations(txid) <= depth}
            chain.reorganise(depth, undone if forget else ())
            self.trace.append(f"reorganise {depth}, forgetting {len(undone) if forget else 0}")

    def evict(self) -> None:
        """No node has what waited, nor the last block."""
        with self.chain() as chain:
            given = {txid_of(each.tx) for each in self.sent()}
            known = {txid for txid in given if chain.get_transaction(txid)}
            waiting = {txid for txid in known if not chain.confirmations(txid)}
            chain.reorganise(1, waiting)
            self.trace.append(f"evict {len(waiting)}")

    def given(self) -> list[Given]:
        """Every transaction that a party ever handed to its node, in order."""
        return self._noted("given")

    def paid(self) -> list[Given]:
        """Every transaction that the other wallet sent by itself, in order."""
        return self._noted("paid")

    def sent(self) -> list[Given]:
        """All of both."""
        return self.given() + self.paid()

    def note_paid(self, chain: KernelChain, tx: CTransaction) -> None:
        """Remember what the other wallet sent."""
        noted = {"raw": tx.serialize().hex(), "height": chain.height(), "depths": []}
        with (self.root / "paid").open("a") as file:
            file.write(json.dumps(noted) + "\n")
        self.trace.append(f"wallet sends {txid_of(tx)}")
        self.counts["payments of a wallet"] += 1

    def copy(self, party: str) -> None:
        """Keep a copy of a party's private directory, in place of the one from before."""
        place = self.root / "copies" / party
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.root / party, place)
        self.trace.append(f"copy the {party}'s directory")

    def has_copy(self, party: str) -> bool:
        return (self.root / "copies" / party).exists()

    def put_back(self, party: str) -> None:
        """The copy in place of the private directory."""
        shutil.rmtree(self.root / party)
        shutil.copytree(self.root / "copies" / party, self.root / party)
        (self.root / party).chmod(0o700)
        self.trace.append(f"put back the copy of the {party}'s directory")
        self.counts["copies put back"] += 1

    def lose(self, party: str) -> Path | None:
        """A party's machine is gone: its rescue file, which was elsewhere. None if it had none."""
        found = sorted((self.root / party / "rescue").glob("*"))
        if not found:
            return None
        place = self.root / f"{party}.rescue"
        shutil.copyfile(found[0], place)
        shutil.rmtree(self.root / party)
        self.trace.append(f"the {party}'s directory is lost, but for the rescue file")
        self.counts["machines lost"] += 1
        return place

    def chain(self) -> KernelChain:
        return KernelChain(self.root / "chain")

    def _noted(self, name: str) -> list[Given]:
        path = self.root / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [
            Given(CTransaction.deserialize(bytes.fromhex(n["raw"])), n["height"], n["depths"])
            for n in map(json.loads, lines)
        ]

    def _start(self, index: int, command: list[str], faults: Faults) -> int:
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            for descriptor, name in ((1, "out"), (2, "err")):
                with self._output(index, name).open("w") as file:
                    os.dup2(file.fileno(), descriptor)
            install(faults, self.root / "given")
            if self.misbehave:
                self.misbehave(self.root, command)
            code = run(arguments(self.root, *command))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _output(self, index: int, name: str) -> Path:
        return self.root / f"{name}{index}"
