"""What the engine and Groth16 cost on this machine, as rows: `zkcmp bench` in one run.

    python experiments/engine.py [--sizes 20 22]

Besides, Groth16 with binary wires (peer_circuits.py), some of it on one thread, and some on the
portable lane body, which any 64-bit machine has. Every measurement is a process of its own, so that
its peak memory is its own; a row of 2^22 is measured once. Writes results/engine.csv.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ending import run_script
from records import RESULTS, machine, show, write_csv

from zkcmp.bn254.threads import thread_count

KERNELS = (
    ("mul",),
    ("ntt",),
    ("msm",),
    ("msm", "--bits", "8"),
    ("msm", "--group", "g2", "--size", "18"),
    ("pairing",),
)
ONE_THREAD = (("ntt",), ("msm",), ("groth16", "--size", "18"))
# what is large would take minutes on the portable body
PORTABLE = (("mul",), ("ntt",), ("msm", "--size", "18"), ("groth16", "--size", "16"))
# the same on this machine's body, with all threads, where it is not above
BESIDE = (("msm", "--size", "18"), ("groth16", "--size", "16"), ("groth16", "--size", "18"))
COLUMNS = ("name", "size", "bits", "threads", "lanes", "seconds", "peak_memory_bytes")

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[20, 22], help="Groth16, log2")
    parser.add_argument("--bits", type=int, default=20, help="Groth16 with binary wires, log2")
    parser.add_argument("--out", type=Path, default=RESULTS / "engine.csv")
    options = parser.parse_args()
    rows = [row for words in KERNELS for row in bench(*words)]
    for size in options.sizes:
        rows += bench("groth16", "--size", str(size), *(("--repeats", "1") if size > 20 else ()))
    rows += binary_wires(options.bits)
    rows += [row for words in BESIDE for row in bench(*words)]
    rows += [row for words in ONE_THREAD for row in bench(*words, ZKCMP_THREADS="1")]
    rows += [row for words in PORTABLE for row in bench(*words, ZKCMP_LANES="portable")]
    write_csv(options.out, rows, machine(thread_count()))
    show("zkcmp bench", COLUMNS, [tuple(row[column] for column in COLUMNS) for row in rows])


def bench(*words: str, **settings: str) -> list[Row]:
    """The records of one `zkcmp bench` command in an environment with these settings."""
    command = [sys.executable, "-m", "zkcmp.cli.main", "bench", *words, "--json"]
    lines = _output(command, settings)
    return _reported([{c: record.get(c) for c in COLUMNS} for record in map(json.loads, lines)])


def binary_wires(size: int) -> list[Row]:
    """Setup and proof of 2^size − 2 constraints whose wires are bits."""
    script = str(Path(__file__).resolve().parent / "peer_workers.py")
    rows = []
    with tempfile.TemporaryDirectory(prefix="zkcmp-bits-") as place:
        _output([sys.executable, script, "make", place, "bits", str(size)])
        for task, repeats in (("setup", "1"), ("prove", "3")):
            done = json.loads(_output([sys.executable, script, task, place, repeats])[-1])
            name = f"groth16/{task}, binary wires"
            row = {"name": name, "size": 1 << size, "bits": None, "threads": thread_count()}
            row |= {"seconds": statistics.median(done[task]), "lanes": done["lanes"]}
            rows.append(row | {"peak_memory_bytes": done["peak_memory_bytes"]})
    return _reported(rows)


def _output(command: list[str], settings: dict[str, str] | None = None) -> list[str]:
    environment = {**os.environ, **(settings or {})}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return done.stdout.splitlines()


def _reported(rows: list[Row]) -> list[Row]:
    for row in rows:
        print(row, flush=True)
    return rows


if __name__ == "__main__":
    run_script(main)
