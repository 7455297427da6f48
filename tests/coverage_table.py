"""The coverage of every package, of lines and of branches, and whether both are enough.

    python tests/coverage_table.py build/coverage/report.json

A Markdown table on stdout, as docs/testing.md shows it. `fail_under` (pyproject.toml) holds the sum
of lines and branches to LEAST_PERCENT; here each of the two is held to it, since many lines could
hide untested branches. Exit code 1 if either is below.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

LEAST_PERCENT = 90
COUNTS = ("covered_lines", "num_statements", "covered_branches", "num_branches")


def package_of(path: str) -> str:
    """zkcmp/exchange/buyer/opening.py → zkcmp/exchange; packages two folders deep, at most."""
    folders = Path(path).parts[:-1]
    return "/".join(folders[:2])


def percent(covered: int, of: int) -> float:
    return 100 * covered / of if of else 100.0


def row(name: str, counts: dict[str, int]) -> str:
    lines, statements, branches, exits = (counts[key] for key in COUNTS)
    both = percent(lines + branches, statements + exits)
    return (
        f"| {name} | {statements} | {percent(lines, statements):.1f} "
        f"| {exits} | {percent(branches, exits):.1f} | {both:.1f} |"
    )


def main(path: str) -> int:
    measured = json.loads(Path(path).read_text())
    packages: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    for name, file in measured["files"].items():
        for key in COUNTS:
            packages[package_of(name)][key] += file["summary"][key]
    print("| package | lines | % | branches | % | both % |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in sorted(packages):
        print(row(f"`{name}`", packages[name]))
    totals = measured["totals"]
    print(row("all", totals))
    shares = {
        "lines": percent(totals["covered_lines"], totals["num_statements"]),
        "branches": percent(totals["covered_branches"], totals["num_branches"]),
    }
    low = [f"{share:.1f} % of {what}" for what, share in shares.items() if share < LEAST_PERCENT]
    if low:
        print(f"covered: {', '.join(low)}, less than {LEAST_PERCENT} %", file=sys.stderr)
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
