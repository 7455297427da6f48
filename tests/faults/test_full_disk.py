"""A file that a disk has no room for is not there afterwards, and the error says which it was.

The limit of a process on the sizes of its files stands for the disk: writing beyond it fails in the
same places, wherever in a file they are.
"""

import os
import resource
import shutil
import stat
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from zkcmp.bn254.field.fr import FrVector
from zkcmp.cli.main import run
from zkcmp.commitments.srs import Srs, VerifierKey
from zkcmp.disk import naming, require_room, write_whole
from zkcmp.errors import ZkcmpError
from zkcmp.exchange.messages import envelope
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.messages.identity import Identity
from zkcmp.exchange.private.store import copy_durably, replacing, write_atomic
from zkcmp.groth16.ceremony.private_files import publish, take_copy
from zkcmp.groth16.key_file import Shape, create_key_file
from zkcmp.groth16.snarkjs.json_files import write_public
from zkcmp.groth16.snarkjs.sections import create_sections

ROOM = 100
DIGITS = Path(__file__).resolve().parents[2] / "zkcmp" / "data" / "digits.onnx"
Usage = namedtuple("Usage", "total used free")
Write = Callable[[Path], object]


@contextmanager
def full_disk(room: int = ROOM) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_key(path: Path) -> None:
    with create_key_file(path, Shape(bytes(32), 0, 1, 0, 1), 1) as writer:
        writer.section("first", [bytes(4 * ROOM)])


def write_sections(path: Path) -> None:
    with create_sections(path, b"wtns", 2, 1) as writer:
        writer.section(1, [bytes(4 * ROOM)])


def write_parameters(path: Path) -> None:
    points = np.zeros((3, 2, 4), np.uint64)
    key = VerifierKey(2, bytes(32), points, np.zeros((3, 2, 2, 4), np.uint64))
    with replacing(path) as temporary:
        Srs(key, np.zeros((7, 2, 4), np.uint64)).save(temporary)


def write_message(path: Path) -> None:
    body = bytes(4 * ROOM)
    with replacing(path) as temporary:
        envelope.write(temporary, Kind.REQUEST, Identity.generate(), b"{}", [body], len(body))


WRITERS: dict[str, Write] = {
    "secret": lambda path: write_atomic(path, bytes(4 * ROOM)),
    "copy": lambda path: copy_durably(path.with_name("source"), path, 0o600, 4 * ROOM),
    "published": lambda path: publish(bytes(4 * ROOM), path),
    "json": lambda path: write_public(path, FrVector.from_ints([1] * ROOM)),
    "whole": lambda path: write_whole(path, bytes(4 * ROOM)),
    "key": write_key,
    "sections": write_sections,
    "parameters": write_parameters,
    "message": write_message,
}


@pytest.mark.parametrize("before", [b"the one before", None])
@pytest.mark.parametrize("name", WRITERS)
def test_the_error_names_the_file_and_nothing_else_changes(
    name: str, before: bytes | None, tmp_path: Path
) -> None:
    source, place = tmp_path / "source", tmp_path / "place"
    source.write_bytes(bytes(4 * ROOM))
    if before is not None:
        place.write_bytes(before)
    there = sorted(tmp_path.iterdir())
    with full_disk(), pytest.raises(OSError, match="too large") as raised:
        WRITERS[name](place)
    named = Path(raised.value.filename)
    assert (named.parent, named.name.strip(".").removesuffix(".part")) == (tmp_path, "place")
    assert sorted(tmp_path.iterdir()) == there
    assert before is None or place.read_bytes() == before
    WRITERS[name](place)
    assert place.stat().st_size > ROOM


def test_a_private_copy_says_its_place(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(4 * ROOM))
    with full_disk(), pytest.raises(OSError, match="too large") as raised:
        take_copy(tmp_path / "source", tmp_path / "copy")
    assert raised.value.filename == str(tmp_path / "copy")


def test_what_goes_to_a_pipe_is_not_put_in_its_place(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, b"proof")
        assert os.read(reader, 100) == b"proof"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("folder", ["/proc/self/fd", "/dev/fd"])
def test_what_goes_to_an_open_file_goes_on_there(folder: str, tmp_path: Path) -> None:
    """As with `> log` and /dev/stdout: what was printed stays, and what is printed goes behind."""
    place, link, other = (tmp_path / name for name in ("log", "link", "other"))
    with place.open("wb", buffering=0) as log:
        link.symlink_to(other)
        other.symlink_to(f"{folder}/{log.fileno()}")
        log.write(b"before ")
        write_whole(link, b"proof ")
        write_whole(Path(folder, str(log.fileno())), b"public ")
        log.write(b"after")
    assert place.read_bytes() == b"before proof public after"
    assert link.is_symlink()
    assert other.is_symlink()
    assert sorted(tmp_path.iterdir()) == [link, place, other]


def test_an_open_file_that_is_none_is_named(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/proc/self/fd/123456789")
    with pytest.raises(OSError, match="Bad file descriptor") as raised:
        write_whole(link, b"proof")
    assert raised.value.filename == str(link)


@pytest.mark.parametrize("before", [b"the one before", None])
def test_a_link_is_followed(before: bytes | None, tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "there" / "target"
    target.parent.mkdir()
    link.symlink_to("there/target")
    if before is not None:
        target.write_bytes(before)
    write_whole(link, b"proof")
    assert os.readlink(link) == "there/target"
    assert target.read_bytes() == b"proof"
    assert list(target.parent.iterdir()) == [target]


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")
    with pytest.raises(OSError, match="Too many levels of symbolic links") as raised:
        write_whole(link, b"proof")
    assert raised.value.filename == str(link)
    assert link.is_symlink()


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.write_bytes(b"the one before")
    place.chmod(0o600)
    write_whole(place, b"proof")
    assert place.read_bytes() == b"proof"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_name_that_is_known_stays() -> None:
    with pytest.raises(FileNotFoundError) as raised, naming("outer"):
        os.stat("/no/such/place")
    assert raised.value.filename == "/no/such/place"


def test_a_command_says_which_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.onnx"
    command = ["model", "export", str(DIGITS), "--out", str(out)]
    with full_disk():
        assert run(command) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"zkcmp: {out}: File too large; ")
    assert line.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    assert run(command) == 0


def test_a_full_cache_of_kernels_is_not_taken_for_another_disk(tmp_path: Path) -> None:
    # what measures coverage would fail to write, too
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-m", "zkcmp", "estimate", str(DIGITS), "--images", "1"],
        env={**plain, "ZKCMP_CACHE": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = "zkcmp: compiled kernels cannot be kept: File too large; make room in ~/.cache/zkcmp, or"
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(said)
    assert not list(tmp_path.rglob("*.nb[ic]"))


def test_room_is_looked_for_where_the_file_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def disk_usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(0, 0, 1_500_000)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    place = tmp_path / "not" / "there"
    require_room(place, 1_500_000, "the key")
    refused = r"^the key will write about 1\.5 MB to .*there, where 1\.5 MB are free; make room"
    with pytest.raises(ZkcmpError, match=refused):
        require_room(place, 1_500_001, "the key")
    require_room(place, 1_500_001, "the key", force=True)
    assert asked == [tmp_path] * 3
