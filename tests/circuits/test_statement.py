"""The whole statement: honest witnesses pass, and each way to cheat breaks the gadget it should."""

import numpy as np
import pytest
from gadget_harness import changed, free_wires, named_wires, plain_rows, violated_gadgets
from small_statement import (
    ARCHITECTURE,
    CONTEXT,
    N_IMAGES,
    PREIMAGE,
    encrypt_blocks,
    make_case,
    pack_unchecked,
    small_network,
    small_statement,
)

from circuits.full.statement import build
from circuits.gadgets.argmax import margin_bits
from zkcmp import seal
from zkcmp.bn254.field.fr import FrVector, ints_to_words
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.model.bounds import bounds, check_no_wrap, logit_difference_bound
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Dense, Flatten, Network, Square


@pytest.fixture(scope="module")
def case():
    return make_case(small_network())


def gadgets(case, witness: FrVector) -> set[str]:
    return violated_gadgets(case.statement.r1cs, witness)


def with_inputs(case, inputs: FrVector) -> FrVector:
    """The honest witness under other public inputs."""
    out = case.witness.copy()
    out.assign(1, inputs)
    return out


# --- completeness and structure --------------------------------------------------------------


def test_an_honest_witness_passes(case):
    case.statement.check(case.witness)
    h = case.honest
    made = case.statement.witness(
        case.network, PREIMAGE, h.ciphertext, h.commitment, case.testset, 2, CONTEXT
    )
    assert made.equals(case.witness)


def test_a_real_seal_passes_and_opens(case):
    sealed, preimage = seal.seal(case.network)
    witness = case.statement.witness(
        case.network, preimage, sealed.ciphertext, sealed.commitment, case.testset, 1, CONTEXT
    )
    case.statement.check(witness)


def test_public_inputs_are_the_first_wires_in_order(case):
    statement, h = case.statement, case.honest
    inputs = case.inputs()
    assert len(inputs) == statement.r1cs.n_public
    assert inputs.equals(case.witness.slice(1, 1 + len(inputs)))
    one_hot = [int(label == i) for label in h.labels for i in range(3)]
    assert inputs.to_ints() == [
        int.from_bytes(CONTEXT[:16], "big"),
        int.from_bytes(CONTEXT[16:], "big"),
        int.from_bytes(h.commitment[:16], "big"),
        int.from_bytes(h.commitment[16:], "big"),
        *FrVector.from_words(h.ciphertext).to_ints(),
        2,
        *h.images.reshape(-1).tolist(),
        *one_hot,
    ]


def test_logits_in_the_witness_are_the_networks(case):
    sums = named_wires(case.statement.r1cs, "dense3 sums")
    logits = case.witness.take(sums[7::8]).to_ints()
    expected = case.network.forward(case.testset.images).reshape(-1)
    assert logits == [int(v) % FR_MODULUS for v in expected]


def test_structure_does_not_depend_on_anything_secret(case):
    assert build(ARCHITECTURE, N_IMAGES).r1cs.digest == case.statement.r1cs.digest
    assert len(case.witness) == case.statement.r1cs.n_wires
    other = make_case(small_network(77), wrong=(0, 2), threshold=1)
    assert len(other.witness) == case.statement.r1cs.n_wires
    other.statement.check(other.witness)
    assert build(ARCHITECTURE, N_IMAGES + 1).r1cs.digest != case.statement.r1cs.digest


def test_constraint_counts_are_pinned(case):
    counts: dict[str, int] = {}
    for span in case.statement.r1cs.gadgets:
        counts[span.name] = counts.get(span.name, 0) + span.last - span.first
    n, m = N_IMAGES, 3
    # 4 x 4 outputs positions: 2 x 2, of which the padded row and column lose products
    products = 4 + 6 + 6 + 9
    margin = margin_bits(bounds(ARCHITECTURE)[-1])
    assert counts == {
        "preimage bits": 256,
        "sha256": 25209,
        "commitment": 2,
        "key": 1,
        "range conv0.weight": 18 * 4,
        "range conv0.bias": 2 * 5,
        "range dense3.weight": 24 * 4,
        "range dense3.bias": 3 * 6,
        "mimc7 rounds": 4 * 363,
        "ciphertext": 4,
        "conv0": n * 2 * products,
        "square1": n * 8,
        "dense3": n * 24,
        "accuracy flags": n,
        "argmax label logit": n * m,
        "argmax margins": n * m,
        "argmax margin range": n * m * margin,
        "accuracy threshold": 1,
    }
    assert sum(counts.values()) == case.statement.r1cs.n_constraints


