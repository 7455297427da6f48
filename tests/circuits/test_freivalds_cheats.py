"""Cheating sellers in mode `freivalds`, each rejected by the gadget that should reject it."""

import numpy as np
import pytest
from freivalds_case import (
    NETWORKS,
    SMALL,
    Case,
    cheated_case,
    continued,
    gadgets,
    make_case,
    random_network,
)
from gadget_harness import changed, named_wires, violated_gadgets
from small_statement import encrypt_blocks, pack_unchecked
from two_rounds import added

from circuits.freivalds.plan import make_plan
from circuits.freivalds.statement import build
from circuits.lookups.plan import split
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Dense, Flatten, Network

N_IMAGES = 4
PLAN = make_plan(SMALL, N_IMAGES)
MARGIN_LIMBS = "argmax margin range limbs"


@pytest.fixture(scope="module")
def case() -> Case:
    return cheated_case()


def table_of(bits: int) -> str:
    """The table in which the top limb of such a value is looked up."""
    return f"table of {split(bits, PLAN.tables)[-1].table} bits"


# --- a prover who cheats on the network ----------------------------------------------------------


@pytest.mark.parametrize("image", range(N_IMAGES))
@pytest.mark.parametrize("index", [3, 5])
def test_one_wrong_activation_in_one_image(case, index, image):
    outputs = [o.copy() for o in case.honest.outputs]
    outputs[index][image, 1] += 1
    outputs = continued(case.network, outputs, index)
    witness = case.assign(outputs=outputs, flags=np.zeros(N_IMAGES, np.int64), threshold=0)
    assert gadgets(case, witness) == {f"dense{index}"}
    with pytest.raises(VerificationError) as caught:
        case.statement.check(witness)
    assert caught.value.where == f"dense{index}"


@pytest.mark.parametrize(
    ("name", "index"), [("pools", 4), ("grouped first", 0), ("grouped later", 2)]
)
@pytest.mark.parametrize("output", [0, -1])
def test_one_wrong_output_of_a_pool_or_a_grouped_layer(name, index, output):
    """In one image, all that follows computed from it: only that layer's check can fail."""
    other = make_case(NETWORKS[name], 3)
    outputs = [o.copy() for o in other.honest.outputs]
    outputs[index][1].reshape(-1)[output] += 1
    outputs = continued(other.network, outputs, index)
    witness = other.assign(outputs=outputs, flags=np.zeros(3, np.int64), threshold=0)
    assert gadgets(other, witness) == {NETWORKS[name].layer_name(index)}


def test_wrong_sums_of_a_pool_that_has_no_outputs_of_its_own():
    """The last pool's sums over the images are second-round wires, held by rows of their own."""
    other = make_case(NETWORKS["pools"], 3)
    for wire in named_wires(other.statement.r1cs, "sumpool7 sums")[[0, -1]]:
        forged = changed(other.witness, int(wire), other.witness[int(wire)] + 1)
        assert "sumpool7" in gadgets(other, forged)


def test_images_swapped(case):
    """A prover who evaluates the test set in another order, consistently."""
    order = [1, 0, 2, 3]
    outputs = case.network.layer_outputs(case.testset.images[order])
    witness = case.assign(outputs=outputs, flags=np.zeros(N_IMAGES, np.int64), threshold=0)
    assert gadgets(case, witness) == {"square1"}
    # with the squares of the images as they are, only the order of the outputs is wrong
    outputs[:2] = case.honest.outputs[:2]
    witness = case.assign(outputs=outputs, flags=np.zeros(N_IMAGES, np.int64), threshold=0)
    assert gadgets(case, witness) == {"dense3"}


@pytest.mark.parametrize("index", [3, 5])
def test_outputs_of_two_images_exchanged(case, index):
    outputs = [o.copy() for o in case.honest.outputs]
    outputs[index] = outputs[index][[0, 1, 3, 2]]
    outputs = continued(case.network, outputs, index)
    witness = case.assign(outputs=outputs, flags=np.zeros(N_IMAGES, np.int64), threshold=0)
    assert gadgets(case, witness) == {f"dense{index}"}


