"""Vectors made by snarkjs and circom (tests/snarkjs/make_vectors.sh), and a reader for each."""

import struct
from collections.abc import Callable
from pathlib import Path

from zkcmp.groth16.snarkjs import (
    Ptau,
    ZKey,
    read_proof,
    read_public,
    read_r1cs,
    read_verification_key,
    read_wtns,
)
from zkcmp.groth16.snarkjs import zkey as sections

VECTORS = Path(__file__).with_name("snarkjs_vectors")


def read_zkey(path: Path) -> ZKey:
    """Everything in a .zkey."""
    key = ZKey(path)
    _ = key.matrices
    for number in (sections.A, sections.B_G1, sections.B_G2, sections.L, sections.H):
        key.query(number)
    return key


def read_ptau(path: Path) -> Ptau:
    """Everything in a .ptau but its contributions."""
    powers = Ptau(path)
    for number in (2, 3, 4, 5, 6):
        powers.points(number)
    for number in (2, 3, 4, 5):
        powers.lagrange(number, powers.power)
    return powers


READERS: dict[str, Callable[[Path], object]] = {
    "power.r1cs": read_r1cs,
    "power.wtns": read_wtns,
    "power.zkey": read_zkey,
    "power.ptau": read_ptau,
    "verification_key.json": read_verification_key,
    "proof.json": read_proof,
    "public.json": read_public,
}
BINARY = [name for name in READERS if name.startswith("power.")]


def split(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """(magic and version, sections) of a binary file."""
    count = struct.unpack_from("<I", data, 8)[0]
    found, at = [], 12
    for _ in range(count):
        number, length = struct.unpack_from("<IQ", data, at)
        found.append((number, data[at + 12 : at + 12 + length]))
        at += 12 + length
    return data[:8], found


def join(head: bytes, parts: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(struct.pack("<IQ", number, len(data)) + data for number, data in parts)
    return head + struct.pack("<I", len(parts)) + body
