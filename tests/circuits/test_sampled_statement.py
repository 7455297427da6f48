"""`sampled` mode: rows and values are those of `full`, as many as u says, and nothing else."""

import tracemalloc
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from small_statement import ARCHITECTURE, CONTEXT, PREIMAGE, make_case, small_network
from test_statement_mnist import CRYPTONETS
from test_statement_size import CONVS, GROUPS, PADDED, POOLS, TOO_LARGE, WIDE_WEIGHTS

from circuits.full import statement
from circuits.full.size import statement_size
from circuits.full.statement import Assignment
from circuits.sampled import statement as sampled_statement
from circuits.sampled.rows import entries_of
from circuits.sampled.size import network_rows, sampled_size
from circuits.sampled.statement import SampledStatement
from circuits.size import MAX_DOMAIN
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.model.network import Architecture, Dense, Flatten, Square
from zkcmp.seal import n_blocks

SEED = bytes(range(32))
THIRD = Fraction(1, 3)
ARCHITECTURES = {"wide": WIDE_WEIGHTS, "padded": PADDED, "convs": CONVS, "groups": GROUPS}


@pytest.fixture(params=ARCHITECTURES)
def architecture(request) -> Architecture:
    return ARCHITECTURES[request.param]


@cache
def full_of(architecture: Architecture) -> statement.Statement:
    return statement.build(architecture, 3)


@cache
def sampled_of(architecture: Architecture, u: Fraction = THIRD) -> SampledStatement:
    return sampled_statement.build(architecture, 3, u, SEED)


@pytest.fixture(scope="module")
def case():
    return make_case(small_network())


def assignment(architecture: Architecture, fill: str) -> Assignment:
    """Weights and pixels at random, or as far from 0 as they get; the seal is of nothing."""
    rng = np.random.default_rng(3)
    specs, largest = architecture.tensors(), (1 << architecture.input_bits) - 1
    tensors = [rng.integers(s.low, s.high, s.shape, endpoint=True) for s in specs]
    images = rng.integers(0, largest, (3, *architecture.input_shape), endpoint=True)
    if fill == "lowest":
        tensors, images = [np.full(s.shape, s.low) for s in specs], np.full_like(images, largest)
    words = np.zeros((n_blocks(architecture), 4), np.uint64)
    labels, flags = np.array([0, 1, 1]), np.array([1, 0, 1])
    return Assignment(tensors, PREIMAGE, words, bytes(32), CONTEXT, images, labels, 2, flags)


def wires_in_full(sampled: SampledStatement, full: statement.Statement) -> np.ndarray:
    """For every wire of the sampled system, the one of `full` that it stands for."""
    runs = {run.name: i for i, run in enumerate(sampled.rows.template.runs)}
    spans = zip(sampled.r1cs.wires, full.r1cs.wires, strict=True)
    out = np.zeros(sampled.r1cs.n_wires, np.int64)
    for ours, theirs in spans:
        assert ours.name == theirs.name
        if ours.name not in runs:
            assert ours.last - ours.first == theirs.last - theirs.first
            out[ours.first : ours.last] = np.arange(theirs.first, theirs.last)
            continue
        run = sampled.rows.template.runs[runs[ours.name]]
        for image in range(sampled.n_images):
            own = np.arange(run.first, run.last)
            wires = sampled.rows.wires(sampled.placed, image, own)
            in_full = theirs.first + image * len(own) + np.arange(len(own))
            assert ((wires == -1) | ((wires >= ours.first) & (wires < ours.last))).all()
            out[wires[wires >= 0]] = in_full[wires >= 0]
    return out


def full_rows_kept(sampled: SampledStatement, full: statement.Statement) -> list[int]:
    """The rows of `full` that the sample keeps, and all outside the network."""
    layers = {layer.name: layer for layer in sampled.rows.template.layers}
    rows: list[int] = []
    for span in full.r1cs.gadgets:
        if span.name not in layers:
            rows += range(span.first, span.last)
            continue
        layer = layers[span.name]
        size = layer.last - layer.first
        for image, kept in enumerate(sampled.rows.kept):
            here = kept[(kept >= layer.first) & (kept < layer.last)] - layer.first
            rows += (span.first + image * size + here).tolist()
    return rows


# --- the system ------------------------------------------------------------------------------


def test_with_u_one_it_is_the_full_statement(architecture):
    assert sampled_of(architecture, Fraction(1)).r1cs.digest == full_of(architecture).r1cs.digest


def test_rows_are_the_kept_ones_of_full(architecture):
    sampled, full = sampled_of(architecture), full_of(architecture)
    wires, kept = wires_in_full(sampled, full), np.array(full_rows_kept(sampled, full))
    assert len(np.unique(wires)) == len(wires)
    assert len(kept) == sampled.r1cs.n_constraints < full.r1cs.n_constraints
    values = [np.array(system.coefficients, object) for system in (sampled.r1cs, full.r1cs)]
    for ours, theirs in zip(sampled.r1cs.matrices, full.r1cs.matrices, strict=True):
        entries, _ = entries_of(theirs, kept)
        assert np.array_equal(np.diff(ours.indptr), np.diff(theirs.indptr)[kept])
        assert np.array_equal(wires[ours.indices], theirs.indices[entries])
        ids = ours.coefficient_ids, theirs.coefficient_ids[entries]
        assert np.array_equal(values[0][ids[0]], values[1][ids[1]])


def test_only_wires_that_are_used_exist(architecture):
    r1cs = sampled_of(architecture).r1cs
    used = np.zeros(r1cs.n_wires, bool)
    for matrix in r1cs.matrices:
        used[matrix.indices] = True
    assert used[1 + r1cs.n_public :].all()


