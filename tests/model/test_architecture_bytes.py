"""Architectures read from untrusted bytes: one encoding each, and nothing absurd gets through."""

import json
from dataclasses import replace

import pytest
from example_networks import CRYPTONETS, POOLED, TINY, TWO_CONVS, architectures
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model.architecture import Normalisation, canonical_decimal
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Square, SumPool


@pytest.mark.parametrize("architecture", [TINY, TWO_CONVS, POOLED, CRYPTONETS])
def test_round_trip(architecture):
    again = Architecture.from_bytes(architecture.to_bytes())
    assert again == architecture
    assert again.digest == architecture.digest


@settings(max_examples=50, deadline=None)
@given(architectures())
def test_round_trip_of_random_architectures(architecture):
    assert Architecture.from_bytes(architecture.to_bytes()) == architecture


def test_tensors_in_packing_order():
    specs = [(s.name, s.shape, s.bits) for s in TINY.tensors()]
    assert specs == [
        ("conv0.weight", (3, 2, 3, 2), 5),
        ("conv0.bias", (3,), 9),
        ("dense3.weight", (4, 36), 6),
        ("dense3.bias", (4,), 20),
        ("dense5.weight", (3, 4), 7),
        ("dense5.bias", (3,), 30),
    ]
    assert (TINY.tensors()[0].low, TINY.tensors()[0].high) == (-16, 15)
    assert TINY.n_classes == 3
    assert TINY.n_weights == 36 + 3 + 144 + 4 + 12 + 3
    assert TINY.n_products == 36 * 12 + 36 + 144 + 4 + 12


def _paths(tree, path=()):
    """Every place in a JSON tree."""
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from _paths(value, (*path, key))
        else:
            yield (*path, key)


def _replaced(tree, path, value):
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = _replaced(tree[path[0]], path[1:], value)
    return copy


def _dump(tree):
    return json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()


_TREE = json.loads(TINY.to_bytes())


@pytest.mark.parametrize(
    "value", [None, True, -1, 10**30, 1.5, "x", "", [], {}, [[1]], [1] * 9], ids=repr
)
def test_a_wrong_value_in_any_field_is_refused(value):
    for path in _paths(_TREE):
        with pytest.raises(DecodeError):
            Architecture.from_bytes(_dump(_replaced(_TREE, path, value)))


@pytest.mark.parametrize("name", sorted(_TREE))
def test_a_missing_field_is_refused(name):
    with pytest.raises(DecodeError, match="exactly the fields"):
        Architecture.from_bytes(_dump({k: v for k, v in _TREE.items() if k != name}))


@pytest.mark.parametrize(
    "data",
    [
        TINY.to_bytes() + b" ",
        b" " + TINY.to_bytes(),
        TINY.to_bytes().replace(b",", b", "),
        TINY.to_bytes().replace(b'"input_bits":4', b'"input_bits":04'),
        TINY.to_bytes().replace(b'"input_bits":4', b'"input_bits":4.0'),
        TINY.to_bytes().replace(b'"input_bits":4', b'"input_bits":4,"input_bits":4'),
        TINY.to_bytes().replace(b'"input_bits":4', b'"input_bits":NaN'),
        TINY.to_bytes().replace(b'"scale":"1"', b'"scale":"1.0"'),
        TINY.to_bytes().replace(b"square", b"\\u0073quare"),
        TINY.to_bytes().replace(b"architecture-2", b"architecture-3"),
        TINY.to_bytes()[:-1],
        b"",
        b"\xff\xfe",
        b"[" * 60000,
        b"1" * 60000,
        b" " * (1 << 17),
        json.dumps(_TREE).encode(),
    ],
)
def test_other_spellings_and_garbage_are_refused(data):
    with pytest.raises(DecodeError):
        Architecture.from_bytes(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(TINY.to_bytes()) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_the_digest(position, byte):
    data = bytearray(TINY.to_bytes())
    data[position] = byte
    try:
        architecture = Architecture.from_bytes(bytes(data))
    except DecodeError:
        return
    assert (architecture.digest == TINY.digest) == (bytes(data) == TINY.to_bytes())


_TAIL = (Flatten(), Dense(16, 2, 8, 8))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "1 to 64 layers"),
        ((Flatten(), Dense(16, 2, 8, 8), Square()), "last layer must be dense"),
        ((Flatten(), Dense(16, 1, 8, 8)), "last layer must be dense"),
        ((Dense(16, 2, 8, 8),), "dense0: a dense layer of 16 inputs cannot read"),
        ((Flatten(), Dense(17, 2, 8, 8)), "dense1: a dense layer of 17"),
        (
            (Conv(2, 1, (1, 1), (1, 1), (0,) * 4, 8, 8), *_TAIL),
            "conv0: a convolution of 2 channels",
        ),
        ((Conv(1, 1, (5, 5), (1, 1), (0,) * 4, 8, 8), *_TAIL), "does not fit"),
        ((SumPool((5, 4), (1, 1)), *_TAIL), "does not fit"),
        ((Flatten(), SumPool((1, 1), (1, 1)), Dense(16, 2, 8, 8)), "reads an image"),
        (
            (Conv(1, 1, (2, 2), (1, 1), (0,) * 4, 8, 8, dilation=(4, 1)), *_TAIL),
            "does not fit",
        ),
        (
            (Conv(1, 1, (2, 2), (1, 1), (5, 0, 5, 0), 8, 8, dilation=(5, 1)), *_TAIL),
            "steps over a whole",
        ),
        ((*[Square()] * 9, Flatten(), Dense(16, 2, 8, 8)), "at most 8 square"),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers, message):
    with pytest.raises(ZkcmpError, match=message):
        Architecture((1, 4, 4), 8, layers)


