"""What the engine and Groth16 cost on this machine, as rows: `zkcmp bench` in one run.

    python experiments/engine.py [--sizes 20 22]

Every measurement is a process of its own, so that its peak memory is its own. Writes
results/engine.csv.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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
COLUMNS = ("name", "size", "bits", "threads", "seconds", "peak_memory_bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[20, 22], help="Groth16, log2")
    parser.add_argument("--out", type=Path, default=RESULTS / "engine.csv")
    options = parser.parse_args()
    groth16 = [("groth16", "--size", str(size)) for size in options.sizes]
    rows = [row for words in (*KERNELS, *groth16) for row in bench(*words)]
    write_csv(options.out, rows, machine(thread_count()))
    show("zkcmp bench", COLUMNS, [tuple(row[column] for column in COLUMNS) for row in rows])


def bench(*words: str) -> list[dict[str, Any]]:
    """The records of one `zkcmp bench` command."""
    command = [sys.executable, "-m", "zkcmp.cli.main", "bench", *words, "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    rows = [{column: record.get(column) for column in COLUMNS} for record in records]
    for row in rows:
        print(row, flush=True)
    return rows


if __name__ == "__main__":
    main()
