"""The paper's Table 1: the prover on 5 to 30 images, by our three modes of Groth16.

    python experiments/table1.py mnist.onnx --data DIRECTORY

full is the paper's "original", sampled its Sampling with u = 3 % (not sound: docs/sampling.md),
both with the pixels as public inputs, as in the paper; freivalds is ours. See rows.py for what is
measured. Writes results/table1.csv, which figure7.py draws.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from ending import run_script
from paper_figures import ORIGINAL_S, SAMPLING_S
from records import RESULTS, machine, show, write_csv
from rows import Row, add_options, in_own_process

from zkcmp.bn254.threads import thread_count

MODES = ("full", "sampled", "freivalds")
PAPER_S = {"full": ORIGINAL_S, "sampled": SAMPLING_S}
COLUMNS = ("n", "mode", "constraints", "setup s", "audit s", "prove s", "paper s", "verify s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--images", type=int, nargs="+", default=[5, 10, 15, 20, 25, 30])
    parser.add_argument("--modes", choices=MODES, nargs="+", default=list(MODES))
    parser.add_argument("--out", type=Path, default=RESULTS / "table1.csv")
    options = parser.parse_args()
    rows = []
    for mode in options.modes:
        for n in options.images:
            rows.append(in_own_process(options, n, mode))
            print(asdict(rows[-1]), flush=True)
    write_csv(options.out, map(record, rows), machine(thread_count()))
    show("Table 1, CryptoNets on MNIST; the paper's prover on 80 cores", COLUMNS, map(line, rows))


def record(row: Row) -> dict[str, object]:
    return {**asdict(row), "paper_prove_s": PAPER_S.get(row.method, {}).get(row.n)}


def line(row: Row) -> tuple[object, ...]:
    paper = PAPER_S.get(row.method, {}).get(row.n)
    timed = row.setup_s, row.audit_s, row.prove_s, paper, row.verify_s
    return (row.n, row.method, row.size, *timed)


if __name__ == "__main__":
    run_script(main)
