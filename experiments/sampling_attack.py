"""The paper's Sampling broken with the real Groth16: random weights pass at an accuracy of 99 %.

A seller seals random weights. The buyer then draws the seed, makes the key for the sampled circuit,
and sends it. The key tells which constraints were kept, so for each image the seller finds one
dropped constraint in the sum that is the label's logit,

    S_(L,t) = w_t · x_t + S_(L,t−1)        dropped

adds what the label lacks to S_(L,t), …, S_(L,last), and breaks nothing that is checked. The same
seller in `full` breaks one constraint an image, and in `freivalds` the check of the last layer:
prove refuses, and a proof made in spite of that is refused by verify. docs/sampling.md has the
argument.

A second table has the paper's Figure 6 beside the share of images on which this seller can lie
(sampling_bound.py).

    python experiments/sampling_attack.py
    python experiments/sampling_attack.py --images 30 --u 3%,50% --json attack.json
"""

import argparse
import json
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
from ending import run_script
from rich.console import Console
from rich.table import Table
from sampling_bound import (
    FIGURE_6_U,
    PAPER_N,
    PAPER_P,
    Point,
    figure_6,
    first_dropped,
    products_of_a_logit,
)

from circuits.freivalds import statement as freivalds_statement
from circuits.full import statement
from circuits.full.statement import Assignment, Statement
from circuits.gadgets.argmax import arg_max
from circuits.sampled import statement as sampled_statement
from circuits.sampled.sampling import SEED_BYTES, parse_selecting_parameter
from circuits.sampled.size import network_rows
from circuits.sampled.statement import SampledStatement
from circuits.signals import Signals
from zkcmp import seal
from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.exchange.statement import parse_threshold
from zkcmp.groth16 import FirstRound, ProvingKey, prove, setup, verify
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import bounds
from zkcmp.model.data_files import digits_onnx, load_digits_test
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize
from zkcmp.r1cs import R1CS
from zkcmp.r1cs_builder import ConstraintSystem, Respond

AnyStatement = Statement | freivalds_statement.Statement

# --- what the seller does ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sale:
    """What both parties have once the test set is there; the preimage is the seller's."""

    network: Network
    sealed: seal.Seal
    preimage: bytes = field(repr=False)
    testset: TestSet
    context: bytes

    @classmethod
    def of(cls, network: Network, testset: TestSet) -> "Sale":
        """Seals the network."""
        sealed, preimage = seal.seal(network)
        return cls(network, sealed, preimage, testset, secrets.token_bytes(32))

    @property
    def is_right(self) -> np.ndarray:
        """(n,) which images the network labels correctly."""
        return self.network.predict(self.testset.images) == self.testset.labels

    def public_inputs(self, made: AnyStatement, threshold: int) -> FrVector:
        """As the buyer computes them."""
        c, e = self.sealed.ciphertext, self.sealed.commitment
        return made.public_inputs(c, e, self.testset, threshold, self.context)


@dataclass(frozen=True, eq=False)
class Lies:
    """flags (n,): images said to be right; first_sums (n,): the partial sum of the label's logit
    from which on the seller lies, -1 where it tells the truth.
    """

    flags: np.ndarray
    first_sums: np.ndarray

    @property
    def threshold(self) -> int:
        """T."""
        return int(self.flags.sum())


def random_network(architecture: Architecture, seed: int) -> Network:
    """Weights drawn from their declared widths: worth nothing."""
    rng = np.random.default_rng(seed)
    specs = architecture.tensors()
    return Network(architecture, [rng.integers(s.low, s.high + 1, s.shape) for s in specs])


def plan(sale: Sale, kept: np.ndarray, wanted: int) -> Lies:
    """Flag images that are right, then images where no one sees a lie: `wanted`, or all of both."""
    architecture = sale.network.architecture
    lie = first_dropped(
        kept,
        sale.testset.labels,
        network_rows(architecture),
        products_of_a_logit(architecture),
        architecture.n_classes,
    )
    lie[sale.is_right] = -1
    flags = np.zeros(len(lie), np.int64)
    flags[np.concatenate([np.flatnonzero(sale.is_right), np.flatnonzero(lie >= 0)])[:wanted]] = 1
    return Lies(flags, np.where(flags, lie, -1))


def sum_wires(made: Statement, image: int, label: int) -> np.ndarray:
    """Wires of the partial sums of a logit, -1 for those that sampling has left out."""
    n_products = products_of_a_logit(made.architecture)
    n_sums = n_products * made.architecture.n_classes
    sums = label * n_products + np.arange(n_products)
    if isinstance(made, SampledStatement):
        return made.rows.wires(made.placed, image, made.rows.template.n_own - n_sums + sums)
    last_layer = made.architecture.layer_name(len(made.architecture.layers) - 1)
    first = next(span.first for span in made.r1cs.wires if span.name == f"{last_layer} sums")
    return first + image * n_sums + sums


