"""Change the verifiers' code in one place at a time, and see whether a test notices.

    python tests/mutation/run.py [MODULE …] [--jobs 2] [--lines 40 41] [--out results.json]

Prints every mutant that no test kills, and a table of counts. What survives is explained in
docs/mutation.md.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutated_modules import LEFT_OUT, TARGETS

ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help="all of mutated_modules.py by default"
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--lines", type=int, nargs="+", default=[], help="only mutants of these")
    parser.add_argument("--out", type=Path, help="write a line for every mutant to this file")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = sorted(set(options.modules) - set(TARGETS))
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if options.worker:
        _work(options.modules, options.lines, options.out)
        return
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in options.modules or TARGETS:
        groups.setdefault(TARGETS[name].tests, []).append(name)
    with tempfile.TemporaryDirectory() as folder:
        out = options.out or Path(folder) / "mutants.jsonl"
        out.write_text("")
        with ThreadPoolExecutor(options.jobs) as pool:
            list(pool.map(lambda group: _start(group, options.lines, out), groups.values()))
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    print(table(rows))


def table(rows: list[dict]) -> str:
    """A line for each module, in Markdown."""
    lines = [
        "| module | mutants | killed | of these by timeout | survivors |",
        "|---|--:|--:|--:|--:|",
    ]
    names = list(dict.fromkeys(row["module"] for row in rows))
    for name in [*names, ""]:
        fates = [row["fate"] for row in rows if name in ("", row["module"])]
        killed, timeout = fates.count("killed"), fates.count("timeout")
        counts = [len(fates), killed + timeout, timeout, len(fates) - killed - timeout]
        title = f"`{name}`" if name else "all"
        lines.append(f"| {title} | " + " | ".join(str(c) for c in counts) + " |")
    return "\n".join(lines)


def _start(names: list[str], lines: list[int], out: Path) -> None:
    """Run modules with the same tests, in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, *names, "--worker", "--out", str(out.absolute())]
        if lines:
            command += ["--lines", *map(str, lines)]
        environment = {**os.environ, "ZKCMP_THREADS": "1", "TMPDIR": folder}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{', '.join(names)}: the tests could not be run\n{done.stdout}")


def _work(names: list[str], lines: list[int], out: Path) -> None:
    import pytest
    from hypothesis import settings
    from loop import MutationLoop, Source

    settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
    settings.load_profile("mutation")
    sources = [
        Source(importlib.import_module(name), frozenset(TARGETS[name].provers)) for name in names
    ]
    loop = MutationLoop(sources, out, frozenset(lines))
    files = [str(ROOT / "tests" / file) for file in TARGETS[names[0]].tests]
    plugins = [f"-pno:{name}" for name in ("cacheprovider", "xdist", "faulthandler")]
    code = pytest.main([*plugins, "-k", LEFT_OUT, *files], plugins=[loop])
    if code:
        sys.exit(f"pytest: {code!r}")


if __name__ == "__main__":
    main()
