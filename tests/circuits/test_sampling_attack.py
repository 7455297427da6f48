"""experiments/sampling_attack.py on a tiny network: what it claims happens, with real proofs."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from small_statement import ARCHITECTURE, small_network

from circuits.full import statement
from circuits.sampled import statement as sampled_statement
from zkcmp.model.dataset import TestSet

sys.path.append(str(Path(__file__).parents[2] / "experiments"))

import sampling_attack as attack
import sampling_bound as bound

N_IMAGES = 4


@pytest.fixture(scope="module")
def sale() -> attack.Sale:
    """A network that is wrong about every image."""
    network = small_network(8)
    images = np.random.default_rng(2).integers(0, 16, (N_IMAGES, 1, 4, 4))
    return attack.Sale.of(network, TestSet(images, (network.predict(images) + 1) % 3))


@pytest.fixture(scope="module")
def outcomes(sale, tmp_path_factory) -> list[attack.Outcome]:
    return attack.attempt_all(sale, ["10%"], N_IMAGES, tmp_path_factory.mktemp("keys"))


def test_the_buyer_of_a_sampled_proof_pays_for_nothing(outcomes):
    sampled = outcomes[0]
    assert sampled.mode == "sampled"
    assert (sampled.n_right, sampled.n_claimed, sampled.n_lies) == (0, N_IMAGES, N_IMAGES)
    assert sampled.accepted


def test_the_same_seller_fails_in_full_at_one_constraint_an_image(outcomes):
    full = outcomes[1]
    assert full.mode == "full"
    assert full.n_claimed == N_IMAGES
    assert not full.accepted
    assert full.verdict.startswith(f"dense3: {N_IMAGES} of {full.n_constraints} constraints")
    assert full.verdict.endswith("refused by verify")


def test_the_same_seller_fails_in_freivalds(outcomes):
    freivalds = outcomes[2]
    assert freivalds.mode == "freivalds"
    assert (freivalds.n_right, freivalds.n_claimed, freivalds.n_lies) == (0, N_IMAGES, N_IMAGES)
    assert not freivalds.accepted
    assert freivalds.verdict.startswith("dense3: ")
    assert freivalds.verdict.endswith("refused by verify")


def test_a_lie_is_one_violated_constraint_of_the_labels_logit(sale):
    full = statement.build(ARCHITECTURE, N_IMAGES)
    first_sums = np.array([0, 7, -1, 3])
    lies = attack.Lies((first_sums >= 0).astype(np.int64), first_sums)
    violated = full.r1cs.violated_rows(attack.lying_witness(full, sale, lies))
    dense = next(span for span in full.r1cs.gadgets if span.name == "dense3")
    expected = [
        dense.first + 24 * image + 8 * int(sale.testset.labels[image]) + int(first)
        for image, first in enumerate(first_sums)
        if first >= 0
    ]
    assert violated.tolist() == expected


def test_where_the_constraint_is_kept_the_lie_is_seen(sale):
    made = sampled_statement.build(ARCHITECTURE, N_IMAGES, Fraction(1, 2), bytes(32))
    honest = attack.plan(sale, made.rows.kept, N_IMAGES)
    assert made.r1cs.violated_rows(attack.lying_witness(made, sale, honest)).tolist() == []
    row = 82 - 24 + 8 * int(sale.testset.labels[0])
    kept = [t for t in range(8) if row + t in made.rows.kept[0]]
    first_sums = honest.first_sums.copy()
    first_sums[0] = kept[0]
    seen = attack.lying_witness(made, sale, attack.Lies(honest.flags, first_sums))
    assert len(made.r1cs.violated_rows(seen)) == 1


def test_no_more_is_claimed_than_can_be_hidden(sale):
    everything = np.tile(np.arange(82), (N_IMAGES, 1))
    assert attack.plan(sale, everything, N_IMAGES).threshold == 0
    kept = [np.delete(everything[0], 81 - 8 * (2 - label)) for label in sale.testset.labels]
    lies = attack.plan(sale, np.array(kept), N_IMAGES - 1)
    assert lies.first_sums.tolist() == [7, 7, 7, -1]
    assert lies.threshold == N_IMAGES - 1


def test_figure_6():
    assert bound.paper_epsilon(Fraction("0.03")) == pytest.approx(0.00984, abs=1e-5)
    points = bound.figure_6(ARCHITECTURE, 3000, ["50%", "90%", "95%", "100%"])
    for point in points:
        assert abs(point.measured - point.expected) < 0.05
    assert [point.measured > 0.5 for point in points] == [True, True, False, False]
    assert points[-1].measured == points[-1].paper_epsilon == 0
    # three of ten rows, one dropped
    assert bound.chance_of_a_lie(10, 3, Fraction(9, 10)) == pytest.approx(0.3)
    assert bound.chance_of_a_lie(10, 3, Fraction(8, 10)) == pytest.approx(1 - 42 / 90)


def test_what_is_shown_and_written(outcomes):
    console = Console(width=160)
    points = bound.figure_6(ARCHITECTURE, 10, ["3%"])
    with console.capture() as capture:
        attack.show(console, outcomes, points)
    text = capture.get()
    assert "does not pay" in text
    assert "0.984%" in text
    record = json.loads(attack.as_json("99%", outcomes, points))
    assert [entry["accepted"] for entry in record["attack"]] == [True, False, False]
