"""The container of a proving key: a header, a table of sections, sections that can be mapped.

    offset 0   magic "zkcmp-pk", version u32, number of sections u32
               circuit digest 32 bytes; n_public, n_wires, n_constraints, domain_size u64
               version 2 only, two rounds: n_challenges, n_committed u64, neither of them 0
               per section: name 24 bytes (ASCII, zero padded), offset u64, length u64, SHA-256
               SHA-256 of all the bytes above
               sections, each at the next multiple of 64, in the table's order, zeros between

All integers little-endian. Sections start on cache lines, so a point of 64 bytes is one line, and
the arrays of a mapped file are used as they lie. The digest of the header covers the digests of the
sections and so identifies the whole key; `check_digests` reads everything and compares. A table is
exactly one of the layouts that its reader knows.
"""

import hashlib
import os
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from zkcmp.bn254.threads import parallel_map
from zkcmp.disk import create, sync
from zkcmp.errors import DecodeError

MAGIC = b"zkcmp-pk"
VERSION, VERSION_TWO_ROUNDS = 1, 2
ALIGNMENT = 64
MAX_SECTIONS = 32

_FIXED = struct.Struct("<8sII32sQQQQ")
_ROUNDS = struct.Struct("<QQ")
_ENTRY = struct.Struct("<24sQQ32s")
_ADVICE = "get the key again from whoever made it"
# pieces of a key that wait to be written
_WAITING = 4

Digest = Any  # of hashlib


@dataclass(frozen=True)
class Shape:
    """What a key is for: the circuit and its sizes. The last two are 0 if it has one round."""

    circuit_digest: bytes
    n_public: int
    n_wires: int
    n_constraints: int
    domain_size: int
    n_challenges: int = 0
    n_committed: int = 0

    @property
    def first_committed(self) -> int:
        """The first private wire; the committed ones begin here."""
        return self.n_public + 1

    @property
    def first_other(self) -> int:
        """The first private wire that is not committed."""
        return self.n_public + 1 + self.n_committed


@dataclass(frozen=True)
class Section:
    offset: int
    length: int
    digest: bytes


def _table_start(two_rounds: bool) -> int:
    return _FIXED.size + (_ROUNDS.size if two_rounds else 0)


def _header_size(n_sections: int, two_rounds: bool) -> int:
    return _table_start(two_rounds) + n_sections * _ENTRY.size + 32


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


class KeyWriter:
    """Writes sections one after the other; the header comes last, so a torn file is no key.

    A thread of its own hashes and writes, while its caller computes what comes next; what the
    caller gave, it must not change. An error of the thread is raised by a later call.
    """

    def __init__(self, file: IO[bytes], shape: Shape, n_sections: int, thread: ThreadPoolExecutor):
        self._file, self._shape, self._n_sections = file, shape, n_sections
        self._table: list[tuple[str, int, int, Digest]] = []
        self._end = _header_size(n_sections, shape.n_challenges > 0)
        self._thread, self._waiting = thread, deque[Future[None]]()
        file.write(bytes(self._end))

    def section(self, name: str, chunks: Iterable[np.ndarray | bytes]) -> None:
        """Append a section made of arrays or bytes, which are written as they come."""
        start = _aligned(self._end)
        padding, digest, length = bytes(start - self._end), hashlib.sha256(), 0
        self._append(padding, hashlib.sha256())
        for chunk in chunks:
            # flat, as an array of no rows has no view as bytes
            data = chunk if isinstance(chunk, bytes) else np.ravel(chunk).data.cast("B")
            self._append(data, digest)
            length += len(data)
        self._end = start + length
        self._table.append((name, start, length, digest))

    def _append(self, data: bytes | memoryview, digest: Digest) -> None:
        def run() -> None:
            digest.update(data)
            self._file.write(data)

        self._wait(_WAITING - 1)
        self._waiting.append(self._thread.submit(run))

    def _wait(self, at_most: int) -> None:
        """Until so many pieces, or fewer, are not written yet."""
        while len(self._waiting) > at_most:
            self._waiting.popleft().result()

    def finish(self) -> None:
        self._wait(0)
        s = self._shape
        two_rounds = s.n_challenges > 0
        parts = [
            _FIXED.pack(
                MAGIC,
                VERSION_TWO_ROUNDS if two_rounds else VERSION,
                self._n_sections,
                s.circuit_digest,
                s.n_public,
                s.n_wires,
                s.n_constraints,
                s.domain_size,
            )
        ]
        if two_rounds:
            parts.append(_ROUNDS.pack(s.n_challenges, s.n_committed))
        for name, offset, length, digest in self._table:
            parts.append(_ENTRY.pack(name.encode(), offset, length, digest.digest()))
        header = b"".join(parts)
        self._file.seek(0)
        self._file.write(header + hashlib.sha256(header).digest())


