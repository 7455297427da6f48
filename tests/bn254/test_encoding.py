"""One point, one encoding: round trips, and every other string of bytes is refused."""

import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zkcmp.bn254 import reference
from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.encoding import decode_g1, decode_g2, encode_g1, encode_g2
from zkcmp.bn254.params import FQ_MODULUS as P
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.bn254.params import TWIST_B
from zkcmp.bn254.reference import G1, G2
from zkcmp.errors import DecodeError

INFINITY, SMALLER, LARGER = 0x40, 0x80, 0xC0
SOURCE = random.Random(7)
GROUPS = {
    "G1": (G1, g1.from_affine_ints, encode_g1, decode_g1, 32),
    "G2": (G2, g2.from_affine_ints, encode_g2, decode_g2, 64),
}
both = pytest.mark.parametrize("name", GROUPS)


def point_array(name: str, k: int) -> np.ndarray:
    group, to_array, *_ = GROUPS[name]
    return to_array([group.mul(group.generator, k)])


def flagged(flag: int, *values: int) -> bytes:
    body = bytearray(b"".join(v.to_bytes(32, "big") for v in values))
    body[0] |= flag
    return bytes(body)


@both
@settings(max_examples=25, deadline=None)
@given(k=st.integers(0, R - 1))
@example(k=0)
@example(k=1)
@example(k=R - 1)
def test_round_trip(name: str, k: int) -> None:
    *_, encode, decode, size = GROUPS[name]
    array = point_array(name, k)
    data = encode(array)
    assert len(data) == size
    back = decode(data)
    assert back.dtype == np.uint64
    assert back.shape == array.shape
    assert back.flags.writeable
    assert np.array_equal(back, array)
    assert encode(array[0]) == encode(back) == data


@both
def test_a_point_and_its_negative_differ_in_the_flag_only(name: str) -> None:
    *_, encode, decode, _ = GROUPS[name]
    for k in [1, 2, 3, *(SOURCE.randrange(R) for _ in range(5))]:
        data, negative = encode(point_array(name, k)), encode(point_array(name, -k))
        assert data[0] ^ negative[0] == 0x40
        assert data[1:] == negative[1:]
        assert {data[0] & 0xC0, negative[0] & 0xC0} == {SMALLER, LARGER}
        flipped = bytes([data[0] ^ 0x40]) + data[1:]
        assert np.array_equal(decode(flipped), point_array(name, -k))


def test_known_bytes() -> None:
    """Generators by hand: (1, 2) has the smaller y; G2 is x.c1 then x.c0."""
    assert encode_g1(point_array("G1", 1)) == flagged(SMALLER, 1)
    assert encode_g1(point_array("G1", -1)) == flagged(LARGER, 1)
    (x0, x1), (_, y1) = G2.generator
    flag = LARGER if y1 > P // 2 else SMALLER
    assert encode_g2(point_array("G2", 1)) == flagged(flag, x1, x0)
    assert encode_g1(point_array("G1", 0)) == bytes([INFINITY]) + bytes(31)
    assert encode_g2(point_array("G2", 0)) == bytes([INFINITY]) + bytes(63)


def test_larger_y_in_g2_by_the_real_part_when_the_imaginary_part_is_zero() -> None:
    """Such points need not be in G2; the flag rule is checked on the curve's own y."""
    from zkcmp.bn254.curve.encoding import _LARGER, _SMALLER, _sign_flag_fq2

    half = (P - 1) // 2
    for y, flag in [
        ((1, 0), _SMALLER),
        ((half, 0), _SMALLER),
        ((half + 1, 0), _LARGER),
        ((P - 1, half), _SMALLER),
        ((0, half + 1), _LARGER),
        ((P - 1, 1), _SMALLER),
    ]:
        assert _sign_flag_fq2(y) == flag


@both
@pytest.mark.parametrize("flag", [0x00, INFINITY])
def test_wrong_flag_on_a_good_x(name: str, flag: int) -> None:
    *_, encode, decode, _ = GROUPS[name]
    data = encode(point_array(name, 9))
    bad = bytes([data[0] & 0x3F | flag]) + data[1:]
    with pytest.raises(DecodeError, match="flag" if flag == 0 else "infinity with a coordinate"):
        decode(bad)


