"""Fuzzing led by coverage (atheris, libFuzzer): inputs that reach new code are kept and changed on.

    pip install atheris
    python tests/fuzz/coverage_guided.py "architecture" --runs 100000
    python tests/fuzz/coverage_guided.py --list

One decoder a run; all of zkcmp's Python code that it reaches is instrumented. Ends with a count, or
with libFuzzer's report of the first input that met anything but a typed error.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

PACKAGES = ["zkcmp", "circuits", "bitcoin_scripts"]


def kernel_modules() -> list[str]:
    """Those that numba compiles: it cannot read instrumented code."""
    root = Path(__file__).resolve().parents[2]
    files = (path for package in PACKAGES for path in (root / package).rglob("*.py"))
    marks = ("import kernel", "inlined, kernel", "numba")
    return [
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in files
        if any(mark in path.read_text() for mark in marks)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", nargs="?", help="a decoder's name, or the start of it")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="print the decoders' names")
    options = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.exit("skipped: atheris is not installed here; pip install atheris")
    with atheris.instrument_imports(PACKAGES, exclude=kernel_modules()):
        from fuzzing import Outcome, run_case
        from targets import GROUPS
    targets = [target for group in GROUPS.values() for target in group()]
    if options.list or not options.target:
        sys.exit("\n".join(target.name for target in targets))
    chosen = next((t for t in targets if t.name.startswith(options.target)), None)
    if chosen is None:
        sys.exit(f"no decoder is called {options.target}; see --list")
    outcome = Outcome(chosen.name)

    def one_input(data: bytes) -> None:
        run_case(chosen, data, outcome)
        if outcome.faults:
            raise RuntimeError(outcome.faults[0])
        if outcome.cases % 10_000 == 0:
            print(f"{chosen.name}: {outcome.cases} cases, {outcome.accepted} accepted", flush=True)

    with tempfile.TemporaryDirectory(prefix="zkcmp-corpus-") as corpus:
        for k, data in enumerate(chosen.seeds):
            (Path(corpus) / str(k)).write_bytes(data)
        arguments: list[Any] = [sys.argv[0], f"-runs={options.runs}", f"-seed={options.seed}"]
        atheris.Setup([*arguments, "-timeout=10", "-rss_limit_mb=4096", corpus], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