def test_every_private_wire_is_used_and_pinned(case):
    r1cs = case.statement.r1cs
    used = set(np.concatenate([m.indices for m in r1cs.matrices]).tolist())
    unused = set(range(1, r1cs.n_wires)) - used
    assert unused == {1, 2}  # the context: bound by the proof system, not by a relation
    assert free_wires(r1cs, case.witness) == []


def test_no_row_is_trivial(case):
    a, b, _ = plain_rows(case.statement.r1cs)
    assert all(x and y for x, y in zip(a, b, strict=True))


# --- a prover who cheats ---------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[2, 0, 0], [-1, 1, 2], [0, 0, 2], [FR_MODULUS - 1, 2, 1]])
def test_a_flag_that_is_not_a_bit(case, flags):
    broken = gadgets(case, case.assign(flags=np.array(flags, object)))
    assert "accuracy flags" in broken
    assert "accuracy threshold" not in broken


@pytest.mark.parametrize("tensor", range(4))
@pytest.mark.parametrize("end", ["low", "high"])
def test_a_weight_one_past_its_width(case, tensor, end):
    """Everything else is made to fit: the seal holds the packing of the oversized weight."""
    spec = ARCHITECTURE.tensors()[tensor]
    tensors = [t.copy() for t in case.network.tensors]
    position = spec.size - 1
    at_edge = spec.low if end == "low" else spec.high
    past = at_edge - 1 if end == "low" else at_edge + 1
    for value, expected in [(at_edge, set()), (past, {f"range {spec.name}"})]:
        tensors[tensor].reshape(-1)[position] = value
        witness = case.assign(
            tensors=tensors,
            ciphertext=encrypt_blocks(pack_unchecked(tensors)),
            flags=np.zeros(N_IMAGES, np.int64),
            threshold=0,
        )
        assert gadgets(case, witness) == expected


def tied_case(label: int):
    """A network whose three logits are always equal, and images labelled `label`."""
    tensors = [np.zeros(s.shape, np.int64) for s in ARCHITECTURE.tensors()]
    tied = make_case(Network(ARCHITECTURE, tensors), wrong=(), threshold=2)
    return tied, tied.assign(labels=np.full(N_IMAGES, label))


@pytest.mark.parametrize("label", [0, 1, 2])
def test_a_tie_goes_to_the_smallest_index_only(label):
    tied, witness = tied_case(label)
    assert gadgets(tied, witness) == (set() if label == 0 else {"argmax margin range"})


def test_a_wrong_label_cannot_be_flagged(case):
    flags = np.array([0, 1, 1])  # image 1 carries a wrong label
    assert gadgets(case, case.assign(flags=flags)) == {"argmax margin range"}
    with pytest.raises(VerificationError) as caught:
        case.statement.check(case.assign(flags=flags))
    assert caught.value.where == "argmax margin range"


def test_every_wrong_margin_bit_is_caught(case):
    bits = named_wires(case.statement.r1cs, "argmax margin range bits")
    for wire in bits.tolist():
        old = case.witness.slice(wire, wire + 1).to_ints()[0]
        assert gadgets(case, changed(case.witness, wire, 1 - old)) == {"argmax margin range"}


def test_too_many_or_too_few_flags(case):
    for flags in ([0, 0, 0], [1, 0, 0]):
        assert gadgets(case, case.assign(flags=np.array(flags))) == {"accuracy threshold"}


