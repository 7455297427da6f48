"""Groth16 side by side in one run: zkcmp, zksnake (arkworks inside) and snarkjs.

All three get the very same circuit and witness files (peer_circuits.py), `--threads` threads, and
that many CPUs where the system can pin them. snarkjs proves from a .zkey of our setup; it is given
no setup of its own to run, which would take a ceremony file. Times are medians; tools that compile
as they run (zkcmp, snarkjs) make one unmeasured run first. Every proof is checked by its own
verifier, which must also refuse another public input, and snarkjs's proof by ours too. Each tool is
a process of its own, its peak memory the one of that process (zksnake's two helpers in setup are
not counted; its prove shows the peak of setup and prove, done in one process).

    pip install zksnake==0.1.0
    make test-snarkjs                 # leaves snarkjs in .snarkjs
    python experiments/groth16_peers.py --out peers.jsonl
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peer_table import Json, Row, make_table, write_records
from records import machine
from rich.console import Console

import zkcmp

HERE = Path(__file__).resolve().parent
KINDS = ("dense", "bits")
TOOLS = ("zkcmp", "zksnake", "snarkjs")

INSTALL_ZKSNAKE = "not installed: pip install zksnake==0.1.0"
INSTALL_SNARKJS = "not found: npm install --prefix .snarkjs snarkjs@0.7.6, or give --snarkjs"


class ToolError(Exception):
    """A tool's process ended with an error; the message is its last line."""


