"""A deal as one party sees it: what has been done, durably, and what a step needs.

    seller:  seal → audit (request, key material in) → prove (delivery out) → redeem (lock in)
    buyer:   request (offer in) → setup → verify (delivery in) → lock → open | refund

The state is a small file in the private directory, replaced in one step after each thing that
must not be forgotten. Digests are hexadecimal. A command that finds its step done says so and
publishes the same bytes again; one that comes too early names what is missing and who supplies it.

What it says of transactions is what the chain took: they are on disk, in files of their own, before
they are sent, and are named here after that. A command that ended in between is repeated, and asks
the chain.
"""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange.messages.contents import FILE_NAMES
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.private.store import write_atomic

STATE_VERSION = 3
STATE_FILE = "state.json"
MAX_STATE_BYTES = 1 << 14
"""Also keeps the JSON parser from nesting deeper than the C stack: importing py_ecc lifts Python's
own limit to 100,000."""

_TEXT_FIELDS = ("folder", "method", "opened")
SUPPLIED_BY = {
    Kind.OFFER: "the seller's command `zkcmp seller seal`",
    Kind.REQUEST: "the buyer's command `zkcmp buyer request`",
    Kind.KEY_MATERIAL: "the buyer's command `zkcmp buyer setup`",
    Kind.DELIVERY: "the seller's command `zkcmp seller prove`",
    Kind.LOCK: "the buyer's command `zkcmp buyer lock`",
}


@dataclass
class SellerState:
    """`audited` is the digest of the key material that the audit accepted, set with `request`.

    `method` is the line of the bound request; with one that needs no key material, there is none.

    `claim_txid` is set after the chain took the claim. From then on the key is out; before, it is
    not, and nothing may reveal it without the checks that a first claim has to pass.
    """

    deal: str
    folder: str
    offer: str
    weights: str
    request: str = ""
    method: str = ""
    buyer: str = ""
    key_material: str = ""
    audited: str = ""
    delivery: str = ""
    proof_bytes: int = 0
    claim_txid: str = ""
    version: int = STATE_VERSION


@dataclass
class BuyerState:
    """`lock`, `funding_txid` and `timeout_height` are of the lock that the seller was told of.

    Every lock that was signed, sent or not, is in a file of its own (`buyer.funding.signed_locks`).
    """

    deal: str
    folder: str
    offer: str
    seller: str
    commitment: str
    request: str = ""
    threshold: int = 0
    method: str = ""
    verifying_key: str = ""
    key_material: str = ""
    delivery: str = ""
    timeout_height: int = 0
    funding_txid: str = ""
    lock: str = ""
    opened: str = ""
    refund_txid: str = ""
    version: int = STATE_VERSION


State = TypeVar("State", SellerState, BuyerState)


def save_state(directory: Path, state: SellerState | BuyerState) -> None:
    data = json.dumps(asdict(state), sort_keys=True, indent=1).encode()
    write_atomic(directory / STATE_FILE, data)


def load_state(directory: Path, kind: type[State]) -> State:
    """The state in a deal's private directory. Raises DecodeError when it is not one."""
    path = directory / STATE_FILE
    damaged = DecodeError(f"{path} is damaged; restore it from a copy of the private directory")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_STATE_BYTES + 1)
    except OSError as error:
        raise DecodeError(
            f"{path} cannot be read ({error.strerror}); restore it from a copy of the private "
            "directory"
        ) from None
    if len(data) > MAX_STATE_BYTES:
        raise damaged
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError):
        raise damaged from None
    if not isinstance(plain, dict):
        raise damaged
    if plain.get("version") != STATE_VERSION:
        raise DecodeError(f"{path} is of another version of zkcmp; use that version for this deal")
    types = {field.name: field.type for field in fields(kind)}
    if set(plain) != set(types) or any(type(v) is not types[k] for k, v in plain.items()):
        raise DecodeError(
            f"{path} is damaged, or belongs to the other party's directory; restore it from a copy"
        )
    for name, value in plain.items():
        if name in _TEXT_FIELDS:
            plain[name] = _file_name(value, path)
        elif isinstance(value, str) and not _is_hexadecimal(value):
            raise damaged
    return kind(**plain)


def _file_name(text: str, path: Path) -> str:
    """A name in the state at `path` as this process writes it, under whatever locale it was kept.

    Raises DecodeError for what is no name of a file: a state can come from anybody, by a rescue
    file.
    """
    damaged = DecodeError(f"{path} is damaged; restore it from a copy of the private directory")
    try:
        encoded = os.fsencode(text)
    except UnicodeEncodeError:
        if not text.isprintable():
            raise damaged from None
        raise DecodeError(
            f"{path} has a name that cannot be written in this locale; say LC_ALL=C.UTF-8"
        ) from None
    if b"\0" in encoded:
        raise damaged
    return os.fsdecode(encoded)


def _is_hexadecimal(text: str) -> bool:
    try:
        return bytes.fromhex(text).hex() == text
    except ValueError:
        return False


def missing(kind: Kind, folder: Path | None = None) -> DealError:
    """The error of a step that lacks a message."""
    where, hint = "", ""
    if folder:
        where, hint = f" in {folder}", _misnamed(kind, folder)
    if folder and not folder.is_dir():
        where += ", which is no folder"
    return DealError(f"the {kind.title} is missing{where}: {SUPPLIED_BY[kind]} supplies it{hint}")


def _misnamed(kind: Kind, folder: Path) -> str:
    """Where a file of it has another name, as browsers give to a second or a half download."""
    name = FILE_NAMES[kind]
    found = sorted(path.name for path in folder.glob(f"{name.removesuffix('.zkcmp')}*"))
    others = [other for other in found if other != name]
    return f"; if that is {others[0]}, rename it to {name}" if others else ""
