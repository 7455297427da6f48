"""Records have one encoding, and only that one is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkcmp.errors import DecodeError
from zkcmp.exchange.messages.wire import Bytes, Field, Integer, Line, Text, exact, pack, unpack

FIELDS: dict[str, Field] = {
    "key": exact(4),
    "data": Bytes(0, 8),
    "n": Integer(-5, 1 << 60),
    "mode": Text(("full", "half")),
}


@given(
    st.binary(min_size=4, max_size=4),
    st.binary(max_size=8),
    st.integers(-5, 1 << 60),
    st.sampled_from(("full", "half")),
)
def test_round_trip(key: bytes, data: bytes, n: int, mode: str) -> None:
    record = {"key": key, "data": data, "n": n, "mode": mode}
    assert unpack(pack(record, FIELDS), FIELDS) == record


GOOD = b'{"data":"","key":"00010203","mode":"full","n":7}'


def test_the_form_is_pinned() -> None:
    record = {"key": bytes(range(4)), "data": b"", "n": 7, "mode": "full"}
    assert pack(record, FIELDS) == GOOD


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"null",
        b"[]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"data":' + b"[" * 100_000,
        b"\xff" * 10,
        GOOD + b" ",
        GOOD.replace(b":7", b": 7"),
        GOOD.replace(b":7", b":7.0"),
        GOOD.replace(b":7", b":NaN"),
        GOOD.replace(b":7", b":true"),
        GOOD.replace(b":7", b':"7"'),
        GOOD.replace(b":7", b":07"),
        GOOD.replace(b":7", b":-6"),
        GOOD.replace(b":7", b":1e3"),
        GOOD.replace(b":7", b":" + b"9" * 5000),
        GOOD.replace(b'"n":7', b'"n":7,"n":7'),
        GOOD.replace(b'"n":7', b'"n":7,"o":7'),
        GOOD.replace(b',"n":7', b""),
        GOOD.replace(b'{"data":"",', b'{"data":"0",'),
        GOOD.replace(b"00010203", b"000102"),
        GOOD.replace(b"00010203", b"0001020304"),
        GOOD.replace(b"00010203", b"0001020g"),
        GOOD.replace(b"00010203", b"00 10203"),
        GOOD.replace(b"full", b"none"),
        GOOD.replace(b'"full"', b"1"),
        GOOD.replace(b"full", b"f\\u0075ll"),
        GOOD.replace(b'{"data":"","key":"00010203"', b'{"key":"00010203","data":""'),
    ],
)
def test_anything_else_is_refused(encoded: bytes) -> None:
    with pytest.raises(DecodeError):
        unpack(encoded, FIELDS)


def test_upper_case_hexadecimal_is_refused() -> None:
    fields: dict[str, Field] = {"a": exact(2)}
    assert unpack(b'{"a":"abcd"}', fields) == {"a": b"\xab\xcd"}
    with pytest.raises(DecodeError):
        unpack(b'{"a":"ABCD"}', fields)


def test_values_that_do_not_fit_are_not_packed() -> None:
    record = {"key": b"\0" * 4, "data": b"", "n": 7, "mode": "full"}
    for wrong in ({"n": -6}, {"key": b"\0"}, {"mode": "none"}, {"more": 1}):
        with pytest.raises(DecodeError):
            pack({**record, **wrong}, FIELDS)


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    """With py_ecc imported, Python's own recursion guard comes too late for the C stack."""
    import py_ecc.bn128  # noqa: F401

    from zkcmp.model.architecture import MAX_BYTES, Architecture

    for opening in (b"[", b'{"a":'):
        with pytest.raises(DecodeError, match="nested"):
            Architecture.from_bytes((opening * MAX_BYTES)[:MAX_BYTES])
        with pytest.raises(DecodeError):
            unpack(opening * 3000, FIELDS)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (Bytes(2, 4), ["abcd", "abcdef", "abcdef01"], ["ab", "abcdef0123"]),
        (exact(2), ["abcd"], ["ab", "abcdef", "abc", "ab cd", "ABCD", "0xab", 7, None, True, {}]),
        (Integer(2, 4), [2, 3, 4], [1, 5, True, "3", 3.0, None]),
        (Integer(0, 1), [0, 1], [False, True]),
        (Text(("a", "b")), ["a", "b"], ["c", "", "ab", 1, None]),
        (Line("[ab]+"), ["a", "abba"], ["", "c", "ac", "ca", "a\n", 1, None]),
    ],
)
def test_limits_of_a_field(field: Field, good: list[object], bad: list[object]) -> None:
    for value in good:
        decoded = field.decode("name", value)
        assert (decoded.hex() if isinstance(decoded, bytes) else decoded) == value
    for value in bad:
        with pytest.raises(DecodeError, match="field name "):
            field.decode("name", value)


@pytest.mark.parametrize("value", ["ab" * 5, "ab" * 4 + "c", "zz" * (1 << 20), 7])
def test_long_text_is_refused_before_it_is_read(value: object) -> None:
    with pytest.raises(DecodeError, match="is not 4 bytes of hexadecimal"):
        Bytes(0, 4).decode("name", value)


def test_text_that_is_not_ascii_is_escaped() -> None:
    fields: dict[str, Field] = {"line": Line(".+")}
    encoded = pack({"line": "é"}, fields)
    assert encoded == b'{"line":"\\u00e9"}'
    assert unpack(encoded, fields) == {"line": "é"}
    with pytest.raises(DecodeError):
        unpack('{"line":"é"}'.encode(), fields)
