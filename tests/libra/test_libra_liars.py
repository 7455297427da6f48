"""False statements by provers that lie in their last messages: one check is left, and finds each.

All others are content with the lies (liars.py): without the one that a test says is left broken,
the false statement would be accepted.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
import test_libra_accuracy as accuracy_case
import test_libra_lookup as lookup_case
import test_libra_ranges as ranges_case
import test_libra_seal as seal_case
from layer_cases import Case, conv_case, dense_case, square_case
from liars import Liar, NoRootError, interpolated, root

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.layered.bench import random_circuit
from zkcmp.libra.layered.rounds import reduce_circuit
from zkcmp.libra.layers.step import Step
from zkcmp.libra.multilinear.tables import evaluate
from zkcmp.libra.multilinear.tensors import Tensor
from zkcmp.libra.relations import mimc7, sha256
from zkcmp.libra.relations.accuracy import FLAGS, limbs, margins, prove_accuracy
from zkcmp.libra.relations.lookup import MULTIPLICITIES, prove_lookup
from zkcmp.libra.relations.network import REDUCTIONS
from zkcmp.libra.requirements.opening import EqWeights
from zkcmp.libra.requirements.products import prove_products
from zkcmp.model.layers import Conv

N_SEEDS = 20


def with_a_root(attempt: Callable[[int], Liar]) -> Liar:
    """The first liar, by its seed, whose last lie exists in the field."""
    for seed in range(N_SEEDS):
        try:
            return attempt(seed)
        except NoRootError:
            pass
    raise AssertionError("no seed has a root")


def test_roots() -> None:
    f = interpolated([(x - 5) * (x - 7) * (x - R // 2) for x in range(4)])
    assert root(f) in (5, 7, R // 2)
    assert root([R - 6, 2]) == 3
    with pytest.raises(NoRootError):
        root([5, 0, 1])  # −5 is no square
    assert pow(R - 5, (R - 1) // 2, R) == R - 1


# --- the seal -------------------------------------------------------------------------------------


def seal_of(states: int = 0, block: int = 0, other: bool = False, seed: int = 0) -> Liar:
    """A last state and a ciphertext block that are off by so much; or another network's weights."""
    ciphertext = seal_case.sealed()
    last = len(mimc7.states(1, len(ciphertext))) // 128 * 90
    tensors = {
        s.name: t
        for s, t in zip(
            seal_case.SPECS, seal_case.tables(seal_case.network(7 if other else 1)), strict=True
        )
    }
    tensors["key"] = FrVector.from_ints([seal_case.KEY])
    tensors[mimc7.STATES] = mimc7.states(seal_case.KEY, len(ciphertext))
    for table, place, change in ((tensors[mimc7.STATES], last, states), (ciphertext, 0, block)):
        table.assign(place, table.slice(place, place + 1) + change)
    return Liar(seal_case.reduction(ciphertext), tensors, seed)


class TestTheSeal:
    """zero 0: the rounds of MiMC7. zero 1: the ciphertext."""

    def test_honest(self) -> None:
        assert seal_of().broken() == []

    def test_a_state(self) -> None:
        liar = seal_of(states=1, block=1)
        assert liar.broken() == ["zero 0"]
        *_, (state, _), _, _ = liar.sends
        liar.mend("zero 0", state)
        assert liar.broken() == ["opening 1 of mimc7 states"]
        liar.is_refused()

    def test_the_state_before(self) -> None:
        """A seventh root always exists: the powers of another input are honest."""
        liar = seal_of(states=1, block=1)
        *_, (_, before), _, _ = liar.sends
        liar.mend("zero 0", before, degree=7)
        assert liar.broken() == ["opening 2 of mimc7 states"]
        liar.is_refused()

    @pytest.mark.parametrize("left", [3, 2, 1])
    def test_a_power(self, left: int) -> None:
        """u⁷ is false; or u⁶ too, and so on."""
        liar = seal_of(states=1, block=1)
        *_, (_, fourth, sixth, seventh), _ = liar.sends
        liar.mend("zero 0", seventh)
        for product, element in ((3, sixth), (2, fourth)):
            if left < product:
                liar.mend(f"product {product}", element)
        assert liar.broken() == [f"product {left}"]
        liar.is_refused()

    @pytest.mark.parametrize("part", range(5))
    def test_weights_of_another_network(self, part: int) -> None:
        liar = seal_of(other=True)
        assert liar.broken() == ["zero 1"]
        parts = liar.sends[-1]
        liar.mend("zero 1", parts[part])
        block = [mimc7.STATES, *(s.name for s in seal_case.SPECS)][part]
        assert liar.broken() == [f"opening {3 + part} of {block}"]
        liar.is_refused()


