"""One row of the paper's tables: CryptoNets on n images by one method, in a process of its own.

The network is train_mnist.py's, on MNIST's first n test images, and T how many of them it gets
right; or without files one with random 8-bit weights, on random images with labels that it gets
right, which costs more: the trained weights need fewer bits. `digits` names the small network and
the test set that come with the project, for a quick run. prove_s is witness and proof, after
the statement was built and the kernels were compiled. peak_mb is that of the whole process, setup
and audit included.

A row whose setup or proof would not fit into the memory allowed is not run: its note says so, and
prove_s is the cost model's prediction (zkcmp.groth16.estimate).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from statistics import median_high
from typing import Any

from ending import run_script

from circuits.freivalds import statement as freivalds_statement
from circuits.full import statement
from circuits.sampled import statement as sampled_statement
from zkcmp.cli.proving.bench_libra import measure_libra, random_network, test_set
from zkcmp.exchange.costs.forecast import forecast
from zkcmp.exchange.method import Method
from zkcmp.groth16 import FirstRound, prove, setup, verify
from zkcmp.groth16.audit import audit
from zkcmp.model.data_files import digits_onnx, load_digits_test
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize
from zkcmp.seal import seal

METHODS = ("full", "sampled", "freivalds", "libra-zkvpd", "libra-hyrax")
DIGITS = "digits"
U, SEED, CONTEXT = Fraction(3, 100), bytes(32), bytes(32)


@dataclass(frozen=True)
class Row:
    """Seconds, bytes, megabytes; None is what a method does not have or what was not run.

    size: constraints of a circuit; for Libra, committed values.
    """

    n: int
    method: str
    size: int | None = None
    setup_s: float | None = None
    audit_s: float | None = None
    prove_s: float | None = None
    verify_s: float | None = None
    proof_bytes: int | None = None
    key_mb: float | None = None
    peak_mb: int | None = None
    note: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", help="ONNX file written by train_mnist.py; or digits")
    parser.add_argument("--data", help="directory with MNIST (default: ZKCMP_DATA)")
    parser.add_argument("--repeats", type=int, default=3, help="proofs; the median counts")
    parser.add_argument("--memory-gb", type=float, default=20.0, help="for one process, at most")


def in_own_process(options: argparse.Namespace, n: int, method: str) -> Row:
    """Measure a row, or predict it where it would need too much memory."""
    network = read_network(options.model)
    refused = _too_large(network, n, method, options.memory_gb)
    if refused is not None:
        return refused
    command = [sys.executable, __file__, *([options.model] if options.model else [])]
    command += ["--images", str(n), "--method", method, "--repeats", str(options.repeats)]
    command += ["--data", options.data] if options.data else []
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Row(**json.loads(done.stdout.splitlines()[-1]))


def read_network(model: str | None) -> Network:
    if model is None:
        return random_network()
    return quantize(read_onnx(digits_onnx() if model == DIGITS else Path(model)))


def _too_large(network: Network, n: int, method: str, memory_gb: float) -> Row | None:
    if method.startswith("libra") or not n:
        return None
    sampled = Method("sampled", U, SEED)
    predicted = forecast(
        network.architecture, n, sampled if method == "sampled" else Method(method)
    )
    needed = max(predicted.setup_memory_bytes, predicted.prove_memory_bytes) / 1e9
    if needed <= memory_gb:
        return None
    note = f"not run: up to {needed:.0f} GB; predicted"
    return Row(n, method, predicted.size.n_constraints, prove_s=predicted.prove_s, note=note)


def measure(options: argparse.Namespace) -> Row:
    """The row, in this process."""
    network = read_network(options.model)
    images = _images(network, options)
    if options.method.startswith("libra"):
        row = _libra(network, images, options.method.removeprefix("libra-"), options.repeats)
    else:
        row = _groth16(network, images, options.method, options.repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return replace(row, peak_mb=peak)


def _images(network: Network, options: argparse.Namespace) -> TestSet | None:
    n, data = options.images, options.data or os.environ.get("ZKCMP_DATA")
    if options.model == DIGITS:
        return load_digits_test().take(slice(0, n)) if n else None
    if options.model is not None and n and data is None:
        raise SystemExit("a trained network goes with its images: --data or ZKCMP_DATA")
    return test_set(network, n, Path(data) if data and options.model is not None else None)


def _groth16(network: Network, images: TestSet | None, method: str, repeats: int) -> Row:
    n = 0 if images is None else len(images)
    right = None if images is None else int((network.predict(images.images) == images.labels).sum())
    built = _build(network, method, n, images)
    sealed, preimage = seal(network)
    public = (sealed.ciphertext, sealed.commitment, images, right, CONTEXT)
    with tempfile.TemporaryDirectory(prefix="zkcmp-row-") as directory:
        setup(freivalds_statement.build(network.architecture, None).r1cs, directory)  # compiles
        setup_s, key = _timed(lambda: setup(built.r1cs, directory))
        audit_s, _ = _timed(lambda: audit(key, built.r1cs))
        inputs = built.public_inputs(*public)

        def prove_once() -> Any:
            first = FirstRound(key, built.r1cs, inputs) if built.r1cs.n_challenges else None
            respond = None if first is None else first.respond
            witness = built.witness(network, preimage, *public, respond)
            return prove(key, built.r1cs, witness, first_round=first)

        proving, verifying = [], []
        for _ in range(1 + repeats):
            prove_s, proof = _timed(prove_once)
            proving.append(prove_s)
            verifying.append(_timed(lambda: verify(key.verifying_key, inputs, proof))[0])  # noqa: B023
        key_mb = key.file.path.stat().st_size / 1e6
    return Row(
        n,
        method,
        built.r1cs.n_constraints,
        setup_s,
        audit_s,
        median_high(proving[1:]),
        median_high(verifying[1:]),
        len(proof.to_bytes()),
        key_mb,
    )


def _build(network: Network, method: str, n: int, images: TestSet | None) -> Any:
    if method == "freivalds":
        return freivalds_statement.build(network.architecture, images)
    if method == "sampled":
        return sampled_statement.build(network.architecture, n, U, SEED)
    return statement.build(network.architecture, n)


def _libra(network: Network, images: TestSet | None, commitment: Any, repeats: int) -> Row:
    records = {r["name"]: r for r in measure_libra(network, images, commitment, repeats)}
    last = records["libra/prove"]

    def seconds(name: str) -> float | None:
        return records[name]["seconds"] if name in records else None

    return Row(
        last["size"],
        f"libra-{commitment}",
        last["committed"],
        seconds("libra/setup"),
        seconds("libra/audit"),
        last["seconds"],
        seconds("libra/verify"),
        last["proof_bytes"],
    )


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure one row and print it as JSON.")
    add_options(parser)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--method", choices=METHODS, required=True)
    print(json.dumps(asdict(measure(parser.parse_args()))))


if __name__ == "__main__":
    run_script(main)
