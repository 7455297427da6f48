"""Train the small digits network that the demo sells, and choose its test set.

8×8 handwritten digits from scikit-learn (pixels 0..16): conv 3×3 stride 2 with 5 maps,
8×8 -> 4×4, square, dense 80 -> 10; 860 weights. One square only, so that every value of the integer
network stays below 2^53 and its ONNX export is exact in doubles on any input.

The data: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning
Repository, CC BY 4.0. A fifth of it (360 images, never trained on) is the committed test set.

    python experiments/train_digits.py            (writes zkcmp/data/digits.onnx, digits_test.npz)

The same seed gives the same file on one machine; see train_mnist.py for what may differ elsewhere.
"""

import argparse
from hashlib import sha256
from pathlib import Path

import numpy as np
from ending import needed, run_script
from training import Model, check_accuracy, conv, dense, train

from zkcmp.model.architecture import Normalisation
from zkcmp.model.data_files import save_npz
from zkcmp.model.dataset import TestSet
from zkcmp.model.float_network import FloatNetwork
from zkcmp.model.layers import Flatten, Square
from zkcmp.model.onnx import export_float_onnx, import_onnx
from zkcmp.model.quantize import quantize
from zkcmp.model.report import report

N_TEST, LEAST_ACCURACY = 360, 0.97


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).parent.parent / "zkcmp" / "data"
    parser.add_argument("--output", type=Path, default=default, help="directory to write to")
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    digits = needed("sklearn.datasets", "scikit-learn").load_digits()
    samples = TestSet(digits.images.astype(np.int64)[:, None], digits.target)
    order = np.random.default_rng(7).permutation(len(samples))
    test_set, train_set = samples.take(order[:N_TEST]), samples.take(order[N_TEST:])
    rng = np.random.default_rng(options.seed)
    first = conv(rng, (1, 5), 3, 2, (0, 0, 1, 1), 1.0)
    model = Model([first, Square(), Flatten(), dense(rng, 80, 10, 1.0)])
    train(
        model,
        (train_set.images / 16).astype(np.float32),
        train_set.labels,
        rng=rng,
        epochs=options.epochs,
        batch=64,
        rate=0.01,
        weight_decay=0.1,
    )
    data = export_float_onnx(
        FloatNetwork((1, 8, 8), model.float_layers(), 5, Normalisation("0.0625"))
    )
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "digits.onnx").write_bytes(data)
    save_npz(options.output / "digits_test.npz", test_set)
    imported = import_onnx(data)
    result = report(imported, quantize(imported), test_set)
    print(f"SHA-256 {sha256(data).hexdigest()}")
    print(result)
    check_accuracy(result, LEAST_ACCURACY)


if __name__ == "__main__":
    run_script(main)
