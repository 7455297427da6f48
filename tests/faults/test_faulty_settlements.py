"""Whole settlements in which commands die, nodes fail and blocks are undone; see `judge`."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from broken import BROKEN

SIMULATE = Path(__file__).with_name("simulate.py")


def simulate(out: Path, *options: str) -> list[dict[str, Any]]:
    """The results of `simulate.py`; of every broken run, what it printed is shown."""
    command = [sys.executable, str(SIMULATE), "--json", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    results: list[dict[str, Any]] = json.loads(out.read_text())
    return results


def check_variety(results: list[dict[str, Any]]) -> None:
    """Nothing is shown by runs in which nothing went wrong."""
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result["counts"])
    faults = ("kills", "reorganisations", "evictions", "at once")
    for fault in (*faults, "node silent", "node loses", "node swallows"):
        assert counts[fault] >= len(results) // 10, counts
    assert {result["outcome"] for result in results} >= {"paid", "refunded"}


def test_thirty_settlements(tmp_path: Path) -> None:
    results = simulate(tmp_path / "results", "--seeds", "0-29")
    assert len(results) == 30
    check_variety(results)


@pytest.mark.faults
def test_two_hundred_settlements(tmp_path: Path) -> None:
    results = simulate(tmp_path / "results", "--seeds", "30-229")
    assert len(results) == 200
    check_variety(results)


def test_every_broken_party_is_caught(tmp_path: Path) -> None:
    results = simulate(tmp_path / "results", "--seeds", "0-29", "--broken")
    caught = {result["broken"]: result["rule"] for result in results if result["rule"]}
    assert set(caught) == set(BROKEN)
    for name, rule in caught.items():
        assert rule in BROKEN[name].rules, (name, rule)
