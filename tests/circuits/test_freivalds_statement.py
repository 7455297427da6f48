"""Mode `freivalds`: its structure, wires that are all determined, public inputs and the seal."""

import numpy as np
import pytest
from freivalds_case import (
    CONTEXT,
    NETWORKS,
    PREIMAGE,
    SMALL,
    Case,
    cheated_case,
    gadgets,
    random_network,
)
from gadget_harness import changed, free_wires, named_wires
from two_rounds import Hashing, added

from circuits.freivalds.plan import make_plan
from circuits.freivalds.statement import build, public_inputs
from circuits.lookups.plan import split
from zkcmp import seal
from zkcmp.bn254.field.fr import FrVector, ints_to_words
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Dense, Flatten, Square

N_IMAGES = 4
PLAN = make_plan(SMALL, N_IMAGES)
FIRST, SECOND = "dense3 outputs", "dense5 outputs"
MARGIN_LIMBS = "argmax margin range limbs"


@pytest.fixture(scope="module")
def case() -> Case:
    return cheated_case()


def with_inputs(case: Case, inputs: FrVector) -> FrVector:
    """The honest witness under other public inputs."""
    out = case.witness.copy()
    out.assign(1, inputs)
    return out


# --- completeness and structure ----------------------------------------------------------------


def test_an_honest_witness_passes(case):
    case.statement.check(case.witness)
    h = case.honest
    made = case.statement.witness(
        case.network,
        PREIMAGE,
        h.ciphertext,
        h.commitment,
        case.testset,
        2,
        CONTEXT,
        Hashing(case.hashing.n_challenges),
    )
    assert made.equals(case.witness)
    assert h.flags.tolist() == [1, 0, 1, 0]


def test_public_inputs_are_the_first_wires_and_the_challenges_follow(case):
    inputs, r1cs = case.inputs(), case.statement.r1cs
    assert len(inputs) == r1cs.n_public - r1cs.n_challenges
    assert inputs.equals(case.witness.slice(1, 1 + len(inputs)))
    halves = [b[i : i + 16] for b in (CONTEXT, case.honest.commitment) for i in (0, 16)]
    assert inputs.to_ints() == [
        *(int.from_bytes(half, "big") for half in halves),
        *FrVector.from_words(case.honest.ciphertext).to_ints(),
        2,
    ]
    committed = case.witness.slice(1 + r1cs.n_public, 1 + r1cs.n_public + r1cs.n_committed)
    challenges = case.witness.slice(1 + len(inputs), 1 + r1cs.n_public).to_ints()
    assert challenges == Hashing(len(PLAN.challenges))(committed)


def test_everything_that_no_challenge_decides_is_committed_to(case):
    r1cs = case.statement.r1cs
    last = r1cs.n_public + r1cs.n_committed
    names = {span.name for span in r1cs.wires if r1cs.n_public < span.first <= last}
    later = {span.name for span in r1cs.wires if span.first > last}
    assert not names & later
    assert {"preimage bits", "key", FIRST, SECOND, MARGIN_LIMBS, "correct flags"} < names
    assert {spec.name for spec in SMALL.tensors()} < names
    assert {f"table of {bits} bits multiplicities" for bits in PLAN.tables} < names
    endings = ("scaled", "scaled weights", "products", "terms", "sums", "sum", "powers", "inverses")
    assert all(name.endswith(endings) for name in later)


def test_structure_depends_on_the_test_set_and_on_nothing_secret(case):
    assert build(SMALL, case.testset).r1cs.digest == case.statement.r1cs.digest
    images, labels = case.testset.images.copy(), case.testset.labels.copy()
    images[3, 0, 0, 0] ^= 1
    labels[3] = (labels[3] + 1) % 3
    for other in (TestSet(images, case.testset.labels), TestSet(case.testset.images, labels)):
        assert build(SMALL, other).r1cs.digest != case.statement.r1cs.digest