# --- the hash -------------------------------------------------------------------------------------

PREIMAGE = bytes(range(200, 232))
OTHER_DIGEST = hashlib.sha256(b"another").digest()


def hash_of(digest: bytes, bits: FrVector, seed: int = 0) -> Liar:
    def reduction(channel: Channel, tensors: dict[str, FrVector] | None) -> None:
        sha256.prove_hash(channel, digest, None if tensors is None else tensors[sha256.BITS])

    return Liar(reduction, {sha256.BITS: bits}, seed)


class TestTheHash:
    """product 0: all are bits. zero 0: the round function, the schedule and the digest."""

    honest = hashlib.sha256(PREIMAGE).digest()

    def test_honest(self) -> None:
        assert hash_of(self.honest, sha256.bits(PREIMAGE)).broken() == []

    @pytest.mark.parametrize("view", [0, 4, 8, 9, 13, 17])
    def test_a_rotated_bit(self, view: int) -> None:
        liar = hash_of(OTHER_DIGEST, sha256.bits(PREIMAGE))
        assert liar.broken() == ["zero 0"]
        (views,) = (sent for sent in liar.sends if len(sent) == 18)
        liar.mend("zero 0", views[view])
        assert liar.broken() == [f"opening {2 + view} of {sha256.BITS}"]
        liar.is_refused()

    @pytest.mark.parametrize("product", [0, 1, 3, 6, 10])
    def test_a_product(self, product: int) -> None:
        liar = hash_of(OTHER_DIGEST, sha256.bits(PREIMAGE))
        products = liar.sends[-11:]
        liar.mend("zero 0", products[product][0])
        assert liar.broken() == [f"product {1 + product}"]
        liar.is_refused()

    def test_the_linear_part(self) -> None:
        liar = hash_of(OTHER_DIGEST, sha256.bits(PREIMAGE))
        drawn = liar.conversation().drawn[26]  # after 13 for a point and 13 rounds
        of_digests = [sha256._Equations(drawn, d).constant for d in (OTHER_DIGEST, self.honest)]
        linear = liar.sends[14][0]
        liar.lies[linear] = of_digests[0] - of_digests[1]
        assert liar.broken() == [f"opening 1 of {sha256.BITS}"]
        liar.is_refused()

    def test_a_value_that_is_no_bit(self) -> None:
        """It stands where nothing else reads it; u² − u takes any value that has a root."""
        bits = sha256.bits(PREIMAGE)
        bits.assign(sha256.SIZE - 1, FrVector.from_ints([7]))

        def attempt(seed: int) -> Liar:
            liar = hash_of(self.honest, bits, seed)
            assert liar.broken() == ["product 0"]
            liar.mend("product 0", liar.sends[13][0], degree=2)
            return liar

        liar = with_a_root(attempt)
        assert liar.broken() == [f"opening 0 of {sha256.BITS}"]
        liar.is_refused()

    def test_errors_of_three_equations_do_not_cancel(self) -> None:
        """Coefficients are powers of the challenge: no arithmetic progression."""
        equations = sha256._Equations(3, self.honest)
        assert equations._factor == pow(3, 2 * 64 + 48 + 2 * 8 * 32 + 8, R)


# --- lookups and ranges ---------------------------------------------------------------------------


