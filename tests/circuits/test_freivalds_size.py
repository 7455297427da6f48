"""Costs of mode `freivalds` in numbers: the paper's network, many images, the statistical error."""

from fractions import Fraction

import numpy as np
import pytest
from freivalds_case import NETWORKS, make_case
from test_statement_mnist import CRYPTONETS

from circuits.freivalds.plan import Form, make_plan
from circuits.freivalds.size import freivalds_size
from circuits.freivalds.soundness import soundness_bound
from circuits.freivalds.statement import image_counts
from circuits.full.size import statement_size
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.groth16 import keys
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Square

# as experiments/train_mnist.py trains it and quantize makes it: two bits a weight in between
TRAINED = Architecture(
    (1, 28, 28),
    8,
    (
        Conv(1, 5, (5, 5), (2, 2), (1, 1, 1, 1), 8, 16),
        Square(),
        Flatten(),
        Dense(845, 100, 2, 36),
        Square(),
        Dense(100, 10, 8, 2),
    ),
)


@pytest.mark.parametrize(
    ("n", "trained", "cryptonets"),
    [
        (0, 376_156, 865_854),
        (1, 462_867, 952_586),
        (30, 501_548, 991_967),
        (1_000, 1_080_423, 1_586_293),
        (10_000, 3_731_975, 4_343_911),
    ],
)
def test_constraints_of_the_papers_network_are_pinned(n, trained, cryptonets):
    """At most: pairs of pixels that are 0 in every image cost nothing."""
    sizes = [freivalds_size(architecture, n) for architecture in (TRAINED, CRYPTONETS)]
    assert [size.n_constraints for size in sizes] == [trained, cryptonets]
    assert sizes[0].domain_size == keys.domain_size(trained, sizes[0].n_public)


@pytest.mark.parametrize(
    ("name", "n", "n_constraints", "n_wires"),
    [
        ("dense first", 0, 41_369, 42_890),
        ("dense first", 30, 46_749, 50_677),
        ("conv later", 30, 36_579, 39_303),
        ("convs", 30, 29_234, 29_382),
        ("dense only", 1, 26_223, 26_065),
        ("many channels", 2, 30_247, 30_825),
    ],
)
def test_sizes_of_other_networks_are_pinned(name, n, n_constraints, n_wires):
    size = freivalds_size(NETWORKS[name], n)
    assert (size.n_constraints, size.n_wires) == (n_constraints, n_wires)


def test_an_image_costs_a_fortieth_of_what_it_does_in_full():
    """What one image more costs, and what each of many costs with all that is paid once."""

    def one_more(n: int) -> int:
        now, then = (freivalds_size(TRAINED, m).n_constraints for m in (n, n + 1))
        return then - now

    assert one_more(30) == 1_331
    assert one_more(200) == 1_295
    assert one_more(2_000) == 302
    alone = freivalds_size(TRAINED, 0).n_constraints
    for n, limit in ((100, 2_200), (300, 1_700), (1_000, 710), (10_000, 340)):
        assert (freivalds_size(TRAINED, n).n_constraints - alone) / n < limit
    full = statement_size(TRAINED, 31).n_constraints - statement_size(TRAINED, 30).n_constraints
    assert full > 40 * 2_400


def test_squares_of_the_first_layer_come_from_moments_when_there_are_many_images():
    def form(n: int) -> Form:
        return make_plan(TRAINED, n).steps[1].form

    assert [form(n) for n in (1, 30, 280)] == [Form.BY_IMAGE] * 3
    assert [form(n) for n in (290, 1000, 10**5)] == [Form.BY_MOMENT] * 3


def test_many_images_of_a_real_size():
    """400 sparse images: by moments, in one statement, against the closed form."""
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (400, 1, 28, 28)) * (rng.random((400, 1, 28, 28)) < 0.2)
    images[:, :, :4] = 0
    case = make_case(TRAINED, 400, threshold=390, images=images)
    case.statement.check(case.witness)
    r1cs, counts = case.statement.r1cs, image_counts(TRAINED, case.testset)
    size = freivalds_size(TRAINED, 400, counts)
    assert (r1cs.n_constraints, r1cs.n_wires) == (size.n_constraints, size.n_wires)
    assert sum(matrix.n_entries for matrix in r1cs.matrices) == size.n_entries
    assert size.n_constraints < freivalds_size(TRAINED, 400).n_constraints - 40_000
    assert r1cs.n_public == 4 + 726 + 1 + 2
    # a proof is no larger to verify for more images: none is a public input
    assert freivalds_size(TRAINED, 10_000).n_public == r1cs.n_public


# --- the statistical error ----------------------------------------------------------------------


def test_the_error_term_by_term():
    """4 images; 3 logits have 2 margins each."""
    bound = soundness_bound(NETWORKS["small"], 4)
    plan = make_plan(NETWORKS["small"], 4)
    assert plan.tables == (1, 3, 4)
    assert plan.margins.bits == 57  # 14 limbs of 4 bits and one of 1
    assert bound.terms == (
        ("dense3", 3),
        ("dense5", 3),
        ("table of 1 bits", 2 + 8 + 1),
        ("table of 3 bits", 6 + 9 + 3 + 7),
        ("table of 4 bits", 18 + 2 + 24 + 3 + 14 * 8 + 15),
    )
    assert bound.error == Fraction(sum(degree for _, degree in bound.terms), FR_MODULUS)
    assert bound.bits == 245.8


def test_a_projected_layer_has_the_degree_of_both_challenges():
    terms = dict(soundness_bound(NETWORKS["conv later"], 10).terms)
    # 4 x 5 outputs of the first layer, padded by 2 + 1 rows and 1 + 0 columns
    assert terms["conv2"] == 9 + (4 + 2 + 1) * (5 + 1 + 0) - 1
    assert terms["dense5"] == 9


@pytest.mark.parametrize("n", [0, 1, 30, 1000, 10_000, 1 << 20])
@pytest.mark.parametrize("architecture", [TRAINED, CRYPTONETS], ids=["trained", "cryptonets"])
def test_the_papers_network_has_an_error_below_two_to_the_minus_200(architecture, n):
    bound = soundness_bound(architecture, n)
    assert 0 < bound.error < Fraction(1, 2**200)
    assert 2 ** -(bound.bits + 0.2) < float(bound.error) <= 2**-bound.bits
