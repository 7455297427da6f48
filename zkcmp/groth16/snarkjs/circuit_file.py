""".r1cs files (version 1): the circuits of circom and snarkjs.

    section 1   n8 u32 = 32, r; wires, outputs, public inputs, private inputs u32; labels u64;
                constraints u32
    section 2   per constraint three linear combinations A, B, C: n u32, n·(wire u32, scalar)
    section 3   a label u64 for each wire

Wires are ordered [1 | outputs | public inputs | others] and a row says A·B = C, so outputs and
public inputs are the public wires of an `R1CS` in its own order. A file names no gadgets: an R1CS
that was written and read again has the same relation and another digest.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zkcmp.bn254.field.fr import FrVector, words_to_ints
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError
from zkcmp.groth16.snarkjs.field_words import FR_BYTES, distinct
from zkcmp.groth16.snarkjs.rounds import require_one_round
from zkcmp.groth16.snarkjs.sections import SectionFile, create_sections
from zkcmp.r1cs import R1CS, Span, SparseMatrix

MAGIC, VERSION = b"r1cs", 1

_HEADER = struct.Struct("<I32sIIIIQI")
_PRIME = FR_MODULUS.to_bytes(FR_BYTES, "little")
_CUSTOM_GATES = (4, 5)
_ENTRY_WORDS = 9
_ROWS = 1 << 16


def read_r1cs(path: Path | str) -> R1CS:
    """The circuit in a .r1cs file.

    Raises:
        DecodeError: when the file is anything else, or has custom gates.
    """
    file = SectionFile(path, MAGIC, VERSION)
    n8, prime, wires, outputs, inputs, private, _, constraints = file.unpack(1, _HEADER)
    if n8 != FR_BYTES or prime != _PRIME:
        raise file.error("is for another field than BN254's")
    if outputs + inputs + private >= wires:
        raise file.error("has more inputs and outputs than wires")
    for number in _CUSTOM_GATES:
        if number in file and file.section(number).any():
            raise file.error("uses custom gates, which Groth16 has not")
    file.section(3, 8 * wires)
    section = file.section(2)
    if len(section) % 4 or 12 * constraints > len(section):
        raise file.error("has constraints of a wrong length")
    words = np.array(section).view("<u4").astype(np.uint32, copy=False)
    starts, counts = _combinations(file, words, 3 * constraints)
    (a, b, c), table = _matrices(file, words, starts, counts, wires)
    return R1CS(outputs + inputs, wires, a, b, c, table, [Span("constraints", 0, constraints)])


def _combinations(file: SectionFile, words: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the n linear combinations start, and how many entries each has."""
    starts, counts = np.zeros(n, np.int64), np.zeros(n, np.int64)
    view, end, at = words.data, len(words), 0
    for k in range(n):
        if at >= end:
            raise file.error("ends inside its constraints")
        count = view[at]
        starts[k], counts[k] = at + 1, count
        at += 1 + _ENTRY_WORDS * count
    if at != end:
        raise file.error("has constraints of a wrong length")
    return starts, counts


def _matrices(
    file: SectionFile, words: np.ndarray, starts: np.ndarray, counts: np.ndarray, wires: int
) -> tuple[list[SparseMatrix], list[int]]:
    total = int(counts.sum())
    first = np.cumsum(counts) - counts
    positions = np.repeat(starts - _ENTRY_WORDS * first, counts)
    positions += _ENTRY_WORDS * np.arange(total)
    indices = words[positions]
    if total and int(indices.max()) >= wires:
        raise file.error("names wires that it has not")
    scalars = np.empty((total, 8), np.uint32)
    for k in range(8):
        scalars[:, k] = words[positions + 1 + k]
    combination = np.repeat(np.arange(len(counts)), counts)
    try:
        table, ids = coefficient_table(scalars.view(np.uint64))
    except DecodeError:
        raise file.error("has coefficients that are not below the field modulus") from None
    out = []
    for k in range(3):
        mine = np.flatnonzero(combination % 3 == k)
        try:
            out.append(
                sparse_matrix(
                    combination[mine] // 3, indices[mine], ids[mine], len(counts) // 3, wires
                )
            )
        except DecodeError as error:
            raise file.error(str(error)) from None
    return out, table


def coefficient_table(words: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Different values as integers, and each one's index; DecodeError when one is not below r."""
    table, ids = distinct(words)
    FrVector.from_words(table)
    # a system always has the coefficient one
    return (words_to_ints(table) or [1]), ids


def sparse_matrix(
    rows: np.ndarray, wires: np.ndarray, ids: np.ndarray, n_rows: int, n_wires: int
) -> SparseMatrix:
    """Compressed rows from entries in any order; DecodeError when a place has two."""
    places = rows.astype(np.int64) * n_wires + wires
    if not (places[1:] > places[:-1]).all():
        order = np.argsort(places, kind="stable")
        places, wires, ids = places[order], wires[order], ids[order]
        rows = rows[order]
        if not (places[1:] > places[:-1]).all():
            raise DecodeError("names a wire twice in one row")
    indptr = np.zeros(n_rows + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=n_rows), out=indptr[1:])
    return SparseMatrix(indptr, wires.astype(np.uint32), ids.astype(np.uint32))


def write_r1cs(path: Path | str, r1cs: R1CS) -> None:
    """Write a circuit for circom's and snarkjs's tools; all its public wires as public inputs.

    Raises ZkcmpError for a circuit of two rounds.
    """
    require_one_round(r1cs.n_challenges > 0, "circuit")
    header = _HEADER.pack(
        FR_BYTES, _PRIME, r1cs.n_wires, 0, r1cs.n_public, 0, r1cs.n_wires, r1cs.n_constraints
    )
    table = r1cs.coefficient_vector.to_words().astype("<u8", copy=False).view("<u4")
    with create_sections(path, MAGIC, VERSION, 3) as writer:
        writer.section(1, [header])
        writer.section(2, _rows(r1cs, table.reshape(-1, 8)))
        writer.section(3, [np.arange(r1cs.n_wires, dtype="<u8")])


def _rows(r1cs: R1CS, table: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, r1cs.n_constraints, _ROWS):
        stop = min(start + _ROWS, r1cs.n_constraints)
        counts = np.stack([np.diff(m.indptr[start : stop + 1]) for m in r1cs.matrices], axis=1)
        sizes = 1 + _ENTRY_WORDS * counts.reshape(-1)
        begins = (np.cumsum(sizes) - sizes).reshape(-1, 3)
        out = np.zeros(int(sizes.sum()), "<u4")
        out[begins] = counts
        for k, m in enumerate(r1cs.matrices):
            entries = slice(int(m.indptr[start]), int(m.indptr[stop]))
            within = np.arange(entries.start, entries.stop) - np.repeat(
                m.indptr[start:stop], counts[:, k]
            )
            at = np.repeat(begins[:, k] + 1, counts[:, k]) + _ENTRY_WORDS * within
            out[at] = m.indices[entries]
            scalars = table[m.coefficient_ids[entries]]
            for word in range(8):
                out[at + 1 + word] = scalars[:, word]
        yield out
