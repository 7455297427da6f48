"""Files on disks that can be full: which one it is, and whether there is room before long work.

The system says of a failed `open` which file it was, of a failed `write` only that there is no
space. Whoever reads that has a private directory, a deal folder and TMPDIR, often on three disks.
So files are written through `create`, whose errors name the file.
"""

import contextlib
import io
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zkcmp.errors import ZkcmpError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Opener = Callable[[str, int], int]


@contextlib.contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Let an OSError from within that names no file name `path`."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


class _NamedFile(io.FileIO):
    """A file open for writing whose errors say `path`."""

    def __init__(self, file: Path | int, mode: str, opener: Opener | None, path: Path):
        self._path = path
        super().__init__(file, mode, opener=opener)

    def write(self, data: "ReadableBuffer", /) -> int:
        with naming(self._path):
            return super().write(data)


def create(
    path: Path, mode: str = "wb", opener: Opener | None = None, descriptor: int | None = None
) -> io.BufferedWriter:
    """`path` open for writing, as `open(path, mode)`; with `descriptor`, that file of this name."""
    return io.BufferedWriter(
        _NamedFile(path if descriptor is None else descriptor, mode, opener, path)
    )


def sync(file: io.BufferedWriter, path: Path) -> None:
    """Return when all that was written to `file` is on the disk."""
    with naming(path):
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes) -> None:
    """Make `path` a file of these bytes, durably, or leave it as it was.

    A link is followed, and a file that was there keeps its mode. A pipe, a terminal or what leads
    to an open file, as /dev/stdout does, just gets them.
    """
    before = _status(path)
    descriptor = _open_descriptor(path)
    if descriptor is not None or (before is not None and not stat.S_ISREG(before.st_mode)):
        with create(path, descriptor=descriptor) as stream:
            stream.write(data)
        return
    path = path.resolve()
    partial = path.with_name(path.name + ".part")
    partial.unlink(missing_ok=True)
    try:
        with create(partial, "xb") as file:
            if before is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            file.write(data)
            sync(file, path)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _status(path: Path) -> os.stat_result | None:
    """That of the file to which `path` leads, None if there is none. Raises OSError for a loop."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _open_descriptor(path: Path) -> int | None:
    """A new descriptor of the open file of this process to which `path` leads, None if to none.

    To open it by its name would begin at its first byte again, and whatever is printed to the
    first descriptor would go over that.
    """
    ours = Path("/proc/self/fd").resolve(), Path("/dev/fd").resolve()
    link = path
    while True:
        link = link.parent.resolve() / link.name
        if link.parent in ours and link.name.isdecimal():
            with naming(path):
                return os.dup(int(link.name))
        if not link.is_symlink():
            return None
        link = link.parent / link.readlink()


def require_room(place: Path, needed_bytes: int, work: str, force: bool = False) -> None:
    """Raise a ZkcmpError when `work` will write more to the disk of `place` than is free there.

    place: a directory or file, which may not be there yet. Nothing is reserved: somebody else may
    take the room meanwhile, and then writing fails as it does without this.
    """
    place = place.absolute()
    directory = next(path for path in (place, *place.parents) if path.is_dir())
    free = shutil.disk_usage(directory).free
    if needed_bytes > free and not force:
        raise ZkcmpError(
            f"{work} will write about {_size(needed_bytes)} to {place}, where {_size(free)} are "
            "free; make room on that disk, or use another, or --force"
        )


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.1f} GB"
