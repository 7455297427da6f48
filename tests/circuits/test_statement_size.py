"""The closed-form sizes are those of the built system, and what is too large is never built."""

import tracemalloc

import numpy as np
import pytest
from small_statement import ARCHITECTURE

from circuits import size
from circuits.full import statement
from circuits.full.size import check_size, statement_size
from circuits.size import Size
from zkcmp.errors import VerificationError
from zkcmp.groth16 import keys
from zkcmp.mimc7 import CONSTANTS
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Square, SumPool
from zkcmp.seal import CAPACITY_BITS, n_blocks

DENSE = Architecture((1, 1, 2), 2, (Flatten(), Dense(2, 2, 2, 2)))
ONE_BIT = Architecture((1, 1, 3), 1, (Flatten(), Dense(3, 4, 1, 1)))
WIDE_WEIGHTS = Architecture((1, 2, 2), 16, (Flatten(), Square(), Dense(4, 5, 62, 61)))
MANY_BLOCKS = Architecture((2, 3, 3), 8, (Flatten(), Dense(18, 30, 8, 20), Dense(30, 7, 7, 40)))
PADDED = Architecture(
    (2, 5, 4),
    4,
    (
        Conv(2, 3, (3, 2), (2, 1), (1, 0, 2, 1), 5, 9),
        Square(),
        Flatten(),
        Dense(36, 4, 6, 20),
        Square(),
        Dense(4, 3, 7, 30),
    ),
)
# strides that skip inputs, kernels as large as the image, padding almost as large as the kernel
CONVS = Architecture(
    (1, 11, 7),
    3,
    (
        Conv(1, 2, (2, 3), (3, 4), (1, 2, 0, 1), 3, 4),
        Conv(2, 2, (4, 3), (1, 1), (3, 2, 3, 0), 2, 9),
        Conv(2, 1, (3, 2), (2, 5), (2, 1, 1, 1), 4, 4),
        Flatten(),
        Dense(4, 2, 3, 3),
    ),
)


GROUPS = Architecture(
    (2, 7, 6),
    2,
    (
        Conv(2, 4, (2, 2), (2, 1), (1, 0, 2, 1), 3, 4, groups=2, dilation=(3, 2)),
        Square(),
        Conv(4, 4, (1, 2), (1, 1), (0, 1, 0, 0), 2, 9, groups=4),
        Flatten(),
        Dense(80, 2, 3, 3),
    ),
)
POOLS = Architecture(
    (1, 6, 5),
    2,
    (
        SumPool((1, 2), (2, 1)),
        Conv(1, 2, (2, 2), (1, 1), (0, 0, 0, 0), 3, 4),
        Square(),
        SumPool((2, 2), (1, 1)),
        Flatten(),
        Dense(4, 2, 3, 3),
    ),
)


@pytest.mark.parametrize("n_images", [1, 3])
@pytest.mark.parametrize(
    ("name", "architecture"),
    {
        "every layer": ARCHITECTURE,
        "dense": DENSE,
        "one bit": ONE_BIT,
        "wide weights": WIDE_WEIGHTS,
        "many blocks": MANY_BLOCKS,
        "padded": PADDED,
        "convs": CONVS,
        "groups": GROUPS,
        "pools": POOLS,
    }.items(),
)
def test_sizes_are_exact(name: str, architecture: Architecture, n_images: int) -> None:
    r1cs = statement.build(architecture, n_images).r1cs
    assert statement_size(architecture, n_images) == Size(
        r1cs.n_constraints,
        r1cs.n_public,
        r1cs.n_wires,
        sum(matrix.n_entries for matrix in r1cs.matrices),
    )
    found = statement_size(architecture, n_images).domain_size
    assert found == keys.domain_size(r1cs.n_constraints, r1cs.n_public)


def test_domain_is_a_power_of_two_that_holds_every_row() -> None:
    for rows, domain in ((2, 2), (3, 4), (4, 4), (5, 8), (8, 8), (9, 16)):
        assert Size(rows - 2, 1, 5, 9).domain_size == domain == keys.domain_size(rows - 2, 1)


def test_constants_that_are_repeated_to_keep_imports_light() -> None:
    assert size.MAX_DOMAIN == keys.MAX_DOMAIN
    assert size._BLOCK_BITS == CAPACITY_BITS
    assert len(CONSTANTS) == size._ROUNDS
    assert size.block_count(CONVS) == n_blocks(CONVS)


TOO_LARGE = {
    "classes": Architecture((1, 1, 1), 1, (Flatten(), Dense(1, 65536, 2, 2))),
    "dense": Architecture(
        (1, 64, 64), 8, (Flatten(), Dense(4096, 4000, 8, 8), Dense(4000, 2, 8, 8))
    ),
    "products": Architecture(
        (1, 300, 300),
        4,
        (Conv(1, 64, (11, 11), (1, 1), (5, 5, 5, 5), 4, 4), Flatten(), Dense(64 * 90000, 2, 1, 1)),
    ),
}


@pytest.mark.parametrize("name", list(TOO_LARGE))
def test_too_large_a_network_is_refused_before_anything_is_allocated(name: str) -> None:
    architecture = TOO_LARGE[name]
    assert len(architecture.to_bytes()) < 1000
    tracemalloc.start()
    try:
        with pytest.raises(VerificationError, match=r"rows and .* entries; use fewer") as caught:
            statement.build(architecture, 1)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    sizes = statement_size(architecture, 1)
    assert str(sizes.n_entries) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert peak_bytes < 1 << 20


def test_the_last_size_that_fits() -> None:
    def fits(n_images: int) -> bool:
        sizes = statement_size(ARCHITECTURE, n_images)
        return sizes.domain_size <= size.MAX_DOMAIN and sizes.n_entries <= size.MAX_ENTRIES

    low, high = 1, 1 << 20
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    assert check_size(ARCHITECTURE, low) == statement_size(ARCHITECTURE, low)
    with pytest.raises(VerificationError, match=f"about {high} images"):
        check_size(ARCHITECTURE, high)


def test_arg_max_margins_read_every_later_label() -> None:
    many = Architecture((1, 1, 1), 1, (Flatten(), Dense(1, 1500, 2, 2)))
    r1cs = statement.build(many, 1).r1cs
    assert sum(matrix.n_entries for matrix in r1cs.matrices) == statement_size(many, 1).n_entries
    margins = next(s for s in r1cs.gadgets if s.name == "argmax margins")
    lengths = np.diff(r1cs.b.indptr)[margins.first : margins.last]
    assert lengths.tolist() == [2 + 1499 - i for i in range(1500)]


def test_public_inputs_of_many_classes_need_no_square_matrix() -> None:
    many = Architecture((1, 1, 1), 1, (Flatten(), Dense(1, 40_000, 2, 2)))
    testset = TestSet(np.zeros((1, 1, 1, 1), np.int64), np.array([39_998]))
    words = np.zeros((n_blocks(many), 4), np.uint64)
    tracemalloc.start()
    try:
        inputs = statement.public_inputs(many, words, bytes(32), testset, 1, bytes(32))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert inputs.slice(len(inputs) - 4, len(inputs)).to_ints() == [0, 0, 1, 0]
    assert peak_bytes < 1 << 27