def test_a_changed_weight_wire(case):
    wire = int(named_wires(case.statement.r1cs, "conv0.weight")[4])
    with pytest.raises(VerificationError) as caught:
        case.statement.check(changed(case.witness, wire, 0x1234))
    assert caught.value.where == "range conv0.weight"


def test_another_network_than_the_sealed_one(case):
    other = small_network(99)
    assert other != case.network
    flags = (other.predict(case.testset.images) == case.testset.labels).astype(np.int64)
    witness = case.assign(tensors=other.tensors, flags=flags, threshold=int(flags.sum()))
    assert gadgets(case, witness) == {"ciphertext"}


def test_a_padding_position_holds_zero(case):
    """A block with something above its weights is no encryption of any network."""
    blocks = pack_unchecked(case.network.tensors)
    for index in range(len(blocks)):
        padded = list(blocks)
        padded[index] += 1 << 252
        witness = case.assign(ciphertext=encrypt_blocks(padded))
        assert gadgets(case, witness) == {"ciphertext"}
        with pytest.raises(VerificationError, match=f"block {index} "):
            seal.unpack(padded, ARCHITECTURE)


# --- a verifier with other public data ---------------------------------------------------------


@pytest.mark.parametrize("block", range(4))
def test_a_changed_ciphertext_block(case, block):
    ciphertext = case.honest.ciphertext.copy()
    ciphertext[block, 0] ^= np.uint64(1)
    witness = with_inputs(case, case.inputs(ciphertext=ciphertext))
    assert gadgets(case, witness) == {"ciphertext"}


def test_exchanged_ciphertext_blocks(case):
    witness = with_inputs(case, case.inputs(ciphertext=case.honest.ciphertext[[1, 0, 2, 3]]))
    assert gadgets(case, witness) == {"ciphertext"}


@pytest.mark.parametrize(("byte", "rest"), [(0, {"ciphertext"}), (15, {"ciphertext"}), (16, set())])
def test_a_changed_key_or_salt(case, byte, rest):
    """Bytes 0–15 are the key, 16–31 the salt."""
    other = bytearray(PREIMAGE)
    other[byte] ^= 1
    # with its own hash: the commitment holds, the ciphertext does not
    own = case.assign(preimage=bytes(other), commitment=seal.commit(bytes(other)))
    assert gadgets(case, own) == rest
    # against the published commitment
    assert gadgets(case, case.assign(preimage=bytes(other))) == {"commitment"} | rest


def test_a_changed_commitment(case):
    for byte in (0, 15, 16, 31):
        commitment = bytearray(case.honest.commitment)
        commitment[byte] ^= 0x80
        witness = with_inputs(case, case.inputs(commitment=bytes(commitment)))
        assert gadgets(case, witness) == {"commitment"}


def test_a_changed_label(case):
    labels = case.testset.labels.copy()
    labels[0] = (labels[0] + 1) % 3  # a flagged image
    inputs = case.inputs(testset=TestSet(case.testset.images, labels))
    assert gadgets(case, with_inputs(case, inputs)) <= {"argmax label logit", "argmax margins"}
    assert gadgets(case, with_inputs(case, inputs))
    assert "argmax margin range" in gadgets(case, case.assign(labels=labels))


@pytest.mark.parametrize("threshold", [1, 3])
def test_a_changed_threshold(case, threshold):
    witness = with_inputs(case, case.inputs(threshold=threshold))
    assert gadgets(case, witness) == {"accuracy threshold"}


def test_a_changed_image(case):
    images = case.testset.images.copy()
    images[2, 0, 1, 1] ^= 1
    inputs = case.inputs(testset=TestSet(images, case.testset.labels))
    assert gadgets(case, with_inputs(case, inputs)) == {"conv0"}


def test_the_context_is_public_but_in_no_relation(case):
    inputs = case.inputs(context=bytes(32))
    assert not inputs.equals(case.inputs())
    assert gadgets(case, with_inputs(case, inputs)) == set()


# --- what both sides refuse before any proof -----------------------------------------------------