def lying_logits(sale: Sale, lies: Lies) -> tuple[np.ndarray, np.ndarray]:
    """(n, classes) logits that make each lie true, and (n,) what was added to the label's."""
    logits = sale.network.forward(sale.testset.images).astype(object)
    image, label = np.arange(len(logits)), sale.testset.labels
    lack = (logits.max(axis=1) - logits[image, label] + 1) * (lies.first_sums >= 0)
    logits[image, label] += lack
    return logits, lack


def lying_witness(made: Statement, sale: Sale, lies: Lies) -> FrVector:
    """The honest witness, but for the partial sums, and all that follows from the logits."""
    testset = sale.testset
    witness = made.assign(
        Assignment(
            sale.network.tensors,
            sale.preimage,
            sale.sealed.ciphertext,
            sale.sealed.commitment,
            sale.context,
            testset.images,
            testset.labels,
            lies.threshold,
            lies.flags,
        )
    )
    logits, lack = lying_logits(sale, lies)
    for image in np.flatnonzero(lies.first_sums >= 0).tolist():
        sums = sum_wires(made, image, int(testset.labels[image]))[lies.first_sums[image] :]
        for wire in sums[sums >= 0].tolist():
            witness.assign(wire, FrVector.from_ints([witness[wire] + lack[image]]))
    witness.assign(
        next(span.first for span in made.r1cs.wires if span.name.startswith("argmax")),
        _arg_max_values(made.architecture, logits, testset.labels, lies.flags),
    )
    return witness


def _arg_max_values(
    architecture: Architecture, logits: np.ndarray, labels: np.ndarray, flags: np.ndarray
) -> FrVector:
    """What the arg max gadget assigns to its wires, for these logits."""
    system = ConstraintSystem(with_values=True)
    one_hot = (labels[:, None] == np.arange(architecture.n_classes)).astype(np.int64)
    tensors = [Signals(np.zeros(v.shape, np.int64), v) for v in (logits, one_hot, flags)]
    arg_max(system, *tensors, bounds(architecture)[-1])
    values = system.witness()
    return values.slice(1, len(values))


def lying_second_round(
    made: freivalds_statement.Statement, sale: Sale, lies: Lies, respond: Respond
) -> FrVector:
    """The lies among the outputs that the first round commits to, and what follows from them."""
    outputs = sale.network.layer_outputs(sale.testset.images)
    return made.assign(
        freivalds_statement.Assignment(
            sale.network.tensors,
            sale.preimage,
            sale.sealed.ciphertext,
            sale.sealed.commitment,
            sale.context,
            lies.threshold,
            lies.flags,
            [*outputs[:-1], lying_logits(sale, lies)[0]],
        ),
        respond,
    )


class Careless(R1CS):
    """A circuit as a prover sees it who takes C z to be A z ∘ B z, whatever it is."""

    @classmethod
    def of(cls, r1cs: R1CS) -> "Careless":
        """The same circuit."""
        return cls(**{part.name: getattr(r1cs, part.name) for part in fields(r1cs)})

    def products(self, witness: FrVector) -> tuple[FrVector, FrVector, FrVector]:
        """(A z, B z, A z ∘ B z)."""
        az, bz, _ = super().products(witness)
        return az, bz, az * bz


# --- the attack, against the real setup, prove and verify ---------------------------------------


@dataclass(frozen=True)
class Outcome:
    """One attempt to sell a network that labels `n_right` images as if they were `n_claimed`."""

    mode: str
    u: str
    n_images: int
    n_right: int
    n_claimed: int
    n_lies: int
    n_constraints: int
    accepted: bool
    verdict: str
    setup_s: float
    prove_s: float


def attack_sampled(sale: Sale, u: str, wanted: int, place: Path) -> tuple[Outcome, Lies]:
    """The seller claims `wanted` images, or as many as the sample lets it."""
    architecture, n = sale.network.architecture, len(sale.testset)
    seed = secrets.token_bytes(SEED_BYTES)  # the buyer's, drawn after the seal
    made = sampled_statement.build(architecture, n, parse_selecting_parameter(u), seed)
    lies = plan(sale, made.rows.kept, wanted)
    return _attempt("sampled", u, made, sale, lies, place), lies


def attack_full(sale: Sale, lies: Lies, place: Path) -> Outcome:
    """The same lies where every constraint is kept."""
    made = statement.build(sale.network.architecture, len(sale.testset))
    return _attempt("full", "", made, sale, lies, place)


def attack_freivalds(sale: Sale, lies: Lies, place: Path) -> Outcome:
    """The same lies where every product is checked by a challenge that comes after them."""
    made = freivalds_statement.build(sale.network.architecture, sale.testset)
    return _attempt("freivalds", "", made, sale, lies, place)