@contextmanager
def create_key_file(path: Path, shape: Shape, n_sections: int) -> Iterator[KeyWriter]:
    """A writer to `path`; the file appears there only when everything was written."""
    partial = path.with_name(path.name + ".part")
    # whatever lies there, a link too, is replaced and not written through
    partial.unlink(missing_ok=True)
    try:
        with create(partial, "xb") as file, ThreadPoolExecutor(1) as thread:
            writer = KeyWriter(file, shape, n_sections, thread)
            yield writer
            writer.finish()
            sync(file, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


class KeyFile:
    """A mapped key file whose header and section table are consistent with its size."""

    def __init__(self, path: Path, *layouts: tuple[str, ...]):
        """Map `path`, whose sections must be exactly those of one layout, in its order.

        Raises:
            DecodeError: when they are not.
        """
        self.path = path
        try:
            # opened once: what is checked is what is mapped, whatever takes the file's place
            with open(path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                header = file.read(_header_size(MAX_SECTIONS, True))
                self.shape, self.sections, self.digest = _parse_header(header, layouts)
                end = _header_size(len(self.sections), self.shape.n_challenges > 0)
                self._check_layout(size, end)
                # copy-on-write: kernels take writeable arrays, the file never changes
                self._map = np.memmap(file, np.uint8, mode="c", shape=(size,))
        except OSError as error:
            raise DecodeError(f"cannot read the proving key {path}: {error.strerror}") from error
        self._check_padding(end)

    def _check_layout(self, size: int, end: int) -> None:
        for name, section in self.sections.items():
            if section.offset != _aligned(end) or section.length > size:
                raise DecodeError(f"proving key section {name} is misplaced; {_ADVICE}")
            end = section.offset + section.length
        if end != size:
            raise DecodeError(f"the proving key has {size} bytes, its header says {end}; {_ADVICE}")

    def _check_padding(self, end: int) -> None:
        for section in self.sections.values():
            if self._map[end : section.offset].any():
                raise DecodeError(f"the proving key has bytes between sections; {_ADVICE}")
            end = section.offset + section.length

    def bytes(self, name: str) -> bytes:
        section = self.sections[name]
        return self._map[section.offset : section.offset + section.length].tobytes()

    def array(self, name: str, dtype: type, item_shape: tuple[int, ...]) -> np.ndarray:
        """The section as an array of records of `item_shape`; a whole number of them."""
        section = self.sections[name]
        item = int(np.prod(item_shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        if section.length % item:
            raise DecodeError(f"proving key section {name} ends inside an entry; {_ADVICE}")
        raw = np.asarray(self._map[section.offset : section.offset + section.length])
        return raw.view(dtype).reshape(-1, *item_shape)

    def check_digests(self) -> None:
        """Read every section and compare its SHA-256 with the table's.

        Raises:
            DecodeError: naming the first section that was changed.
        """

        def is_intact(section: Section) -> bool:
            content = self._map[section.offset : section.offset + section.length]
            return hashlib.sha256(content.data).digest() == section.digest

        # hashing releases the GIL
        intact = parallel_map(is_intact, self.sections.values())
        for name, good in zip(self.sections, intact, strict=True):
            if not good:
                raise DecodeError(f"proving key section {name} is damaged; {_ADVICE}")


def _parse_header(
    header: bytes, layouts: tuple[tuple[str, ...], ...]
) -> tuple[Shape, dict[str, Section], bytes]:
    if len(header) < _FIXED.size or not header.startswith(MAGIC):
        raise DecodeError(f"this is not a proving key; {_ADVICE}")
    _, version, n_sections, circuit, *sizes = _FIXED.unpack(header[: _FIXED.size])
    if version not in (VERSION, VERSION_TWO_ROUNDS):
        raise DecodeError(
            f"proving key of version {version}, this tool reads {VERSION} and "
            f"{VERSION_TWO_ROUNDS}; upgrade"
        )
    two_rounds = version == VERSION_TWO_ROUNDS
    if n_sections > MAX_SECTIONS or len(header) < _header_size(n_sections, two_rounds):
        raise DecodeError(f"the proving key's section table is incomplete; {_ADVICE}")
    end = _header_size(n_sections, two_rounds) - 32
    if hashlib.sha256(header[:end]).digest() != header[end : end + 32]:
        raise DecodeError(f"the proving key's header is damaged; {_ADVICE}")
    if two_rounds:
        sizes += _ROUNDS.unpack_from(header, _FIXED.size)
        if 0 in sizes[-2:]:
            raise DecodeError(f"the proving key's rounds are impossible; {_ADVICE}")
    start = _table_start(two_rounds)
    entries = [_ENTRY.unpack_from(header, start + k * _ENTRY.size) for k in range(n_sections)]
    found = [raw for raw, *_ in entries]
    for names in layouts:
        if found == [name.encode().ljust(24, b"\0") for name in names]:
            sections = {
                name: Section(*rest) for name, (_, *rest) in zip(names, entries, strict=True)
            }
            return Shape(circuit, *sizes), sections, hashlib.sha256(header[: end + 32]).digest()
    raise DecodeError(f"the proving key does not have the sections it must have; {_ADVICE}")
