"""Secret files open with the passphrase, under their own name, unchanged, and not otherwise."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange.private import rescue_file
from zkcmp.exchange.private.keyring import (
    HEADER_MAGIC,
    KEY_ID_BYTES,
    LOG2_N,
    MAX_LOG2_N,
    Keyring,
    Protection,
)
from zkcmp.exchange.private.secret_files import HEADER_FILE, MAGIC, SecretFiles, is_secret_name
from zkcmp.exchange.private.store import write_atomic

FAST = 4
SECRET = bytes(range(32))
DEAL = "0123456789abcdef" * 2
PATHS = ("identity.key", "wallet.key", f"deals/{DEAL}/keys", f"deals/{DEAL}/preimage")
WORDS, OTHER_WORDS = "four words of mine", "four other words"


def contents(name: str) -> bytes:
    return SECRET + name.encode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A private directory with secret files and a rescue file, without a passphrase."""
    place = tmp_path / "home"
    (place / "deals" / DEAL).mkdir(parents=True)
    (place / "rescue").mkdir()
    for name in PATHS:
        SecretFiles(place).write(place / name, contents(name))
    write_atomic(place / "rescue" / DEAL, rescue_file.encode(contents("rescue"), None))
    return place


@pytest.fixture
def protected(home: Path) -> Path:
    SecretFiles(home).change(WORDS, FAST)
    return home


def opened(home: Path, words: str = WORDS) -> SecretFiles:
    return SecretFiles.opened(home, lambda what: words)


def read_all(files: SecretFiles) -> None:
    """Every file says what it said; the rescue file, too."""
    for name in PATHS:
        assert files.read(files.home / name) == contents(name)
    rescue = files.home / "rescue" / DEAL
    assert rescue_file.decode(rescue.read_bytes(), files.keyring, "it") == contents("rescue")


def plain_files(home: Path) -> list[str]:
    files = (path for path in home.rglob("*") if path.is_file())
    return [path.name for path in files if SECRET in path.read_bytes()]


def test_without_passphrase_files_are_as_they_were(home: Path) -> None:
    assert (home / "identity.key").read_bytes() == contents("identity.key")
    assert not (home / HEADER_FILE).exists()
    read_all(SecretFiles.opened(home))


