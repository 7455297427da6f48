"""Parties that misbehave on purpose, to see that the judge notices.

Each is installed in the child that runs one command, after its faults: what the party gives to its
node is noted with what the chain really has.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from world import Misbehaviour

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.chain.kernel import KernelChain
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import locking
from zkcmp.exchange.buyer.funding.signed_locks import SIGNED_LOCKS_FILE
from zkcmp.exchange.messages.contents import Lock, Offer
from zkcmp.exchange.seller import redeeming

_AT_THE_END = ("the exchange", "no coins lost")


def reveals_early(root: Path, command: list[str]) -> None:
    """The seller believes the lock message, and does not look at the chain."""

    def check_lock(lock: Lock, offer: Offer, refund_key: bytes, chain: Chain) -> Any:
        return checks.lock_terms(lock, offer, refund_key)

    checks.check_lock = check_lock


def reveals_late(root: Path, command: list[str]) -> None:
    """The seller does not mind how few blocks are left."""
    checks._check_time_left = lambda *arguments: None  # type: ignore[assignment]


def forgets(name: str) -> Misbehaviour:
    """A party that does not write a file."""

    def install(root: Path, command: list[str]) -> None:
        replace = os.replace

        def replace_others(source: Any, target: Any) -> None:
            if Path(target).name != name:
                replace(source, target)

        os.replace = replace_others  # type: ignore[assignment]

    return install


def locks_twice(root: Path, command: list[str]) -> None:
    """The buyer forgets its deal's lock whenever it is to lock, and does not look for it."""
    if command[:2] == ["buyer", "lock"]:
        locking.find_lost_locks = lambda *arguments: []  # type: ignore[attr-defined]
        shutil.rmtree(root / "buyer")
        shutil.copytree(root.parent / "verified" / "buyer", root / "buyer")
        (root / "buyer").chmod(0o700)
        (root / "deal" / "lock.zkcmp").unlink(missing_ok=True)


def pays_a_stranger(root: Path, command: list[str]) -> None:
    """The seller's claim pays to a script that is not its wallet's."""
    build = redeeming.build_claim

    def build_claim(*arguments: Any) -> Any:
        *terms, _, rate = arguments
        return build(*terms, b"\x00\x14" + bytes(20), rate)

    redeeming.build_claim = build_claim  # type: ignore[attr-defined]


def leaks(root: Path, command: list[str]) -> None:
    """The seller leaves the preimage in the deal folder."""
    if command[0] == "seller":
        (found,) = (root / "seller" / "deals").glob("*/preimage")
        shutil.copy(found, root / "deal" / "notes")


def fails_with_a_traceback(root: Path, command: list[str]) -> None:
    """A command meets an error that it does not expect."""

    def find_spend(*arguments: Any, **options: Any) -> None:
        raise ZeroDivisionError

    KernelChain.find_spend = find_spend  # type: ignore[method-assign]


@dataclass(frozen=True)
class Broken:
    """A misbehaviour, and the rules of the judge that it breaks."""

    install: Misbehaviour
    rules: tuple[str, ...]
    kind: str = "prompt"
    """The kind of scenario in which it does harm."""


BROKEN = {
    "reveals early": Broken(reveals_early, ("secrecy",)),
    "reveals late": Broken(reveals_late, ("secrecy",), "late seller"),
    "leaks": Broken(leaks, ("secrecy",)),
    "locks twice": Broken(locks_twice, ("one payment",)),
    "forgets its lock": Broken(forgets(SIGNED_LOCKS_FILE), ("one payment", *_AT_THE_END)),
    "pays a stranger": Broken(pays_a_stranger, ("no coins lost",)),
    "has a defect": Broken(fails_with_a_traceback, ("refusals",)),
}
