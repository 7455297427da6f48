"""From a deal's private directory to a rescue file, and back on another machine.

A rescue file has what is needed to be paid, or to open and be refunded, and nothing else:

    both    identity and wallet key, the deal's keys, its state, the offer, and whatever small file
            the deal's directory has (signed locks, claims, refunds, the lock message)
    seller  the preimage, and the buyer's refund key in place of the request
    buyer   the delivery, which the key opens, up to MAX_DELIVERY_BYTES; else it has to be kept
            beside the rescue file, and the shared folder's is as good: `delivery` in the state is
            its digest

`restore` makes a deal of it, in a private directory of its own, and the ordinary commands go on
with that. It can be older than what happened since. Therefore a recovered deal never begins
anything: no request is answered with it (the seal may have been), and no lock signed (one may have
been, over other coins). What was begun, the chain knows, and settlement asks it.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange.bound_buyer import REFUND_KEY_FILE, bound_buyer
from zkcmp.exchange.deal import BuyerState, SellerState, load_state, save_state
from zkcmp.exchange.messages.contents import FILE_NAMES, read_offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import RECOVERED_FILE, Deal, DealKeys, Party
from zkcmp.exchange.private import rescue_file
from zkcmp.exchange.private.keyring import AskPassphrase, Keyring
from zkcmp.exchange.private.secret_files import (
    HEADER_FILE,
    RESCUE_DIRECTORY,
    SecretFiles,
    is_secret_name,
)
from zkcmp.exchange.private.store import Home, make_private, write_atomic

MAX_DELIVERY_BYTES = 1 << 22
_MAX_FILE_BYTES = 1 << 22
"""Nothing else that a rescue file has is nearly as long."""

_ABOUT = "about.json"
_MAX_ABOUT_BYTES = 256
_HOME_KEYS = ("identity.key", "wallet.key")
_NEEDED = {_ABOUT, *_HOME_KEYS, "keys", "state.json", FILE_NAMES[Kind.OFFER]}
_LEFT_OUT = {
    FILE_NAMES[Kind.REQUEST],
    FILE_NAMES[Kind.KEY_MATERIAL],
    "proving.key",
    "verifying.key",
    "test_set",
    "ciphertext",
    RECOVERED_FILE,
}


@dataclass(frozen=True, repr=False)
class Rescue:
    """What a rescue file says: whose it is, of which deal, and the files."""

    seller: bool
    deal: bytes
    files: dict[str, bytes]
    keyring: Keyring | None

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(rescue_file.pack(self.files)).digest()


def rescue_path(party: Party[Any], deal: Deal[Any]) -> Path:
    """Where a deal's rescue file is kept in the private directory."""
    return party.home.path / RESCUE_DIRECTORY / deal.directory.name


def keep(party: Party[Any], deal: Deal[Any]) -> None:
    """Write the deal's rescue file into the private directory, durably.

    Before every step after which coins or the network could be lost with this machine.
    """
    path = rescue_path(party, deal)
    make_private(path.parent)
    write_atomic(path, encode(party, deal, party.files.writing))


def encode(party: Party[Any], deal: Deal[Any], keyring: Keyring | None) -> bytes:
    """The rescue file of a deal as it stands, under the passphrase of `keyring` if there is one."""
    return rescue_file.encode(rescue_file.pack(_collect(party, deal)), keyring)


def lacks_delivery(deal: Deal[Any]) -> bool:
    """Whether a buyer's rescue file is without the delivery, because that is too large."""
    path = deal.own(Kind.DELIVERY)
    return (
        isinstance(deal.state, BuyerState)
        and path.exists()
        and path.stat().st_size > MAX_DELIVERY_BYTES
    )


def read(path: Path, ask: AskPassphrase) -> Rescue:
    """The rescue file at `path`. Raises DecodeError, or DealError for a wrong passphrase."""
    payload, keyring = rescue_file.open_file(path, ask)
    files = rescue_file.unpack(payload, str(path))
    try:
        # json's parser follows any depth of brackets
        about = json.loads(files.get(_ABOUT, b"")[:_MAX_ABOUT_BYTES])
        deal = bytes.fromhex(about["deal"])
        whole = about["party"] in ("seller", "buyer") and len(deal) == 16
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole or not files.keys() >= _NEEDED or any(len(files[x]) != 32 for x in _HOME_KEYS):
        raise DecodeError(f"{path} is not a whole rescue file; use another copy of it")
    return Rescue(about["party"] == "seller", deal, files, keyring)


