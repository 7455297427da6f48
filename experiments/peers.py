"""One image of CryptoNets, proved by us and by others on one machine, side by side.

    python experiments/train_mnist.py mnist.onnx --data DIRECTORY
    pip install zksnake==0.1.0 ezkl==23.0.5     # or ezkl elsewhere: --ezkl-python
    make test-snarkjs                           # leaves snarkjs in .snarkjs
    python experiments/peers.py mnist.onnx --data DIRECTORY

zksnake and snarkjs are provers without a language for networks: they get our circuit of mode full,
as .r1cs and .wtns, seal and accuracy included. ezkl gets the network as ONNX with private weights
and public input and output: it proves one inference, not a seal and not an accuracy, on values that
it rounds by itself. A peer that is not installed is a row that says so. Writes results/peers.csv.
"""

import argparse
import subprocess
import sys
import tempfile
from argparse import Namespace
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ending import run_script
from groth16_peers import Runner, ToolError, find_snarkjs
from records import RESULTS, machine, show, write_csv
from rows import CONTEXT, add_options, in_own_process, read_network

from circuits.full import statement
from zkcmp.bn254.threads import thread_count
from zkcmp.groth16.snarkjs import write_r1cs, write_wtns
from zkcmp.model.data_files import load_mnist
from zkcmp.model.dataset import TestSet
from zkcmp.seal import seal

TOOLS = ("full", "freivalds", "libra-hyrax", "zksnake", "snarkjs", "ezkl")
COLUMNS = (
    *("tool", "setup s", "prove s", "verify s", "proof bytes", "key MB", "peak MB"),
    "what is proved",
)
WHOLE = "seal, accuracy, key: the whole statement"
INFERENCE = "one inference; no seal, no accuracy, no payment"


@dataclass(frozen=True)
class Peer:
    """Seconds, bytes, megabytes; None is what was not measured."""

    tool: str
    setup_s: float | None = None
    prove_s: float | None = None
    verify_s: float | None = None
    proof_bytes: int | None = None
    key_mb: float | None = None
    peak_mb: int | None = None
    proves: str = WHOLE


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--tools", choices=TOOLS, nargs="+", default=list(TOOLS))
    parser.add_argument("--snarkjs", type=Path, help="folder of the npm package")
    parser.add_argument("--ezkl-python", default=sys.executable, help="a Python that has ezkl")
    parser.add_argument("--time-limit", type=float, help="seconds for zksnake and for snarkjs")
    parser.add_argument("--out", type=Path, default=RESULTS / "peers.csv")
    options = parser.parse_args()
    if options.model is None:
        parser.error("name the network of train_mnist.py: ezkl reads it as well")
    peers = []
    for tool in options.tools:
        try:
            peers.append(measure(tool, options))
        except ToolError as error:
            peers.append(Peer(tool, proves=str(error)))
        print(asdict(peers[-1]), flush=True)
    write_csv(options.out, map(asdict, peers), machine(thread_count()))
    show(
        "CryptoNets, one image, 2 threads each" if thread_count() == 2 else "CryptoNets, one image",
        COLUMNS,
        [tuple(asdict(peer).values()) for peer in peers],
    )


def measure(tool: str, options: Namespace) -> Peer:
    with tempfile.TemporaryDirectory(prefix="zkcmp-peers-") as directory:
        place = Path(directory)
        if tool == "ezkl":
            return _ezkl(place, options)
        if tool in ("zksnake", "snarkjs"):
            write_statement(options, place)
            snarkjs, limit = find_snarkjs(options.snarkjs), options.time_limit
            runner = Runner(place, options.repeats, 1, thread_count(), snarkjs, limit)
            row = runner.run(tool, "statement", 0)
            if row.prove_s is None:
                raise ToolError(row.note)
            peak = row.prove_peak_bytes and row.prove_peak_bytes // 10**6
            return Peer(tool, row.setup_s, row.prove_s, peak_mb=peak)
    row = in_own_process(options, 1, tool)
    sizes = row.proof_bytes, row.key_mb, row.peak_mb
    return Peer(f"zkcmp {tool}", row.setup_s, row.prove_s, row.verify_s, *sizes)


def write_statement(options: Namespace, place: Path) -> None:
    """Our statement about one image in mode full, as circuit.r1cs and witness.wtns."""
    network = read_network(options.model)
    mnist = load_mnist("t10k", options.data)
    image = TestSet(mnist.images[:1], network.predict(mnist.images[:1]))
    built = statement.build(network.architecture, 1)
    sealed, preimage = seal(network)
    public = (sealed.ciphertext, sealed.commitment, image, 1, CONTEXT)
    write_r1cs(place / "circuit.r1cs", built.r1cs)
    write_wtns(place / "witness.wtns", built.witness(network, preimage, *public, None))


def _ezkl(place: Path, options: Namespace) -> Peer:
    found = subprocess.run([options.ezkl_python, "-c", "import ezkl"], capture_output=True)
    if found.returncode:
        raise ToolError("skipped, not installed: pip install ezkl==23.0.5, or give --ezkl-python")
    worker = Path(__file__).with_name("ezkl_worker.py")
    runner = Runner(place, options.repeats, 1, thread_count(), None)
    command: list[str | Path] = [options.ezkl_python, worker, options.model, place]
    result: dict[str, Any] = runner.process(*command, str(options.repeats))
    del result["logrows"]
    version = result.pop("version")
    return Peer(f"ezkl {version}".strip(), **result, proves=INFERENCE)


if __name__ == "__main__":
    run_script(main)
