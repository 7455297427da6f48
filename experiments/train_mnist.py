"""Train CryptoNets on MNIST and write it as ONNX: the network of the paper's tables.

conv 5×5 stride 2, 5 maps, 28×28 -> 13×13 (padding 1), square, dense 845 -> 100, square,
dense 100 -> 10. The dense layer holds 97 % of the weights, and each of its bits is paid for in the
seal and its range proof, so it is trained for 2-bit weights (values −2..1); the file says so, and
`quantize` follows. The last layer has no bias: at the scale of twice-squared accumulators it would
be wider than 62 bits, and `quantize` would carry it by a 101st unit.

    python experiments/train_mnist.py mnist.onnx --data DIRECTORY

The same seed gives the same file, byte by byte, on one machine with one version of numpy; its
SHA-256 is printed. Another processor or BLAS sums in another order: weights then differ in their
last bits, the accuracy in its second decimal. Fails when the float network is below 98.9 %, or the
integer one more than 0.2 % below it.
"""

import argparse
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
from ending import run_script
from training import Model, check_accuracy, conv, dense, train

from zkcmp.errors import ZkcmpError
from zkcmp.model.architecture import Normalisation, canonical_decimal
from zkcmp.model.data_files import load_mnist
from zkcmp.model.float_network import FloatNetwork
from zkcmp.model.layers import Flatten, Square
from zkcmp.model.onnx import export_float_onnx, import_onnx, stable_in_double
from zkcmp.model.quantize import quantize
from zkcmp.model.report import report

LEAST_ACCURACY = 0.989


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="ONNX file to write")
    parser.add_argument("--data", help="directory with MNIST (default: ZKCMP_DATA)")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--dense-bits", type=int, default=2, help="width of the 845x100 weights (0: train in float)"
    )
    options = parser.parse_args()

    if not options.output.absolute().parent.is_dir():
        parser.error(f"there is no directory {options.output.parent} to write to; make it first")
    try:
        train_set, test_set = load_mnist("train", options.data), load_mnist("t10k", options.data)
    except ZkcmpError as error:
        parser.error(str(error))
    scale = canonical_decimal(round(1 / 255, 10))
    rng = np.random.default_rng(options.seed)
    first = conv(rng, (1, 5), 5, 2, (1, 1, 1, 1), 1.0)
    middle, last = dense(rng, 845, 100, 1.0), dense(rng, 100, 10, 1.0, bias=False)
    middle.weight_bits = options.dense_bits or None
    model = Model([first, Square(), Flatten(), middle, Square(), last])
    started = time.time()
    train(
        model,
        (train_set.images * float(scale)).astype(np.float32),
        train_set.labels,
        rng=rng,
        epochs=options.epochs,
        batch=128,
        rate=0.003,
        weight_decay=0.02 if options.dense_bits else 0.05,
        shift=1,
        report=lambda epoch: print(f"epoch {epoch}, {time.time() - started:.0f} s", flush=True),
    )
    float_network = FloatNetwork(
        (1, 28, 28),
        model.float_layers(),
        8,
        Normalisation(scale),
        (8, options.dense_bits or 8, 8),
    )
    data = export_float_onnx(float_network)
    options.output.write_bytes(data)
    print(f"SHA-256 {sha256(data).hexdigest()}")
    imported = import_onnx(data)
    network = quantize(imported)
    result = report(imported, network, test_set)
    print(result)
    stable = int(stable_in_double(network, test_set.images).sum())
    print(f"label provably unchanged in doubles: {stable} of {len(test_set)} test images")
    check_accuracy(result, LEAST_ACCURACY)


if __name__ == "__main__":
    run_script(main)
