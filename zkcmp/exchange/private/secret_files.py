"""The secret files of a private directory: as they are, or under a passphrase of its owner.

    file = MAGIC ‖ key id (8) ‖ sealed(K, contents), bound to the file's name in the directory

with K and `sealed` as in `keyring`, whose header is the file `passphrase`. A file that was changed,
or put in another's place, does not open. That it is an *older* one of the same name is not noticed
here: what a restored old state must not do, the chain decides (docs/recovery.md).

A passphrase is set, changed or removed under a header that says so. Once that is on disk, either
form of a file is read and the new one is written; whoever opens the directory next finishes. So a
command that was killed leaves a directory that opens: after a change, with either passphrase.

The rescue files (`rescue_file`) in the directory change with it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from zkcmp.errors import DealError, DecodeError, PassphraseError
from zkcmp.exchange.private import rescue_file
from zkcmp.exchange.private.keyring import (
    KEY_ID_BYTES,
    LOG2_N,
    MAX_HEADER_BYTES,
    AskPassphrase,
    Keyring,
    Protection,
    key_id,
    seal,
    unseal,
)
from zkcmp.exchange.private.store import UNFINISHED, Home, sync_directory, write_atomic

HEADER_FILE = "passphrase"
RESCUE_DIRECTORY = "rescue"
MAGIC = b"zkcmp secret 1\n"

_OF_A_PARTY = ("identity.key", "wallet.key")
_OF_A_DEAL = "keys|ciphertext|[a-z-]*preimage|(claim|refund)[a-z.-]*"
_SECRET_NAME = re.compile(rf"identity\.key|wallet\.key|deals/[0-9a-f]{{32}}/({_OF_A_DEAL})")


def is_secret_name(name: str) -> bool:
    """Whether files of this name in a deal's directory open its seal or spend its coins."""
    return re.fullmatch(_OF_A_DEAL, name) is not None


class SecretFiles:
    """Reads and writes the secret files of the private directory `home`, whose lock is held."""

    def __init__(self, home: Path, keyring: Keyring | None = None):
        self.home = home
        self.keyring = keyring

    @classmethod
    def opened(cls, home: Path, ask: AskPassphrase | None = None) -> Self:
        """Those of `home`; asks for the passphrase if it has one, and finishes a change of it.

        Raises DealError for a wrong passphrase, or none, and DecodeError for a damaged header.
        """
        try:
            with (home / HEADER_FILE).open("rb") as file:
                header = file.read(MAX_HEADER_BYTES)
        except FileNotFoundError:
            return cls(home)
        if ask is None:
            raise PassphraseError(f"{home} is under a passphrase, and this command was given none")
        files = cls(home, Keyring.decode(header, ask, str(home)))
        files.finish()
        return files

    @property
    def writing(self) -> Keyring | None:
        """What protects a file that is written now; None: nothing."""
        if self.keyring is None or self.keyring.state is Protection.REMOVING:
            return None
        return self.keyring.within(Protection.SETTLED)

    def read(self, path: Path) -> bytes:
        """What a secret file says. Raises DecodeError for one that is not as we wrote it there."""
        name, data, start = self._name(path), path.read_bytes(), len(MAGIC) + KEY_ID_BYTES
        damaged = DecodeError(f"{path} is damaged; restore it from a copy of the private directory")
        if not data.startswith(MAGIC):
            if self.keyring is not None and not self.keyring.state.plain_files:
                raise damaged
            return data
        if self.keyring is None:
            raise DecodeError(
                f"{path} is under a passphrase, and {self.home / HEADER_FILE} is missing; restore "
                "that from a copy"
            )
        for key in self.keyring.keys:
            if data[len(MAGIC) : start] == key_id(key):
                plain = unseal(key, data[start:], name)
                if plain is not None:
                    return plain
        raise damaged

    def write(self, path: Path, data: bytes) -> None:
        """Replace a secret file durably, in one step."""
        name = self._name(path)
        if self.writing is not None:
            key = self.writing.keys[0]
            data = MAGIC + key_id(key) + seal(key, data, name)
        write_atomic(path, data)

    def change(self, passphrase: str | None, log2_n: int = LOG2_N) -> None:
        """Set, change or remove (None) the passphrase.

        Raises, before anything is changed, DecodeError when a file cannot be read, DealError when
        an earlier change is unfinished because of one, and BusyError while a deal is at work
        (`Home.released`): that goes on with the keys of before.
        """
        home = Home(self.home)
        for directory in home.deal_directories() if (self.home / "deals").is_dir() else ():
            with home.lock_deal(directory):
                pass
        for path in self._paths():
            self._content(path)
        old = self.keyring
        if old is not None and old.state is not Protection.SETTLED:
            raise DealError(f"an earlier change in {self.home} is unfinished; repeat the command")
        if passphrase is not None:
            new = Keyring.new(passphrase, log2_n)
            under = old.changing_to(new) if old else new.within(Protection.SETTING)
        elif old is not None:
            under = old.within(Protection.REMOVING)
        else:
            return
        write_atomic(self.home / HEADER_FILE, under.encode())
        self.keyring = under
        self.finish()

    def finish(self) -> None:
        """Bring every file into the form that the header asks for, then say that it is done.

        A damaged file stays as it is, and so does the header: a copy of it can be restored.
        """
        if self.keyring is None or self.keyring.state is Protection.SETTLED:
            return
        for directory in self._directories():
            for part in directory.glob(".*.part"):
                if self._is_left_over(part):
                    part.unlink()
        if not all([self._convert(path) for path in self._paths()]):
            return
        after = self.writing
        if after is None:
            (self.home / HEADER_FILE).unlink()
            sync_directory(self.home)
        else:
            write_atomic(self.home / HEADER_FILE, after.encode())
        self.keyring = after

    def _is_left_over(self, part: Path) -> bool:
        """Whether a killed command left it, as secret as the file that it was to be.

        Others can be of an audit or a proof at work now, which writes no secret file
        (`Home.released`).
        """
        name = part.name.removeprefix(".").removesuffix(".part")
        return self._is_rescue(part) or name in _OF_A_PARTY or is_secret_name(name)

    def _convert(self, path: Path) -> bool:
        """Write a file in the form of files written now; False when it cannot be read."""
        try:
            content = self._content(path)
        except DecodeError:
            return False
        if self._is_rescue(path):
            write_atomic(path, rescue_file.encode(content, self.writing))
        else:
            self.write(path, content)
        return True

    def _content(self, path: Path) -> bytes:
        if self._is_rescue(path):
            return rescue_file.decode(path.read_bytes(), self.keyring, str(path))
        return self.read(path)

    def _name(self, path: Path) -> bytes:
        """The file's name in the directory, which its encryption is bound to."""
        name = path.relative_to(self.home).as_posix().replace(UNFINISHED, "")
        if not _SECRET_NAME.fullmatch(name):
            raise ValueError(f"{name} is not the name of a secret file")
        return MAGIC + name.encode()

    def _is_rescue(self, path: Path) -> bool:
        return path.parent == self.home / RESCUE_DIRECTORY

    def _directories(self) -> Iterator[Path]:
        yield self.home
        yield from sorted((self.home / "deals").glob("*"))
        yield self.home / RESCUE_DIRECTORY

    def _paths(self) -> list[Path]:
        """Every secret file there is, rescue files included."""
        files = (path for directory in self._directories() for path in sorted(directory.glob("*")))
        return [
            path
            for path in files
            if (self._is_rescue(path) and not path.name.startswith("."))
            or _SECRET_NAME.fullmatch(path.relative_to(self.home).as_posix())
        ]
