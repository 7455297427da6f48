"""Every kind of layer against plain integers: odd shapes, one image, one class, padding, stride."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import Case, conv_case, dense_case, square_case

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.libra.layers.weights import EqOuterWeights
from zkcmp.libra.multilinear.tables import eq_table, evaluate
from zkcmp.libra.requirements.opening import TableWeights
from zkcmp.model.layers import Conv, SumPool

CONVS = [
    (Conv(1, 5, (5, 5), (2, 2), (1, 1, 1, 1), 8, 8), 3, 9, 9),
    (Conv(3, 2, (3, 2), (2, 1), (1, 0, 2, 1), 8, 8), 2, 5, 4),
    (Conv(2, 3, (1, 1), (1, 1), (0, 0, 0, 0), 8, 8), 1, 3, 5),
    (Conv(1, 1, (3, 3), (1, 1), (2, 2, 2, 2), 8, 8), 5, 1, 1),
    (Conv(2, 1, (2, 3), (3, 2), (0, 1, 1, 0), 8, 8), 4, 8, 8),
    (Conv(1, 4, (4, 4), (1, 3), (3, 0, 0, 3), 8, 8), 1, 4, 7),
    (Conv(6, 3, (2, 2), (1, 2), (0, 1, 1, 0), 8, 8, groups=3), 2, 4, 5),
    (Conv(5, 5, (3, 1), (2, 1), (1, 0, 1, 0), 8, 8, groups=5), 3, 5, 3),
    (Conv(2, 6, (3, 2), (2, 1), (3, 2, 1, 0), 8, 8, groups=2, dilation=(2, 3)), 2, 6, 7),
    (Conv(1, 2, (2, 3), (1, 1), (0, 2, 0, 1), 8, 8, dilation=(4, 2)), 1, 5, 5),
]
DENSE = [
    (3, (7,), 5),
    (1, (1,), 1),
    (4, (8,), 1),
    (5, (2, 3, 5), 3),
    (1, (3, 1, 2), 4),
    (2, (1,), 6),
]
SQUARES = [(1, 1), (1, 9), (2, 1), (3, 2), (9, 3), (16, 8), (11, 3, 2, 5), (33, 17), (1, 2, 3, 3)]
POOLS = [
    (SumPool((2, 2), (2, 2)), (3, 2, 4, 6)),
    (SumPool((3, 2), (1, 2)), (1, 3, 5, 5)),
    (SumPool((1, 1), (3, 1)), (2, 1, 7, 1)),
    (SumPool((4, 4), (1, 1)), (5, 1, 4, 4)),
]


def pool_case(layer: SumPool, shape: tuple[int, ...]) -> Case:
    x = np.random.default_rng(1).integers(-1000, 1000, shape)
    out = np.zeros((shape[0], *layer.output_shape(shape[1:])), np.int64)
    for j, c, h, w in np.ndindex(out.shape):
        top, left = layer.stride[0] * h, layer.stride[1] * w
        out[j, c, h, w] = x[j, c, top : top + layer.kernel[0], left : left + layer.kernel[1]].sum()
    return Case(layer, x, out)


CASES = {
    **{f"conv{k}": (conv_case, case) for k, case in enumerate(CONVS)},
    **{f"dense{k}": (dense_case, case) for k, case in enumerate(DENSE)},
    **{f"square{k}": (square_case, (case, 1000)) for k, case in enumerate(SQUARES)},
    **{f"wide square{k}": (square_case, (case, 2**62)) for k, case in enumerate(SQUARES[2:6])},
    **{f"pool{k}": (pool_case, case) for k, case in enumerate(POOLS)},
}


@pytest.fixture(params=CASES)
def case(request) -> Case:
    make, arguments = CASES[request.param]
    return make(*arguments)


@pytest.mark.parametrize("is_public", [False, True])
def test_layer_computes_what_integers_do(case, is_public):
    case.attempt(is_public)


@pytest.mark.parametrize("is_public", [False, True])
def test_one_wrong_output_is_rejected(case, is_public):
    last = case.outputs.size - 1
    for index in {0, last // 2, last}:
        with pytest.raises(VerificationError) as caught:
            case.with_output(index, 1 if index else -3).attempt(is_public)
        assert caught.value.where == "opening"


def test_a_prover_with_one_wrong_activation_is_rejected(case):
    """Its own computation is consistent, its input is not the committed one."""
    used = case.inputs.copy()
    used.reshape(-1)[-1] += 1
    with pytest.raises(VerificationError):
        case.attempt(used=used)


def test_swapped_images_are_rejected(case):
    if len(case.inputs) == 1:
        case.attempt(used=case.inputs[::-1])  # nothing to swap
        return
    for used in (case.inputs[::-1], np.roll(case.inputs, 1, axis=0)):
        with pytest.raises(VerificationError):
            case.attempt(used=used)


def test_wrong_weights_are_rejected(case):
    for k in range(len(case.weights)):
        weights = [w.copy() for w in case.weights]
        weights[k].reshape(-1)[-1] += 1
        changed = Case(case.layer, case.inputs, case.outputs, tuple(weights), case.reduction)
        for is_public in (False, True):
            with pytest.raises(VerificationError):
                changed.attempt(is_public)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_convolutions(data):
    ints = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    kernel = (ints(1, 4), ints(1, 4))
    dilation = tuple(1 if size == 1 else ints(1, 3) for size in kernel)
    extent = [d * (size - 1) + 1 for d, size in zip(dilation, kernel, strict=True)]
    padding = tuple(ints(0, extent[axis % 2] - 1) for axis in range(4))
    groups = ints(1, 3)
    channels = groups * ints(1, 3), groups * ints(1, 2)
    strides = (ints(1, 3), ints(1, 3))
    layer = Conv(*channels, kernel, strides, padding, 8, 8, groups, dilation)
    height, width = extent[0] + ints(0, 4), extent[1] + ints(0, 4)
    conv_case(layer, ints(1, 3), height, width, seed=ints(0, 99)).attempt(data.draw(st.booleans()))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(0, 63))
def test_random_squares(shape, bits):
    square_case(tuple(shape), 1 << bits).attempt()


def test_every_changed_element_of_a_layer_is_rejected():
    """Each message of each kind of layer, one element at a time."""
    for make, arguments in (
        CASES["conv1"],
        CASES["conv8"],
        CASES["dense3"],
        CASES["square6"],
        CASES["pool0"],
    ):
        case = make(*arguments)
        length = len(case.attempt())
        assert length % 32 == 0
        for at in range(31, length, 32 * 7):

            def change(proof: bytes, at: int = at) -> bytes:
                return proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]

            with pytest.raises(VerificationError):
                case.attempt(tamper=change)


def test_weights_of_openings_are_their_tables():
    """The verifier's evaluation of product weights against the table that the prover uses."""
    for sizes in ((), (0,), (2,), (3, 0, 1)):
        columns = tuple(FrVector.random(1 << n) for n in sizes)
        for n in (0, 2):
            weights = EqOuterWeights(FrVector.random(3).to_ints()[:n], columns)
            at = FrVector.random(9).to_ints()[: n + sum(sizes)]
            assert weights.evaluate(at) == evaluate(weights.table(), at)
            assert TableWeights(weights.table()).evaluate(at) == weights.evaluate(at)
            assert len(weights.table()) == len(eq_table(at))
