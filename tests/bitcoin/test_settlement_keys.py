"""Keys and signatures, against published vectors, py_ecc and python-bitcoinlib's OpenSSL."""

import hashlib

import pytest
from py_ecc.secp256k1 import secp256k1 as curve

from bitcoin_scripts import ecdsa
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import (
    bech32_address,
    check_public_key,
    check_secret_key,
    generate_secret_key,
    p2wpkh_script,
    public_key,
)

ONE = (1).to_bytes(32, "big")
DIGESTS = [hashlib.sha256(bytes([i])).digest() for i in range(40)]


def test_generator_and_its_published_p2wpkh_address():
    """The example of BIP 173."""
    key = public_key(ONE)
    assert key.hex() == "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    address = bech32_address(p2wpkh_script(key), "main")
    assert address == "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def test_first_nonce_is_that_of_rfc_6979():
    """The widely published vector for key 1 and "Satoshi Nakamoto", and py_ecc's own."""
    digest = hashlib.sha256(b"Satoshi Nakamoto").digest()
    k = next(ecdsa._nonces(ONE, digest, b""))
    assert k == 0x8F8A276C19F4149656B280621E358CCE24F5F52542772691EE69063B74F15D15
    for other in DIGESTS[:5]:
        assert next(ecdsa._nonces(ONE, other, b"")) == curve.deterministic_generate_k(other, ONE)


@pytest.mark.parametrize("secret", [ONE, b"\x01" * 32, (ecdsa.ORDER - 1).to_bytes(32, "big")])
def test_openssl_accepts_every_signature_and_nothing_near_it(secret: bytes):
    openssl = pytest.importorskip("bitcoin.core.key", reason="python-bitcoinlib found no libssl")
    key = openssl.CPubKey(public_key(secret))
    for digest in DIGESTS:
        signature = ecdsa.sign(secret, digest)
        assert key.verify(digest, signature)
        assert not key.verify(bytes([digest[0] ^ 1]) + digest[1:], signature)


def test_signatures_are_small_low_s_and_repeatable():
    for digest in DIGESTS:
        signature = ecdsa.sign(ONE, digest)
        r_size = signature[3]
        r = int.from_bytes(signature[4 : 4 + r_size], "big")
        s = int.from_bytes(signature[6 + r_size :], "big")
        assert len(signature) <= ecdsa.MAX_SIGNATURE_BYTES
        assert 0 < r < 1 << 255
        assert 0 < s <= ecdsa.ORDER // 2
        assert signature == ecdsa.sign(ONE, digest)
    assert len({ecdsa.sign(ONE, digest) for digest in DIGESTS}) == len(DIGESTS)


@pytest.mark.parametrize(
    "secret", [b"", bytes(32), b"\x01" * 31, ecdsa.ORDER.to_bytes(32, "big"), b"\xff" * 32]
)
def test_bad_secret_keys_are_refused_and_not_repeated(secret: bytes):
    with pytest.raises(SettlementError) as caught:
        public_key(secret)
    assert secret == b"" or secret.hex() not in str(caught.value)


def test_generated_keys_are_valid_and_differ():
    secrets = {generate_secret_key() for _ in range(20)}
    assert len(secrets) == 20
    for secret in secrets:
        check_secret_key(secret)
    check_public_key(public_key(secrets.pop()))


def test_only_version_0_witness_scripts_have_an_address():
    for script in (b"", b"\x51", b"\x51\x20" + bytes(32), b"\x00\x14" + bytes(21)):
        with pytest.raises(SettlementError, match="version 0"):
            bech32_address(script, "regtest")
