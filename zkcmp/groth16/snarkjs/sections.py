"""The container of iden3's binary files (.r1cs, .wtns, .zkey, .ptau).

    magic 4 bytes, version u32, number of sections u32
    per section: id u32, length u64, then so many bytes

All integers little-endian; sections come in any order. Read strictly: every section lies inside the
file, none occurs twice, nothing follows the last. The file is mapped, so a length costs nothing
before its section is used, and readers compare every count with the length of its section before
they allocate.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from zkcmp.disk import create
from zkcmp.errors import DecodeError

MAX_SECTIONS = 64

_HEADER = struct.Struct("<4sII")
_ENTRY = struct.Struct("<IQ")


class SectionFile:
    """A mapped file with its sections; `name` and `path` are for messages."""

    def __init__(self, path: Path | str, magic: bytes, version: int):
        """Map `path`.

        Raises:
            DecodeError: when it is no whole file of this kind and version.
        """
        self.path, self.name = Path(path), f".{magic.decode()} file"
        try:
            with open(self.path, "rb") as file:
                header = file.read(_HEADER.size)
                self._size = os.fstat(file.fileno()).st_size
                if len(header) < _HEADER.size or self._size < _HEADER.size:
                    raise self.error("is too short")
                self._map = np.memmap(file, np.uint8, mode="r", shape=(self._size,))
        except OSError as error:
            raise DecodeError(f"cannot read {self.path}: {error.strerror}") from error
        found, found_version, n_sections = _HEADER.unpack(header)
        if found != magic:
            raise self.error("begins with other bytes")
        if found_version != version:
            raise self.error(f"has version {found_version}, not {version}")
        if n_sections > MAX_SECTIONS:
            raise self.error(f"claims {n_sections} sections")
        self._sections = self._walk(n_sections)

    def _walk(self, n_sections: int) -> dict[int, tuple[int, int]]:
        sections: dict[int, tuple[int, int]] = {}
        at = _HEADER.size
        for _ in range(n_sections):
            if at + _ENTRY.size > self._size:
                raise self.error("ends inside its sections")
            number, length = _ENTRY.unpack(self._map[at : at + _ENTRY.size].tobytes())
            at += _ENTRY.size
            if length > self._size - at:
                raise self.error(f"ends inside section {number}")
            if number in sections:
                raise self.error(f"has section {number} twice")
            sections[number] = (at, length)
            at += length
        if at != self._size:
            raise self.error("has bytes after its last section")
        return sections

    def error(self, text: str) -> DecodeError:
        return DecodeError(f"{self.path} is no usable {self.name}: it {text}; make it again")

    def __contains__(self, number: int) -> bool:
        return number in self._sections

    def section(self, number: int, length: int | None = None) -> np.ndarray:
        """The bytes of a section, not copied; of exactly `length` when it is given."""
        if number not in self._sections:
            raise self.error(f"lacks section {number}")
        start, found = self._sections[number]
        if length is not None and found != length:
            raise self.error(f"has {found} bytes in section {number}, not {length}")
        return np.asarray(self._map[start : start + found])

    def unpack(self, number: int, form: struct.Struct) -> tuple:
        """A section of fixed form."""
        return form.unpack(self.section(number, form.size).tobytes())


class SectionWriter:
    """Writes sections one after the other."""

    def __init__(self, file: IO[bytes], magic: bytes, version: int, n_sections: int):
        self._file = file
        file.write(_HEADER.pack(magic, version, n_sections))

    def section(self, number: int, chunks: Iterable[bytes | np.ndarray]) -> None:
        """Append a section made of bytes or arrays, which are written as they come."""
        at = self._file.tell()
        self._file.write(_ENTRY.pack(number, 0))
        for chunk in chunks:
            data = chunk if isinstance(chunk, bytes) else np.ascontiguousarray(chunk).data.cast("B")
            self._file.write(data)
        end = self._file.tell()
        self._file.seek(at)
        self._file.write(_ENTRY.pack(number, end - at - _ENTRY.size))
        self._file.seek(end)


@contextmanager
def create_sections(
    path: Path | str, magic: bytes, version: int, n_sections: int, mode: int = 0o666
) -> Iterator[SectionWriter]:
    """A writer to `path`; the file appears there only when everything was written.

    `mode`: its permissions, less the process's mask.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    try:
        with create(partial, "xb", lambda name, flags: os.open(name, flags, mode)) as file:
            yield SectionWriter(file, magic, version, n_sections)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
