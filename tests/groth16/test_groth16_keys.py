"""Key files and verifying keys: one encoding each, and everything else is refused."""

import errno
import hashlib
import io
import os
import resource
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from groth16_circuits import bits, cubic

from zkcmp.bn254.curve import g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FQ_MODULUS, TWIST_B
from zkcmp.bn254.reference import G2, fq2_add, fq2_mul, fq2_sqrt
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16 import ProvingKey, VerifyingKey, key_file, prove, setup
from zkcmp.groth16.key_file import KeyFile, KeyWriter, Shape, create_key_file
from zkcmp.groth16.keys import POWER_SECTIONS
from zkcmp.groth16.keys import SECTIONS as PROVER_SECTIONS

SECTIONS = PROVER_SECTIONS + POWER_SECTIONS
FIXED, ENTRY = 80, 72
HEADER = FIXED + ENTRY * len(SECTIONS) + 32


@pytest.fixture(scope="module")
def key_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    key = setup(cubic()[0], tmp_path_factory.mktemp("key"))
    return key.file.path.read_bytes()


def _open(data: bytes, directory: Path) -> ProvingKey:
    path = directory / "changed.bin"
    path.write_bytes(data)
    return ProvingKey.open(path)


def _resealed(data: bytes) -> bytes:
    """A forger's file: all digests are made to fit again."""
    out = bytearray(data)
    for k in range(len(SECTIONS)):
        at = FIXED + k * ENTRY
        offset, length = struct.unpack_from("<QQ", out, at + 24)
        out[at + 40 : at + 72] = hashlib.sha256(out[offset : offset + length]).digest()
    out[HEADER - 32 : HEADER] = hashlib.sha256(out[: HEADER - 32]).digest()
    return bytes(out)


def _section(data: bytes, name: str) -> tuple[int, int]:
    return struct.unpack_from("<QQ", data, FIXED + SECTIONS.index(name) * ENTRY + 24)


def _patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def test_open_again(key_bytes: bytes, tmp_path: Path) -> None:
    key = _open(key_bytes, tmp_path)
    key.check_points()
    assert key.shape.circuit_digest == cubic()[0].digest
    assert key.digest == hashlib.sha256(key_bytes[:HEADER]).digest()
    for name in SECTIONS:
        assert key.file.sections[name].offset % 64 == 0
    prove(key, cubic()[0], FrVector.from_ints(cubic()[1]))


def test_queries_hold_no_infinity(key_bytes: bytes, tmp_path: Path) -> None:
    """Wires 1 and 2 are public, 3 the only private one in B; none is padded with infinity."""
    key = _open(key_bytes, tmp_path)
    assert list(key.a_wires) == [0, 1, 2, 3, 4, 5]
    assert list(key.b_wires) == [0, 3]
    assert list(key.l_wires) == [3, 4, 5]


def test_every_header_byte_counts(key_bytes: bytes, tmp_path: Path) -> None:
    for position in range(HEADER):
        changed = bytes([key_bytes[position] ^ (1 << (position % 8))])
        with pytest.raises(DecodeError):
            _open(_patched(key_bytes, position, changed), tmp_path)


@pytest.mark.parametrize("cut", [0, 7, 8, FIXED, HEADER - 1, HEADER, HEADER + 100, -64, -1])
def test_truncated(key_bytes: bytes, tmp_path: Path, cut: int) -> None:
    with pytest.raises(DecodeError):
        _open(key_bytes[:cut], tmp_path)


def test_oversized_and_missing(key_bytes: bytes, tmp_path: Path) -> None:
    for tail in (b"\0", b"\0" * 64, key_bytes):
        with pytest.raises(DecodeError, match="its header says"):
            _open(key_bytes + tail, tmp_path)
    with pytest.raises(DecodeError, match="cannot read"):
        ProvingKey.open(tmp_path / "nowhere")
    with pytest.raises(DecodeError, match="cannot read"):
        ProvingKey.open(tmp_path)
    with pytest.raises(DecodeError, match="not a proving key"):
        _open(b"garbage" * 1000, tmp_path)


@pytest.mark.parametrize("name", SECTIONS)
def test_damaged_section(key_bytes: bytes, tmp_path: Path, name: str) -> None:
    """The form may still be right; the digest is not."""
    offset, length = _section(key_bytes, name)
    at = offset + length - 1
    with pytest.raises(DecodeError):
        _open(_patched(key_bytes, at, bytes([key_bytes[at] ^ 1])), tmp_path).check_points()


