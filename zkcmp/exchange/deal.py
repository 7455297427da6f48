"""A deal as one party sees it: what has been done, durably, and what a step needs.

    seller:  seal → audit (request, key material in) → prove (delivery out) → redeem (lock in)
    buyer:   request (offer in) → setup → verify (delivery in) → lock → open | refund

The state is a small file in the private directory, replaced in one step after each thing that
must not be forgotten. Digests are hexadecimal. A command that finds its step done says so and
publishes the same bytes again; one that comes too early names what is missing and who supplies it.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange.envelope import Kind
from zkcmp.exchange.store import write_atomic

STATE_VERSION = 1
STATE_FILE = "state.json"
SUPPLIED_BY = {
    Kind.OFFER: "the seller's command `zkcmp seller seal`",
    Kind.REQUEST: "the buyer's command `zkcmp buyer request`",
    Kind.KEY_MATERIAL: "the buyer's command `zkcmp buyer setup`",
    Kind.DELIVERY: "the seller's command `zkcmp seller prove`",
    Kind.LOCK: "the buyer's command `zkcmp buyer lock`",
}


@dataclass
class SellerState:
    """`audited` is the digest of the proving key that the audit accepted, set with `request`.

    `claim_sent` is set only after the chain took the claim: until then nothing is revealed.
    """

    deal: str
    folder: str
    offer: str
    weights: str
    request: str = ""
    buyer: str = ""
    key_material: str = ""
    audited: str = ""
    delivery: str = ""
    lock: str = ""
    claim_txid: str = ""
    claim_sent: bool = False
    version: int = STATE_VERSION


@dataclass
class BuyerState:
    """`timeout_height` is fixed with `funding_txid`, before the funding transaction is sent."""

    deal: str
    folder: str
    offer: str
    seller: str
    commitment: str
    request: str = ""
    threshold: int = 0
    mode: str = ""
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
    try:
        plain = json.loads(path.read_bytes())
    except ValueError:
        raise DecodeError(f"{path} is damaged; restore the private directory") from None
    if not isinstance(plain, dict) or plain.get("version") != STATE_VERSION:
        raise DecodeError(f"{path} is of another version of zkcmp; use that version for this deal")
    types = {field.name: field.type for field in fields(kind)}
    if set(plain) != set(types) or any(type(v) is not types[k] for k, v in plain.items()):
        raise DecodeError(f"{path} is damaged, or belongs to the other party's directory")
    return kind(**plain)


def missing(kind: Kind, folder: Path | None = None) -> DealError:
    """The error of a step that lacks a message."""
    where = f" in {folder}" if folder else ""
    return DealError(f"the {kind.title} is missing{where}: {SUPPLIED_BY[kind]} supplies it")
