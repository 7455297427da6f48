"""Many changed inputs for every decoder, and what became of them.

    python tests/fuzz/run.py --cases 1000000 [--seed 1] [--only GROUP …]

The cases are dealt out by weight: decoders that check points or verify proofs get fewer. The memory
that the process may take is bounded, so that an absurd length that is believed is a fault too. The
exit code is 1 if anything but a typed error was met.
"""

import argparse
import resource
import sys
from pathlib import Path

from fuzzing import Outcome, fuzz
from targets import GROUPS

MEMORY_BYTES = 1 << 30
"""What decoding may need besides what the process has when it begins."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=GROUPS, nargs="+", default=list(GROUPS))
    options = parser.parse_args()
    targets = [target for group in options.only for target in GROUPS[group]()]
    for target in targets:  # compile and load everything before memory is bounded
        for data in target.seeds:
            target.read(data)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    total = sum(target.weight for target in targets)
    outcomes = []
    for target in targets:
        outcomes.append(fuzz(target, -(-options.cases * target.weight // total), options.seed))
        print(line(outcomes[-1]), flush=True)
    cases, faults = sum(o.cases for o in outcomes), sum(len(o.faults) for o in outcomes)
    print(f"{cases} cases, {faults} faults, memory bounded at +{MEMORY_BYTES >> 20} MB")
    sys.exit(1 if faults else 0)


def line(outcome: Outcome) -> str:
    text = f"{outcome.name:24} {outcome.cases:8} cases {outcome.accepted:7} accepted"
    text += f" {outcome.refused:8} refused, slowest {1000 * outcome.slowest_s:.0f} ms"
    return "\n".join([text, *(f"  FAULT {fault}" for fault in outcome.faults[:5])])


if __name__ == "__main__":
    main()
