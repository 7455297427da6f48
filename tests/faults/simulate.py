"""Simulated settlements with faults, each from its seed: `simulate.py --seeds 0-199 --jobs 2`.

Exit code 0 when no rule of `judge` was broken, 1 with the trace of every run that broke one. One
interpreter: it loads everything once, and forks for every worker, and for every command.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["ZKCMP_THREADS"] = "1"  # a process that forks must have one thread

from broken import BROKEN
from injection import trust_the_journal
from judge import Violation
from prepared import Facts, copy_sale, prepare
from scenario import Scenario
from world import World


def simulate(root: Path, facts: Facts, seed: int, broken: str = "") -> dict[str, object]:
    """One settlement, in a copy of the prepared sale: what came out of it."""
    place = root / f"{broken or 'seed'}{seed}"
    copy_sale(root / "verified", place)
    party = BROKEN[broken] if broken else None
    world = World(place, facts, party.install if party else None)
    scenario = Scenario(world, seed, party.kind if party else "")
    outcome, rule, detail = "", "", ""
    try:
        outcome = scenario.play()
    except Violation as violation:
        rule, detail = violation.rule, str(violation)
    except Exception:
        rule, detail = "simulation", traceback.format_exc()
    shutil.rmtree(place)
    trace = world.trace if rule else []
    return {
        "seed": seed,
        "broken": broken,
        "kind": f"{scenario.name}, {scenario.way} coins",
        "outcome": outcome,
        "rule": rule,
        "detail": detail,
        "trace": trace,
        "counts": world.counts,
    }


Task = Callable[[], Iterator[dict[str, object]]]


def honest(root: Path, facts: Facts, seed: int) -> Task:
    """One settlement of honest parties."""
    return lambda: iter([simulate(root, facts, seed)])


def until_caught(root: Path, facts: Facts, seeds: list[int], broken: str) -> Task:
    """Settlements with a broken party, up to the first that breaks a rule."""

    def run() -> Iterator[dict[str, object]]:
        for seed in seeds:
            result = simulate(root, facts, seed, broken)
            yield result
            if result["rule"]:
                return

    return run


def in_parallel(root: Path, tasks: list[Task], jobs: int) -> list[dict[str, object]]:
    """All results, from `jobs` forks of this process, each of which leaves a file of lines."""
    children = []
    for job in range(jobs):
        children.append(os.fork())
        if children[-1]:
            continue
        try:
            with (root / f"results{job}").open("w") as file:
                for task in tasks[job::jobs]:
                    for result in task():
                        file.write(json.dumps(result) + "\n")
                        file.flush()  # a run that is stopped leaves what it found
        finally:
            os._exit(0)  # not into the caller's clean-up: the others still use the directories
    for child in children:
        os.waitpid(child, 0)
    lines = [line for job in range(jobs) for line in (root / f"results{job}").open()]
    return [json.loads(line) for line in lines]


def report(results: list[dict[str, object]], seconds: float) -> None:
    """Counts on stdout, and the trace of every broken run."""
    outcomes = Counter(f"{r['kind']}: {r['outcome'] or 'BROKEN'}" for r in results)
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result["counts"])  # type: ignore[arg-type]
    for name, number in sorted(outcomes.items()):
        print(f"{number:5} {name}")
    print("      " + ", ".join(f"{number} {name}" for name, number in sorted(counts.items())))
    for result in results:
        if result["rule"]:
            who = f"a party that {result['broken']}, " if result["broken"] else ""
            print(f"\n{who}seed {result['seed']}, {result['kind']}: {result['detail']}")
            if not result["broken"]:
                print("\n".join(f"  {line}" for line in result["trace"]))  # type: ignore[attr-defined]
    print(f"{len(results)} settlements in {seconds:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0-29", help="first-last")
    parser.add_argument("--jobs", type=int, default=2)
    broken = "with these broken parties instead, each until it is caught"
    parser.add_argument("--broken", nargs="+", default=[], choices=sorted(BROKEN), help=broken)
    parser.add_argument("--json", type=Path, help="also write all results there")
    options = parser.parse_args()
    first, last = map(int, options.seeds.split("-"))
    root = Path(tempfile.mkdtemp(prefix="zkcmp-faults-"))
    try:
        silent = os.dup(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        facts = prepare(root)
        trust_the_journal()
        sys.stdout.flush()
        os.dup2(silent, 1)
        start = time.monotonic()
        seeds = list(range(first, last + 1))
        tasks = [honest(root, facts, seed) for seed in seeds]
        if options.broken:
            tasks = [until_caught(root, facts, seeds, broken) for broken in options.broken]
        results = in_parallel(root, tasks, options.jobs)
        report(results, time.monotonic() - start)
        if options.json:
            options.json.write_text(json.dumps(results))
        if options.broken:
            return 0 if {r["broken"] for r in results if r["rule"]} == set(options.broken) else 1
        return 0 if len(results) == len(seeds) and not any(r["rule"] for r in results) else 1
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
