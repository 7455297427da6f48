"""Where passphrases come from, and `zkcmp seller|buyer passphrase`.

A passphrase is read from `zkcmp --passphrase-fd N`, from the file that ZKCMP_PASSPHRASE_FILE names,
or from the terminal without being shown; never from the command line, which other users can see.
"""

import contextlib
import getpass
import os
import stat
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zkcmp.cli.options import BUYER_HOME, SELLER_HOME, BuyerHome, SellerHome
from zkcmp.cli.terminal.console import say
from zkcmp.errors import DealError, PassphraseError, SettingError

if TYPE_CHECKING:
    from zkcmp.exchange.party import Party

VARIABLE = "ZKCMP_PASSPHRASE_FILE"
_MAX_BYTES = 1024
_LEAST_CHARACTERS = 8


@dataclass
class _Given:
    """What this run of the program was given: a descriptor, and what was read so far."""

    descriptor: int | None = None
    read: str | None = field(default=None, repr=False)


_given = _Given()


def begin(descriptor: int | None) -> None:
    """Forget what an earlier run was given; take passphrases from this descriptor, if any."""
    _given.descriptor, _given.read = descriptor, None


@contextlib.contextmanager
def remembered(passphrase: str | None) -> Iterator[None]:
    """Ask for no other passphrase meanwhile."""
    earlier, _given.read = _given.read, passphrase or _given.read
    try:
        yield
    finally:
        _given.read = earlier


def ask(what: str) -> str:
    """The passphrase of `what`. Raises DealError or SettingError when there is none to be had."""
    if _given.read is None:
        if _given.descriptor is not None:
            _given.read = _from_descriptor(_given.descriptor)
        elif os.environ.get(VARIABLE):
            _given.read = _from_file(Path(os.environ[VARIABLE]), VARIABLE)
    return _given.read if _given.read is not None else _typed(f"Passphrase of {what}: ", what)


def _from_descriptor(descriptor: int) -> str:
    try:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return _clean(file.read(_MAX_BYTES + 1), f"descriptor {descriptor}")
    except OSError:
        raise SettingError(
            f"--passphrase-fd: descriptor {descriptor} cannot be read; open it for this command"
        ) from None


def source() -> str:
    """Where the last passphrase came from, for whoever hears that it is wrong; not typed ones."""
    if _given.descriptor is not None:
        return f"it came from --passphrase-fd {_given.descriptor}"
    path = os.environ.get(VARIABLE)
    return f"it came from {path}, which {VARIABLE} names" if path else ""


def _from_file(path: Path, named_by: str) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
                raise SettingError(f"{path} can be read by other users; run: chmod 600 {path}")
            return _clean(file.read(_MAX_BYTES + 1), str(path))
    except OSError as error:
        here = "" if path.is_absolute() else " from here"
        raise SettingError(
            f"{path}, which {named_by} names, cannot be read{here}: {error.strerror}; give the "
            "whole path of a file with the passphrase"
        ) from None


def _clean(data: bytes, source: str) -> str:
    """One line of text. Composed, because keyboards differ in how they write an accent."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise SettingError(f"the passphrase in {source} is not UTF-8; write it as text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or len(data) > _MAX_BYTES or not text.isprintable():
        raise SettingError(
            f"the passphrase in {source} is not one line of up to {_MAX_BYTES} bytes; write it so"
        )
    return unicodedata.normalize("NFC", text)


def _typed(prompt: str, what: str) -> str:
    if not sys.stdin.isatty():
        raise PassphraseError(
            f"{what} is under a passphrase: run this in a terminal, name a file of it in "
            f"{VARIABLE}, or give it with zkcmp --passphrase-fd"
        )
    return _clean(getpass.getpass(prompt).encode(), "this terminal")


def new_passphrase(file: Path | None, what: str) -> str:
    """A passphrase to be set, from `file` or typed twice. Raises DealError for a short one."""
    if file is not None:
        chosen = _from_file(file, "--new-file")
    elif not sys.stdin.isatty():
        raise DealError(
            f"the new passphrase of {what} is to be typed: run this in a terminal, or name a file "
            "of it with --new-file"
        )
    else:
        chosen = _typed(f"New passphrase of {what}: ", what)
        if _typed("The same again: ", what) != chosen:
            raise DealError("these two differ; nothing was changed, repeat the command")
    if len(chosen) < _LEAST_CHARACTERS:
        raise DealError(
            f"a passphrase has at least {_LEAST_CHARACTERS} characters; six random words are good"
        )
    return chosen


NewFile = Annotated[
    Path | None,
    typer.Option(
        "--new-file", metavar="FILE", help="Take the new passphrase from this file, not typed."
    ),
]
Remove = Annotated[bool, typer.Option("--remove", help="Keep the files without a passphrase.")]


def seller_passphrase(
    home: SellerHome = SELLER_HOME, new_file: NewFile = None, remove: Remove = False
) -> None:
    """Set, change or remove the passphrase of the secret files in the private directory."""
    from zkcmp.exchange.seller import Seller

    _change(Seller, home, new_file, remove)


def buyer_passphrase(
    home: BuyerHome = BUYER_HOME, new_file: NewFile = None, remove: Remove = False
) -> None:
    """Set, change or remove the passphrase of the secret files in the private directory."""
    from zkcmp.exchange.buyer import Buyer

    _change(Buyer, home, new_file, remove)


def _change(kind: "type[Party[Any]]", home: Path, new_file: Path | None, remove: bool) -> None:
    if remove and new_file is not None:
        raise typer.BadParameter("give one of --remove and --new-file")
    with kind.opened(home, ask) as party:
        party.home.remove_unfinished()  # what a killed command left there is not encrypted
        before = party.files.keyring is not None
        if remove:
            party.files.change(None)
            say("passphrase removed: whoever reads the private directory can spend its coins")
            return
        party.files.change(new_passphrase(new_file, str(party.home.path)))
    done = "changed" if before else "set"
    say(f"passphrase {done}; nobody opens the secret files without it, or can restore it.")
    say("           Copies made before, and rescue files elsewhere, stay as they are")