def test_errors_that_cancel_in_a_plain_sum(case):
    """One output too large in one image and too small in another: the powers tell them apart."""
    outputs = [o.copy() for o in case.honest.outputs]
    outputs[5][0, 1] += 1
    outputs[5][2, 1] -= 1
    witness = case.assign(outputs=outputs, flags=np.zeros(N_IMAGES, np.int64), threshold=0)
    assert gadgets(case, witness) == {"dense5"}


def test_errors_that_cancel_for_a_challenge_that_is_known_beforehand(case):
    """Why the outputs are committed to first: for a known u the same lie can be balanced."""
    u = 3
    known = lambda committed: [12345, u]  # noqa: E731 (gamma, u)
    outputs = [o.copy() for o in case.honest.outputs]
    outputs[5][0, 1] += u
    outputs[5][1, 1] -= 1  # u^0·u − u^1·1 = 0
    none = {"flags": np.zeros(N_IMAGES, np.int64), "threshold": 0}
    assert PLAN.challenges == ("gamma", "u")
    forged = case.statement.assign(replaced(case, outputs=outputs, **none), known)
    case.statement.check(forged)
    assert gadgets(case, case.assign(outputs=outputs, **none)) == {"dense5"}


def replaced(case: Case, **parts):
    return type(case.honest)(**{**case.honest.__dict__, **parts})


def test_a_network_that_was_not_sealed(case):
    other = random_network(SMALL, 99)
    outputs = other.layer_outputs(case.testset.images)
    flags = (outputs[-1].argmax(axis=1) == case.testset.labels).astype(np.int64)
    witness = case.assign(
        tensors=other.tensors, outputs=outputs, flags=flags, threshold=int(flags.sum())
    )
    assert gadgets(case, witness) == {"ciphertext"}


# --- ranges ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tensor", range(6))
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_weight_one_past_its_width(case, tensor, end):
    """Everything else is made to fit: the seal holds the packing of the oversized weight."""
    spec = SMALL.tensors()[tensor]
    tensors = [t.copy() for t in case.network.tensors]
    at_edge = spec.low if end == "low" else spec.high
    past = at_edge - 1 if end == "low" else at_edge + 1
    for value, expected in [(at_edge, set()), (past, {table_of(spec.bits)})]:
        tensors[tensor].reshape(-1)[spec.size - 1] = value
        witness = case.assign(
            tensors=tensors,
            ciphertext=encrypt_blocks(pack_unchecked(tensors, SMALL)),
            flags=np.zeros(N_IMAGES, np.int64),
            threshold=0,
            outputs=evaluated(tensors, case.testset.images),
        )
        assert gadgets(case, witness) == expected


def evaluated(tensors: list[np.ndarray], images: np.ndarray) -> list[np.ndarray]:
    """All outputs of a network whose weights need not fit their widths."""
    layers = tuple(
        type(layer)(**{**layer.__dict__, "weight_bits": 20, "bias_bits": 20})
        if layer.tensors("")
        else layer
        for layer in SMALL.layers
    )
    wide = Architecture(SMALL.input_shape, SMALL.input_bits, layers)
    return Network(wide, tensors).layer_outputs(images)


def test_an_int8_weight_that_only_fits_16_bits():
    architecture = Architecture((1, 1, 2), 4, (Flatten(), Dense(2, 2, 8, 8)))
    narrow = make_case(architecture, 2)
    tensors = [t.copy() for t in narrow.network.tensors]
    tensors[0][1, 1] = 300
    images = narrow.testset.images.reshape(2, 2)
    witness = narrow.assign(
        tensors=tensors,
        ciphertext=encrypt_blocks(pack_unchecked(tensors, architecture)),
        outputs=[images, images @ tensors[0].T + tensors[1]],
        flags=np.zeros(2, np.int64),
        threshold=0,
    )
    broken = gadgets(narrow, witness)
    assert len(broken) == 1
    assert next(iter(broken)).startswith("table of ")