def test_the_sample_is_in_the_circuits_identity():
    """So a key, and a proof bound to the circuit's digest, is of one seed and one u."""
    other_seed = sampled_statement.build(PADDED, 3, THIRD, bytes(32))
    statements = [sampled_of(PADDED), sampled_of(PADDED, Fraction(1)), other_seed]
    assert len({made.r1cs.digest for made in statements}) == 3


# --- the witness -----------------------------------------------------------------------------


@pytest.mark.parametrize("fill", ["random", "lowest"])
def test_values_are_those_of_full(architecture, fill):
    sampled, full = sampled_of(architecture), full_of(architecture)
    given = assignment(architecture, fill)
    in_full = full.assign(given)
    assert sampled.assign(given).equals(in_full.take(wires_in_full(sampled, full)))
    assert sampled_of(architecture, Fraction(1)).assign(given).equals(in_full)


def test_an_honest_witness_passes_and_begins_with_the_public_inputs_of_full(case):
    sampled, h = sampled_of(ARCHITECTURE), case.honest
    public = (h.ciphertext, h.commitment, case.testset, 2, CONTEXT)
    witness = sampled.witness(case.network, PREIMAGE, *public)
    sampled.check(witness)
    inputs = sampled_statement.public_inputs(ARCHITECTURE, *public)
    assert inputs.equals(case.inputs())
    assert inputs.equals(sampled.public_inputs(*public))
    assert inputs.equals(witness.slice(1, 1 + sampled.r1cs.n_public))


def test_what_is_kept_is_still_checked(case):
    """Encryption, ranges and accuracy are whole."""
    sampled, h = sampled_of(ARCHITECTURE), case.honest
    for change, gadget in (
        ({"threshold": 1}, "accuracy threshold"),
        ({"ciphertext": h.ciphertext[[1, 0, 2, 3]]}, "ciphertext"),
        ({"commitment": bytes(32)}, "commitment"),
        ({"flags": np.array([0, 1, 1])}, "argmax margin range"),
    ):
        with pytest.raises(VerificationError) as caught:
            sampled.check(sampled.assign(replace(h, **change)))
        assert caught.value.where == gadget
    public = (h.ciphertext, h.commitment, case.testset, 3, CONTEXT)
    with pytest.raises(ZkcmpError, match="does not reach the threshold"):
        sampled.witness(case.network, PREIMAGE, *public)


# --- sizes -----------------------------------------------------------------------------------


def test_sizes_are_known_before_building(architecture):
    made = sampled_of(architecture)
    size = sampled_size(architecture, 3, THIRD)
    assert (size.n_constraints, size.n_public) == (made.r1cs.n_constraints, made.r1cs.n_public)
    assert size.n_wires >= made.r1cs.n_wires
    assert size.n_entries >= sum(matrix.n_entries for matrix in made.r1cs.matrices)
    assert network_rows(architecture) == made.rows.template.n_rows
    assert sampled_size(architecture, 3, Fraction(1)) == statement_size(architecture, 3)


def test_constraints_an_image_are_pinned():
    """The paper's network on MNIST, with the widths of test_statement_mnist.py."""
    three_per_cent = Fraction("0.03")
    assert network_rows(CRYPTONETS) == 845 + 84_500 + 100 + 1_000 + 20_480
    assert CRYPTONETS.n_products - network_rows(CRYPTONETS) == 645  # products with padding

    def an_image(size):
        return size(2).n_constraints - size(1).n_constraints

    # beside the network: a flag, and for each of ten classes 2 rows and 137 bits
    assert an_image(lambda n: statement_size(CRYPTONETS, n)) == 106_925 + 1 + 1_390
    assert an_image(lambda n: sampled_size(CRYPTONETS, n, three_per_cent)) == 3_208 + 1 + 1_390
    for n, constraints, domain in (
        (30, 1_438_023, 1 << 21),
        (4_000, 19_696_053, 1 << 25),
        (10_000, 47_290_053, MAX_DOMAIN),
    ):
        size = sampled_size(CRYPTONETS, n, three_per_cent)
        assert (size.n_constraints, size.domain_size) == (constraints, domain)


def test_memory_follows_what_is_kept():
    """27 of 26,700 rows of each of 100 images: `full` would have 2.7 million."""
    layers = (Flatten(), Dense(256, 100, 1, 8), Square(), Dense(100, 10, 1, 8))
    architecture = Architecture((1, 16, 16), 4, layers)
    tracemalloc.start()
    try:
        made = sampled_statement.build(architecture, 100, Fraction("0.001"), SEED)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (
        made.r1cs.n_constraints == sampled_size(architecture, 100, Fraction("0.001")).n_constraints
    )
    assert peak_bytes < 100 << 20


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, THIRD, SEED), "1 to"),
        ((True, THIRD, SEED), "1 to"),
        ((3, 0.03, SEED), "exact fraction"),
        ((3, Fraction(0), SEED), "not above 0"),
        ((3, Fraction(101, 100), SEED), "at most 1"),
        ((3, THIRD, SEED[:31]), "32 bytes"),
        ((3, THIRD, "0" * 32), "32 bytes"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ZkcmpError, match=message):
        sampled_statement.build(ARCHITECTURE, *arguments)


@pytest.mark.parametrize("name", list(TOO_LARGE))
def test_too_large_a_network_is_refused_before_anything_is_allocated(name):
    tracemalloc.start()
    try:
        with pytest.raises(VerificationError, match=r"rows and .* entries; use fewer"):
            sampled_statement.build(TOO_LARGE[name], 1, Fraction(1, 1000), SEED)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1 << 20


def test_pools_are_refused():
    with pytest.raises(ZkcmpError, match="mode sampled knows no pooling; choose another mode"):
        sampled_statement.build(POOLS, 3, THIRD, SEED)
