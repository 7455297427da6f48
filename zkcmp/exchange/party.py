"""What seller and buyer share: keys, the deals in the private directory, messages in and out.

A deal's private directory holds every message of the deal under its own name, the deal's keys,
and the state. `taking_in` is the only way in for the other party's bytes, `publish` the only way
out, and it copies files that are already durable.
"""

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Self

from bitcoin.core import CTransaction
from bitcoin.core.serialize import SerializationError

from bitcoin_scripts.keys import bech32_address, generate_secret_key, p2wpkh_script, public_key
from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange.deal import STATE_FILE, State, load_state, missing, save_state
from zkcmp.exchange.messages.contents import FILE_NAMES, Offer, read_offer
from zkcmp.exchange.messages.envelope import Kind, max_file_bytes
from zkcmp.exchange.messages.identity import Identity, ReadingKey
from zkcmp.exchange.private.keyring import AskPassphrase
from zkcmp.exchange.private.secret_files import HEADER_FILE, SecretFiles, is_secret_name
from zkcmp.exchange.private.store import (
    PRIVATE_FILE,
    SHARED_FILE,
    Home,
    copy_durably,
    same_bytes,
    sync_directory,
    write_atomic,
)
from zkcmp.exchange.shared_places import place_around, resolved

RECOVERED_FILE = "recovered"
"""In the directory of a deal that was made from a rescue file (`rescue`)."""

_MAX_KEYS_BYTES = 1024


@dataclass(frozen=True, repr=False)
class DealKeys:
    """One deal's secrets: the X25519 reading key and the secp256k1 key of its coins."""

    reading: ReadingKey
    coin_secret: bytes

    @classmethod
    def generate(cls) -> Self:
        return cls(ReadingKey.generate(), generate_secret_key())

    @property
    def coin_public(self) -> bytes:
        return public_key(self.coin_secret)

    def save(self, path: Path, files: SecretFiles) -> None:
        plain = {"reading": self.reading.secret.hex(), "coin": self.coin_secret.hex()}
        files.write(path, json.dumps(plain).encode())

    @classmethod
    def load(cls, path: Path, files: SecretFiles) -> Self:
        data = files.read(path)
        try:
            # json's parser follows any depth of brackets, and a rescue file can come from anybody
            plain = json.loads(data if len(data) <= _MAX_KEYS_BYTES else b"")
            return cls(ReadingKey(bytes.fromhex(plain["reading"])), bytes.fromhex(plain["coin"]))
        except (ValueError, KeyError, TypeError):
            raise DecodeError(f"{path} is damaged; restore the private directory") from None


