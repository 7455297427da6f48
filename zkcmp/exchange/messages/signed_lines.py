"""Signed transactions in a file: a line each, a height, a space, the transaction in hexadecimal."""

from collections.abc import Iterable

from bitcoin.core import CTransaction
from bitcoin.core.serialize import SerializationError

from zkcmp.errors import DecodeError


def encode(signed: Iterable[tuple[int, CTransaction]]) -> bytes:
    """The file's content."""
    lines = (f"{height} {transaction.serialize().hex()}\n" for height, transaction in signed)
    return "".join(lines).encode("ascii")


def decode(data: bytes) -> list[tuple[int, CTransaction]]:
    """Heights and transactions. Raises DecodeError."""
    try:
        return [_pair(line) for line in data.decode("ascii").splitlines()]
    except (ValueError, SerializationError):
        raise DecodeError("not a record of signed transactions") from None


def _pair(line: str) -> tuple[int, CTransaction]:
    height, transaction = line.split(" ")
    return int(height), CTransaction.deserialize(bytes.fromhex(transaction))