class TestLookups:
    """A value outside the table: the sum of all fractions is not 0."""

    def liar(self, first: int = 16) -> Liar:
        good = lookup_case.values()
        counts = lookup_case.LOOKUP.multiplicities(good)
        given = {**good, "u": np.r_[first, good["u"][1:]]}
        blocks = {name: FrVector.from_int64(v) for name, v in given.items()}
        blocks[MULTIPLICITIES] = FrVector.from_int64(counts)
        return Liar(lambda c, t: prove_lookup(c, lookup_case.LOOKUP, t), blocks)

    def levels(self, liar: Liar) -> list[range]:
        """p₀, p₁, q₀, q₁, p₀·q₁ of each level."""
        return [sent for sent in liar.sends if len(sent) == 5]

    def test_a_false_product(self) -> None:
        liar = self.liar()
        assert liar.broken() == ["product 2"]
        liar.mend("product 2", self.levels(liar)[0][4])
        assert liar.broken() == ["product 1"]
        liar.is_refused()

    @pytest.mark.parametrize(
        ("part", "zero", "back", "left"),
        [
            (1, 0, 2, "opening 0 of multiplicities"),
            (2, 1, 1, None),
        ],
        ids=["numerator", "denominator"],
    )
    def test_false_down_to_the_leaves(self, part: int, zero: int, back: int, left: str) -> None:
        """A false p₁, or q₀, at every level, and a false opening at the last."""
        liar = self.liar()
        for level, sent in enumerate(self.levels(liar)):
            liar.mend(f"product {2 + 2 * level}", sent[part])
        assert liar.broken() == [f"zero {zero}"]
        opened = liar.sends[-back]
        for k, element in enumerate(opened):
            liar.mend(f"zero {zero}", element)
            expected = left or f"opening {1 + k} of {'uwv'[k]}"
            assert liar.broken() == [expected]
            liar.is_refused()
            del liar.lies[element]

    def test_a_false_inverse_of_the_root(self) -> None:
        """Without it the sum could be 0/0."""
        liar = self.liar(first=int(lookup_case.values()["u"][0]))
        assert liar.broken() == []
        _, inverse = liar.sends[0]
        liar.lies[inverse] = 1
        assert liar.broken() == ["product 0"]
        liar.is_refused()


@pytest.mark.parametrize("element", range(4))
def test_limbs_of_another_number(element: int) -> None:
    """The tensor and its three limbs."""
    blocks = ranges_case.extremes()
    parts = ranges_case.RANGES.limbs({**blocks, "wide": blocks["wide"][::-1]})
    given = {**blocks, **parts}
    tensors = {name: FrVector.from_int64(v) for name, v in given.items()}
    names = ["wide", *(f"wide limb {k}" for k in range(3))]
    liar = Liar(lambda c, t: ranges_case.RANGES.prove_limbs(c, t), tensors)
    (wide,) = (k for k, sent in enumerate(liar.sends) if len(sent) == 4)
    assert liar.broken() == [f"zero {wide}"]
    liar.mend(f"zero {wide}", liar.sends[wide][element])
    first = sum(len(sent) for sent in liar.sends[:wide])
    assert liar.broken() == [f"opening {first + element} of {names[element]}"]
    liar.is_refused()


# --- accuracy -------------------------------------------------------------------------------------


TWICE = [0, 0, 0, 2, 0]


def accuracy_of(
    wrong: bool, flags: list[int], threshold: int, seed: int = 0
) -> tuple[Liar, FrVector]:
    """Flags with the limbs of their margins, whatever those are; and the margins."""
    logits, labels = accuracy_case.random_case(5)
    labels = (labels + wrong) % accuracy_case.M
    s = accuracy_case.shape()
    table = accuracy_case.padded(s, logits)
    made = margins(s, table, labels, np.asarray(flags))
    tensors = {name: FrVector.from_int64(v.reshape(-1)) for name, v in limbs(s, made).items()}
    tensors["logits"] = table
    tensors[FLAGS] = FrVector.from_ints([*flags, *[0] * (8 - len(flags))])

    def reduction(channel: Channel, blocks: dict[str, FrVector] | None) -> None:
        secret = None if blocks is None else (blocks["logits"], blocks)
        point, form = prove_accuracy(channel, s, labels, threshold, secret)
        channel.require_opening("logits", EqWeights(point), form)

    return Liar(reduction, tensors, seed), made


