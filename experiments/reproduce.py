"""All tables and figures, one after the other: what `make experiments` runs.

    python experiments/reproduce.py --data DIRECTORY [--model mnist.onnx]
    python experiments/reproduce.py --quick

Trains the network first when there is none (some minutes). With --quick, the digits network and a
few images, written elsewhere than results/: it shows in a minute that every experiment runs.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from ending import run_script

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="directory with MNIST (default: ZKCMP_DATA)")
    parser.add_argument("--model", type=Path, default=Path("mnist.onnx"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        with tempfile.TemporaryDirectory(prefix="zkcmp-experiments-") as place:
            quick(Path(place))
        return
    data = ["--data", options.data] if options.data else []
    if not options.model.exists():
        run("train_mnist.py", options.model, *data)
    for script in ("table1.py", "table2.py", "peers.py"):
        run(script, options.model, *data)
    for script in ("figure6.py", "figure7.py", "figure8.py"):
        run(script)


def quick(place: Path) -> None:
    few = ("digits", "--repeats", "1", "--images")
    run("table1.py", *few, "2", "--out", place / "table1.csv")
    run("table2.py", *few, "0", "4", "--out", place / "table2.csv")
    run("figure6.py", "--samples", "100", "--images", "10", "--out", place / "figure6.csv")
    run("figure7.py", place)
    run("figure8.py", place)


def run(script: str, *arguments: str | Path) -> None:
    print(f"\n== {script} {' '.join(map(str, arguments))}", flush=True)
    subprocess.run([sys.executable, str(HERE / script), *map(str, arguments)], check=True)


if __name__ == "__main__":
    run_script(main)