@pytest.mark.parametrize(("channels", "fits"), [(1 << 16, True), ((1 << 16) + 1, False)])
def test_a_sum_pool_of_too_many_channels_is_refused_before_anything_is_made(channels, fits):
    layers = (SumPool((1, 2), (1, 2)), Flatten(), Dense(channels, 2, 8, 8))
    if fits:
        Architecture((channels, 1, 2), 8, layers)
        return
    with pytest.raises(ZkcmpError, match="at most 65536 channels, not 65537; give the network"):
        Architecture((channels, 1, 2), 8, layers)


@pytest.mark.parametrize(
    "fields",
    [
        (1, 1, (3, 3), (1, 1), (3, 0, 0, 0), 8, 8),
        (1, 1, (3, 3), (0, 1), (0, 0, 0, 0), 8, 8),
        (1, 1, (3, 3), (1, 1), (0, 0, 0, 0), 63, 8),
        (1, 1, (3, 3), (1, 1), (0, 0, 0, 0), 8, 0),
        (1 << 16, 1 << 16, (3, 3), (1, 1), (0, 0, 0, 0), 8, 8),
        (4, 6, (3, 3), (1, 1), (0, 0, 0, 0), 8, 8, 4),
        (6, 4, (3, 3), (1, 1), (0, 0, 0, 0), 8, 8, 3),
        (4, 4, (3, 3), (1, 1), (0, 0, 0, 0), 8, 8, 0),
        (1, 1, (3, 1), (1, 1), (0, 0, 0, 0), 8, 8, 1, (2, 2)),
        (1, 1, (3, 3), (1, 1), (0, 0, 0, 0), 8, 8, 1, (0, 1)),
        (1, 1, (3, 3), (1, 1), (5, 0, 0, 0), 8, 8, 1, (2, 1)),
    ],
    ids=[
        *("padding", "stride", "weight_bits", "bias_bits", "volume", "groups of outputs"),
        *("groups of inputs", "no group", "idle dilation", "no dilation", "padding dilated"),
    ],
)
def test_convolutions_out_of_range_are_refused(fields):
    with pytest.raises(ZkcmpError, match="conv"):
        Conv(*fields)


def test_a_network_that_would_multiply_for_hours_is_refused():
    layers = (
        Conv(1, 1, (2000, 2000), (1, 1), (0,) * 4, 2, 2),
        Flatten(),
        Dense(2001**2, 2, 2, 2),
    )
    with pytest.raises(ZkcmpError, match="multiplies at most"):
        Architecture((1, 4000, 4000), 8, layers)


@pytest.mark.parametrize("text", ["01", "1.0", "1e3", "+1", "-0", ".5", "1.", "", "nan", "1" * 41])
def test_decimals_have_one_spelling(text):
    with pytest.raises(ZkcmpError, match="plain decimal"):
        Normalisation(offset=text)


def test_a_normalisation_for_each_channel():
    scaling = Normalisation("0.5,0.25", "-1,2")
    assert (scaling.scales, scaling.offsets) == ((0.5, 0.25), (-1.0, 2.0))
    two = replace(TINY, normalisation=scaling)
    assert Architecture.from_bytes(two.to_bytes()) == two
    assert two.digest != TINY.digest
    assert Normalisation.of([0.5, 0.25], [-1, 2]) == scaling
    assert Normalisation.of([0.5, 0.5], [0]) == Normalisation("0.5")
    grey = Normalisation.standardising([0.5], [0.25])
    assert (grey.scales[0] * 255, grey.offsets) == (pytest.approx(4), (-2.0,))
    for texts in (("0.5,0.5", "0"), ("1,0", "0"), ("1,", "0"), ("1", ",".join("12" * 33))):
        with pytest.raises(ZkcmpError, match="normalisation"):
            Normalisation(*texts)
    with pytest.raises(ZkcmpError, match="scale has 3 numbers for 2 channels"):
        replace(TINY, normalisation=Normalisation("1,2,3"))
    with pytest.raises(ZkcmpError, match="as many means as deviations"):
        Normalisation.standardising([0.5], [0.0])


@pytest.mark.parametrize(
    ("value", "text"), [(1 / 16, "0.0625"), (1e-5, "0.00001"), (255.0, "255"), ("-0.50", "-0.5")]
)
def test_canonical_decimal(value, text):
    assert canonical_decimal(value) == text
    assert Normalisation(offset=text).offset == text