def _attempt(mode: str, u: str, made: AnyStatement, sale: Sale, lies: Lies, place: Path) -> Outcome:
    """The buyer's setup, the seller's proof, the buyer's verdict."""
    started = time.perf_counter()
    key = setup(made.r1cs, place / f"{mode}{u}.key")
    proving = time.perf_counter()
    verdict, accepted = _prove_and_verify(key, made, sale, lies)
    done = time.perf_counter()
    return Outcome(
        mode,
        u,
        len(sale.testset),
        int(sale.is_right.sum()),
        lies.threshold,
        int((lies.first_sums >= 0).sum()),
        made.r1cs.n_constraints,
        accepted,
        verdict,
        round(proving - started, 3),
        round(done - proving, 3),
    )


def _prove_and_verify(
    key: ProvingKey, made: AnyStatement, sale: Sale, lies: Lies
) -> tuple[str, bool]:
    """What became of the proof, and whether the buyer accepts it."""
    inputs, first_round = sale.public_inputs(made, lies.threshold), None
    if isinstance(made, Statement):
        witness = lying_witness(made, sale, lies)
    else:
        first_round = FirstRound(key, made.r1cs, inputs)
        witness = lying_second_round(made, sale, lies, first_round.respond)
    try:
        made.check(witness)
    except VerificationError as fault:
        # whoever proves all the same gets as far as the first verification, which is prove's own
        try:
            prove(key, Careless.of(made.r1cs), witness, first_round=first_round)
        except VerificationError as refusal:
            if refusal.where != "self-check of the new proof":
                raise
            return f"{fault.where}: {fault.got}; proved all the same, refused by verify", False
        raise AssertionError("a false statement was proved") from fault
    proof = prove(key, made.r1cs, witness, first_round=first_round)
    verify(key.verifying_key, inputs, proof)
    return "no constraint violated; accepted by verify", True


# --- the command ------------------------------------------------------------------------------


def attempt_all(sale: Sale, texts: Sequence[str], wanted: int, place: Path) -> list[Outcome]:
    """Sampled for every u, then full and freivalds with the lies of the first."""
    sampled = [attack_sampled(sale, u, wanted, place) for u in texts]
    lies = sampled[0][1]
    others = [attack_full(sale, lies, place), attack_freivalds(sale, lies, place)]
    return [outcome for outcome, _ in sampled] + others


def show(console: Console, outcomes: list[Outcome], points: list[Point]) -> None:
    """Both tables."""
    table = Table(title="A seller with random weights, against setup, prove and verify")
    for name in ("mode", "u", "constraints", "truly right", "claimed", "lies", "buyer", "why"):
        table.add_column(name)
    for o in outcomes:
        table.add_row(
            o.mode,
            o.u,
            f"{o.n_constraints:,}",
            f"{o.n_right}/{o.n_images}",
            f"{o.n_claimed}/{o.n_images}",
            str(o.n_lies),
            "pays" if o.accepted else "does not pay",
            o.verdict,
        )
    console.print(table)
    table = Table(title=f"Figure 6 (p = {PAPER_P}, n = {PAPER_N:,}): undetected deviation")
    for name in ("u", "paper: ε at most", "attack, measured", "expected", "expected, CryptoNets"):
        table.add_column(name, justify="right")
    for point in points:
        shares = (point.measured, point.expected, point.expected_cryptonets)
        table.add_row(point.u, f"{point.paper_epsilon:.3%}", *(f"{share:.2%}" for share in shares))
    console.print(table)
    console.print(
        "attack: share of images on which a lie breaks no kept constraint; none is caught"
    )


def as_json(accuracy: str, outcomes: list[Outcome], points: list[Point]) -> str:
    """Everything that was found."""
    attack, figure = [asdict(o) for o in outcomes], [asdict(point) for point in points]
    record = {"accuracy": accuracy, "attack": attack, "figure_6": figure}
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--images", type=int, default=100, help="images of the digits test set (default: 100)")
    add("--accuracy", default="99%", help="what the seller claims (default: 99%%)")
    add("--u", default="3%,50%,90%,99%", help="selecting parameters (default: 3%%,50%%,90%%,99%%)")
    add("--seed", type=int, default=1, help="of the random weights (default: 1)")
    add("--samples", type=int, default=PAPER_N, help="images of Figure 6 (default: 10000)")
    add("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args(argv)
    architecture = quantize(read_onnx(digits_onnx())).architecture
    testset = load_digits_test().take(slice(0, arguments.images))
    sale = Sale.of(random_network(architecture, arguments.seed), testset)
    wanted = parse_threshold(arguments.accuracy, len(testset))
    with tempfile.TemporaryDirectory(prefix="zkcmp-attack-") as place:
        outcomes = attempt_all(sale, arguments.u.split(","), wanted, Path(place))
    points = figure_6(architecture, arguments.samples, FIGURE_6_U)
    show(Console(width=160), outcomes, points)
    if arguments.json:
        arguments.json.write_text(as_json(arguments.accuracy, outcomes, points))


if __name__ == "__main__":
    run_script(main)