def test_constraint_counts_are_pinned(case):
    counts: dict[str, int] = {}
    for span in case.statement.r1cs.gadgets:
        counts[span.name] = counts.get(span.name, 0) + span.last - span.first
    n = N_IMAGES
    limbs = len(split(PLAN.margins.bits, PLAN.tables))
    assert PLAN.tables == (1, 3, 4)
    assert counts == {
        "preimage bits": 256,
        "sha256": 25209,
        "commitment": 2,
        "key": 1,
        "mimc7 rounds": 6 * 363,
        "ciphertext": 6,
        "accuracy flags": n,
        "argmax margins": 2 * n,
        "accuracy threshold": 1,
        "image powers": n - 2,
        "image powers sum": 1,
        "square1 scaled weights": (n - 1) * (18 + 2),
        "square1": 8 * n,
        "dense3 scaled": 3 * (n - 1),
        "dense3 products": 24,
        "dense3": 3,
        "square4": 3 * n,
        "dense5 scaled": 3 * (n - 1),
        "dense5 products": 9,
        "dense5": 3,
        # 4 bits, 5 = 4 + 1, 6 = 3 + 3, 3, 7 = 4 + 3
        "range conv0.weight": 18,
        "range conv0.bias": 2 * 2,
        "range dense3.weight": 24,
        "range dense3.bias": 3 * 2,
        "range dense5.weight": 9,
        "range dense5.bias": 3 * 2,
        "argmax margin range": 2 * n * limbs,
        "table of 1 bits terms": 2,
        "table of 1 bits": 1,
        "table of 3 bits terms": 8,
        "table of 3 bits": 1,
        "table of 4 bits terms": 16,
        "table of 4 bits": 1,
    }
    assert sum(counts.values()) == case.statement.r1cs.n_constraints


# --- no wire is left to the prover ---------------------------------------------------------------


def test_no_private_wire_could_change_alone(case):
    assert free_wires(case.statement.r1cs, case.witness) == []


def test_a_change_in_any_class_of_wires_is_seen(case):
    r1cs = case.statement.r1cs
    seen = set()
    for span in r1cs.wires:
        if span.first <= r1cs.n_public or span.name in seen or span.first == span.last:
            continue
        if span.name.startswith("mimc7") and "round 7 " not in span.name:
            continue  # the other rounds are the same
        seen.add(span.name)
        for wire in {span.first, span.last - 1}:
            value = case.witness.slice(wire, wire + 1).to_ints()[0]
            assert gadgets(case, changed(case.witness, wire, value + 1)), span.name
    assert len(seen) > 40


def test_a_change_before_the_commitment_is_seen_as_well(case):
    """The prover commits to the change, and the second round is the best there is for it."""
    r1cs = case.statement.r1cs
    last = r1cs.n_public + r1cs.n_committed
    names = dict.fromkeys(s.name for s in r1cs.wires if r1cs.n_public < s.first <= last)
    kept = [name for name in names if not name.startswith(("mimc7", "sha256"))]
    assert len(kept) == 18
    for name in [*kept, "sha256 sum", "mimc7 round 7 fourth power"]:
        assert gadgets(case, case.tampered({name: added(0, 1)})), name


def test_columns_of_committed_wires_are_independent(case):
    """So that the commitment to them fixes each of them, and no sum of several only."""
    r1cs, r = case.statement.r1cs, FR_MODULUS
    first, last = named_wires(r1cs, FIRST)[0], r1cs.n_public + r1cs.n_committed
    weights = [w for spec in SMALL.tensors() for w in named_wires(r1cs, spec.name).tolist()]
    wanted = set(weights) | set(range(int(first), last + 1))
    columns: dict[int, dict[tuple[int, int], int]] = {wire: {} for wire in wanted}
    for k, matrix in enumerate(r1cs.matrices):
        for entry in np.flatnonzero(np.isin(matrix.indices, list(wanted))).tolist():
            row = int(np.searchsorted(matrix.indptr, entry, "right")) - 1
            value = r1cs.coefficients[int(matrix.coefficient_ids[entry])]
            columns[int(matrix.indices[entry])][k, row] = value
    pivots: dict[tuple[int, int], dict[tuple[int, int], int]] = {}
    for wire, column in columns.items():
        while column:
            place = min(column)
            if place not in pivots:
                inverse = pow(column[place], -1, r)
                pivots[place] = {key: value * inverse % r for key, value in column.items()}
                break
            factor = column[place]
            for key, value in pivots[place].items():
                left = (column.get(key, 0) - factor * value) % r
                column = (
                    {**column, key: left}
                    if left
                    else {other: v for other, v in column.items() if other != key}
                )
        else:
            pytest.fail(f"the column of {r1cs.wire_name(wire)} is a sum of others")
    assert len(pivots) == len(wanted) > 150


# --- the seal -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("byte", "rest"), [(0, {"ciphertext"}), (15, {"ciphertext"}), (16, set())])
def test_a_changed_key_or_salt(case, byte, rest):
    """Bytes 0–15 are the key, 16–31 the salt."""
    other = bytearray(PREIMAGE)
    other[byte] ^= 1
    own = case.assign(preimage=bytes(other), commitment=seal.commit(bytes(other)))
    assert gadgets(case, own) == rest
    assert gadgets(case, case.assign(preimage=bytes(other))) == {"commitment"} | rest