def test_a_range_limb_out_of_range(case):
    """One limb takes over from the next, so that their sum is right."""
    low = split(PLAN.margins.bits, PLAN.tables)[0]
    wires = named_wires(case.statement.r1cs, MARGIN_LIMBS)
    per_limb = len(wires) // len(split(PLAN.margins.bits, PLAN.tables))
    second = case.witness.take(wires[per_limb : 2 * per_limb]).to_ints()
    place = next(i for i, digit in enumerate(second) if digit)
    changes = {
        (MARGIN_LIMBS, 0): added(place, 1 << low.bits),
        (MARGIN_LIMBS, 1): added(place, -1),
    }
    expected = {f"table of {limb.table} bits" for limb in split(PLAN.margins.bits, PLAN.tables)[:2]}
    broken = gadgets(case, case.tampered(changes))
    # the second table only loses one occurrence of an entry for another
    assert f"table of {low.table} bits" in broken <= expected


def test_a_margin_that_fits_only_after_it_wraps(case):
    """Image 1 is wrong: its negative margin modulo r, with what is too large in the top limb."""
    limbs = split(PLAN.margins.bits, PLAN.tables)
    flags = np.array([1, 1, 0, 0])
    assert gadgets(case, case.assign(flags=flags)) == {"argmax margins"}
    logits, label = case.honest.outputs[-1][1], int(case.testset.labels[1])
    others = [i for i in range(3) if i != label]
    margins = [int(logits[label] - logits[i] - (i < label)) for i in others]
    place = 2 + margins.index(min(margins))  # two margins an image
    assert min(margins) < 0
    low = sum((min(margins) >> x.offset) % 2**x.bits << x.offset for x in limbs[:-1])
    top = (min(margins) - low) * pow(2, -limbs[-1].offset, FR_MODULUS) % FR_MODULUS

    def wrapped(values: list[int]) -> list[int]:
        return [top if i == place else v for i, v in enumerate(values)]

    witness = case.tampered({(MARGIN_LIMBS, len(limbs) - 1): wrapped}, flags=flags)
    broken = gadgets(case, witness)
    assert f"table of {limbs[-1].table} bits" in broken
    assert "argmax margins" not in broken


@pytest.mark.parametrize("table", PLAN.tables)
def test_a_wrong_multiplicity(case, table):
    for position, amount in [(0, 1), ((1 << table) - 1, -1)]:
        name = f"table of {table} bits multiplicities"
        broken = gadgets(case, case.tampered({name: added(position, amount)}))
        assert broken == {f"table of {table} bits"}


# --- flags, labels, the threshold -----------------------------------------------------------------


@pytest.mark.parametrize("flags", [[2, 0, 0, 0], [-1, 1, 2, 0], [0, 0, 2, 0], [1, 0, -1, 2]])
def test_a_flag_that_is_not_a_bit(case, flags):
    broken = gadgets(case, case.assign(flags=np.array(flags, object), threshold=2))
    assert "accuracy flags" in broken
    assert "accuracy threshold" not in broken


def test_a_wrong_label_cannot_be_flagged(case):
    """T one too high: three of four images are right, and the fourth is claimed as well."""
    right = np.array([1, 0, 1, 1])
    case.statement.check(case.assign(flags=right, threshold=3))
    assert gadgets(case, case.assign(flags=np.ones(4, np.int64), threshold=4)) == {"argmax margins"}


@pytest.mark.parametrize("label", [0, 1, 2])
def test_a_tie_goes_to_the_smallest_index_only(label):
    """A network whose three logits are always equal, and images labelled `label`."""
    network = Network(SMALL, [np.zeros(s.shape, np.int64) for s in SMALL.tensors()])
    tied = make_case(SMALL, 2, network=network)
    testset = TestSet(tied.testset.images, np.full(2, label))
    statement = build(SMALL, testset)
    witness = statement.assign(tied.honest, tied.hashing)
    broken = violated_gadgets(statement.r1cs, witness)
    assert broken == (set() if label == 0 else {"argmax margins"})
