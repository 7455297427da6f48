"""What two people read to each other, and which of what they typed is this key's."""

import hashlib

import pytest

from zkcmp.errors import DecodeError
from zkcmp.exchange.messages.identity import Identity, ReadingKey, fingerprint, is_fingerprint_of

KEY = Identity(bytes(range(32))).public_key
OTHER = Identity(bytes(32)).public_key
DIGITS = hashlib.sha256(b"zkcmp identity" + KEY).hexdigest()[:32]


def test_eight_groups_of_four_digits_of_the_hash() -> None:
    groups = fingerprint(KEY).split(" ")
    assert [len(group) for group in groups] == [4] * 8
    assert "".join(groups) == DIGITS


@pytest.mark.parametrize(
    "typed", [fingerprint(KEY), DIGITS, DIGITS.upper(), f" {DIGITS[:5]}\t{DIGITS[5:]}\n"]
)
def test_as_people_write_it(typed: str) -> None:
    assert is_fingerprint_of(typed, KEY)
    assert not is_fingerprint_of(typed, OTHER)


@pytest.mark.parametrize("typed", ["", DIGITS[:4], DIGITS[:31], f"{DIGITS}0", f"{DIGITS[1:]}x"])
def test_parts_of_it_are_none(typed: str) -> None:
    assert not is_fingerprint_of(typed, KEY)


@pytest.mark.parametrize("n", [0, 31, 33])
def test_secrets_of_another_length(n: int) -> None:
    with pytest.raises(DecodeError):
        Identity(bytes(n))
    with pytest.raises(DecodeError):
        ReadingKey(bytes(n))
