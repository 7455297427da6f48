"""A party's private directory: what is in it survives a crash and is read by nobody else.

Directories have mode 0700, files 0600; a file is written beside its name, synced and renamed, and
its directory synced, so a reader sees the old bytes or the new ones. One command at a time: an
advisory lock, which the kernel drops with the process that held it. During a seller's audits and
proofs, which can last for hours, they hold their deal only: another deal's claim may have to be
sent. The *deal folder* is the opposite: shared, and anything in it may change at any time.
`take_in` copies a message out of it first; whoever judges the message reads the copy.

A new deal is made under a name of its own and renamed when it is whole, before anything of it is
sent. So a directory with a deal's name is never removed, whatever it lacks: it may hold the only
copy of a key that coins depend on. One with the other name belongs to no deal.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zkcmp.disk import create, sync
from zkcmp.errors import DealError, DecodeError

_COPY_BYTES = 1 << 20
PRIVATE_FILE, SHARED_FILE = 0o600, 0o644
_DEAL_NAME = re.compile("[0-9a-f]{32}")
UNFINISHED = ".unfinished"


class BusyError(DealError):
    """Another command has the private directory, or a deal, and lets go of it by itself.

    lock: the file or directory that is locked.
    """

    def __init__(self, text: str, lock: Path):
        super().__init__(text)
        self.lock = lock

    def is_over(self) -> bool:
        """Whether nobody has it just now; nothing else is opened for that, or kept."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY)
        except OSError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private(path: Path) -> None:
    """Create a directory that only its owner enters; refuse one that others can read."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        sync_directory(path.parent)
    if not path.is_dir():
        raise DealError(f"{path} is not a directory; choose another --home")
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise DealError(
            f"{path} can be entered by other users; name another directory, or, if it is for this "
            f"alone, run: chmod 700 {path}"
        )


def write_atomic(path: Path, data: bytes, mode: int = PRIVATE_FILE) -> None:
    """Replace `path` by `data`, durably and in one step."""
    with _new_file(path, mode) as (_, descriptor), create(path, descriptor=descriptor) as file:
        file.write(data)
        sync(file, path)


@contextlib.contextmanager
def replacing(path: Path, mode: int = PRIVATE_FILE) -> Iterator[Path]:
    """A new empty file beside `path` that takes its place when the block ends without error.

    Whoever writes it must sync it. The temporary name is fixed, so that what a killed command
    left behind is removed by the next one. It is for directories that nobody else can write to:
    elsewhere the name could lead to another file by the time it is opened (`copy_durably`).
    """
    with _new_file(path, mode) as (temporary, descriptor):
        os.close(descriptor)
        yield temporary


def remove_half(path: Path) -> Path:
    """Remove what a killed command left of writing `path`; the name that it had."""
    half = path.with_name(f".{path.name}.part")
    half.unlink(missing_ok=True)
    return half


@contextlib.contextmanager
def _new_file(path: Path, mode: int) -> Iterator[tuple[Path, int]]:
    """As `replacing`, with the file open for writing too; whoever gets the descriptor closes it."""
    temporary = remove_half(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, mode)
    try:
        yield temporary, descriptor
        os.replace(temporary, path)
        sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def copy_durably(source: Path, destination: Path, mode: int, max_bytes: int) -> None:
    """Copy a regular file of at most `max_bytes`. Raises DecodeError for anything else.

    Either side may be the shared folder: names there are resolved once.
    """
    with _open_regular(source) as reader:
        size = os.fstat(reader.fileno()).st_size
        if size > max_bytes:
            raise DecodeError(f"{source} has {size} bytes, more than such a message has")
        with (
            _new_file(destination, mode) as (_, descriptor),
            create(destination, descriptor=descriptor) as writer,
        ):
            copied = 0
            while piece := reader.read(_COPY_BYTES):
                copied += len(piece)
                if copied > max_bytes:
                    raise DecodeError(f"{source} grows while it is read")
                writer.write(piece)
            sync(writer, destination)


def same_bytes(one: Path, other: Path) -> bool:
    """Whether both are regular files with equal contents."""
    if not (one.is_file() and other.is_file()):
        return False
    with _open_regular(one) as a, _open_regular(other) as b:
        if os.fstat(a.fileno()).st_size != os.fstat(b.fileno()).st_size:
            return False
        while piece := a.read(_COPY_BYTES):
            if piece != b.read(_COPY_BYTES):
                return False
        return True


def _open_regular(path: Path) -> BinaryIO:
    """Open for reading. Raises DecodeError for what is no regular file."""
    # O_NONBLOCK: opening a named pipe that somebody put there must not hang
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DecodeError(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")


def _take(descriptor: int, lock: Path, path: Path) -> None:
    """Lock `lock`, which is open, until it is closed. Raises BusyError when another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError(
            f"another zkcmp command is using {path}; wait until it has ended", lock
        ) from None
    except OSError as error:
        raise DealError(
            f"{path} cannot be locked ({error.strerror}); move --home to a disk of this machine"
        ) from None