@pytest.mark.parametrize(
    "name", [s for s in SECTIONS if s.endswith("query")] + ["elements_g1", "verifying_key"]
)
def test_forged_point(key_bytes: bytes, tmp_path: Path, name: str) -> None:
    """Digests fit, a point is off its curve: found when the points are checked, or on opening."""
    offset, length = _section(key_bytes, name)
    at = offset + length - 64
    forged = _resealed(_patched(key_bytes, at, bytes([key_bytes[at] ^ 1])))
    where = {"elements_g1": "delta_g1", "verifying_key": "gamma_abc_g1"}.get(name, name)
    with pytest.raises(DecodeError, match=where):
        _open(forged, tmp_path).check_points()


def test_point_at_infinity(key_bytes: bytes, tmp_path: Path) -> None:
    for name in ("a_query", "b_g2_query"):
        offset, _ = _section(key_bytes, name)
        size = 128 if "g2" in name else 64
        forged = _resealed(_patched(key_bytes, offset, bytes(size)))
        with pytest.raises(DecodeError, match=f"{name}, point 0 is not in its group"):
            _open(forged, tmp_path).check_points()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_public", 1),
        ("n_public", 3),
        ("n_public", 2**63),
        ("n_wires", 2),
        ("n_wires", 5),
        ("n_wires", 2**63),
        ("n_constraints", 20),
        ("n_constraints", 2**63),
        ("domain_size", 0),
        ("domain_size", 7),
        ("domain_size", 16),
        ("domain_size", 2**40),
    ],
)
def test_forged_sizes(key_bytes: bytes, tmp_path: Path, field: str, value: int) -> None:
    at = 48 + 8 * ("n_public", "n_wires", "n_constraints", "domain_size").index(field)
    with pytest.raises(DecodeError):
        _open(_resealed(_patched(key_bytes, at, struct.pack("<Q", value))), tmp_path)


@pytest.mark.parametrize(("field", "more"), [("n_constraints", 1), ("n_wires", 1)])
def test_sizes_of_another_circuit(key_bytes: bytes, tmp_path: Path, field: str, more: int) -> None:
    """Sizes that a file may have, but not for the circuit whose digest it shows."""
    r1cs, wires = cubic()
    at = 48 + 8 * ("n_public", "n_wires", "n_constraints").index(field)
    forged = _patched(key_bytes, at, struct.pack("<Q", getattr(r1cs, field) + more))
    key = _open(_resealed(forged), tmp_path)
    with pytest.raises(VerificationError, match="the sizes of its circuit"):
        prove(key, r1cs, FrVector.from_ints(wires))


@pytest.mark.parametrize("n_bits", [4, 9])
def test_key_of_another_circuit_under_the_right_digest(n_bits: int, tmp_path: Path) -> None:
    """Its wire lists, or the domain, do not fit the witness."""
    r1cs, wires = bits(6, 33)
    other = setup(bits(n_bits, 1)[0], tmp_path)
    data = other.file.path.read_bytes().replace(other.shape.circuit_digest, r1cs.digest)
    key = _open(_resealed(data), tmp_path)
    key.check_points()
    with pytest.raises(VerificationError, match="the sizes of its circuit"):
        prove(key, r1cs, FrVector.from_ints(wires))


def test_forged_table(key_bytes: bytes, tmp_path: Path) -> None:
    """Offsets and lengths that overlap, leave gaps, or exceed the file."""
    for k in range(len(SECTIONS)):
        for at in (FIXED + k * ENTRY + 24, FIXED + k * ENTRY + 32):
            (value,) = struct.unpack_from("<Q", key_bytes, at)
            for new in (0, value + 64, value - 64, 2**62, 2**64 - 64):
                changed = bytearray(_patched(key_bytes, at, struct.pack("<Q", new % 2**64)))
                head = hashlib.sha256(changed[: HEADER - 32]).digest()
                with pytest.raises(DecodeError):
                    _open(_patched(bytes(changed), HEADER - 32, head), tmp_path)


def test_bytes_between_sections(key_bytes: bytes, tmp_path: Path) -> None:
    offset, length = _section(key_bytes, "b_wires")
    assert (offset + length) % 64
    forged = _patched(key_bytes, offset + length, b"\1")
    with pytest.raises(DecodeError, match="bytes between sections"):
        _open(_resealed(forged), tmp_path)