@pytest.mark.parametrize("block", range(6))
def test_a_changed_ciphertext_block(case, block):
    ciphertext = case.honest.ciphertext.copy()
    ciphertext[block, 0] ^= np.uint64(1)
    witness = with_inputs(case, case.inputs(ciphertext=ciphertext))
    assert gadgets(case, witness) == {"ciphertext"}


@pytest.mark.parametrize("threshold", [1, 3])
def test_another_threshold_than_the_flags_reach(case, threshold):
    witness = with_inputs(case, case.inputs(threshold=threshold))
    assert gadgets(case, witness) == {"accuracy threshold"}


def test_a_changed_commitment(case):
    commitment = bytearray(case.honest.commitment)
    commitment[31] ^= 0x80
    witness = with_inputs(case, case.inputs(commitment=bytes(commitment)))
    assert gadgets(case, witness) == {"commitment"}


def test_the_context_is_public_but_in_no_relation(case):
    inputs = case.inputs(context=bytes(32))
    assert not inputs.equals(case.inputs())
    assert gadgets(case, with_inputs(case, inputs)) == set()


# --- without a test set ---------------------------------------------------------------------------


def test_the_encryption_alone(case):
    h = case.honest
    statement = build(SMALL, None)
    parts = (h.ciphertext, h.commitment, None, None, CONTEXT)
    assert statement.n_images == 0
    witness = statement.witness(case.network, PREIMAGE, *parts, respond=Hashing(1))
    statement.check(witness)
    inputs = statement.public_inputs(*parts)
    assert inputs.equals(witness.slice(1, 1 + len(inputs)))
    assert statement.r1cs.n_public == len(inputs) + 1
    assert free_wires(statement.r1cs, witness) == []
    with pytest.raises(VerificationError) as caught:
        public_inputs(SMALL, h.ciphertext, h.commitment, None, 1, CONTEXT)
    assert caught.value.where == "threshold"


# --- what both sides refuse before any proof -----------------------------------------------------


def test_public_inputs_refuses_what_the_circuit_takes_for_granted(case):
    images, labels = case.testset.images, case.testset.labels
    for parts, where in [
        ({"testset": TestSet(images[:2], labels[:2])}, "test set"),
        ({"testset": TestSet(images, (labels + 1) % 3)}, "test set"),
        ({"testset": None}, "test set"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": 5}, "threshold"),
        ({"threshold": True}, "threshold"),
        ({"threshold": None}, "threshold"),
        ({"ciphertext": case.honest.ciphertext[:3]}, "ciphertext shape"),
        ({"commitment": bytes(31)}, "commitment"),
        ({"context": bytes(33)}, "context"),
    ]:
        with pytest.raises(VerificationError) as caught:
            case.inputs(**parts)
        assert caught.value.where == where
    large = case.honest.ciphertext.copy()
    large[0] = ints_to_words([FR_MODULUS])[0]
    with pytest.raises(DecodeError):
        case.inputs(ciphertext=large)


def test_witness_refuses_what_cannot_be_proved(case):
    h = case.honest
    parts = (h.ciphertext, h.commitment, case.testset)
    respond = Hashing(len(PLAN.challenges))
    with pytest.raises(ZkcmpError, match="does not reach the threshold"):
        case.statement.witness(case.network, PREIMAGE, *parts, 4, CONTEXT, respond)
    with pytest.raises(VerificationError) as caught:
        case.statement.witness(case.network, bytes(32), *parts, 2, CONTEXT, respond)
    assert caught.value.where == "commitment"
    other = random_network(NETWORKS["dense only"], 1)
    with pytest.raises(VerificationError) as caught:
        case.statement.witness(other, PREIMAGE, *parts, 2, CONTEXT, respond)
    assert caught.value.where == "network"
    with pytest.raises(ValueError, match="respond"):
        case.statement.witness(case.network, PREIMAGE, *parts, 2, CONTEXT)
    assert respond.n_asked == 0


def test_a_network_that_could_wrap_is_refused_by_both_sides():
    layers = (Flatten(), *(Dense(1, 1, 8, 8), Square()) * 4, Dense(1, 2, 60, 8))
    wrapping = Architecture((1, 1, 1), 16, layers)
    testset = TestSet(np.zeros((1, 1, 1, 1), np.int64), np.zeros(1, np.int64))
    with pytest.raises(VerificationError, match="could wrap the field"):
        build(wrapping, testset)
    with pytest.raises(VerificationError, match="could wrap the field"):
        public_inputs(wrapping, np.zeros((1, 4), np.uint64), bytes(32), testset, 1, CONTEXT)


def test_reprs_show_no_secret(case):
    for thing in (case.honest, case.statement):
        assert PREIMAGE.hex() not in repr(thing)
    assert repr(case.honest) == "Assignment()"
