"""The paper's Table 1 with our three modes of Groth16: constraints, setup, audit, prover, verifier.

    python experiments/table1.py mnist.onnx --data DIRECTORY --images 5 30

mnist.onnx is train_mnist.py's network; without a file it has random 8-bit weights and labels that
it gets right, which costs more, since the trained weights need fewer bits. The prover's time is
witness and proof, after the statement was built and the kernels were compiled. Every row is a
process of its own, so that its peak memory is its own.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from paper_figures import ORIGINAL_S, SAMPLING_S

from circuits import freivalds_statement, sampled_statement, statement
from zkcmp.cli.bench_libra import random_network
from zkcmp.groth16.audit import audit
from zkcmp.groth16.first_round import FirstRound
from zkcmp.groth16.prove import prove
from zkcmp.groth16.setup import setup
from zkcmp.groth16.verify import verify
from zkcmp.model.data_files import load_mnist
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.model.onnx_io import read_onnx
from zkcmp.model.quantize import quantize
from zkcmp.seal import seal

U, SEED, CONTEXT = Fraction(3, 100), bytes(32), bytes(32)
MODES = ("full", "sampled", "freivalds")
COLUMNS = ("n", "mode", "constraints", "setup_s", "audit_s", "prove_s", "verify_s", "key_mb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="ONNX file written by train_mnist.py")
    parser.add_argument("--data", help="directory with MNIST (default: ZKCMP_DATA)")
    parser.add_argument("--images", type=int, nargs="+", default=[5, 10, 15, 20, 25, 30])
    parser.add_argument("--modes", choices=MODES, nargs="+", default=list(MODES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the rows as CSV")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        network = read_network(arguments.model)
        images = arguments.images[0]
        print(json.dumps(measure(network, arguments.modes[0], images, arguments)))
        return
    rows = [row(arguments, n, mode) for n in arguments.images for mode in arguments.modes]
    if arguments.out:
        with arguments.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*COLUMNS, "peak_mb", "paper_s"])
            writer.writeheader()
            writer.writerows(rows)


def row(arguments: argparse.Namespace, n: int, mode: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *([arguments.model] if arguments.model else []), "--one"]
    command += ["--images", str(n), "--modes", mode, "--repeats", str(arguments.repeats)]
    command += ["--data", arguments.data] if arguments.data else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    paper = {"full": ORIGINAL_S, "sampled": SAMPLING_S}.get(mode, {}).get(n)
    found["paper_s"] = "" if paper is None else paper
    print(", ".join(f"{key} {value}" for key, value in found.items()), flush=True)
    return found


def read_network(model: str | None) -> Network:
    return random_network() if model is None else quantize(read_onnx(Path(model)))


def measure(network: Network, mode: str, n: int, arguments: argparse.Namespace) -> dict[str, Any]:
    testset = None
    if n:
        mnist = load_mnist("t10k", arguments.data)
        testset = TestSet(mnist.images[:n], network.predict(mnist.images[:n]))
    built = build(network, mode, n, testset)
    sealed, preimage = seal(network)
    public = (sealed.ciphertext, sealed.commitment, testset, n or None, CONTEXT)
    with tempfile.TemporaryDirectory(prefix="zkcmp-table1-") as directory:
        setup(freivalds_statement.build(network.architecture, None).r1cs, directory)  # compiles
        start = time.perf_counter()
        key = setup(built.r1cs, directory)
        setup_s = time.perf_counter() - start
        start = time.perf_counter()
        audit(key, built.r1cs)
        audit_s = time.perf_counter() - start
        prove_s, verify_s = [], []
        inputs = built.public_inputs(*public)
        for _ in range(1 + arguments.repeats):
            start = time.perf_counter()
            first = FirstRound(key, built.r1cs, inputs) if built.r1cs.n_challenges else None
            respond = None if first is None else first.respond
            witness = built.witness(network, preimage, *public, respond)
            proof = prove(key, built.r1cs, witness, first_round=first)
            prove_s.append(time.perf_counter() - start)
            start = time.perf_counter()
            verify(key.verifying_key, inputs, proof)
            verify_s.append(time.perf_counter() - start)
        size = key.file.path.stat().st_size
    values = [n, mode, built.r1cs.n_constraints, setup_s, audit_s]
    values += [median(prove_s[1:]), median(verify_s[1:]), size / 1e6]
    found = {
        k: round(v, 4) if isinstance(v, float) else v for k, v in zip(COLUMNS, values, strict=True)
    }
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


def build(network: Network, mode: str, n: int, testset: TestSet | None) -> Any:
    if mode == "freivalds":
        return freivalds_statement.build(network.architecture, testset)
    if mode == "sampled":
        return sampled_statement.build(network.architecture, n, U, SEED)
    return statement.build(network.architecture, n)


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    main()
