"""Run a decoder on changed input, and say what it did."""

import random
import time
import traceback
from dataclasses import dataclass, field

from mutations import mutate
from targets import ALLOWED, Target

SLOW_S = 5.0
"""No input of a few kilobytes may keep a reader busy for longer."""


@dataclass
class Outcome:
    """Counts of one target; `faults` are inputs that did what none may do."""

    name: str
    cases: int = 0
    accepted: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)


def run_case(target: Target, data: bytes, outcome: Outcome) -> None:
    """Only one of the project's errors may come back, soon; what is accepted is canonical."""
    outcome.cases += 1
    start = time.perf_counter()
    try:
        value = target.read(data)
    except ALLOWED as error:
        outcome.refused += 1
        text = str(error)
        if not text or len(text) > 2000:
            outcome.faults.append(f"{data[:200]!r}: an error of {len(text)} characters")
    except BaseException as error:  # MemoryError and RecursionError too
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        outcome.faults.append(f"{data[:200]!r}: {type(error).__name__} {error} at {where}")
    else:
        outcome.accepted += 1
        if target.again is not None and target.again(value) != data:
            outcome.faults.append(f"{data[:200]!r}: accepted, and encoded otherwise")
    seconds = time.perf_counter() - start
    outcome.slowest_s = max(outcome.slowest_s, seconds)
    if seconds > SLOW_S:
        outcome.faults.append(f"{data[:200]!r}: {seconds:.1f} s")


def fuzz(target: Target, cases: int, seed: int) -> Outcome:
    """The seeds as they are, then so many changed ones."""
    outcome, rng = Outcome(target.name), random.Random(f"{target.name} {seed}")
    for data in target.seeds:
        run_case(target, data, outcome)
    if outcome.accepted != len(target.seeds):
        outcome.faults.append(f"{target.name}: valid input is refused")
    for _ in range(cases):
        run_case(target, mutate(rng, target.seeds), outcome)
    return outcome
