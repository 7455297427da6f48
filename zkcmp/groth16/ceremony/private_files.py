"""Working with a directory that others write to: copy a file once, look only at the copy.

Whatever lies in a shared directory may change at any time, also after it was checked and while it
is mapped. So `take_copy` brings a file into a `private_directory`, which nobody else can enter, and
whoever relies on the file reads that copy. `publish` is the way back: what others see under the
name is all of the new file or none of it, and no name that they prepare leads the bytes elsewhere.
"""

import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from zkcmp.disk import create, sync
from zkcmp.errors import DecodeError, ZkcmpError

_PIECE = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@contextmanager
def private_directory() -> Iterator[Path]:
    """A new directory of mode 0700 in TMPDIR, removed with its files at the end.

    Raises ZkcmpError where others could rename it and put their own in its place.
    """
    place = Path(tempfile.gettempdir())
    mode = place.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise ZkcmpError(f"others can rename files in {place}; set TMPDIR to a place of your own")
    with tempfile.TemporaryDirectory(prefix="zkcmp-", dir=place) as name:
        yield Path(name)


def take_copy(source: Path, copy: Path) -> None:
    """Copy a regular file to the new file `copy`, as long as it was when it was opened.

    Raises DecodeError when it cannot be read or is no file, ZkcmpError where there is no room.
    """
    with _open_regular(source) as reader:
        size = os.fstat(reader.fileno()).st_size
        if size > shutil.disk_usage(copy.parent).free:
            raise ZkcmpError(
                f"a private copy of {source} needs {size / 1e6:.0f} MB; set TMPDIR to a directory "
                "with more room"
            )
        with create(copy, "xb") as writer:
            while size and (piece := reader.read(min(size, _PIECE))):
                writer.write(piece)
                size -= len(piece)


def read_small(source: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file, at most one more than `max_bytes`. Raises DecodeError."""
    with _open_regular(source) as reader:
        return reader.read(max_bytes + 1)


def publish(content: Path | bytes, destination: Path) -> None:
    """Make `destination` a file of this content, or of a copy of that file, in one step."""
    partial = destination.with_name(destination.name + ".part")
    partial.unlink(missing_ok=True)
    try:
        with (
            io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as reader,
            create(destination, descriptor=os.open(partial, _NEW, 0o666)) as writer,
        ):
            shutil.copyfileobj(reader, writer, _PIECE)
            sync(writer, destination)
        os.replace(partial, destination)
    finally:
        partial.unlink(missing_ok=True)


def _open_regular(path: Path) -> BinaryIO:
    try:
        # O_NONBLOCK: a named pipe that somebody put there must not hang
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DecodeError(f"cannot read {path}: {error.strerror}; get it again") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DecodeError(f"{path} is not a regular file; get it again")
    return os.fdopen(descriptor, "rb")
