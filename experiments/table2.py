"""The paper's Table 2: zk-SNARKs and Libra on 0 to 10,000 images.

    python experiments/table2.py mnist.onnx --data DIRECTORY

freivalds proves on n images the statement that the paper's Sampling does not (docs/sampling.md);
libra-zkvpd is the paper's Libra, libra-hyrax needs no setup at all. sampled goes as far as memory
allows (--memory-gb): its circuit has about 4,600 constraints an image. See rows.py for what is
measured, paper_figures.py for the errata of the paper's columns. Writes results/table2.csv, which
figure8.py draws.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from ending import run_script
from paper_figures import LIBRA_S, LIBRA_VERIFY_S, SNARK_S, SNARK_VERIFY_S
from records import RESULTS, machine, show, write_csv
from rows import METHODS, Row, add_options, in_own_process

from zkcmp.bn254.threads import thread_count

COLUMNS = (
    *("n", "method", "size", "setup s", "audit s", "prove s", "paper s"),
    *("verify s", "paper s", "proof bytes", "peak MB"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    images = [0, 2000, 4000, 6000, 8000, 10000]
    parser.add_argument("--images", type=int, nargs="+", default=images)
    parser.add_argument("--methods", choices=METHODS, nargs="+", default=list(METHODS[1:]))
    parser.add_argument("--out", type=Path, default=RESULTS / "table2.csv")
    options = parser.parse_args()
    rows = []
    for method in options.methods:
        for n in options.images:
            if method == "sampled" and n == 0:
                continue  # nothing to sample: freivalds at 0 is this circuit
            rows.append(in_own_process(options, n, method))
            print(asdict(rows[-1]), flush=True)
            write_csv(options.out, map(record, rows), machine(thread_count()))
    show("Table 2, CryptoNets on MNIST; the paper on 80 cores", COLUMNS, map(line, rows))
    for row in rows:
        if row.note:
            print(f"{row.method} at {row.n}: {row.note} prove {row.prove_s:.0f} s")


def paper(row: Row) -> tuple[float | None, float | None]:
    """The paper's prover and verifier, seconds."""
    libra = row.method.startswith("libra")
    proving, verifying = (LIBRA_S, LIBRA_VERIFY_S) if libra else (SNARK_S, SNARK_VERIFY_S)
    return proving.get(row.n), verifying.get(row.n)


def record(row: Row) -> dict[str, object]:
    proving, verifying = paper(row)
    return {**asdict(row), "paper_prove_s": proving, "paper_verify_s": verifying}


def line(row: Row) -> tuple[object, ...]:
    proving, verifying = paper(row)
    timed = row.setup_s, row.audit_s, row.prove_s, proving, row.verify_s, verifying
    return (row.n, row.method, row.size, *timed, row.proof_bytes, row.peak_mb)


if __name__ == "__main__":
    run_script(main)