@pytest.mark.parametrize(
    ("name", "wires"),
    [
        ("a_wires", [0, 1, 2, 3, 5, 4]),
        ("a_wires", [0, 1, 2, 3, 4, 6]),
        ("b_wires", [3, 3]),
        ("l_wires", [2, 4, 5]),
        ("l_wires", [3, 4, 2**32 - 1]),
    ],
)
def test_forged_wires(key_bytes: bytes, tmp_path: Path, name: str, wires: list[int]) -> None:
    offset, _ = _section(key_bytes, name)
    forged = _patched(key_bytes, offset, np.array(wires, "<u4").tobytes())
    with pytest.raises(DecodeError, match=f"{name} is not a list of wires"):
        _open(_resealed(forged), tmp_path)


def test_verifying_key_of_another_key(key_bytes: bytes, tmp_path: Path) -> None:
    other = setup(cubic()[0], tmp_path).verifying_key.to_bytes()
    offset, length = _section(key_bytes, "verifying_key")
    assert len(other) == length
    with pytest.raises(DecodeError, match="another proving key"):
        _open(_resealed(_patched(key_bytes, offset, other)), tmp_path)


def test_interrupted_setup_leaves_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: KeyWriter) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(KeyWriter, "finish", fail)
    with pytest.raises(KeyboardInterrupt):
        setup(cubic()[0], tmp_path)
    assert list(tmp_path.iterdir()) == []


