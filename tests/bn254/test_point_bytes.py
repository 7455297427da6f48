"""Many compressed G1 points: the same bytes, and the same refusals, as one at a time."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.bn254.curve import g1
from zkcmp.bn254.curve.encoding import decode_g1, encode_g1
from zkcmp.bn254.curve.point_bytes import decode_g1_points, encode_g1_points
from zkcmp.bn254.curve.square_root import points_from_x
from zkcmp.bn254.field.fr import FrVector, ints_to_words
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.params import FQ_MODULUS as P
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.bn254.reference import G1, fq_sqrt
from zkcmp.errors import DecodeError

INFINITY, SMALLER, LARGER = 0x40, 0x80, 0xC0


def flagged(flag: int, x: int) -> bytes:
    body = bytearray(x.to_bytes(32, "big"))
    body[0] |= flag
    return bytes(body)


def points(n: int) -> np.ndarray:
    array = fixed_base_mul("g1", FrVector.powers(0x1234567, n))
    array[n // 2] = 0
    return array


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 33])
def test_round_trip(n: int) -> None:
    array = points(n)
    data = encode_g1_points(array)
    assert data == b"".join(encode_g1(p) for p in array)
    back = decode_g1_points(data)
    assert back.flags.writeable
    assert np.array_equal(back, array)
    assert encode_g1_points(np.zeros((0, 2, 4), np.uint64)) == b""
    assert decode_g1_points(b"").shape == (0, 2, 4)


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (flagged(0, 1), "flag"),
        (bytes(32), "flag"),
        (flagged(INFINITY, 1), "infinity with a coordinate"),
        (flagged(INFINITY, P), "infinity with a coordinate"),
        (flagged(SMALLER, P + 1), "not the canonical coordinate"),
        (flagged(LARGER, 2**254 - 1), "not the canonical coordinate"),
        (flagged(SMALLER, 0), "not the canonical coordinate"),
        (flagged(SMALLER, 4), "not the canonical coordinate"),
    ],
)
def test_one_bad_record_among_good_ones(record: bytes, what: str) -> None:
    with pytest.raises(DecodeError):
        decode_g1(record)
    data = encode_g1_points(points(11))
    for place in (0, 7, 10):
        bad = data[: 32 * place] + record + data[32 * place + 32 :]
        with pytest.raises(DecodeError, match=f"point {place}: .*{what}"):
            decode_g1_points(bad)


@pytest.mark.parametrize("size", [1, 31, 33, 63])
def test_only_whole_points(size: int) -> None:
    with pytest.raises(DecodeError, match="not whole points"):
        decode_g1_points(encode_g1_points(points(3))[:size])


def _outcome(decode, data: bytes) -> bytes | None:
    try:
        return bytes(decode(data).tobytes())
    except DecodeError:
        return None


@settings(max_examples=200, deadline=None)
@given(data=st.binary(min_size=32, max_size=32))
def test_any_bytes_as_one_at_a_time(data: bytes) -> None:
    assert _outcome(decode_g1_points, data) == _outcome(decode_g1, data)


def test_roots_against_the_plain_twin() -> None:
    rng = random.Random(5)
    xs = [0, 1, 2, 3, P - 1, P, P + 1, 2**255, *(rng.randrange(P) for _ in range(60))]
    larger = np.array([rng.randrange(2) for _ in xs], bool)
    got, good = points_from_x(ints_to_words(xs), larger)
    for x, sign, point, found in zip(xs, larger, g1.to_affine_ints(got), good, strict=True):
        y = fq_sqrt((x**3 + 3) % P) if x < P else None
        assert found == (y is not None)
        if y is None:
            assert point is None
            continue
        assert G1.is_on_curve(point)
        assert point == (x, max(y, P - y) if sign else min(y, P - y))


def test_both_roots_of_every_multiple() -> None:
    for k in (1, 2, R - 1, R // 2):
        x, y = G1.mul(G1.generator, k)
        for root in (y, P - y):
            got, good = points_from_x(ints_to_words([x]), np.array([root > P // 2]))
            assert good.all()
            assert g1.to_affine_ints(got) == [(x, root)]
