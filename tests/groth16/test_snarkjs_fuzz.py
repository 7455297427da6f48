"""Whatever is in a file, a reader returns or raises DecodeError, at once and in little memory."""

import random
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from snarkjs_files import BINARY, READERS, VECTORS, join, split

from zkcmp.errors import DecodeError

ABSURD = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def _refused(path: Path, name: str, data: bytes) -> bool:
    """True for a DecodeError; any other error fails the test."""
    path.write_bytes(data)
    try:
        READERS[name](path)
    except DecodeError:
        return True
    return False


@pytest.mark.parametrize("name", READERS)
def test_unchanged(tmp_path: Path, name: str) -> None:
    assert not _refused(tmp_path / name, name, (VECTORS / name).read_bytes())


@pytest.mark.parametrize("name", READERS)
def test_truncations_and_additions(tmp_path: Path, name: str) -> None:
    data = (VECTORS / name).read_bytes()
    step = max(1, len(data) // 400)
    stop = len(data.rstrip())
    for length in {*range(0, stop, step), *range(0, min(stop, 200)), stop - 1}:
        assert _refused(tmp_path / name, name, data[:length]), length
    assert _refused(tmp_path / name, name, data + b"\1")


@pytest.mark.parametrize("name", BINARY)
def test_sections_cut_grown_missing_and_twice(tmp_path: Path, name: str) -> None:
    """The container stays whole; sections 7 of .ptau, 10 of .zkey are not read."""
    head, parts = split((VECTORS / name).read_bytes())
    unread = {"power.ptau": {7}, "power.zkey": {10}}.get(name, set())
    for k, (number, data) in enumerate(parts):
        others = parts[:k] + parts[k + 1 :]
        assert _refused(tmp_path / name, name, join(head, [*parts, (number, data)]))
        if number in unread:
            continue
        assert _refused(tmp_path / name, name, join(head, others)), number
        for cut in {1, 4, 8, 32, 64, 128, len(data)}:
            changed = [*others, (number, data[:-cut])]
            assert _refused(tmp_path / name, name, join(head, changed)), (number, cut)
            changed = [*others, (number, data + bytes(cut))]
            assert _refused(tmp_path / name, name, join(head, changed)), (number, cut)
        assert not _refused(tmp_path / name, name, join(head, [*others, (number, data)]))


@pytest.mark.parametrize("name", READERS)
def test_flipped_bits(tmp_path: Path, name: str) -> None:
    data = (VECTORS / name).read_bytes()
    rng = random.Random(name)
    refused = 0
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 5))):
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        refused += _refused(tmp_path / name, name, bytes(changed))
    assert refused > 20


def _absurd(data: bytes) -> Iterator[tuple[int, bytes]]:
    """A u32 of the header or of the beginning of a section replaced."""
    parts = split(data)[1]
    places, at = [4, 8], 12
    for _, section in parts:
        places += [at + k for k in (0, 4, 8)]
        places += [at + 12 + k for k in range(0, min(len(section), 100), 4)]
        at += 12 + len(section)
    for place in places:
        for value in ABSURD:
            yield place, data[:place] + struct.pack("<I", value) + data[place + 4 :]


@pytest.mark.parametrize("name", BINARY)
def test_absurd_lengths(tmp_path: Path, name: str) -> None:
    data = (VECTORS / name).read_bytes()
    _refused(tmp_path / name, name, data)  # what is loaded once does not count
    tracemalloc.start()
    try:
        refused = sum(_refused(tmp_path / name, name, changed) for _, changed in _absurd(data))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert refused > 40


@pytest.mark.parametrize("name", READERS)
def test_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(DecodeError, match="cannot read"):
        READERS[name](tmp_path / "missing")
    with pytest.raises(DecodeError, match="cannot read"):
        READERS[name](tmp_path)