class TestAccuracy:
    """product 0: flags are bits. product 1: flag times difference is the margin of the limbs."""

    # messages: rounds over 8 flags, the flag, the limbs' sums, rounds over 8·4 margins, the end
    FLAG, SUMS, END = 3, 4, 10

    def test_honest(self) -> None:
        assert accuracy_of(False, [1, 1, 1, 1, 1], 5)[0].broken() == []

    def test_one_image_counts_twice(self) -> None:
        """A flag of 2, and the limbs of twice the margins."""
        liar, _ = accuracy_of(False, TWICE, 2)
        assert liar.broken() == ["product 0"]
        liar.is_refused()

    def test_a_false_value_of_the_flags(self) -> None:
        def attempt(seed: int) -> Liar:
            liar, _ = accuracy_of(False, TWICE, 2, seed)
            liar.mend("product 0", liar.sends[self.FLAG][0], degree=2)
            return liar

        liar = with_a_root(attempt)
        assert liar.broken() == ["opening 1 of flags"]
        liar.is_refused()

    @pytest.mark.parametrize(
        ("element", "left"), [(0, "opening 4 of flags"), (1, "logits"), (2, "logits")]
    )
    def test_a_wrong_image(self, element: int, left: str) -> None:
        """Flagged, with limbs of anything; the lie is the flag, the label's logit, or the logit."""
        liar, _ = accuracy_of(True, [1, 0, 0, 0, 0], 1)
        assert liar.broken() == ["product 1"]
        liar.mend("product 1", liar.sends[self.END][element])
        assert [name[-len(left) :] for name in liar.broken()] == [left]
        liar.is_refused()

    @pytest.mark.parametrize("block", range(2))
    def test_a_false_sum_of_limbs(self, block: int) -> None:
        liar, made = accuracy_of(True, [1, 0, 0, 0, 0], 1)
        channel = liar.conversation()
        assert len(channel.sends[self.SUMS]) == 2
        # a point for the flags and their rounds come before
        tau = channel.drawn[6:11]
        claimed = sum(claim.form.known for claim in channel.claims[2:4])
        liar.lies[channel.sends[self.SUMS][block]] = evaluate(made, tau) - claimed
        assert liar.broken() == [f"opening {2 + block} of margin limbs {block}"]
        liar.is_refused()

    def test_flags_of_no_image(self) -> None:
        """Whose margins are 0: they are not counted."""
        liar, _ = accuracy_of(True, [0, 0, 0, 0, 0, 1, 1, 1], 3)
        assert liar.broken() == ["opening 0 of flags"]
        liar.is_refused()

    def test_more_than_are_flagged(self) -> None:
        liar, _ = accuracy_of(False, [1, 1, 1, 0, 0], 4)
        assert liar.broken() == ["opening 0 of flags"]
        liar.is_refused()


# --- products -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", range(3))
def test_a_false_product_of_hidden_values(shown: int) -> None:
    """3·4 = 13, by a false A(r), B(r) or C(r). zero 0 is their relation, the others their sums."""

    def reduction(channel: Channel, tensors: dict[str, FrVector] | None) -> None:
        three, four, result = channel.send(b"factors", None if tensors is None else [3, 4, 13], 3)
        channel.require_product(three, four, result)
        prove_products(channel)

    liar = Liar(reduction, {"any": FrVector.from_ints([1])})
    assert liar.broken() == ["zero 0"]
    liar.mend("zero 0", -1 - shown)
    assert liar.broken() == [f"zero {1 + shown}"]
    liar.is_refused()


# --- layers ---------------------------------------------------------------------------------------


