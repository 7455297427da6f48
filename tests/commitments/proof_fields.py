"""The fields of a dot-product proof, and every way to damage one."""

from collections.abc import Callable, Iterator

from zkcmp.bn254.curve.encoding import encode_g1
from zkcmp.bn254.curve.point_bytes import decode_g1_points
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.row_msm import add_points
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS
from zkcmp.commitments.inner_product import rounds
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError

GENERATOR = fixed_base_mul("g1", FrVector.from_ints([1]))
INFINITY = bytes([0x40]) + bytes(31)
OFF_CURVE = bytes([0x80]) + bytes(30) + bytes([4])


def split(data: bytes) -> list[bytes]:
    """32-byte elements."""
    assert len(data) % 32 == 0
    return [data[i : i + 32] for i in range(0, len(data), 32)]


def n_points(n: int) -> int:
    """How many elements of a proof for n are points: the mask, then a pair a round."""
    return 1 + 2 * rounds(n)


def other_points(record: bytes) -> Iterator[tuple[str, bytes]]:
    """Valid encodings of other points."""
    point = decode_g1_points(record)
    yield "moved", encode_g1(add_points(point, GENERATOR))
    yield "negated", bytes([record[0] ^ 0x40]) + record[1:]
    yield "infinity", INFINITY


def no_points(record: bytes) -> Iterator[tuple[str, bytes]]:
    """Bytes that encode no point."""
    yield "zero", bytes(32)
    yield "flag", bytes([record[0] & 0x3F]) + record[1:]
    yield "off the curve", OFF_CURVE
    # x = 1 is on the curve
    yield "x + p", (1 + FQ_MODULUS | 0x80 << 248).to_bytes(32, "big")
    yield "infinity with a coordinate", INFINITY[:31] + b"\1"


def other_scalars(record: bytes) -> Iterator[tuple[str, bytes]]:
    value = int.from_bytes(record, "little")
    for name, x in (("+ 1", value + 1), ("negated", -value), ("doubled", 2 * value), ("zero", 0)):
        yield name, (x % FR_MODULUS).to_bytes(32, "little")


def no_scalars(record: bytes) -> Iterator[tuple[str, bytes]]:
    value = int.from_bytes(record, "little")
    yield "+ r", (value + FR_MODULUS).to_bytes(32, "little")
    yield "r", FR_MODULUS.to_bytes(32, "little")
    yield "all ones", b"\xff" * 32


def replaced(fields: list[bytes], place: int, record: bytes) -> bytes:
    return b"".join([*fields[:place], record, *fields[place + 1 :]])


def outcome(verify: Callable[..., None], *arguments: object) -> type[ZkcmpError] | None:
    """The class of the error, None when accepted; anything but our two errors passes through."""
    try:
        verify(*arguments)
    except (DecodeError, VerificationError) as error:
        return type(error)
    return None


def damages(fields: list[bytes], points: int) -> Iterator[tuple[str, bytes, type[ZkcmpError]]]:
    """Every field in turn damaged in every way: (what, all bytes, the error that must follow)."""
    for place, record in enumerate(fields):
        is_point = place < points
        kinds = [
            (other_points if is_point else other_scalars, VerificationError),
            (no_points if is_point else no_scalars, DecodeError),
        ]
        for variants, error in kinds:
            for what, damaged in variants(record):
                if damaged != record:
                    yield f"field {place} {what}", replaced(fields, place, damaged), error
