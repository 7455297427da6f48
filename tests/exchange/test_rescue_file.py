"""A rescue file opens whole, with its passphrase, or not at all."""

from pathlib import Path

import pytest

from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange.private import rescue_file
from zkcmp.exchange.private.keyring import HEADER_MAGIC, Keyring, Protection

FAST = 4
WORDS = "four words of mine"
FILES = {"keys": b"one secret", "state.json": b"", "offer.zkcmp": bytes(300)}


@pytest.fixture(params=["plain", "passphrase"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    keyring = Keyring.new(WORDS, FAST) if request.param == "passphrase" else None
    place = tmp_path / "deal.rescue"
    place.write_bytes(rescue_file.encode(rescue_file.pack(FILES), keyring))
    return place


def read(path: Path, words: str = WORDS) -> dict[str, bytes]:
    payload, _ = rescue_file.open_file(path, lambda what: words)
    return rescue_file.unpack(payload, str(path))


def test_round_trip(path: Path) -> None:
    assert read(path) == FILES


def test_every_changed_byte_is_noticed(path: Path) -> None:
    honest = path.read_bytes()
    cost = honest.find(HEADER_MAGIC) + len(HEADER_MAGIC) + 1
    for place in range(len(honest)):
        if HEADER_MAGIC in honest and place == cost:  # another cost is only slower
            continue
        path.write_bytes(honest[:place] + bytes([honest[place] ^ 1]) + honest[place + 1 :])
        with pytest.raises((DecodeError, DealError)):
            read(path)


def test_every_shorter_file_and_a_longer_one_is_refused(path: Path) -> None:
    honest = path.read_bytes()
    for length in range(len(honest)):
        path.write_bytes(honest[:length])
        with pytest.raises(DecodeError):
            read(path)
    path.write_bytes(honest + b"\0")
    with pytest.raises(DecodeError):
        read(path)


def test_wrong_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "deal.rescue"
    path.write_bytes(rescue_file.encode(rescue_file.pack(FILES), Keyring.new(WORDS, FAST)))
    with pytest.raises(DealError, match="not the passphrase"):
        read(path, "others")


def test_nothing_of_the_files_is_in_an_encrypted_one() -> None:
    data = rescue_file.encode(rescue_file.pack(FILES), Keyring.new(WORDS, FAST))
    assert not any(text in data for text in (b"one secret", b"keys", b"state.json"))


def test_too_long_a_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "long"
    with path.open("wb") as file:
        file.write(rescue_file.MAGIC)
        file.truncate(rescue_file.MAX_FILE_BYTES + 1)
    with pytest.raises(DecodeError, match="too long"):
        read(path)


def test_header_within_a_change_is_not_one_of_a_rescue_file(tmp_path: Path) -> None:
    old, new = Keyring.new(WORDS, FAST), Keyring.new("others", FAST)
    honest = rescue_file.encode(rescue_file.pack(FILES), new)
    settled = new.within(Protection.SETTLED).encode()
    assert settled in honest
    under = old.changing_to(new).encode()
    start = len(rescue_file.MAGIC)
    body = honest[start + 2 + len(settled) :]
    (tmp_path / "x").write_bytes(honest[:start] + len(under).to_bytes(2, "big") + under + body)
    with pytest.raises(DecodeError):
        read(tmp_path / "x", "others")


@pytest.mark.parametrize(
    "payload",
    [
        b"\x04keys\0\0\0\x02xx" * 2,
        b"\x04keys\0\0\0\x03xx",
        b"\x04keys\0\0",
        b"\x00\0\0\0\0",
        b"\x07../keys\0\0\0\0",
        b"\x05.keys\0\0\0\0",
        b"\x06a/keys\0\0\0\0",
        b"\x01b\0\0\0\0\x01a\0\0\0\0",
        b"\xff",
    ],
)
def test_payloads_that_no_files_make(payload: bytes) -> None:
    """Names lead nowhere else, come once and in order, and lengths are exact."""
    with pytest.raises(DecodeError):
        rescue_file.unpack(payload, "it")