def test_set_change_remove(home: Path) -> None:
    SecretFiles(home).change(WORDS, FAST)
    assert plain_files(home) == []
    read_all(opened(home))
    opened(home).change(OTHER_WORDS, FAST)
    read_all(opened(home, OTHER_WORDS))
    with pytest.raises(DealError, match="not the passphrase"):
        opened(home, WORDS)
    opened(home, OTHER_WORDS).change(None)
    assert not (home / HEADER_FILE).exists()
    assert len(plain_files(home)) == len(PATHS) + 1
    read_all(SecretFiles.opened(home))
    modes = {path.stat().st_mode & 0o777 for path in home.rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_default_cost_is_in_the_file_and_bounded(home: Path) -> None:
    assert LOG2_N >= 17
    SecretFiles(home).change(WORDS)
    header = (home / HEADER_FILE).read_bytes()
    place = len(HEADER_MAGIC) + 1
    assert header[place] == LOG2_N
    read_all(opened(home))
    for costly in (0, MAX_LOG2_N + 1, 63, 255):
        (home / HEADER_FILE).write_bytes(header[:place] + bytes([costly]) + header[place + 1 :])
        with pytest.raises(DecodeError, match="rounds of scrypt"):
            opened(home)


def test_no_passphrase_or_another_one(protected: Path) -> None:
    before = {path: path.read_bytes() for path in protected.rglob("*") if path.is_file()}
    with pytest.raises(DealError, match="under a passphrase"):
        SecretFiles.opened(protected)
    for words in ("", WORDS + " ", WORDS.upper(), OTHER_WORDS):
        with pytest.raises(DealError, match="not the passphrase"):
            opened(protected, words)
    assert before == {path: path.read_bytes() for path in protected.rglob("*") if path.is_file()}


def test_one_question_for_all_files(protected: Path) -> None:
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(what)
        return WORDS

    read_all(SecretFiles.opened(protected, ask))
    assert asked == [str(protected)]


@pytest.mark.parametrize("name", PATHS)
def test_every_changed_byte_is_noticed(protected: Path, name: str) -> None:
    files, path = opened(protected), protected / name
    honest = path.read_bytes()
    for place in range(len(honest)):
        path.write_bytes(honest[:place] + bytes([honest[place] ^ 1]) + honest[place + 1 :])
        with pytest.raises(DecodeError):
            files.read(path)
    for wrong in (b"", honest[:-1], honest + b"\0", honest[: len(MAGIC) + KEY_ID_BYTES], SECRET):
        path.write_bytes(wrong)
        with pytest.raises(DecodeError):
            files.read(path)


def test_every_changed_byte_of_the_header_is_noticed(protected: Path) -> None:
    path = protected / HEADER_FILE
    honest = path.read_bytes()
    for place in range(len(honest)):
        if place == len(HEADER_MAGIC) + 1:  # the cost: another one is only slower
            continue
        path.write_bytes(honest[:place] + bytes([honest[place] ^ 1]) + honest[place + 1 :])
        with pytest.raises((DecodeError, DealError)):
            opened(protected)
    for wrong in (b"", honest[:-1], honest + b"\0", HEADER_MAGIC):
        path.write_bytes(wrong)
        with pytest.raises(DecodeError):
            opened(protected)


def test_state_cannot_be_put_back_to_let_plain_files_in(protected: Path) -> None:
    path = protected / HEADER_FILE
    honest, place = path.read_bytes(), len(HEADER_MAGIC)
    for state in Protection:
        if state is Protection.SETTLED:
            continue
        path.write_bytes(honest[:place] + bytes([state]) + honest[place + 1 :])
        with pytest.raises(DecodeError, match="damaged"):
            opened(protected)


def test_plain_file_in_the_place_of_an_encrypted_one(protected: Path) -> None:
    (protected / "wallet.key").write_bytes(b"a key of somebody else's: 32 byte")
    with pytest.raises(DecodeError, match="damaged"):
        opened(protected).read(protected / "wallet.key")


def test_swapped_files(protected: Path, tmp_path: Path) -> None:
    files = opened(protected)
    for name in PATHS:
        for other in PATHS:
            honest = (protected / name).read_bytes()
            (protected / name).write_bytes((protected / other).read_bytes())
            if name != other:
                with pytest.raises(DecodeError):
                    files.read(protected / name)
            (protected / name).write_bytes(honest)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deals" / DEAL).mkdir(parents=True)
    strange = SecretFiles(elsewhere, Keyring.new(WORDS, FAST))
    strange.write(elsewhere / "wallet.key", SECRET)
    (protected / "wallet.key").write_bytes((elsewhere / "wallet.key").read_bytes())
    with pytest.raises(DecodeError):
        files.read(protected / "wallet.key")


def test_same_file_twice_is_not_the_same_bytes(protected: Path) -> None:
    files, path = opened(protected), protected / "wallet.key"
    written = set()
    for _ in range(8):
        files.write(path, SECRET)
        written.add(path.read_bytes())
    assert len(written) == 8


def test_header_that_is_gone_is_named(protected: Path) -> None:
    (protected / HEADER_FILE).unlink()
    with pytest.raises(DecodeError, match="passphrase is missing"):
        SecretFiles.opened(protected).read(protected / "wallet.key")


def test_damaged_file_stops_a_change_before_it_begins(protected: Path) -> None:
    keys = protected / PATHS[2]
    keys.write_bytes(keys.read_bytes()[:-1])
    before = {path: path.read_bytes() for path in protected.rglob("*") if path.is_file()}
    for words in (OTHER_WORDS, None):
        with pytest.raises(DecodeError, match="keys is damaged"):
            opened(protected).change(words, FAST)
    assert before == {path: path.read_bytes() for path in protected.rglob("*") if path.is_file()}


def test_file_damaged_within_a_change_keeps_both_keys(protected: Path) -> None:
    """A copy of it, from before the change, still opens once it is restored."""
    files = opened(protected)
    keys = protected / PATHS[2]
    honest = keys.read_bytes()
    assert files.keyring is not None
    under = files.keyring.changing_to(Keyring.new(OTHER_WORDS, FAST))
    write_atomic(protected / HEADER_FILE, under.encode())
    keys.write_bytes(honest[:-1])
    for words in (WORDS, OTHER_WORDS):
        files = opened(protected, words)
        assert files.read(protected / "wallet.key") == contents("wallet.key")
        with pytest.raises(DecodeError, match="keys is damaged"):
            files.change(None)
    keys.write_bytes(honest)
    read_all(opened(protected, WORDS))
    with pytest.raises(DealError):
        opened(protected, WORDS)
    read_all(opened(protected, OTHER_WORDS))


def killed_in(files: SecretFiles, words: str | None, step: int) -> bool:
    """Change the passphrase in a process that dies by SIGKILL before its `step`-th durable step."""
    child = os.fork()
    if not child:
        remaining = [step]
        for name in ("replace", "unlink"):
            setattr(os, name, dying(getattr(os, name), remaining))
        files.change(words, FAST)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code != 0


def dying(real: Callable[..., None], remaining: list[int]) -> Callable[..., None]:
    def step(*arguments: Any, **options: Any) -> None:
        remaining[0] -= 1
        if not remaining[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        real(*arguments, **options)

    return step


@pytest.mark.parametrize(
    ("old", "new"), [(None, WORDS), (WORDS, OTHER_WORDS), (WORDS, None)], ids=str
)
def test_killed_at_every_step_of_a_change(
    home: Path, tmp_path: Path, old: str | None, new: str | None
) -> None:
    """What it was or what it becomes opens everything, in the middle of a change both do."""
    SecretFiles(home).change(old, FAST)
    for step in range(1, 60):
        killed = tmp_path / f"killed{step}"
        shutil.copytree(home, killed)
        dead = killed_in(SecretFiles.opened(killed, lambda what: old or ""), new, step)
        changing = header_state(killed) is Protection.CHANGING
        ways = [words for words in (old, new) if opens(killed, words)]
        assert len(ways) == (2 if changing else 1)
        if not dead:
            assert ways == [new]
            assert step > len(PATHS)
            return
    pytest.fail("the change does not end")


def header_state(home: Path) -> Protection | None:
    path = home / HEADER_FILE
    return Protection(path.read_bytes()[len(HEADER_MAGIC)]) if path.exists() else None


def opens(home: Path, words: str | None) -> bool:
    """Whether a copy of the directory opens so; then all is in it, and a change is finished."""
    copy = home.with_name(f"{home.name} opened by {words}")
    shutil.copytree(home, copy)
    if words is None and header_state(copy) is not None:
        return False
    try:
        files = SecretFiles.opened(copy, lambda what: words or "")
    except DealError:
        return False
    if words is not None and header_state(home) is None:
        return False
    read_all(files)
    assert header_state(copy) in (None, Protection.SETTLED)
    plain = len(plain_files(copy))
    assert plain == (0 if header_state(copy) is Protection.SETTLED else len(PATHS) + 1)
    return True


def test_left_over_plain_file_of_a_killed_command_goes(home: Path) -> None:
    for place in (home, home / "deals" / DEAL):
        (place / ".wallet.key.part").write_bytes(SECRET)
    SecretFiles(home).change(WORDS, FAST)
    assert plain_files(home) == []


def test_half_a_file_of_an_audit_at_work_stays(home: Path) -> None:
    """A change that a damaged file holds up is gone on with by each command, beside any audit."""
    place = home / "deals" / DEAL
    of_the_audit = [place / ".proving.key.part", place / ".incoming.key-material.zkcmp.part"]
    for part in of_the_audit:
        part.write_bytes(b"half of it")
    secret = [
        place / ".claims.part",
        home / ".identity.key.part",
        home / "rescue" / f".{DEAL}.part",
    ]
    for part in secret:
        part.write_bytes(SECRET)
    SecretFiles(home).change(WORDS, FAST)
    assert all(part.exists() for part in of_the_audit)
    assert not any(part.exists() for part in secret)


def test_names_of_secret_files(tmp_path: Path) -> None:
    for name in ("keys", "ciphertext", "preimage", "published-preimage", "claims", "refunds"):
        assert is_secret_name(name)
    for name in ("state.json", "offer.zkcmp", "lock.tx", "x/preimage", "../keys", ".claims.part"):
        assert not is_secret_name(name)
        with pytest.raises(ValueError, match="secret"):
            SecretFiles(tmp_path).write(tmp_path / "deals" / DEAL / name, SECRET)


def test_nothing_secret_is_shown(protected: Path) -> None:
    files = opened(protected)
    shown = repr(files) + repr(files.keyring) + str(files.keyring)
    assert files.keyring is not None
    assert files.keyring.keys[0].hex() not in shown
    assert repr(files.keyring.keys[0]) not in shown
    for path in protected.rglob("*"):
        if path.is_file():
            assert files.keyring.keys[0] not in path.read_bytes()
            assert WORDS.encode() not in path.read_bytes()