@both
def test_infinity_with_any_other_bit(name: str) -> None:
    *_, decode, size = GROUPS[name]
    for bit in range(8 * size):
        data = bytearray([INFINITY]) + bytes(size - 1)
        data[bit // 8] ^= 0x80 >> (bit % 8)
        with pytest.raises(DecodeError):
            decode(bytes(data))
    # without its flag, infinity is nothing; with a sign flag x = 0 is off the curve
    for flag in (0x00, SMALLER, LARGER):
        with pytest.raises(DecodeError):
            decode(bytes([flag]) + bytes(size - 1))


@both
def test_wrong_lengths(name: str) -> None:
    *_, encode, decode, size = GROUPS[name]
    data = encode(point_array(name, 5))
    for wrong in (b"", data[:-1], data + b"\0", data[: size // 2], data * 2, bytes(1000)):
        with pytest.raises(DecodeError, match=f"need {size} bytes, got {len(wrong)}"):
            decode(wrong)


@pytest.mark.parametrize("flag", [SMALLER, LARGER])
def test_coordinates_at_and_above_p(flag: int) -> None:
    """x + p names the same residue and must not decode; nor does anything up to 2^254."""
    for x in (P, P + 1, P + 2, (1 << 254) - 1):
        with pytest.raises(DecodeError, match="not below the field modulus"):
            decode_g1(flagged(flag, x))
        for pair in ((x, 0), (0, x), (x, x)):
            with pytest.raises(DecodeError, match="not below the field modulus"):
                decode_g2(flagged(flag, *pair))
    with pytest.raises(DecodeError, match="not below the field modulus"):
        decode_g2(flagged(flag, 0, (1 << 256) - 1))


def test_x_off_the_curve() -> None:
    refused = 0
    for x in [0, 4, P - 1, *range(5, 40)]:
        on_curve = reference.fq_sqrt((x**3 + 3) % P) is not None
        if on_curve:
            assert g1.is_on_curve(decode_g1(flagged(SMALLER, x))).all()
        else:
            refused += 1
            with pytest.raises(DecodeError, match="not on the curve"):
                decode_g1(flagged(SMALLER, x))
    assert refused > 5


def _twist_y(x: tuple[int, int]):
    cube = reference.fq2_mul(reference.fq2_mul(x, x), x)
    return reference.fq2_sqrt(reference.fq2_add(cube, TWIST_B))


def test_x_off_the_twist_and_points_off_the_subgroup() -> None:
    """Almost every point of the twist is outside G2."""
    outcomes = set()
    for c in range(20):
        x = (c, 1)
        y = _twist_y(x)
        match = "not on the curve" if y is None else "not in the subgroup"
        outcomes.add(match)
        with pytest.raises(DecodeError, match=match):
            decode_g2(flagged(LARGER, x[1], x[0]))
    assert len(outcomes) == 2


def test_small_order_point_is_refused() -> None:
    x = next(x for x in ((c, 1) for c in range(100)) if _twist_y(x) is not None)
    cofactor = 2 * P - R
    point, total = (x, _twist_y(x)), None
    # times r·cofactor/10069 leaves a point of order 10069 (or infinity, if unlucky)
    for bit in bin(R * (cofactor // 10069))[2:]:
        total = G2.add(total, total)
        if bit == "1":
            total = G2.add(total, point)
    assert cofactor % 10069 == 0
    assert total is not None
    data = encode_g2(g2.from_affine_ints([total]))
    with pytest.raises(DecodeError, match="not in the subgroup"):
        decode_g2(data)


@both
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_arbitrary_bytes_decode_canonically_or_not_at_all(name: str, data) -> None:
    *_, encode, decode, size = GROUPS[name]
    raw = data.draw(st.binary(min_size=size, max_size=size))
    try:
        point = decode(raw)
    except DecodeError:
        return
    assert encode(point) == raw


@both
def test_every_flipped_bit_changes_the_point_or_is_refused(name: str) -> None:
    *_, encode, decode, size = GROUPS[name]
    array = point_array(name, SOURCE.randrange(R))
    data = encode(array)
    for bit in range(0, 8 * size, 5):
        changed = bytearray(data)
        changed[bit // 8] ^= 0x80 >> (bit % 8)
        try:
            point = decode(bytes(changed))
        except DecodeError:
            continue
        assert not np.array_equal(point, array)


@both
@pytest.mark.parametrize("shape", [(4,), (0, 2, 4), (2, 2, 4, 1), (3, 2, 2, 4)])
def test_encoding_needs_one_point(name: str, shape: tuple[int, ...]) -> None:
    encode = GROUPS[name][2]
    with pytest.raises(ValueError, match="need one uint64 point"):
        encode(np.zeros(shape, np.uint64))
