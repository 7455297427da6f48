"""Networks of every shape in mode `freivalds`: what is proved is what they compute; its size."""

import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from freivalds_case import NETWORKS, Case, make_case
from gadget_harness import named_wires

from circuits.freivalds.plan import Check, Form, make_plan
from circuits.freivalds.size import check_freivalds_size, freivalds_size
from circuits.freivalds.statement import build, image_counts
from circuits.gadgets.conv import taps
from circuits.projections.constant_images import ConstantImages, tap_inputs
from circuits.size import Size
from circuits.window_shape import WindowShape
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Conv, Dense
from zkcmp.model.network import Architecture, Flatten, Square

# form of every layer but flatten, and how it is checked: the plan for so many images
PLANS = {
    ("small", 1): "linear form, sum of squares by image, committed direct, sum of squares, "
    "committed direct",
    ("small", 40): "linear form, sum of squares by moment, committed direct, sum of squares, "
    "committed direct",
    ("dense first", 3): "committed direct, sum of squares, committed direct",
    ("dense only", 2): "linear form",
    ("dense only", 1): "linear form",
    ("wide dense only", 400): "committed direct",
    ("one bit", 3): "linear form",
    ("wide weights", 3): "constant, linear form",
    ("dense after dense", 3): "derived direct, committed direct",
    ("conv later", 2): "linear form, sum of squares by image, committed projected, "
    "sum of squares, committed direct",
    ("many channels", 2): "linear form, sum of squares by image, committed projected summed, "
    "committed direct",
    ("many channels", 40): "linear form, sum of squares by moment, derived direct, "
    "committed direct",
    ("convs", 1): "derived direct, committed projected summed, derived direct, committed direct",
    ("convs", 9): "derived direct, derived direct, derived direct, committed direct",
    ("grouped first", 3): "committed direct, sum of squares, derived direct, committed direct",
    ("grouped later", 3): "linear form, sum of squares by image, committed projected, "
    "sum of squares, committed direct",
    ("pools", 1): "constant, constant, constant, committed projected summed, committed windows, "
    "sum of squares, derived windows, derived windows, committed direct, sum of squares, "
    "committed direct",
    ("pools", 9): "constant, constant, constant, derived direct, committed windows, "
    "sum of squares, derived windows, derived windows, committed direct, sum of squares, "
    "committed direct",
    ("two squares", 3): "linear form, square wires, sum of squares, committed direct, "
    "square wires, sum of squares, committed direct",
    ("squares first", 3): "constant, constant, linear form, sum of squares by image, "
    "committed direct",
    ("squares first", 60): "constant, constant, linear form, sum of squares by moment, "
    "committed direct",
}


def described(architecture: Architecture, n: int) -> str:
    return ", ".join(
        step.form.value
        + (f" {step.check.value}" if step.check is not Check.NONE else "")
        + (" summed" if step.summed else "")
        for step in make_plan(architecture, n).steps
    )


@pytest.mark.parametrize(("name", "n"), list(PLANS))
def test_every_form_of_proof(name, n):
    """Completeness, exact sizes, no idle wire, and the values against the integer network."""
    architecture = NETWORKS[name]
    assert described(architecture, n) == PLANS[name, n]
    case = make_case(architecture, n)
    r1cs = case.statement.r1cs
    case.statement.check(case.witness)
    assert case.hashing.n_asked == 1

    exact = freivalds_size(architecture, n, image_counts(architecture, case.testset))
    n_entries = sum(matrix.n_entries for matrix in r1cs.matrices)
    assert exact == Size(r1cs.n_constraints, r1cs.n_public, r1cs.n_wires, n_entries)
    assert not exceeds(exact, freivalds_size(architecture, n))

    used = np.zeros(r1cs.n_wires, bool)
    for matrix in r1cs.matrices:
        used[matrix.indices] = True
    assert used[1 + r1cs.n_public :].all()
    # of the public ones only the context is in no relation
    assert np.flatnonzero(~used[1 : 1 + r1cs.n_public]).tolist() == [0, 1]
    assert second_round_wires_in_b(case) <= {"position powers"}
    compare_with_network(case)


def second_round_wires_in_b(case: Case) -> set[str]:
    """Names of full-size wires that cost work in G2."""
    r1cs = case.statement.r1cs
    later = np.unique(r1cs.b.indices[r1cs.b.indices > r1cs.n_public + r1cs.n_committed])
    return {r1cs.wire_name(int(wire)) for wire in later}


