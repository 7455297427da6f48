"""An append-only file of records that survives SIGKILL at any instruction.

    file   = magic, record*
    record = header | sha256(header)[:4] | payload
    header = kind (1) | length (4, little-endian) | sha256(payload)[:8]

A process that dies while appending leaves a record cut short at the end of the file; `replay`
cuts it off, and nothing before it is touched. Every other difference is damage: the header has
its own checksum, so that a damaged length is not taken for a record cut short.

One process at a time may have the file open (`lock`). The caller must call `sync` before it
tells anyone that a record is safe.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from bitcoin_scripts.errors import SettlementError

MAGIC = b"regtest-journal\x01"

MAX_PAYLOAD_BYTES = 4_000_000
"""No block or transaction is larger (consensus), so no larger record is ever read."""

_HEADER_BYTES = 17


class Journal:
    """The open journal file. Call `replay` to the end once before the first `append`."""

    def __init__(self, path: Path):
        self._path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = len(MAGIC)
        head = os.pread(self._fd, len(MAGIC), 0)
        if head == MAGIC:
            return
        if not MAGIC.startswith(head):
            os.close(self._fd)
            raise SettlementError(f"{path} is not a chain journal; name another directory")
        self._write_at(0, MAGIC)
        self.sync()
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def replay(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (kind, payload) of every record, oldest first, then cut off a torn tail.

        Raises SettlementError at the first damaged record.
        """
        size = os.fstat(self._fd).st_size
        while (start := self._end) < size:
            header = os.pread(self._fd, _HEADER_BYTES, start)
            if len(header) < _HEADER_BYTES:
                break
            length = int.from_bytes(header[1:5], "little")
            if _checksum(header[:13], 4) != header[13:] or length > MAX_PAYLOAD_BYTES:
                raise self._damaged(start)
            payload = os.pread(self._fd, length, start + _HEADER_BYTES)
            if len(payload) < length:
                break
            if _checksum(payload, 8) != header[5:13]:
                raise self._damaged(start)
            self._end = start + _HEADER_BYTES + length
            yield header[:1], payload
        if self._end < size:
            os.ftruncate(self._fd, self._end)
            self.sync()

    def append(self, kind: bytes, payload: bytes) -> None:
        """Add a record. On an error (a full disk) the file is as it was before."""
        header = kind + len(payload).to_bytes(4, "little") + _checksum(payload, 8)
        record = header + _checksum(header, 4) + payload
        try:
            self._write_at(self._end, record)
        except OSError as error:
            os.ftruncate(self._fd, self._end)
            raise self._unwritable(error) from error
        self._end += len(record)

    def sync(self) -> None:
        """Return when everything appended is on the disk."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)

    def _write_at(self, offset: int, data: bytes) -> None:
        while data:
            written = os.pwrite(self._fd, data, offset)
            offset, data = offset + written, data[written:]

    def _unwritable(self, error: OSError) -> SettlementError:
        return SettlementError(
            f"cannot write {self._path}: {error.strerror}; free some space and repeat"
        )

    def _damaged(self, offset: int) -> SettlementError:
        return SettlementError(
            f"{self._path} is damaged at byte {offset}; restore it from a copy, "
            "or start a new chain in another directory"
        )


def _checksum(data: bytes, size_bytes: int) -> bytes:
    return hashlib.sha256(data).digest()[:size_bytes]
