"""Figure 6 of the paper beside what a cheating seller does: how much deviation Sampling lets pass.

    python experiments/figure6.py

The paper's curve is the ε that is found with probability 95 % among 10,000 images, if the sample
were drawn after the prover committed itself. Inside Groth16 it is drawn before (docs/sampling.md):
beside the curve stand the share of images on which a lie breaks no kept constraint, measured and
expected, and the outcome of the attack of sampling_attack.py against setup, prove and verify.
Writes results/figure6.csv and .png, and results/figure6_attack.csv.
"""

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from ending import run_script
from records import RESULTS, machine, plots, show, write_csv
from sampling_attack import Sale, attempt_all, random_network
from sampling_bound import FIGURE_6_U, PAPER_N, PAPER_P, Point, figure_6

from zkcmp.bn254.threads import thread_count
from zkcmp.exchange.statement import parse_threshold
from zkcmp.model.data_files import digits_onnx, load_digits_test
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=PAPER_N, help="images of the curve")
    parser.add_argument("--images", type=int, default=100, help="images of the attack")
    parser.add_argument("--attack-u", default="3%,50%,90%", help="attacked selecting parameters")
    parser.add_argument("--out", type=Path, default=RESULTS / "figure6.csv")
    options = parser.parse_args()
    architecture = quantize(read_onnx(digits_onnx())).architecture
    points = figure_6(architecture, options.samples, FIGURE_6_U)
    samples = load_digits_test().take(slice(0, options.images))
    sale = Sale.of(random_network(architecture, 1), samples)
    wanted = parse_threshold("99%", len(samples))
    with tempfile.TemporaryDirectory(prefix="zkcmp-figure6-") as place:
        outcomes = attempt_all(sale, options.attack_u.split(","), wanted, Path(place))
    about = machine(thread_count())
    write_csv(options.out, map(asdict, points), about)
    attack = options.out.with_name(f"{options.out.stem}_attack.csv")
    write_csv(attack, map(asdict, outcomes), about)
    show(
        f"Figure 6, p = {PAPER_P}, n = {PAPER_N}: deviation that is not found",
        ("u", "paper: ε", "measured", "expected", "expected, CryptoNets"),
        [tuple(asdict(point).values()) for point in points],
    )
    show(
        "A seller with random weights who claims 99 %",
        ("mode", "u", "truly right", "claimed", "accepted"),
        [(o.mode, o.u, o.n_right, o.n_claimed, o.accepted) for o in outcomes],
    )
    draw(points, options.out.with_suffix(".png"))


def draw(points: list[Point], path: Path) -> None:
    pyplot = plots()
    if pyplot is None:
        return
    u = [float(point.u.rstrip("%")) for point in points]
    figure, axes = pyplot.subplots(figsize=(6, 4))
    axes.plot(u, [100 * p.paper_epsilon for p in points], "o-", label="paper: ε at 95 %")
    measured = [100 * p.measured for p in points]
    axes.plot(u, measured, "s-", label="a seller who knows the sample, measured")
    axes.set(xlabel="u, share of constraints kept (%)", ylabel="images that may be wrong (%)")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.legend()
    figure.savefig(path, dpi=150, bbox_inches="tight")


if __name__ == "__main__":
    run_script(main)