def exceeds(size: Size, limit: Size) -> bool:
    return (
        size.n_constraints > limit.n_constraints
        or size.n_public != limit.n_public
        or size.n_wires > limit.n_wires
        or size.n_entries > limit.n_entries
    )


def compare_with_network(case: Case) -> None:
    """Committed outputs are the network's, and sums are theirs with powers of u as weights."""
    architecture, r1cs = case.statement.architecture, case.statement.r1cs
    outputs = case.network.layer_outputs(case.testset.images)
    assert (np.argmax(outputs[-1], axis=1) == case.network.predict(case.testset.images)).all()
    plan, n = make_plan(architecture, len(case.testset)), len(case.testset)
    u = 1
    if "u" in plan.challenges:
        wire = 1 + r1cs.n_public - r1cs.n_challenges + plan.challenges.index("u")
        u = case.witness[wire]
    powers = [pow(u, j, FR_MODULUS) for j in range(n)]
    for step in plan.steps:
        name = architecture.layer_name(step.index)
        expected = outputs[step.index].reshape(n, -1).astype(object)
        if step.form is Form.COMMITTED:
            found = case.witness.take(named_wires(r1cs, f"{name} outputs")).to_ints()
            assert found == [int(v) % FR_MODULUS for v in expected.reshape(-1)]
        summed = step.form in (Form.DERIVED, Form.SUM, Form.BY_IMAGE, Form.BY_MOMENT)
        if summed or step.summed:
            found = case.witness.take(named_wires(r1cs, f"{name} sums")).to_ints()
            assert found == [int(v) % FR_MODULUS for v in powers @ expected]


def test_plans_cover_every_form_and_check():
    steps = [s for name, n in PLANS for s in make_plan(NETWORKS[name], n).steps]
    assert {step.form for step in steps} == set(Form)
    assert {step.check for step in steps} == set(Check)


def test_all_pixels_zero():
    """No input is alive: the outputs are those of the biases alone."""
    for name, n in (("small", 2), ("small", 40), ("dense first", 2), ("conv later", 2)):
        architecture = NETWORKS[name]
        black = np.zeros((n, *architecture.input_shape), np.int64)
        case = make_case(architecture, n, images=black)
        case.statement.check(case.witness)
        counts = image_counts(architecture, case.testset)
        size = freivalds_size(architecture, n, counts)
        assert size.n_constraints == case.statement.r1cs.n_constraints
        assert (counts.reads.inputs, counts.reads.tap_entries) == (0, 0)


# --- shapes of layers -------------------------------------------------------------------------


def test_groups_and_dilation_count_what_a_listing_finds():
    rng = np.random.default_rng(3)
    for layer, (channels, height, width) in random_convs(200):
        kernel, groups = layer.kernel, int(rng.integers(1, 4))
        dilation = tuple(1 if size == 1 else int(rng.integers(1, 4)) for size in kernel)
        wide = replace(
            layer,
            in_channels=groups * channels,
            out_channels=2 * groups,
            groups=groups,
            dilation=dilation,
        )
        input_shape = (groups * channels, height + 10, width + 10)
        shape, (pixel, _) = WindowShape.of(wide, input_shape), taps(wide, input_shape)
        inside = pixel >= 0
        assert (shape.n_positions, shape.fan_in) == pixel.shape
        assert shape.n_outputs == int(np.prod(wide.output_shape(input_shape)))
        assert shape.n_taps == groups * inside.sum()
        assert shape.n_used_taps == groups * inside.any(axis=0).sum()
        assert (tap_inputs(shape.group) == pixel).all()
        assert shape.is_plain == (groups == 1 and dilation == (1, 1))


def random_convs(n: int) -> list[tuple[Conv, tuple[int, int, int]]]:
    rng = np.random.default_rng(2)
    found = []
    while len(found) < n:
        kernel, stride = rng.integers(1, 6, 2), rng.integers(1, 5, 2)
        padding = [int(rng.integers(0, kernel[i % 2])) for i in range(4)]
        channels, height, width = (int(v) for v in rng.integers(1, [3, 7, 7]))
        padded = (height + padding[0] + padding[2], width + padding[1] + padding[3])
        if padded[0] < kernel[0] or padded[1] < kernel[1]:
            continue
        pair = tuple(kernel.tolist()), tuple(stride.tolist())
        found.append((Conv(channels, 2, *pair, tuple(padding), 4, 4), (channels, height, width)))
    return found