class Deal(Generic[State]):
    """One deal's private directory and the shared folder that it talks through."""

    def __init__(self, directory: Path, folder: Path, state: State, files: SecretFiles):
        self.directory = directory
        self.folder = folder
        self.state: State = state
        self.files = files

    def own(self, kind: Kind) -> Path:
        """Where this party keeps its own copy of a message."""
        return self.directory / FILE_NAMES[kind]

    def save(self) -> None:
        save_state(self.directory, self.state)

    def offer(self) -> Offer:
        return read_offer(self.own(Kind.OFFER))

    def keys(self) -> DealKeys:
        return DealKeys.load(self.directory / "keys", self.files)

    def read_secret(self, name: str) -> bytes:
        """What a secret file of this deal says. Raises DecodeError for a damaged one."""
        return self.files.read(self.directory / name)

    def write_secret(self, name: str, data: bytes) -> None:
        """Write a file that opens the seal or spends coins; `secret_files` lists their names."""
        self.files.write(self.directory / name, data)

    def refuse_recovered(self) -> None:
        """Raise DealError for a deal that came from a rescue file: it settles, and begins nothing.

        The file can be older than an answer to a request, or than a lock, that was sent since.
        """
        if (self.directory / RECOVERED_FILE).exists():
            raise DealError(
                "this deal was recovered from a rescue file, which can be older than what was sent "
                "since; it can be redeemed, opened or refunded only: begin another deal"
            )

    def taking_in(
        self, kind: Kind, limit_bytes: int | None = None
    ) -> contextlib.AbstractContextManager[Path]:
        return taking_in(self.folder, self.directory, kind, limit_bytes)

    def copied(self, kind: Kind) -> Path:
        """Where `taking_in` puts its copy."""
        return _copied(self.directory, kind)

    def accept(self, kind: Kind, copy: Path) -> None:
        """Keep a judged private copy as this party's own."""
        os.replace(copy, self.own(kind))
        sync_directory(self.directory)

    def offered(self, kind: Kind) -> bool:
        """Whether the shared folder has such a message now."""
        return os.path.lexists(self.folder / FILE_NAMES[kind])

    def publish(self, kind: Kind) -> Path:
        """Put our message into the shared folder, unless it is there already."""
        target = self.folder / FILE_NAMES[kind]
        if not same_bytes(self.own(kind), target):
            copy_durably(self.own(kind), target, SHARED_FILE, max_file_bytes(kind))
        return target

    def save_transaction(self, name: str, tx: CTransaction) -> None:
        """Keep a transaction; a claim has the key in it, and is kept as a secret file."""
        if is_secret_name(name):
            self.write_secret(name, tx.serialize())
        else:
            write_atomic(self.directory / name, tx.serialize())

    def load_transaction(self, name: str) -> CTransaction:
        path = self.directory / name
        data = self.read_secret(name) if is_secret_name(name) else path.read_bytes()
        try:
            return CTransaction.deserialize(data)
        except (SerializationError, ValueError):
            raise DecodeError(f"{path} is damaged; restore the private directory") from None


@dataclass(frozen=True)
class Damaged:
    """A deal or a ledger that cannot be read: what to do about it, and what waits for that."""

    path: Path
    reason: str
    consequence: str = "no command goes on with this deal; keep all else in its place"