def restore(rescue: Rescue, place: Path, folder: Path | None, ask: AskPassphrase) -> Path:
    """Make the deal in the private directory `place`; where its messages are exchanged.

    Repeating it with the same file changes nothing. Raises DealError for a directory of another
    party, and for one that has the deal already: what that knows can be newer.
    """
    home = Home(place)
    if folder is not None:
        home.check_outside(folder)
    home.prepare()
    with home.lock():
        files = _party_files(rescue, home, ask)
        directory = home.deal_directory(rescue.deal)
        if not directory.exists():
            with home.beginning(rescue.deal) as unfinished:
                _write_deal(rescue, unfinished, files)
                _check_deal(rescue, unfinished, files)
        elif _recovered_from(directory) != rescue.digest:
            raise DealError(
                f"{home.path} has this deal already, and goes on with it by the ordinary commands; "
                "to use this file instead, choose a fresh --home"
            )
        state = _state(rescue, directory)
        if folder is not None and state.folder != str(folder.resolve()):
            state.folder = str(folder.resolve())
            save_state(directory, state)
    return Path(state.folder)


def _collect(party: Party[Any], deal: Deal[Any]) -> dict[str, bytes]:
    """The files of a rescue file by name."""
    left_out = set(_LEFT_OUT)
    seller = isinstance(deal.state, SellerState)
    if seller or lacks_delivery(deal):
        left_out.add(FILE_NAMES[Kind.DELIVERY])
    about = {"party": "seller" if seller else "buyer", "deal": deal.directory.name}
    files = {_ABOUT: json.dumps(about).encode()}
    for name in _HOME_KEYS:
        files[name] = party.files.read(party.home.path / name)
    for path in sorted(deal.directory.iterdir()):
        if path.name in left_out or not _is_kept(path):
            continue
        secret = is_secret_name(path.name)
        files[path.name] = deal.read_secret(path.name) if secret else path.read_bytes()
    if seller and deal.state.request:
        files[REFUND_KEY_FILE] = bound_buyer(deal, deal.offer()).refund_key
    return files


def _is_kept(path: Path) -> bool:
    """Whether a file of a deal's directory can be something of the deal, and is no message yet."""
    ours = rescue_file.is_name(path.name) and not path.name.startswith("incoming.")
    return ours and path.is_file() and path.stat().st_size <= _MAX_FILE_BYTES


def _party_files(rescue: Rescue, home: Home, ask: AskPassphrase) -> SecretFiles:
    """The secret files of `home`, of which the party's own are the rescue file's."""
    begun = (home.path / "identity.key").exists() or home.deal_directories()
    if not begun and not (home.path / HEADER_FILE).exists() and rescue.keyring is not None:
        write_atomic(home.path / HEADER_FILE, rescue.keyring.encode())
    files = SecretFiles.opened(home.path, ask)
    # the identity comes last: without it, the directory is not begun
    for name in reversed(_HOME_KEYS):
        path = home.path / name
        if not begun and not path.exists():
            files.write(path, rescue.files[name])
        if not path.exists() or files.read(path) != rescue.files[name]:
            raise DealError(f"{home.path} is not of the party of this file; choose a fresh --home")
    return files


def _write_deal(rescue: Rescue, directory: Path, files: SecretFiles) -> None:
    for name, data in rescue.files.items():
        if name in (_ABOUT, *_HOME_KEYS):
            continue
        if is_secret_name(name):
            files.write(directory / name, data)
        else:
            write_atomic(directory / name, data)
    write_atomic(directory / RECOVERED_FILE, rescue.digest)


def _check_deal(rescue: Rescue, directory: Path, files: SecretFiles) -> None:
    """Raise DecodeError unless state, offer and keys can be read, and are of the deal."""
    DealKeys.load(directory / "keys", files)
    offer = read_offer(directory / FILE_NAMES[Kind.OFFER])
    if {_state(rescue, directory).deal, offer.deal.hex()} != {rescue.deal.hex()}:
        raise DecodeError("the rescue file has a state or an offer of another deal; use another")


def _state(rescue: Rescue, directory: Path) -> SellerState | BuyerState:
    if rescue.seller:
        return load_state(directory, SellerState)
    return load_state(directory, BuyerState)


def _recovered_from(directory: Path) -> bytes:
    """The digest of the rescue file that a deal was made of; empty if it was not."""
    path = directory / RECOVERED_FILE
    return path.read_bytes() if path.exists() else b""