def test_window_shapes_count_what_a_listing_finds():
    for layer, input_shape in random_convs(300):
        shape, (pixel, _) = WindowShape.of(layer, input_shape), taps(layer, input_shape)
        inside = pixel >= 0
        per_position = inside.sum(axis=1)
        pairs = {(a, b) for row in pixel for a in row[row >= 0] for b in row[row >= 0] if a <= b}
        assert (shape.n_positions, shape.fan_in) == pixel.shape
        assert shape.n_outputs == int(np.prod(layer.output_shape(input_shape)))
        assert shape.n_inputs == int(np.prod(input_shape))
        assert shape.n_taps == inside.sum()
        assert shape.n_used_taps == inside.any(axis=0).sum()
        assert shape.n_tap_pairs == (per_position * (per_position + 1) // 2).sum()
        assert shape.n_read_inputs == len(set(pixel[inside].tolist()))
        assert shape.n_read_pairs == len(pairs)
        assert (tap_inputs(shape) == pixel).all()


def test_a_dense_layer_is_a_convolution_with_one_position():
    shape = WindowShape.of(Dense(7, 3, 4, 4), (7,))
    assert (shape.n_positions, shape.fan_in, shape.n_outputs, shape.n_taps) == (1, 7, 3, 7)
    assert tap_inputs(shape).tolist() == [list(range(7))]


def test_products_of_pixels_of_any_size():
    for largest in (1, (1 << 16) - 1, (1 << 31) - 1, 1 << 31, 1 << 70):
        values = np.array([[largest, 0], [1, largest]], object)
        images = ConstantImages(values if largest >= 1 << 62 else values.astype(np.int64))
        column = images.columns[0] * images.columns[0]
        assert [int(v) for v in column] == [largest**2, 1]
        assert [int(v) for v in images.squared().values[0]] == [largest**2, 0]


# --- what is refused --------------------------------------------------------------------------


def test_a_test_set_that_does_not_fit():
    architecture = NETWORKS["small"]
    labels = np.zeros(2, np.int64)
    for images, labels_, where in [
        (np.full((2, 1, 4, 4), 16), labels, "test set pixels"),
        (np.zeros((2, 1, 4, 5), np.int64), labels, "test set image shape"),
        (np.zeros((2, 1, 4, 4), np.int64), labels + 3, "test set labels"),
    ]:
        with pytest.raises(VerificationError) as caught:
            build(architecture, TestSet(images, labels_))
        assert caught.value.where == where


LARGE = (Flatten(), Dense(4096, 4000, 8, 8), Square(), Dense(4000, 2, 8, 8))
TOO_LARGE = [
    (Architecture((1, 64, 64), 8, LARGE), 1),
    (Architecture((1, 9, 9), 8, (Flatten(), Dense(81, 20, 8, 8))), 1 << 20),
]


@pytest.mark.parametrize(("architecture", "n"), TOO_LARGE)
def test_too_large_a_statement_is_refused_before_anything_is_allocated(architecture, n):
    tracemalloc.start()
    try:
        with pytest.raises(VerificationError, match="use fewer images or a smaller network"):
            check_freivalds_size(architecture, n)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1 << 20


def test_build_refuses_what_is_too_large():
    architecture, n = TOO_LARGE[0]
    images = np.zeros((n, *architecture.input_shape), np.int64)
    with pytest.raises(VerificationError, match="statement about 1 image"):
        build(architecture, TestSet(images, np.zeros(n, np.int64)))


def test_plans_are_cheap_for_any_architecture():
    """What an untrusted offer may ask for: tall kernels, many positions, many layers."""
    layers = (Conv(1, 1, (256, 1), (1, 1), (255, 0, 255, 0), 2, 2), Square()) * 3
    tall = Architecture((1, 60000, 1), 1, (*layers, Flatten(), Dense(60000 + 3 * 255, 2, 2, 2)))
    started = time.process_time()
    assert len(make_plan(tall, 1000).steps) == 7
    assert time.process_time() - started < 5
