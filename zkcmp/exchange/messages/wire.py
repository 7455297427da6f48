"""Canonical JSON records: the one encoding of the named fields of a message.

record = JSON object, keys sorted, no spaces, ASCII; bytes are lower-case hexadecimal, numbers are
integers. `unpack` accepts exactly what `pack` produces (it encodes again and compares), so equal
records are equal bytes and a digest of the bytes is a digest of the record.

The caller bounds the length of the bytes before it calls `unpack`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from zkcmp.errors import DecodeError

Value = int | str | bytes


@dataclass(frozen=True)
class Bytes:
    """A byte string of `low` to `high` bytes, in hexadecimal."""

    low: int
    high: int

    def decode(self, name: str, value: object) -> bytes:
        if not isinstance(value, str) or len(value) > 2 * self.high:
            raise DecodeError(f"field {name} is not {self.high} bytes of hexadecimal")
        try:
            data = bytes.fromhex(value)
        except ValueError:
            raise DecodeError(f"field {name} is not hexadecimal") from None
        if data.hex() != value:
            raise DecodeError(f"field {name} is not in lower-case hexadecimal")
        if not self.low <= len(data) <= self.high:
            raise DecodeError(f"field {name} has {len(data)} bytes, not {self.low} to {self.high}")
        return data


@dataclass(frozen=True)
class Integer:
    """An integer from `low` to `high`."""

    low: int
    high: int

    def decode(self, name: str, value: object) -> int:
        if type(value) is not int or not self.low <= value <= self.high:
            raise DecodeError(f"field {name} is not an integer from {self.low} to {self.high}")
        return value


@dataclass(frozen=True)
class Text:
    """One of a few fixed words."""

    choices: tuple[str, ...]

    def decode(self, name: str, value: object) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise DecodeError(f"field {name} is not one of: {', '.join(self.choices)}")
        return value


@dataclass(frozen=True)
class Line:
    """Text that fully matches a regular expression."""

    pattern: str

    def decode(self, name: str, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise DecodeError(f"field {name} is not of its form")
        return value


Field = Bytes | Integer | Text | Line


def exact(n_bytes: int) -> Bytes:
    """A byte string of exactly `n_bytes` bytes."""
    return Bytes(n_bytes, n_bytes)


def pack(values: Mapping[str, Value], fields: Mapping[str, Field]) -> bytes:
    """The canonical bytes of a record. Raises DecodeError when a value does not fit its field."""
    plain = {k: v.hex() if isinstance(v, bytes) else v for k, v in values.items()}
    encoded = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    unpack(encoded, fields)
    return encoded


def unpack(encoded: bytes, fields: Mapping[str, Field]) -> dict[str, Value]:
    """The record in `encoded`. Raises DecodeError unless `encoded` is its canonical form."""
    # a record is flat; nesting could exhaust the C stack of the JSON parser
    if b"[" in encoded or encoded.count(b"{") != 1:
        raise DecodeError("a record is not a flat JSON object")
    try:
        plain = json.loads(encoded.decode("ascii"), parse_float=_no_float, parse_constant=_no_float)
        again = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    except ValueError:
        raise DecodeError("a record is not canonical JSON") from None
    if not isinstance(plain, dict) or again.encode() != encoded:
        raise DecodeError("a record is not canonical JSON")
    if set(plain) != set(fields):
        raise DecodeError(f"a record has other fields than {', '.join(sorted(fields))}")
    return {name: field.decode(name, plain[name]) for name, field in fields.items()}


def _no_float(text: str) -> object:
    raise ValueError(text)
