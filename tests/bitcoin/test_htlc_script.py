"""The redeem script: golden bytes, strict parsing, terms that must be refused."""

import dataclasses

import pytest
from bitcoin import segwit_addr
from bitcoin_sale import BUYER, PREIMAGE, SELLER, terms
from hypothesis import given
from hypothesis import strategies as st

from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import Htlc, parse
from bitcoin_scripts.keys import public_key

# Written out opcode by opcode from the template of the module's docstring.
GOLDEN = bytes.fromhex(
    "63"  # IF
    "82012088"  # SIZE 32 EQUALVERIFY
    "a820"  # SHA256
    "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"
    "88"  # EQUALVERIFY
    "21031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f"  # seller
    "67"  # ELSE
    "016eb175"  # 110 CHECKLOCKTIMEVERIFY DROP
    "21024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766"  # buyer
    "68ac"  # ENDIF CHECKSIG
)
HASHLOCK = slice(7, 39)
SELLER_KEY = slice(41, 74)
TIMEOUT = 76
BUYER_KEY = slice(-35, -2)


def test_golden_script():
    htlc = terms()
    assert bytes(htlc.redeem_script) == GOLDEN
    assert parse(GOLDEN) == htlc
    assert bytes(htlc.script_pubkey).hex() == (
        "002069c4f2bdb7511c413bf0dd9b58ecd51a65cd480516be5bddb7c45fb61bfc8ede"
    )


@pytest.mark.parametrize(
    ("chain_name", "prefix"),
    [("main", "bc1q"), ("testnet", "tb1q"), ("signet", "tb1q"), ("regtest", "bcrt1q")],
)
def test_address_names_its_chain(chain_name: str, prefix: str):
    assert terms().address(chain_name).startswith(prefix)


def test_golden_address_and_unknown_chain():
    address = terms().address("regtest")
    assert address == ("bcrt1qd8z090dh2ywyzwlsmkd43mx4rfju6jq9z6l9hhdhc30mvxlu3m0qf5mjyq")
    assert segwit_addr.decode("bcrt", address) == (0, list(terms().script_pubkey[2:]))
    with pytest.raises(SettlementError, match="unknown chain 'moon'"):
        terms().address("moon")


@given(st.integers(1, 499_999_999) | st.sampled_from([1, 16, 17, 127, 128, 255, 256, 32767, 32768]))
def test_every_timeout_round_trips(timeout_height: int):
    htlc = terms(timeout_height=timeout_height)
    assert parse(htlc.redeem_script) == htlc


def test_the_timeout_of_an_output_is_found_by_trying():
    ours, others = bytes(terms(timeout_height=120).script_pubkey), [b"", bytes(34)]
    assert terms().timeout_of([*others, ours], range(130, 110, -1)) == 120
    assert terms().timeout_of([ours], range(121, 130)) is None
    assert terms().timeout_of(others, range(110, 130)) is None


def test_every_changed_byte_is_another_lock_or_refused():
    for position in range(len(GOLDEN)):
        for change in (0x01, 0x80, 0xFF):
            mutated = bytearray(GOLDEN)
            mutated[position] ^= change
            negative = position - len(GOLDEN)
            in_field = (
                HASHLOCK.start <= position < HASHLOCK.stop
                or SELLER_KEY.start <= position < SELLER_KEY.stop
                or BUYER_KEY.start <= negative < BUYER_KEY.stop
                or position == TIMEOUT
            )
            try:
                other = parse(bytes(mutated))
            except SettlementError:
                assert not HASHLOCK.start <= position < HASHLOCK.stop, "any hashlock is a hashlock"
                continue
            assert in_field, f"byte {position} is fixed by the template"
            assert other != terms()


@pytest.mark.parametrize(
    "script",
    [
        b"",
        GOLDEN[:7],
        GOLDEN[:76],
        GOLDEN[:-1],
        GOLDEN + b"\x00",
        b"\x00" + GOLDEN,
        GOLDEN.replace(b"\x01\x6e\xb1", b"\x02\x6e\x00\xb1"),  # the same number, a byte longer
        GOLDEN.replace(b"\x01\x6e\xb1", b"\x4c\x01\x6e\xb1"),  # pushed by PUSHDATA1
        GOLDEN.replace(b"\x01\x6e\xb1", b"\x01\x05\xb1"),  # 5 has an opcode of its own
        GOLDEN.replace(b"\x01\x6e\xb1", b"\x01\xee\xb1"),  # negative
        GOLDEN.replace(b"\x01\x6e\xb1", b"\x00\xb1"),  # zero
        GOLDEN.replace(b"\x01\x6e\xb1", b"\x05\x6e\x00\x00\x00\x01\xb1"),  # five bytes
        GOLDEN.replace(b"\x01\x6e\xb1", b"\x04\x00\x65\xcd\x1d\xb1"),  # 500,000,000: a time
        GOLDEN.replace(b"\x82\x01\x20\x88", b""),  # no length check
        GOLDEN.replace(b"\xb1\x75", b"\xb2\x75"),  # CHECKSEQUENCEVERIFY
    ],
)
def test_other_scripts_are_refused(script: bytes):
    with pytest.raises(SettlementError, match="not the hash-lock template"):
        parse(script)


@given(st.binary(max_size=200))
def test_garbage_is_refused(script: bytes):
    with pytest.raises(SettlementError):
        parse(script)


@pytest.mark.parametrize("timeout_height", [-1, 0, 500_000_000, 2**40])
def test_timeouts_that_are_no_heights_are_refused(timeout_height: int):
    with pytest.raises(SettlementError, match="not a block height"):
        terms(timeout_height=timeout_height)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_hashlocks_of_another_size_are_refused(size: int):
    with pytest.raises(SettlementError, match="32 bytes"):
        dataclasses.replace(terms(), hashlock=bytes(size))


KEY = public_key(SELLER)
# x = 5 is on no point of secp256k1: 5^3 + 7 is not a square.
BAD_KEYS = [
    b"",
    KEY[:32],
    KEY + b"\x00",
    b"\x04" + KEY[1:],
    b"\x00" * 33,
    b"\x02" + (5).to_bytes(32, "big"),
    b"\x02" + (2**256 - 2**32 - 977 + 1).to_bytes(32, "big"),  # x = p + 1, not canonical
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_keys_that_are_no_points_are_refused(key: bytes):
    with pytest.raises(SettlementError, match="the seller's key is not"):
        dataclasses.replace(terms(), seller_pubkey=key)
    with pytest.raises(SettlementError, match="the buyer's key is not"):
        dataclasses.replace(terms(), buyer_pubkey=key)


def test_equal_keys_are_refused():
    with pytest.raises(SettlementError, match="the same key"):
        Htlc(terms().hashlock, public_key(BUYER), public_key(BUYER), 110)


def test_terms_print_no_secret():
    assert PREIMAGE.hex() not in repr(terms())
