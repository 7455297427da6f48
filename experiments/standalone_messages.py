"""Signed messages of a deal, read from docs/formats.md alone; see verify_standalone.py.

    digest = SHA-256(everything before the signature)
    8·[s]B = 8·R + 8·[SHA-512(R ‖ key ‖ "zkcmp message signature" ‖ digest)]key

Whoever calls must still compare fingerprints, and who answers whom.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

Json = dict[str, Any]


class Refused(Exception):
    """What is wrong, in one line."""


def refuse(what: str) -> NoReturn:
    raise Refused(what)


def expect(holds: bool, what: str) -> None:
    if not holds:
        refuse(what)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# Ed25519, RFC 8032 section 5.1.7

ED_P = 2**255 - 19
ED_ORDER = 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P
EdPoint = tuple[int, int]


def ed_add(one: EdPoint, other: EdPoint) -> EdPoint:
    """The sum on -x² + y² = 1 + d·x²·y², complete for every pair."""
    (x1, y1), (x2, y2) = one, other
    product = ED_D * x1 * x2 * y1 * y2 % ED_P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, ED_P) % ED_P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, ED_P) % ED_P
    return x, y


def ed_multiply(scalar: int, point: EdPoint) -> EdPoint:
    total = (0, 1)
    for bit in bin(scalar)[2:]:
        total = ed_add(total, total)
        if bit == "1":
            total = ed_add(total, point)
    return total


def ed_decode(data: bytes) -> EdPoint:
    encoded = int.from_bytes(data, "little")
    y, odd = encoded % 2**255, encoded >> 255
    expect(y < ED_P, "a point of a signature is not canonical")
    square = (y * y - 1) * pow(ED_D * y * y + 1, -1, ED_P) % ED_P
    x = pow(square, (ED_P + 3) // 8, ED_P)
    if x * x % ED_P != square:
        x = x * pow(2, (ED_P - 1) // 4, ED_P) % ED_P
    expect(x * x % ED_P == square, "a point of a signature is not on the curve")
    expect(x != 0 or not odd, "a point of a signature is not canonical")
    return (ED_P - x if x % 2 != odd else x), y


ED_BASE = ed_decode((4 * pow(5, -1, ED_P) % ED_P).to_bytes(32, "little"))


def check_signature(public_key: bytes, message: bytes, signature: bytes) -> None:
    """8·[S]B = 8·R + 8·[H(R ‖ A ‖ message)]A."""
    a, r = ed_decode(public_key), ed_decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    expect(s < ED_ORDER, "a signature is not canonical")
    hashed = hashlib.sha512(signature[:32] + public_key + message).digest()
    k = int.from_bytes(hashed, "little") % ED_ORDER
    signed = ed_add(r, ed_multiply(k, a))
    expect(
        ed_multiply(8 * s, ED_BASE) == ed_multiply(8, signed), "the signature is not the sender's"
    )


# messages: formats.md, Envelope and Records

OFFER, REQUEST, DELIVERY, LOCK = 1, 2, 4, 5
FILE_NAMES = {
    OFFER: "offer.zkcmp",
    REQUEST: "request.zkcmp",
    DELIVERY: "delivery.zkcmp",
    LOCK: "lock.zkcmp",
}
OFFER_BYTES = {
    "deal": 16,
    "claim_key": 33,
    "reading_key": 32,
    "commitment": 32,
    "ciphertext_digest": 32,
}
OFFER_NUMBERS = (
    "n_blocks",
    "price_sat",
    "timeout_blocks",
    "confirmations",
    "min_blocks_left",
    "expires_at",
)
ROUTE_BYTES = {"deal": 16, "recipient": 32, "answers": 32, "encapsulated": 32}
LOCK_BYTES = {"deal": 16, "answers": 32, "txid": 32}
LOCK_NUMBERS = ("vout", "amount_sat", "timeout_height")


@dataclass(frozen=True)
class Message:
    """A message whose signature is its sender's."""

    sender: bytes
    header: Json
    body: bytes
    digest: bytes


class Reader:
    """Takes bytes from the front and refuses to end before the end."""

    def __init__(self, data: bytes, what: str):
        self.data, self.at, self.what = data, 0, what

    def take(self, n_bytes: int) -> bytes:
        expect(self.at + n_bytes <= len(self.data), f"{self.what} is cut short")
        self.at += n_bytes
        return self.data[self.at - n_bytes : self.at]

    def number(self, n_bytes: int, order: Any = "little") -> int:
        return int.from_bytes(self.take(n_bytes), order)

    def end(self) -> None:
        expect(self.at == len(self.data), f"{self.what} has bytes behind its end")


def read_message(data: bytes, kind: int) -> Message:
    what = FILE_NAMES[kind]
    reader = Reader(data, what)
    expect(reader.take(5) == b"ZKCMP", f"{what} is no message of a deal")
    expect(reader.number(1) == kind, f"{what} is a message of another kind")
    expect(reader.number(2, "big") == 1, f"{what} is of another version")
    sender = reader.take(32)
    header_bytes = reader.number(4, "big")
    expect(header_bytes <= 1 << 14, f"the header of {what} is too long")
    header = canonical_json(reader.take(header_bytes), f"the header of {what}")
    body = reader.take(reader.number(8, "big"))
    signature = reader.take(64)
    reader.end()
    digest = sha256(data[:-64])
    try:
        check_signature(sender, b"zkcmp message signature" + digest, signature)
    except Refused as refused:
        refuse(f"{what}: {refused}")
    return Message(sender, header, body, digest)


def canonical_json(data: bytes, what: str) -> Json:
    depth = 0
    for byte in data:  # before anything recurses
        depth += (byte in b"[{") - (byte in b"]}")
        expect(depth <= 8, f"{what} is nested too deeply")
    try:
        value = json.loads(data.decode("ascii"))
        encoded = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    except (ValueError, RecursionError):
        refuse(f"{what} is not JSON")
    expect(isinstance(value, dict), f"{what} is not a JSON object")
    expect(encoded.encode("ascii") == data, f"{what} is not in its canonical form")
    return dict(value)


def check_fields(record: Json, lengths: dict[str, int], others: Sequence[str], what: str) -> None:
    """Exactly these fields; those of `lengths` lower-case hexadecimal of so many bytes."""
    expect(set(record) == {*lengths, *others}, f"{what} has other fields than it should")
    for name, n_bytes in lengths.items():
        text = record[name]
        fits = isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{2 * n_bytes}}}", text)
        expect(bool(fits), f"{name} of {what} is not {n_bytes} bytes in hexadecimal")


def is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


def fingerprint(public_key: bytes) -> str:
    text = sha256(b"zkcmp identity" + public_key).hex()[:32]
    return " ".join(text[at : at + 4] for at in range(0, 32, 4))
