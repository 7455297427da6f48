"""Changed copies of valid bytes: what a counterparty, a bad disk or a bad line could send.

Blind to the form of a file, but with what breaks decoders in every form: lengths and counts that
are absurd, values at the edges of integers and of the field, pieces repeated, left out, moved or
taken from another valid file.
"""

import random
import struct
from collections.abc import Callable, Sequence

from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS

_EDGES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]
_WORDS = [
    *(x.to_bytes(32, order) for x in (FQ_MODULUS, FR_MODULUS, 2**256 - 1, 0, 1) for order in
      ("big", "little")),
    *(struct.pack(f, min(x, (1 << 8 * struct.calcsize(f)) - 1)) for x in _EDGES for f in
      ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")),
    *(b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"-1", b"1e999", b"NaN", b"\\u0000"),
    *(b"[" * 300, b"9" * 400, b"\x80" * 16, b"\0" * 40, b"../../", b"\xff\xfe", b"\n"),
]  # fmt: skip

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def flip_bit(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if not data:
        return b"\0"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def set_byte(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if not data:
        return bytes([rng.randrange(256)])
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def truncate(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def extend(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data + rng.randbytes(rng.choice((1, 2, 8, 32, 64, 1000)))


def overwrite(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """An edge value over what is there, more often near the start, where headers are."""
    word = rng.choice(_WORDS)
    limit = len(data) if rng.random() < 0.5 else min(len(data), 96)
    at = rng.randrange(limit + 1)
    return data[:at] + word + data[at + len(word) :]


def insert(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(_WORDS) + data[at:]


def cut_out(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 2, 4, 8, 32, 64, 200)) :]


def repeat(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    piece = data[at : at + rng.choice((1, 4, 8, 32, 64))]
    return data[:at] + piece * rng.choice((2, 3, 50)) + data[at + len(piece) :]


def splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The start of this and the end of another valid file."""
    other = rng.choice(others)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def swap(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    n = rng.choice((1, 4, 8, 32, 64))
    i, j = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    if j < i + n:
        return data
    return data[:i] + data[j : j + n] + data[i + n : j] + data[i : i + n] + data[j + n :]


def noise(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 7, 40, len(data))))


MUTATIONS: tuple[Mutation, ...] = (
    *(flip_bit, set_byte, truncate, extend, overwrite, overwrite, insert),
    *(cut_out, repeat, splice, swap, noise),
)


def mutate(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One to four changes of one of the seeds."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        data = rng.choice(MUTATIONS)(rng, data, seeds)
    return data
