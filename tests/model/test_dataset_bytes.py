"""Test sets read from untrusted bytes, and the checks every party runs on them."""

import struct
from math import prod

import numpy as np
import pytest
from example_networks import TINY
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import _HEADER, MAGIC, TestSet
from zkcmp.model.layers import Dense, Flatten


def _samples(largest: int = 15, n: int = 3) -> TestSet:
    images = np.random.default_rng(1).integers(0, largest, (n, 2, 5, 4), endpoint=True)
    images[0, 0, 0, 0] = largest
    return TestSet(images, np.arange(n) % 3)


@pytest.mark.parametrize("largest", [15, 255, 256, 65535])
def test_round_trip(largest):
    samples = _samples(largest)
    data = samples.to_bytes()
    again = TestSet.from_bytes(data)
    assert (again.images == samples.images).all()
    assert (again.labels == samples.labels).all()
    assert again == samples
    assert again.digest == samples.digest
    assert len(data) == _HEADER.size + 120 * (1 if largest < 256 else 2) + 6


def _header(**changes: int) -> bytes:
    fields = {"version": 1, "n": 3, "c": 2, "h": 5, "w": 4, "pixel_bytes": 1} | changes
    return _HEADER.pack(MAGIC, *fields.values())


_BODY = _samples().to_bytes()[_HEADER.size :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a test set"),
        (MAGIC, "not a test set"),
        (b"X" + _header()[1:] + _BODY, "not a test set"),
        (_header(version=2) + _BODY, "version 2 is not 1"),
        (_header(n=0) + _BODY, "sizes out of range"),
        (_header(n=1 << 21) + _BODY, "sizes out of range"),
        (_header(h=0xFFFFFFFF, w=0xFFFFFFFF) + _BODY, "sizes out of range"),
        (_header(pixel_bytes=3) + _BODY, "sizes out of range"),
        (_header(pixel_bytes=2) + _BODY, "wrong length"),
        (_header(n=4) + _BODY, "wrong length"),
        (_header() + _BODY[:-1], "wrong length"),
        (_header() + _BODY + b"\0", "wrong length"),
        (_header(pixel_bytes=2) + bytes(240) + bytes(6), "two bytes a pixel"),
    ],
)
def test_malformed_bytes_are_refused(data, message):
    with pytest.raises(DecodeError, match=message):
        TestSet.from_bytes(data)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(_BODY) + _HEADER.size - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_the_digest(position, change):
    samples = _samples()
    data = bytearray(samples.to_bytes())
    data[position] ^= change
    try:
        changed = TestSet.from_bytes(bytes(data))
    except DecodeError:
        return
    assert changed.digest != samples.digest
    assert changed.to_bytes() == bytes(data)


def test_check_accepts_what_the_network_accepts():
    _samples().check(TINY)


@pytest.mark.parametrize(
    ("samples", "where"),
    [
        (TestSet(np.zeros((1, 2, 4, 5), int), np.zeros(1, int)), "image shape"),
        (_samples(16), "pixels: expected 0..15, got 16"),
        (TestSet(np.zeros((1, 2, 5, 4), int), np.array([3])), "labels: expected 0..2, got 3"),
    ],
)
def test_check_refuses(samples, where):
    with pytest.raises(VerificationError, match=where):
        samples.check(TINY)


def _shaped(*shape: int) -> TestSet:
    return TestSet(np.zeros((2, *shape), int), np.array([0, 1]))


@pytest.mark.parametrize(
    ("input_shape", "got", "hint"),
    [
        ((3, 6, 5), (6, 5, 3), "put the channels first"),
        ((1, 6, 5), (3, 6, 5), "convert them"),
        ((1, 6, 5), (6, 5, 3), "convert them"),
        ((3, 6, 5), (1, 6, 5), "grey images and the network reads colour"),
        ((1, 6, 5), (1, 7, 5), "scale or crop"),
        ((1, 6, 5), (2, 6, 5), "scale or crop"),
    ],
)
def test_images_of_another_shape_are_refused_with_what_to_do(input_shape, got, hint):
    architecture = Architecture(input_shape, 4, (Flatten(), Dense(prod(input_shape), 2, 4, 4)))
    _shaped(*input_shape).check(architecture)
    with pytest.raises(VerificationError, match=hint):
        _shaped(*got).check(architecture)


def test_labels_that_count_from_1_are_recognised():
    images = np.zeros((3, 2, 5, 4), int)
    with pytest.raises(VerificationError, match="count from 1; subtract 1"):
        TestSet(images, np.array([1, 2, 3])).check(TINY)
    with pytest.raises(VerificationError, match="knows 3 classes; drop the other"):
        TestSet(images, np.array([0, 2, 3])).check(TINY)


def test_one_hot_rows_are_recognised():
    with pytest.raises(ZkcmpError, match=r"take labels\.argmax"):
        TestSet(np.zeros((2, 1, 2, 2), int), np.eye(2, dtype=int))


@pytest.mark.parametrize("shape", [(1 << 21, 1, 1, 1), (2, 1, 1 << 15, 1 << 15)])
def test_sets_too_large_to_prove_are_refused(shape):
    """No such memory is needed to say so: the array is one value, seen many times."""
    images = np.broadcast_to(np.int64(0), shape)
    with pytest.raises(ZkcmpError, match="at most"):
        TestSet(images, np.broadcast_to(np.int64(0), shape[:1]))


def test_equal_sets_are_one_in_a_dictionary():
    assert len({_samples(), _samples(), _samples(14)}) == 2
    assert _samples() != _samples().to_bytes()
    assert repr(_samples()) == "TestSet(3 images of (2, 5, 4))"


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((0, 1, 2, 2), int), np.zeros(0, int)),
        (np.zeros((1, 2, 2), int), np.zeros(1, int)),
        (np.zeros((1, 1, 2, 2)), np.zeros(1, int)),
        (np.zeros((1, 1, 2, 2), int), np.zeros(1)),
        (np.zeros((2, 1, 2, 2), int), np.zeros(1, int)),
        (np.full((1, 1, 2, 2), -1), np.zeros(1, int)),
        (np.full((1, 1, 2, 2), 65536), np.zeros(1, int)),
        (np.zeros((1, 1, 2, 2), int), np.array([-1])),
    ],
)
def test_arrays_that_are_no_test_set_are_refused(images, labels):
    with pytest.raises(ZkcmpError, match=r"images must have|give one label|must be integers"):
        TestSet(images, labels)


def test_sample_digests_know_an_image_again_whatever_its_label_or_neighbours():
    samples = _samples()
    digests = samples.sample_digests()
    assert len(set(digests)) == 3
    relabelled = TestSet(samples.images[::-1], np.array([2, 2, 2]))
    assert relabelled.sample_digests() == digests[::-1]
    wide = samples.images.copy()
    wide[0, 0, 0, 0] = 300  # the set now needs two bytes a pixel
    assert TestSet(wide, samples.labels).sample_digests()[1:] == digests[1:]
    reshaped = TestSet(samples.images.reshape(3, 2, 4, 5), samples.labels)
    assert not set(reshaped.sample_digests()) & set(digests)


def test_take_keeps_the_order_asked_for():
    samples = _samples()
    taken = samples.take([2, 0])
    assert taken.labels.tolist() == [2, 0]
    assert (taken.images == samples.images[[2, 0]]).all()
    assert struct.unpack_from("<I", taken.to_bytes(), 14) == (2,)
