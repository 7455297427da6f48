""".wtns files (version 2): all wires of a circuit, the constant one first.

section 1   n8 u32 = 32, r, number of wires u32
section 2   the scalars, canonical
"""

import struct
from pathlib import Path

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError
from zkcmp.groth16.snarkjs.field_words import FR_BYTES, read_words
from zkcmp.groth16.snarkjs.sections import SectionFile, create_sections

MAGIC, VERSION = b"wtns", 2

_HEADER = struct.Struct("<I32sI")
_PRIME = FR_MODULUS.to_bytes(FR_BYTES, "little")


def read_wtns(path: Path | str) -> FrVector:
    """The witness in a .wtns file.

    Raises:
        DecodeError: when the file is anything else, or wire 0 is not 1.
    """
    file = SectionFile(path, MAGIC, VERSION)
    n8, prime, n = file.unpack(1, _HEADER)
    if n8 != FR_BYTES or prime != _PRIME:
        raise file.error("is for another field than BN254's")
    words = read_words(file.section(2, FR_BYTES * n))
    try:
        witness = FrVector.from_words(words)
    except DecodeError:
        raise file.error("has values that are not below the field modulus") from None
    if not n or witness[0] != 1:
        raise file.error("does not begin with the constant one")
    return witness


def write_wtns(path: Path | str, witness: FrVector) -> None:
    """Write a witness to a file that only this user can read."""
    with create_sections(path, MAGIC, VERSION, 2, mode=0o600) as writer:
        writer.section(1, [_HEADER.pack(FR_BYTES, _PRIME, len(witness))])
        writer.section(2, [np.ascontiguousarray(witness.to_words(), "<u8")])
