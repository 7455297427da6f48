"""Whole settlements in which commands die, nodes fail and blocks are undone; see `judge`."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from broken import BROKEN
from wallet import PAYERS, SIGNERS

SIMULATE = Path(__file__).with_name("simulate.py")


def simulate(out: Path, *options: str) -> list[dict[str, Any]]:
    """The results of `simulate.py`, which prints counts, and the trace of every broken run."""
    command = [sys.executable, str(SIMULATE), "--json", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout[-20_000:])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    results: list[dict[str, Any]] = json.loads(out.read_text())
    return results


def check_variety(results: list[dict[str, Any]]) -> None:
    """Nothing is shown by runs in which nothing went wrong."""
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result["counts"])
    faults = ("kills", "reorganisations", "evictions", "at once")
    faults += ("node silent", "node loses", "node swallows")
    assert min(counts[fault] for fault in faults) >= len(results) // 20, counts
    assert {result["outcome"] for result in results} >= {"paid", "refunded"}


def check_caught(results: list[dict[str, Any]], parties: set[str]) -> None:
    """Every broken party broke a rule, and one that it should."""
    caught = {result["broken"]: result["rule"] for result in results if result["rule"]}
    assert set(caught) == parties
    for name, rule in caught.items():
        assert rule in BROKEN[name].rules, (name, rule)


def test_twelve_settlements(tmp_path: Path) -> None:
    results = simulate(tmp_path / "results", "--seeds", "0-11")
    assert len(results) == 12
    check_variety(results)


def test_three_broken_parties_are_caught(tmp_path: Path) -> None:
    """One for each of three rules; they do harm in almost every settlement."""
    parties = ("leaks", "locks twice", "pays a stranger")
    results = simulate(tmp_path / "results", "--seeds", "0-29", "--broken", *parties)
    check_caught(results, set(parties))


@pytest.mark.faults
def test_two_hundred_settlements(tmp_path: Path) -> None:
    """With coins of other wallets, directories put back, and machines lost, each many times."""
    results = simulate(tmp_path / "results", "--seeds", "12-211")
    assert len(results) == 200
    check_variety(results)
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result["counts"])
    ways = [f"external: {payer}" for payer in PAYERS] + [f"psbt: {signer}" for signer in SIGNERS]
    for name in (*ways, "copies put back", "machines lost"):
        assert counts[name] > 0, (name, counts)


@pytest.mark.faults
def test_every_broken_party_is_caught(tmp_path: Path) -> None:
    results = simulate(tmp_path / "results", "--seeds", "0-29", "--broken", *BROKEN)
    check_caught(results, set(BROKEN))
