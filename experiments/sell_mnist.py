"""The paper's sale: CryptoNets on MNIST, over n images, by the two-party commands.

Every step is the command a seller or a buyer would type, run as a process of its own and timed
from outside; at the end onnxruntime runs the bought network on all 10,000 test images and its
answers are compared with those of the sealed one. Train the network first:

    python experiments/train_mnist.py mnist.onnx --data DIRECTORY
    python experiments/sell_mnist.py mnist.onnx --data DIRECTORY
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ending import needed, run_script

from zkcmp.model.data_files import load_mnist
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

PAPER = "42.5 s on 80 cores for the proof over 5 images (Table 1)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="ONNX file written by train_mnist.py")
    parser.add_argument("--data", type=Path, help="directory with MNIST (default: ZKCMP_DATA)")
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--accuracy", default="0.8")
    parser.add_argument("--mode", choices=["full", "freivalds"], default="full")
    arguments = parser.parse_args()
    needed("onnxruntime", "onnxruntime")  # now, not when the sale is over
    if arguments.data:
        os.environ["ZKCMP_DATA"] = str(arguments.data)
    with tempfile.TemporaryDirectory(prefix="zkcmp-sale-") as place:
        sell(arguments, Path(place))


def run(place: Path, words: str, *more: str) -> float:
    """One zkcmp command in the sale's folders; its wall-clock seconds."""
    party = words.split()[0]
    options = {
        "seller": ["--home", str(place / "seller"), "--deal", str(place / "deal")],
        "buyer": ["--home", str(place / "buyer"), "--deal", str(place / "deal")],
        "chain": [],
    }[party]
    command = [sys.executable, "-m", "zkcmp.cli.main", *words.split(), *options, *more]
    print(f"\n$ zkcmp {words} {' '.join(more)}", flush=True)
    start = time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "ZKCMP_CHAIN_DIR": str(place / "chain")})
    seconds = time.perf_counter() - start
    print(f"[{seconds:.1f} s]", flush=True)
    return seconds


def sell(arguments: argparse.Namespace, place: Path) -> None:
    network = quantize(read_onnx(arguments.model))
    samples = load_mnist("t10k")
    sealed = network.predict(samples.images)
    print(f"accuracy of the integer network: {(sealed == samples.labels).mean():.2%}")
    run(place, "seller seal", str(arguments.model), "--price-sat", "250000")
    run(
        place,
        "buyer request",
        *("--test-set", "mnist", "--images", str(arguments.images)),
        *("--accuracy", arguments.accuracy, "--mode", arguments.mode),
    )
    setup = run(place, "buyer setup")
    audit = run(place, "seller audit")
    prove = run(place, "seller prove")
    verify = run(place, "buyer verify")
    address = wallet_address(place)
    run(place, "chain mine", "101", "--to", address)
    run(place, "buyer lock")
    run(place, "chain mine", "1")
    run(place, "seller redeem")
    run(place, "chain mine", "1")
    bought = place / "bought.onnx"
    run(place, "buyer open", "--out", str(bought))
    same = int((predictions(bought, samples.images) == sealed).sum())
    print(f"\nthe bought network answers like the sealed one on {same} of {len(sealed)} images")
    print(
        f"whole commands: setup {setup:.1f} s, audit {audit:.1f} s, prove {prove:.1f} s, "
        f"verify {verify:.1f} s"
    )
    print(f"the paper: {PAPER}")
    if same != len(sealed):
        raise SystemExit(1)


def wallet_address(place: Path) -> str:
    """The buyer's address on the embedded chain."""
    from zkcmp.exchange.buyer import Buyer

    with Buyer.opened(place / "buyer") as buyer:
        return buyer.wallet_address("regtest")


def predictions(model: Path, images: np.ndarray) -> np.ndarray:
    """arg max of the ONNX file's outputs; ties to the smallest index."""
    onnxruntime = needed("onnxruntime", "onnxruntime")
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    kind = np.float32 if entry.type == "tensor(float)" else np.float64
    return session.run(None, {entry.name: images.astype(kind)})[0].argmax(axis=1)


if __name__ == "__main__":
    run_script(main)
