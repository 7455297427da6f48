"""No damaged, forged or misplaced message file is taken in: one line, exit code 2, no trace."""

import hashlib
import os
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import MESSAGES, Result, Sale
from forged_messages import READER

from zkcmp.exchange.messages.identity import Identity


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def longer(data: bytes) -> bytes:
    return data + b"\0"


def empty(data: bytes) -> bytes:
    return b""


def garbage(data: bytes) -> bytes:
    return random.Random(5).randbytes(len(data))


def unsigned(data: bytes) -> bytes:
    return data[:-64] + bytes(64)


def flipped(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def other_version(data: bytes) -> bytes:
    return data[:6] + struct.pack(">H", 2) + data[8:]


def huge_body(data: bytes) -> bytes:
    """A body length of 2^62 where the file has its own."""
    (header,) = struct.unpack(">I", data[40:44])
    return data[: 44 + header] + struct.pack(">Q", 1 << 62) + data[52 + header :]


def resigned(data: bytes) -> bytes:
    """Signed by a stranger, validly."""
    stranger = Identity.generate()
    body = data[:8] + stranger.public_key + data[40:-64]
    return body + stranger.sign(b"zkcmp message signature" + hashlib.sha256(body).digest())


MUTATIONS = (cut, longer, empty, garbage, unsigned, flipped, other_version, huge_body)


def check_refused(sale: Sale, name: str) -> Result:
    """The command that reads the message refuses it and changes nothing at all."""
    before = sale.tree()
    result = READER[name][1](sale)
    assert result.refused, result
    assert "Traceback" not in result.err
    assert sale.tree() == before
    return result


@pytest.mark.parametrize("name", MESSAGES)
def test_damaged(sale: Callable[[str], Sale], name: str) -> None:
    deal = sale(READER[name][0])
    path = deal.message(name)
    honest = path.read_bytes()
    for mutate in MUTATIONS:
        path.write_bytes(mutate(honest))
        check_refused(deal, name)
    path.write_bytes(honest)
    assert READER[name][1](deal).code == 0


@pytest.mark.parametrize("name", MESSAGES[1:])
def test_signed_by_a_stranger(sale: Callable[[str], Sale], name: str) -> None:
    deal = sale(READER[name][0])
    path = deal.message(name)
    path.write_bytes(resigned(path.read_bytes()))
    check_refused(deal, name)


def test_offer_of_a_stranger_is_told_by_its_fingerprint(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    path = deal.message("offer")
    seller = deal.run("seller", "status").out.splitlines()[0].split(maxsplit=1)[1]
    path.write_bytes(resigned(path.read_bytes()))
    before = deal.tree()
    npz = str(deal.root / "samples1.npz")
    asked = ("buyer", "request", "--test-set", npz, "--accuracy", "0.5", "--seller", seller)
    result = deal.run(*asked)
    assert result.refused
    assert "fingerprint" in result.err
    assert deal.tree() == before


@pytest.mark.parametrize("name", MESSAGES)
def test_another_message_in_its_place(sale: Callable[[str], Sale], name: str) -> None:
    deal = sale(READER[name][0])
    for other in MESSAGES:
        if other != name and deal.message(other).exists():
            deal.message(name).write_bytes(deal.message(other).read_bytes())
            error = check_refused(deal, name).err
            assert "is expected, and this is" in error or "more than such a message has" in error


@pytest.mark.parametrize("name", MESSAGES[1:])
def test_replayed_from_another_deal(sale: Callable[[str], Sale], name: str) -> None:
    """Of the same two parties, with the same identities."""
    deal = sale(READER[name][0])
    deal.message(name).write_bytes((deal.root / "other" / f"{name}.zkcmp").read_bytes())
    assert "another deal" in check_refused(deal, name).err


@pytest.mark.parametrize("name", MESSAGES)
def test_no_regular_file(sale: Callable[[str], Sale], name: str) -> None:
    deal = sale(READER[name][0])
    path = deal.message(name)
    path.unlink()
    path.mkdir()
    check_refused(deal, name)
    path.rmdir()
    os.mkfifo(path)
    check_refused(deal, name)
    path.unlink()
    path.symlink_to(deal.root / "nowhere")
    check_refused(deal, name)


@pytest.mark.parametrize("name", MESSAGES)
def test_missing(sale: Callable[[str], Sale], name: str) -> None:
    deal = sale(READER[name][0])
    deal.message(name).unlink()
    result = check_refused(deal, name)
    supplier = {"offer": "seller seal", "key-material": "buyer setup", "delivery": "seller prove"}
    assert f"zkcmp {supplier.get(name, f'buyer {name}')}" in result.err


def test_oversized_file_is_not_copied(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    with deal.message("offer").open("r+b") as file:
        file.truncate(1 << 30)
    result = READER["offer"][1](deal)
    assert result.refused
    assert "more than such a message" in result.err
    assert not any(Path(deal.root / "buyer").glob("incoming*"))
