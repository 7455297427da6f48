"""Static bounds: never exceeded, reached where they can be, refused where the field could wrap."""

import numpy as np
import pytest
from example_networks import CRYPTONETS, architectures, extreme_network, random_images
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.model.bounds import bounds, check_no_wrap, logit_difference_bound
from zkcmp.model.network import Architecture, Dense, Flatten, Network, Square


@settings(max_examples=100, deadline=None)
@given(architectures(), st.integers(0, 1000))
def test_extreme_networks_stay_within_bounds(architecture, seed):
    network, images = extreme_network(architecture, seed), random_images(architecture, 2, seed)
    images[0] = (1 << architecture.input_bits) - 1
    limits = bounds(architecture)
    outputs = network.layer_outputs(images)
    for limit, output in zip(limits, outputs, strict=True):
        assert max(abs(int(v)) for v in output.ravel()) <= limit
    logits = outputs[-1]
    spread = max(int(row.max()) - int(row.min()) for row in logits)
    assert spread <= logit_difference_bound(architecture)


def test_the_most_negative_weights_reach_the_bound():
    layers = (Flatten(), Dense(3, 2, 4, 6), Square(), Dense(2, 2, 5, 3))
    architecture = Architecture((1, 1, 3), 2, layers)
    network = Network(architecture, [np.full(s.shape, s.low) for s in architecture.tensors()])
    outputs = network.layer_outputs(np.full((1, 1, 1, 3), 3))
    reached = [max(abs(int(v)) for v in o.ravel()) for o in outputs]
    assert reached == bounds(architecture) == [3, 104, 104**2, 2 * 104**2 * 16 + 4]


def test_cryptonets_bound_is_the_known_one():
    assert [b.bit_length() for b in bounds(CRYPTONETS)] == [20, 40, 40, 57, 113, 126]
    check_no_wrap(CRYPTONETS)


def _deep(weight_bits: int, last_bits: int) -> Architecture:
    squares = (Dense(1, 1, weight_bits, 1), Square(), Dense(1, 1, weight_bits, 1), Square())
    return Architecture((1, 1, 1), 16, (Flatten(), *squares, Dense(1, 2, last_bits, 1)))


def test_an_accumulator_that_could_wrap_is_named():
    with pytest.raises(
        VerificationError, match=r"accumulators of square4: .*below r/2.*got 280 bits"
    ):
        check_no_wrap(_deep(37, 2))


def test_logit_differences_count_twice():
    limit = FR_MODULUS // 2
    widths = range(2, 40)
    last = max(b for b in widths if logit_difference_bound(_deep(31, b)) < limit)
    check_no_wrap(_deep(31, last))
    over = _deep(31, last + 1)
    assert bounds(over)[-1] < limit <= logit_difference_bound(over)
    with pytest.raises(VerificationError, match="logit differences of dense5"):
        check_no_wrap(over)
