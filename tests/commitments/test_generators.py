"""Generators: the definition in plain Python, and properties that a relation would break."""

import hashlib
import struct

import numpy as np
import pytest

from zkcmp.bn254.curve import g1
from zkcmp.bn254.params import FQ_MODULUS as P
from zkcmp.bn254.reference import fq_sqrt
from zkcmp.commitments.generators import generators


def plain_generator(domain: bytes, index: int) -> tuple[int, int]:
    """The definition, once more, from hashlib and integers."""
    attempt = 0
    while True:
        message = struct.pack("<I", len(domain)) + domain + struct.pack("<II", index, attempt)
        wide = int.from_bytes(hashlib.sha256(message).digest(), "big")
        larger, x = wide >> 255, wide % 2**254
        y = fq_sqrt((x**3 + 3) % P) if x < P else None
        if y is not None:
            return x, (max(y, P - y) if larger else min(y, P - y))
        attempt += 1


@pytest.mark.parametrize("domain", [b"", b"a", b"zkcmp/hyrax/columns"])
def test_against_the_plain_definition(domain: bytes) -> None:
    want = [plain_generator(domain, i) for i in range(60)]
    assert g1.to_affine_ints(generators(domain, 60)) == want


def test_all_are_points_and_all_differ() -> None:
    points = np.concatenate([generators(d, 3000) for d in (b"one", b"two")])
    assert g1.is_on_curve(points).all()
    assert points.any(axis=(1, 2)).all()
    # a point and its negative would be a relation too
    assert len(np.unique(points[:, 0], axis=0)) == len(points)


def test_a_generator_does_not_depend_on_how_many_are_made() -> None:
    assert np.array_equal(generators(b"d", 100)[:17], generators(b"d", 17))
    assert generators(b"d", 0).shape == (0, 2, 4)


def test_both_signs_occur() -> None:
    ys = [y for _, y in g1.to_affine_ints(generators(b"signs", 200))]
    assert 60 < sum(y > P // 2 for y in ys) < 140


def test_a_caller_cannot_change_them_for_others() -> None:
    points = generators(b"mine", 5)
    points[:] = 0
    assert generators(b"mine", 5).any(axis=(1, 2)).all()


def test_they_stay_what_they_are() -> None:
    """Commitments made yesterday must open tomorrow."""
    digest = hashlib.sha256(generators(b"zkcmp/hyrax/columns", 1 << 13).tobytes()).hexdigest()
    assert digest == "8f3725bdace2b9e9b5835231e64b55401aeff9f70a6b45a851bedb232b782b76"