def _limit_files(size: int) -> None:
    """Writing beyond so many bytes fails in this process from now on, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.mark.parametrize("part", [0, 0.02, 0.3, 0.7, 0.999])
def test_a_full_disk_leaves_the_key_that_was_there(part: float, tmp_path: Path) -> None:
    """Wherever the writing thread meets it: in the header's place, a section, or the last flush."""
    circuit = bits(250, 9)[0]
    before = setup(circuit, tmp_path).file.path.read_bytes()
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    _limit_files(int(part * len(before)))
    try:
        with pytest.raises(OSError, match="too large"):
            setup(circuit, tmp_path)
    finally:
        _limit_files(soft)
    assert [file.name for file in tmp_path.iterdir()] == ["proving_key.bin"]
    assert (tmp_path / "proving_key.bin").read_bytes() == before


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_error_after_the_last_byte_leaves_no_key(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="Input/output"):
        setup(cubic()[0], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_the_place_of_the_unfinished_key_is_not_followed(tmp_path: Path) -> None:
    """In a folder that others can write to it would be another file of ours that is lost."""
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    (tmp_path / "proving_key.bin.part").symlink_to(mine)
    key = setup(cubic()[0], tmp_path)
    assert not key.file.path.is_symlink()
    key.file.check_digests()
    assert mine.read_bytes() == b"mine"


def test_a_file_that_takes_the_key_s_place_while_it_is_opened(
    key_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header of one file never speaks for the sections of another."""
    path, other = tmp_path / "key", tmp_path / "other"
    path.write_bytes(key_bytes)
    other.write_bytes(bytes(len(key_bytes)))
    parse = key_file._parse_header

    def parse_and_swap(*arguments: Any) -> Any:
        found = parse(*arguments)
        os.replace(other, path)
        return found

    monkeypatch.setattr(key_file, "_parse_header", parse_and_swap)
    ProvingKey.open(path).file.check_digests()
    assert not any(path.read_bytes())


def test_key_without_consistency_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack they stop: wire 2 would have gamma_abc_g1 = O and mean nothing."""
    # zkcmp.groth16.setup names the function
    module: Any = sys.modules["zkcmp.groth16.setup"]
    honest = module.evaluate_qap

    def without_rows(r1cs: Any, n: int, tau: int) -> Any:
        qap = honest(r1cs, n, tau)
        basis, _ = module.lagrange_basis(n, tau)
        stop, m = r1cs.n_public + 1, r1cs.n_constraints
        qap.a.assign(0, qap.a.slice(0, stop) - basis.slice(m, m + stop))
        return qap

    monkeypatch.setattr(module, "evaluate_qap", without_rows)
    with pytest.raises(DecodeError, match="gamma_abc_g1, point 2 is not in its group"):
        setup(cubic()[0], tmp_path)


# --- the verifying key ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verifying_key(tmp_path_factory: pytest.TempPathFactory) -> VerifyingKey:
    return setup(bits(4, 9)[0], tmp_path_factory.mktemp("vk")).verifying_key


def test_verifying_key_round_trip(verifying_key: VerifyingKey) -> None:
    data = verifying_key.to_bytes()
    again = VerifyingKey.from_bytes(data)
    assert again == verifying_key
    assert again.to_bytes() == data
    assert again.digest == hashlib.sha256(data).digest()
    assert again.n_public == 1


def test_every_verifying_key_byte_counts(verifying_key: VerifyingKey) -> None:
    data = verifying_key.to_bytes()
    for position in [*range(0, 80), *range(80, len(data), 7)]:
        changed = _patched(data, position, bytes([data[position] ^ (1 << (position % 8))]))
        if 12 <= position < 44:
            # the digest of the circuit is not redundant; the key has another identity
            assert VerifyingKey.from_bytes(changed).digest != verifying_key.digest
            continue
        with pytest.raises(DecodeError):
            VerifyingKey.from_bytes(changed)


def test_verifying_key_lengths(verifying_key: VerifyingKey) -> None:
    data = verifying_key.to_bytes()
    for changed in (data[:-1], data + b"\0", data[:20], b"", data[:48], data + data):
        with pytest.raises(DecodeError):
            VerifyingKey.from_bytes(changed)


def test_coordinate_above_the_modulus(verifying_key: VerifyingKey) -> None:
    data = verifying_key.to_bytes()
    for at in range(48, len(data), 32):
        x = int.from_bytes(data[at : at + 32], "little")
        with pytest.raises(DecodeError, match="not in its group"):
            VerifyingKey.from_bytes(_patched(data, at, (x + FQ_MODULUS).to_bytes(32, "little")))


def _twist_point_outside_g2() -> np.ndarray:
    for c in range(1, 100):
        x = (c, 1)
        y = fq2_sqrt(fq2_add(fq2_mul(fq2_mul(x, x), x), TWIST_B))
        if y is not None and not G2.in_subgroup((x, y)):
            return g2.from_affine_ints([(x, y)])
    raise RuntimeError("no point found")


def test_g2_point_outside_the_subgroup(verifying_key: VerifyingKey) -> None:
    point = _twist_point_outside_g2()
    assert g2.is_on_curve(point).all()
    data = verifying_key.to_bytes()
    for at in (112, 240, 368):
        with pytest.raises(DecodeError, match="not in its group"):
            VerifyingKey.from_bytes(_patched(data, at, point.tobytes()))


def test_infinity_in_a_verifying_key(verifying_key: VerifyingKey) -> None:
    data = verifying_key.to_bytes()
    for at, size in ((48, 64), (112, 128), (240, 128), (368, 128), (496, 64), (560, 64)):
        with pytest.raises(DecodeError, match="not in its group"):
            VerifyingKey.from_bytes(_patched(data, at, bytes(size)))


class FullDisk(io.BytesIO):
    """Takes the header's place, and then no more than so many bytes."""

    def __init__(self, room: int):
        super().__init__()
        self.room = room

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("room", [1000, 1500, 5000])
def test_an_error_of_the_writing_thread_is_raised(room: int) -> None:
    """While the sections are given, or at the latest in the end."""
    shape = Shape(bytes(32), 0, 1, 0, 1)
    with ThreadPoolExecutor(1) as thread:
        writer = KeyWriter(FullDisk(room), shape, 2, thread)

        def write() -> None:
            for name in ("first", "second"):
                writer.section(name, [bytes(500)] * 10)
            writer.finish()

        with pytest.raises(OSError, match="No space left"):
            write()


def test_pieces_are_written_in_their_order(tmp_path: Path) -> None:
    """More pieces than may wait; the caller goes on while they are written."""
    pieces = [np.full(1 << 12, k, np.uint32) for k in range(40)]
    path = tmp_path / "pieces"
    with create_key_file(path, Shape(bytes(32), 0, 1, 0, 1), 2) as writer:
        writer.section("first", iter(pieces))
        writer.section("second", [b"abc"])
    file = KeyFile(path, ("first", "second"))
    file.check_digests()
    assert np.array_equal(file.array("first", np.uint32, ()), np.concatenate(pieces))
    assert file.bytes("second") == b"abc"