class Runner:
    """Runs the tools on circuits in a directory."""

    def __init__(
        self,
        place: Path,
        repeats: int,
        setups: int,
        threads: int,
        snarkjs: Path | None,
        limit_s: float | None = None,
    ):
        self.place, self.repeats, self.setups, self.threads = place, repeats, setups, threads
        self.snarkjs_root, self.limit_s = snarkjs, limit_s
        self.environment = {
            **os.environ,
            "ZKCMP_THREADS": str(threads),
            "RAYON_NUM_THREADS": str(threads),
            "ZKSNAKE_PARALLEL_CPU": str(threads),
        }

    def process(self, *command: str | Path) -> Json:
        """The JSON object on the last line that a command prints. Raises ToolError."""
        words = [str(word) for word in command]
        # a session of its own, for tools whose helper processes outlive them
        with subprocess.Popen(
            words,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                out, errors = running.communicate(timeout=self.limit_s)
            except subprocess.TimeoutExpired:
                raise ToolError(f"stopped after {self.limit_s:g} s") from None
            finally:
                if running.poll() is None:
                    os.killpg(running.pid, signal.SIGKILL)
        if running.returncode:
            lines = errors.strip().splitlines() or ["no message; out of memory?"]
            raise ToolError(f"failed with code {running.returncode}: {lines[-1]}")
        result: Json = json.loads(out.strip().splitlines()[-1])
        return result

    def worker(self, task: str, *arguments: str | int) -> Json:
        script = HERE / "peer_workers.py"
        return self.process(sys.executable, script, task, self.place, *map(str, arguments))

    def run(self, tool: str, kind: str, size: int) -> Row:
        """Measure a tool; a peer that is missing or fails is a row that says so."""
        try:
            return getattr(self, f"_{tool}")(kind, size)  # type: ignore[no-any-return]
        except ToolError as error:
            if tool == "zkcmp":
                raise
            return Row(kind, size, tool, note=str(error))

    def _zkcmp(self, kind: str, size: int) -> Row:
        setup = self.worker("setup", self.setups)
        prove = self.worker("prove", self.repeats)
        return Row(
            kind,
            size,
            "zkcmp",
            zkcmp.__version__,
            tuple(setup["setup"]),
            tuple(prove["prove"]),
            setup["peak_memory_bytes"],
            prove["peak_memory_bytes"],
            f"verified; lanes {setup['lanes']}",
        )

    def _zksnake(self, kind: str, size: int) -> Row:
        if not zksnake_installed():
            raise ToolError(f"skipped, {INSTALL_ZKSNAKE}")
        result = self.worker("zksnake", self.setups, self.repeats)
        return Row(
            kind,
            size,
            "zksnake",
            importlib.metadata.version("zksnake"),
            tuple(result["setup"]),
            tuple(result["prove"]),
            result["setup_peak_bytes"],
            result["peak_memory_bytes"],
            "verified by itself",
        )

    def _snarkjs(self, kind: str, size: int) -> Row:
        node, root = shutil.which("node"), self.snarkjs_root
        if node is None:
            raise ToolError("skipped, not found: node")
        if root is None:
            raise ToolError(f"skipped, {INSTALL_SNARKJS}")
        self.worker("zkey")
        script = HERE / "snarkjs_prove.cjs"
        result = self.process(node, script, root, self.place, str(self.repeats), str(self.threads))
        self.worker("check")
        return Row(
            kind,
            size,
            "snarkjs",
            json.loads((root / "package.json").read_text())["version"],
            prove_runs_s=tuple(result["prove"]),
            prove_peak_bytes=result["peak_memory_bytes"],
            note="verified by itself and by zkcmp; key by zkcmp",
        )


def zksnake_installed() -> bool:
    return importlib.util.find_spec("zksnake") is not None


def find_snarkjs(given: Path | None) -> Path | None:
    """The npm package: in the folder given, in the project's .snarkjs, or of the command."""
    command = shutil.which("snarkjs")
    places = [given] if given else [HERE.parent / ".snarkjs"]
    if given is None and command:
        places += Path(command).resolve().parents[:3]
    for place in places:
        for root in (place, place / "node_modules" / "snarkjs"):
            package = root / "package.json"
            if package.is_file() and json.loads(package.read_text()).get("name") == "snarkjs":
                return root.resolve()
    return None


def describe_machine(threads: int) -> Json:
    """CPU, features and versions, node's too, for every record of a run."""
    node = shutil.which("node")
    node_version = ""
    if node:
        node_version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    return {**machine(threads), "node": node_version.strip()}


def compare(arguments: argparse.Namespace, place: Path, about: Json) -> list[Row]:
    """All tools on all circuits; what was measured is written after every circuit."""
    rows: list[Row] = []
    snarkjs = find_snarkjs(arguments.snarkjs)
    for kind in arguments.kinds:
        for size in arguments.sizes:
            with tempfile.TemporaryDirectory(prefix=f"{kind}-{size}-", dir=place) as directory:
                runner = Runner(
                    Path(directory),
                    arguments.repeats,
                    arguments.setup_repeats,
                    arguments.threads,
                    snarkjs,
                    arguments.time_limit,
                )
                runner.worker("make", kind, size)
                for tool in arguments.tools:
                    print(f"{kind} 2^{size}: {tool}", file=sys.stderr, flush=True)
                    rows.append(runner.run(tool, kind, size))
            if arguments.out:
                write_records(arguments.out, [row.record(about) for row in rows])
    return rows


def _words(allowed: Sequence[str]) -> Any:
    def parse(text: str) -> list[str]:
        words = text.split(",")
        if not set(words) <= set(allowed):
            raise argparse.ArgumentTypeError(f"{text!r}: give some of {','.join(allowed)}")
        return words

    return parse


def _sizes(text: str) -> list[int]:
    sizes = [int(word) for word in text.split(",")]
    if not all(3 <= size <= 24 for size in sizes):
        raise argparse.ArgumentTypeError("sizes are logarithms to base 2, from 3 to 24")
    return sizes


def _positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("give a number from 1")
    return int(text)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--sizes", type=_sizes, default=[16, 18, 20], help="logarithms (default: 16,18,20)")
    add("--kinds", type=_words(KINDS), default=list(KINDS), help="default: dense,bits")
    add("--tools", type=_words(TOOLS), default=list(TOOLS), help="default: all three")
    add("--repeats", type=_positive, default=3, help="measured proofs (default: 3)")
    add("--setup-repeats", type=_positive, default=1, help="measured setups (default: 1)")
    add("--threads", type=_positive, default=2, help="threads of every tool (default: 2)")
    add("--snarkjs", type=Path, help="folder of the npm package, or the one above node_modules")
    add("--time-limit", type=float, help="seconds for one process (default: none)")
    add("--work", type=Path, help="directory for keys, 2 GB at 2^20 (default: the system's)")
    add("--out", type=Path, help="records with the machine and versions: .jsonl or .csv")
    arguments = parser.parse_args(argv)
    about = describe_machine(arguments.threads)
    pinned = hasattr(os, "sched_setaffinity")
    allowed = os.sched_getaffinity(0) if pinned else set()
    if pinned:
        os.sched_setaffinity(0, sorted(allowed)[: arguments.threads])
    try:
        with tempfile.TemporaryDirectory(prefix="zkcmp-peers-", dir=arguments.work) as place:
            rows = compare(arguments, Path(place), about)
    finally:
        if pinned:
            os.sched_setaffinity(0, allowed)
    # a table in a file is as wide as it needs
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(make_table(rows, about))


if __name__ == "__main__":
    main()