class Home:
    """A party's private directory: `identity`, ledgers, and `deals/<deal id>/`."""

    def __init__(self, path: Path):
        self.path = path.expanduser().absolute()
        self._held: int | None = None

    def prepare(self) -> None:
        """Create what is missing. Raises DealError when others could read the directory."""
        make_private(self.path)
        make_private(self.path / "deals")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for one command. Raises BusyError when another command has it."""
        lock = self.path / "lock"
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            _take(descriptor, lock, self.path)
            self._held = descriptor
            yield
        finally:
            self._held = None
            os.close(descriptor)

    @contextlib.contextmanager
    def lock_deal(self, directory: Path) -> Iterator[None]:
        """Hold one deal beside the directory, so that `released` leaves nobody else at work on it.

        Raises BusyError when another command holds it.
        """
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _take(descriptor, directory, directory)
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def released(self) -> Iterator[None]:
        """Let other commands have the directory during long work, and wait for it afterwards.

        For work that neither reads nor writes it but for what `lock_deal` keeps from others. What
        else was read of it before can be old afterwards.
        """
        if self._held is None:
            raise ValueError("the directory is not held")
        fcntl.flock(self._held, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._held, fcntl.LOCK_EX)

    def deal_directory(self, deal: bytes) -> Path:
        return self.path / "deals" / deal.hex()

    def deal_directories(self) -> list[Path]:
        """Every deal of this party that was begun durably, in the order of their names."""
        found = (self.path / "deals").iterdir()
        return sorted(path for path in found if _DEAL_NAME.fullmatch(path.name) and path.is_dir())

    @contextlib.contextmanager
    def beginning(self, deal: bytes) -> Iterator[Path]:
        """The directory of a new deal while it is filled; it gets its name when the block ends.

        Its contents must be durable by then. An error removes it.
        """
        unfinished = self.path / "deals" / (deal.hex() + UNFINISHED)
        shutil.rmtree(unfinished, ignore_errors=True)
        make_private(unfinished)
        try:
            yield unfinished
            os.replace(unfinished, self.deal_directory(deal))
            sync_directory(self.path / "deals")
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def remove_unfinished(self) -> list[Path]:
        """Remove what killed commands left of deals that were never begun; what was removed."""
        found = sorted((self.path / "deals").glob("*" + UNFINISHED))
        for path in found:
            shutil.rmtree(path, ignore_errors=True)
        return [path for path in found if not path.exists()]

    def check_outside(self, folder: Path) -> None:
        """Raise DealError when the shared deal folder would expose the private directory."""
        shared, private = folder.resolve(), self.path.resolve()
        if shared == private or private in shared.parents or shared in private.parents:
            raise DealError(
                f"the deal folder {folder} and the private directory {self.path} overlap; "
                "choose a deal folder outside of it"
            )