class Party(Generic[State]):
    """A seller or a buyer at work in its private directory."""

    state_type: type[State]
    force = False
    """Begin work although memory will probably not suffice for it."""

    def __init__(self, home: Home, files: SecretFiles):
        self.home = home
        self.files = files
        self.identity = Identity(self._secret("identity.key", lambda: Identity.generate().seed))
        self.coin_secret = self._secret("wallet.key", generate_secret_key)

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls, path: Path, ask: AskPassphrase | None = None, beside: Path | None = None
    ) -> Iterator[Self]:
        """The party in the private directory `path`, which no other command uses meanwhile.

        `ask` gives the passphrase of a directory that has one. It is asked first: while somebody
        types, or is away, another command may have to claim. Nothing is written into a directory
        that would overlap with the deal folder `beside`.
        """
        home = Home(path)
        if beside is not None:
            home.check_outside(beside)
        home.prepare()
        if ask is not None and (home.path / HEADER_FILE).exists():
            ask = functools.cache(ask)
            ask(str(home.path))
        with home.lock():
            yield cls(home, SecretFiles.opened(home.path, ask))

    def _secret(self, name: str, generate: Callable[[], bytes]) -> bytes:
        """The 32 bytes in a file of the private directory, made on first use.

        Never in the place of one that was lost: coins of the deals would go to a key that the next
        restored copy overwrites.
        """
        path = self.home.path / name
        if not path.exists():
            if self.home.deal_directories():
                raise DealError(
                    f"{path} is missing, and deals depend on it; restore it from a copy of the "
                    "private directory"
                )
            self.files.write(path, generate())
        return self.files.read(path)

    @property
    def wallet_script(self) -> bytes:
        """Where this party's coins come from (buyer) and go to (both)."""
        return bytes(p2wpkh_script(public_key(self.coin_secret)))

    def wallet_address(self, chain_name: str) -> str:
        """Where this party's coins come from and go to, on that chain."""
        return bech32_address(self.wallet_script, chain_name)

    def deals(self) -> list[Deal[State]]:
        """Every deal whose state can be read; `damaged` has the others."""
        return self._load()[0]

    def damaged(self) -> list[Damaged]:
        """What of the private directory cannot be read, and what follows."""
        return self._load()[1]

    def _load(self) -> tuple[list[Deal[State]], list[Damaged]]:
        found: list[Deal[State]] = []
        damaged = []
        for directory in self.home.deal_directories():
            try:
                state = load_state(directory, self.state_type)
                if state.deal != directory.name:
                    raise DecodeError(f"{directory / STATE_FILE} is of another deal; restore ours")
                found.append(Deal(directory, Path(state.folder), state, self.files))
            except DecodeError as error:
                damaged.append(Damaged(directory, str(error)))
        return found, damaged

    def find(self, folder: Path) -> Deal[State] | None:
        """Our deal in this shared folder; a folder that was moved is known by its offer.

        Raises DealError when it is one whose state cannot be read.
        """
        place = folder.resolve()
        deals, damaged = self._load()
        for deal in deals:
            if deal.folder == place:
                return deal
        for deal in deals:
            if same_bytes(deal.own(Kind.OFFER), place / FILE_NAMES[Kind.OFFER]):
                deal.folder, deal.state.folder = place, str(place)
                return deal
        for lost in damaged:
            name = FILE_NAMES[Kind.OFFER]
            with contextlib.suppress(OSError, DecodeError):
                if same_bytes(lost.path / name, place / name):
                    raise DealError(f"our deal in {folder} cannot go on: {lost.reason}")
        return None

    def check_unshared(self, out: Path, folder: Path) -> None:
        """Raise DealError when `out` leads into a deal folder, which the other party reads too."""
        folders = (folder.resolve(), *(deal.folder for deal in self.deals()))
        shared = place_around(resolved(out), folders)
        if shared is not None:
            raise DealError(
                f"{out} is in the deal folder {shared}, which the other side reads; choose "
                "another --out"
            )

    def need(self, folder: Path) -> Deal[State]:
        """Our deal in this folder. Raises DealError naming the command that begins one."""
        deal = self.find(folder)
        if deal is None:
            raise self.not_begun(folder)
        return deal

    def not_begun(self, folder: Path) -> DealError:
        if os.path.lexists(folder / FILE_NAMES[Kind.OFFER]):
            return DealError(
                f"{self.home.path} knows nothing of the offer in {folder}; name the private "
                "directory that sealed it, by --home"
            )
        return missing(Kind.OFFER, folder)


@contextlib.contextmanager
def taking_in(
    folder: Path, directory: Path, kind: Kind, limit_bytes: int | None = None
) -> Iterator[Path]:
    """A private copy of a message in the shared folder, gone afterwards unless it was accepted.

    A file longer than any of its kind, or than `limit_bytes`, is not copied.
    """
    source = folder / FILE_NAMES[kind]
    if not os.path.lexists(source):
        raise missing(kind, folder)
    copy = _copied(directory, kind)
    try:
        largest = max_file_bytes(kind)
        if limit_bytes is not None:
            largest = min(largest, limit_bytes)
        copy_durably(source, copy, PRIVATE_FILE, largest)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _copied(directory: Path, kind: Kind) -> Path:
    return directory / f"incoming.{FILE_NAMES[kind]}"


def refuse_foreign(folder: Path, kind: Kind) -> None:
    """Raise DealError rather than overwrite a message that this party did not write.

    Nor is anything begun for a folder that nothing can be put into.
    """
    there = next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()
    )
    if there.is_dir() and not os.access(there, os.W_OK | os.X_OK):
        raise DealError(f"{there} cannot be written to; change that, or use another deal folder")
    if os.path.lexists(folder / FILE_NAMES[kind]):
        raise DealError(
            f"{folder} already has a {kind.title} that is not ours; use another deal folder"
        )