def test_public_inputs_refuses_what_the_circuit_takes_for_granted(case):
    images, labels = case.testset.images, case.testset.labels
    bright = images.copy()
    bright[0, 0, 0, 0] = 16
    for parts, where in [
        ({"testset": TestSet(bright, labels)}, "test set pixels"),
        ({"testset": TestSet(images, np.array([0, 1, 3]))}, "test set labels"),
        ({"testset": TestSet(images[:2], labels[:2])}, "test set size"),
        ({"testset": TestSet(images[:, :, :3], labels)}, "test set image shape"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": 4}, "threshold"),
        ({"threshold": True}, "threshold"),
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
    with pytest.raises(ZkcmpError, match="does not reach the threshold"):
        case.statement.witness(
            case.network, PREIMAGE, h.ciphertext, h.commitment, case.testset, 3, CONTEXT
        )
    with pytest.raises(VerificationError) as caught:
        case.statement.witness(
            case.network, bytes(32), h.ciphertext, h.commitment, case.testset, 2, CONTEXT
        )
    assert caught.value.where == "commitment"


def wrapping() -> Architecture:
    layers = (Flatten(), *(Dense(1, 1, 8, 8), Square()) * 4, Dense(1, 2, 60, 8))
    return Architecture((1, 1, 1), 16, layers)


def test_a_network_that_could_wrap_is_refused_by_both_sides(case):
    with pytest.raises(VerificationError, match="could wrap the field"):
        build(wrapping(), 1)
    forged = type(case.statement)(wrapping(), 1, case.statement.r1cs)
    testset = TestSet(np.zeros((1, 1, 1, 1), np.int64), np.zeros(1, np.int64))
    with pytest.raises(VerificationError, match="could wrap the field"):
        forged.public_inputs(np.zeros((1, 4), np.uint64), bytes(32), testset, 1, CONTEXT)


def test_a_statement_has_at_least_one_image():
    for n in (0, -1, True, 1 << 30):
        with pytest.raises(ZkcmpError):
            build(ARCHITECTURE, n)


def test_reprs_show_no_secret(case):
    assert repr(case.honest) == "Assignment(3 images)"
    assert PREIMAGE.hex() not in repr(small_statement())


def test_margins_may_be_tighter_than_accumulators():
    """No value here reaches r/2, but a negative margin as a residue would fit 253 bits."""
    wide = (Dense(1, 1, 62, 2), Square(), Dense(1, 5, 40, 2), Dense(5, 2, 57, 2))
    architecture = Architecture((1, 1, 1), 16, (Flatten(), *wide))
    assert max(*bounds(architecture), logit_difference_bound(architecture)) < FR_MODULUS // 2
    for refuse in (check_no_wrap, lambda a: build(a, 1)):
        with pytest.raises(VerificationError) as caught:
            refuse(architecture)
        assert caught.value.where == "logit differences of dense4"


def test_a_preimage_whose_bits_are_not_bits(case):
    """2·2^0 + 0·2^1 is the same integer as 0·2^0 + 1·2^1, so sums alone would not notice."""
    r1cs = case.statement.r1cs
    for wire in named_wires(r1cs, "preimage bits")[[0, 127, 128, 255]].tolist():
        for value in (2, -1, FR_MODULUS // 2):
            assert "preimage bits" in gadgets(case, changed(case.witness, wire, value))


def test_a_seal_under_another_key_than_the_committed_one(case):
    """The cipher runs consistently under one key, the hash under another: only `key` objects."""
    other = bytes(range(50, 82))
    blocks = pack_unchecked(case.network.tensors)
    elsewhere = case.assign(preimage=other, ciphertext=encrypt_blocks(blocks, other))
    spliced = case.witness.copy()
    for span in case.statement.r1cs.wires:
        if span.name in ("ciphertext", "key") or span.name.startswith("mimc7"):
            spliced.assign(span.first, elsewhere.slice(span.first, span.last))
    assert gadgets(case, spliced) == {"key"}