def layer_of(case: Case, false: int, seed: int = 0) -> Liar:
    """A layer whose first output is claimed to be so much larger."""
    outputs = case.outputs.copy()
    outputs.reshape(-1)[0] += false
    claimed, inputs = Tensor.from_ints(outputs), Tensor.from_ints(case.inputs)
    layer, names = case.layer, ("layer0.weight", "layer0.bias")
    tensors = {"input": inputs.table()}
    for name, values in zip(names, case.weights, strict=False):
        tensors[name] = Tensor.from_ints(values).table()

    def reduction(channel: Channel, blocks: dict[str, FrVector] | None) -> None:
        shapes = inputs.shape[1:], outputs.shape[1:]
        values = None if blocks is None else inputs
        step = Step("layer0", inputs.shape[0], *shapes, False, values, blocks)
        point = channel.challenges(b"output", claimed.n_vars)
        claim = TensorClaim(point, Form.public(claimed.evaluate(point)))
        left = REDUCTIONS[type(layer)](channel, layer, step, claim)
        assert left is not None
        channel.require_opening("input", EqWeights(left.point), left.form)

    return Liar(reduction, tensors, seed)


class TestLayers:
    @pytest.mark.parametrize(
        ("element", "left"), [(0, "opening 1 of layer0.weight"), (1, "opening 2 of input")]
    )
    def test_a_dense_layer(self, element: int, left: str) -> None:
        liar = layer_of(dense_case(2, (4,), 2), 1)
        assert liar.broken() == ["product 0"]
        liar.mend("product 0", liar.sends[-1][element])
        assert liar.broken() == [left]
        liar.is_refused()

    @pytest.mark.parametrize(
        ("element", "left"), [(0, "opening 1 of layer0.weight"), (1, "opening 2 of input")]
    )
    @pytest.mark.parametrize("groups", [1, 2])
    def test_a_convolution(self, groups: int, element: int, left: str) -> None:
        layer = Conv(2, 2, (2, 2), (1, 1), (0, 0, 0, 0), 4, 5, groups=groups)
        liar = layer_of(conv_case(layer, 2, 3, 3), 1)
        assert liar.broken() == ["product 0"]
        liar.mend("product 0", liar.sends[-1][element])
        assert liar.broken() == [left]
        liar.is_refused()

    def test_a_bias(self) -> None:
        """Of one image, so that the bias' share of the claim is the bias."""
        liar = layer_of(dense_case(1, (4,), 2), 1)
        (point,) = liar.conversation().drawn[:1]
        liar.lies[liar.sends[0][0]] = 1 - point  # the extension of the first output's error
        assert liar.broken() == ["opening 0 of layer0.bias"]
        liar.is_refused()

    def test_a_square(self) -> None:
        def attempt(seed: int) -> Liar:
            liar = layer_of(square_case((2, 4), 9), 1, seed)
            assert liar.broken() == ["product 0"]
            liar.mend("product 0", liar.sends[-1][0], degree=2)
            return liar

        liar = with_a_root(attempt)
        assert liar.broken() == ["opening 0 of input"]
        liar.is_refused()


@pytest.mark.parametrize(
    ("element", "left"), [(0, "opening 0 of inputs"), (1, "opening 1 of inputs"), (2, "product 0")]
)
def test_a_layer_of_gates(element: int, left: str) -> None:
    circuit, inputs = random_circuit(1, 3, seed=1), FrVector.from_ints(range(2, 10))
    (_, outputs) = circuit.evaluate(inputs)
    false = outputs + 1

    def reduction(channel: Channel, tensors: dict[str, FrVector] | None) -> None:
        point = channel.challenges(b"outputs", 3)
        claim = TensorClaim(point, Form.public(evaluate(false, point)))
        mine = None if tensors is None else [inputs, outputs]
        for left in reduce_circuit(channel, circuit, [claim], mine):
            channel.require_opening("inputs", EqWeights(left.point), left.form)

    liar = Liar(reduction, {"inputs": inputs})
    assert liar.broken() == ["zero 0"]
    first, second, product = liar.sends[-1]
    if left == "product 0":
        liar.mend("zero 0", product)
    else:
        read = liar.conversation().products[0][1 - element].known
        liar.mend("zero 0", (first, second)[element], product, last_times=read)
    assert liar.broken() == [left]
    liar.is_refused()
