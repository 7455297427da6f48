"""One message, one encoding: every other way to write the same fields is refused, signed or not.

Digests of messages name what is answered and proved, so two encodings of one thing would be two
things to one party and one to the other.
"""

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import MESSAGES, Sale
from forged_messages import READER, refused_without_a_trace

from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.identity import Identity
from zkcmp.exchange.seller import Seller

_ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def spaced(record: bytes) -> bytes:
    return record.replace(b":", b": ", 1)


def reordered(record: bytes) -> bytes:
    fields = json.loads(record)
    return json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode()


def upper_case(record: bytes) -> bytes:
    fields = json.loads(record)
    name = next(k for k, v in fields.items() if isinstance(v, str) and v.upper() != v)
    return record.replace(fields[name].encode(), fields[name].upper().encode(), 1)


def named_twice(record: bytes) -> bytes:
    first = record[1:].split(b",", 1)[0].rstrip(b"}")
    return b"{" + first + b"," + record[1:]


def one_more(record: bytes) -> bytes:
    """A field of a later version."""
    return record[:-1] + b',"zz":1}'


def one_less(record: bytes) -> bytes:
    fields = json.loads(record)
    fields.popitem()
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def escaped(record: bytes) -> bytes:
    return record.replace(b'"', b'"\\u0061', 1) if record[2:3] == b"a" else b" " + record


def lengthened(record: bytes) -> bytes:
    return record + b"\n"


FORMS = (spaced, reordered, upper_case, named_twice, one_more, one_less, escaped, lengthened)


def sender_of(sale: Sale, name: str) -> Identity:
    party = Seller if name in ("offer", "delivery") else Buyer
    home = "seller" if party is Seller else "buyer"
    with party.opened(sale.root / home) as opened:
        return opened.identity


def signed_anew(data: bytes, sender: Identity, change: Callable[[bytes], bytes]) -> bytes:
    """The message with its header changed, signed by its own sender."""
    (length,) = struct.unpack(">I", data[40:44])
    header = change(data[44 : 44 + length])
    body = data[:40] + struct.pack(">I", len(header)) + header + data[44 + length : -64]
    return body + sender.sign(b"zkcmp message signature" + hashlib.sha256(body).digest())


@pytest.mark.parametrize("name", MESSAGES)
def test_headers(sale: Callable[[str], Sale], name: str) -> None:
    """What it would win: a digest of its own for a message that says the same."""
    stage, read = READER[name]
    deal = sale(stage)
    sender, path = sender_of(deal, name), deal.message(name)
    honest = path.read_bytes()
    for form in FORMS:
        path.write_bytes(signed_anew(honest, sender, form))
        said = refused_without_a_trace(deal, read)
        assert "record" in said or "field" in said, (form, said)
    path.write_bytes(signed_anew(honest, sender, bytes))
    assert read(deal).code == 0, "the same header, signed anew, is the same message"


def test_records_inside_the_encryption(
    sale: Callable[[str], Sale], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it would win: as above, where nobody but the reader can look."""
    deal = sale("set_up")
    offer = messages.read_offer(deal.message("offer"))
    with Seller.opened(deal.root / "seller") as seller:
        reading = seller.need(deal.deal).keys().reading
    request = messages.read_request(deal.message("request"), offer, reading)
    buyer, pack = sender_of(deal, "request"), messages.pack
    fields = {
        "reading_key": request.reading_key,
        "refund_key": request.refund_key,
        "threshold": request.threshold,
        "method": request.method,
        "nonce": request.nonce,
    }
    for form in FORMS:
        monkeypatch.setattr(messages, "pack", lambda *given, form=form: form(pack(*given)))
        deal.message("request").unlink()
        messages.write_request(deal.message("request"), buyer, offer, fields, request.test_set)
        monkeypatch.setattr(messages, "pack", pack)
        said = refused_without_a_trace(deal, Sale.prove)
        assert "record" in said or "field" in said, (form, said)


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("version", [0, 2, 0xFFFF])
def test_another_version(sale: Callable[[str], Sale], name: str, version: int) -> None:
    """What it would win: the rules of another version for the message of one party only."""
    stage, read = READER[name]
    deal = sale(stage)
    sender, path = sender_of(deal, name), deal.message(name)
    body = path.read_bytes()[:-64]
    body = body[:6] + struct.pack(">H", version) + body[8:]
    path.write_bytes(body + sender.sign(b"zkcmp message signature" + hashlib.sha256(body).digest()))
    said = refused_without_a_trace(deal, read)
    assert f"message version {version} is not supported" in said


@pytest.mark.parametrize("name", MESSAGES)
def test_second_signature_of_one_message(sale: Callable[[str], Sale], name: str) -> None:
    """What it would win: a second message, made of somebody else's, that is not the first.

    S + L signs whatever S signs for a verifier that does not look.
    """
    stage, read = READER[name]
    deal = sale(stage)
    path = deal.message(name)
    honest = path.read_bytes()
    s = int.from_bytes(honest[-32:], "little") + _ED25519_ORDER
    path.write_bytes(honest[:-32] + s.to_bytes(32, "little"))
    assert "signature does not verify" in refused_without_a_trace(deal, read)
