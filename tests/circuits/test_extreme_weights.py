"""Whatever weights of its widths a network has, the circuit takes it.

A proof that failed for some weights would answer a question about them, and a buyer chooses the
images: so every weight is the least or the largest, and every pixel 0 or the largest.
"""

import numpy as np
import pytest
from freivalds_case import NETWORKS, make_case

from zkcmp.model.network import Architecture, Network


def at_the_bounds(architecture: Architecture, high: bool) -> Network:
    tensors = [
        np.full(tensor.shape, tensor.high if high else tensor.low, np.int64)
        for tensor in architecture.tensors()
    ]
    return Network(architecture, tensors)


@pytest.mark.parametrize("high", [False, True])
@pytest.mark.parametrize("name", list(NETWORKS))
def test_freivalds(name: str, high: bool) -> None:
    architecture = NETWORKS[name]
    images = np.zeros((2, *architecture.input_shape), np.int64)
    images[1] = (1 << architecture.input_bits) - 1
    network = at_the_bounds(architecture, high)
    case = make_case(architecture, 2, threshold=2, network=network, images=images)
    case.statement.check(case.witness)
