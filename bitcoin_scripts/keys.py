"""secp256k1 keys as bytes: secret keys of 32, compressed public keys of 33, and P2WPKH scripts."""

import secrets

from bitcoin import base58, segwit_addr
from bitcoin.core import Hash, Hash160
from bitcoin.core.script import (
    OP_0,
    OP_CHECKSIG,
    OP_DUP,
    OP_EQUAL,
    OP_EQUALVERIFY,
    OP_HASH160,
    CScript,
)
from embit import bech32

from bitcoin_scripts.ecdsa import FIELD_MODULUS, ORDER, base_multiple
from bitcoin_scripts.errors import SettlementError

BECH32_PREFIXES = {"main": "bc", "testnet": "tb", "signet": "tb", "regtest": "bcrt"}

_MAX_ADDRESS_CHARACTERS = 90
_BASE58_BYTES = 1 + 20 + 4  # version, hash, checksum


def generate_secret_key() -> bytes:
    """A uniform secret key from the operating system's randomness."""
    return (1 + secrets.randbelow(ORDER - 1)).to_bytes(32, "big")


def check_secret_key(secret_key: bytes) -> None:
    """Raises SettlementError unless 32 bytes encode a number in [1, order)."""
    if len(secret_key) != 32 or not 0 < int.from_bytes(secret_key, "big") < ORDER:
        raise SettlementError("not a secp256k1 secret key; restore the key file or start a new one")


def check_public_key(public_key: bytes, owner: str = "public") -> None:
    """Raises SettlementError unless the bytes are a compressed point of the curve.

    A key off the curve would make its branch of a script unspendable for ever.
    """
    fault = ""
    if len(public_key) != 33 or public_key[0] not in (2, 3):
        fault = "is not 33 bytes starting with 02 or 03"
    else:
        x = int.from_bytes(public_key[1:], "big")
        y_squared = (x**3 + 7) % FIELD_MODULUS
        # A root exists exactly when Euler's criterion gives 1; y = 0 is impossible on this curve.
        if x >= FIELD_MODULUS or pow(y_squared, (FIELD_MODULUS - 1) // 2, FIELD_MODULUS) != 1:
            fault = "is not a point of secp256k1"
    if fault:
        raise SettlementError(f"the {owner} key {fault}; ask its owner for a compressed public key")


def public_key(secret_key: bytes) -> bytes:
    """The compressed public key of a secret key. Raises SettlementError for an invalid one."""
    check_secret_key(secret_key)
    x, y = base_multiple(int.from_bytes(secret_key, "big"))
    return bytes([2 + (y & 1)]) + x.to_bytes(32, "big")


def p2wpkh_script(public_key: bytes) -> CScript:
    """The output script that pays to a public key: 0 <HASH160(public_key)>."""
    check_public_key(public_key)
    return CScript([OP_0, Hash160(public_key)])


def p2wpkh_script_code(public_key: bytes) -> CScript:
    """What a spend of `p2wpkh_script` signs in place of the script (BIP 143)."""
    return CScript([OP_DUP, OP_HASH160, Hash160(public_key), OP_EQUALVERIFY, OP_CHECKSIG])


def script_of_address(address: str, chain_name: str) -> bytes:
    """The output script of a witness address, version 0 or 1, of that chain.

    Raises SettlementError for an address of another kind or chain.
    """
    prefix = BECH32_PREFIXES.get(chain_name, "")
    version, program = bech32.decode(prefix, address.strip())
    if version not in (0, 1) or program is None:
        raise SettlementError(
            f"{address!r} is not a witness address on {chain_name}; it begins with {prefix}1"
        )
    return bytes([0x50 + version if version else 0, len(program), *program])


def standard_script(address: str, chain_name: str) -> bytes:
    """The output script of any standard address of that chain: P2PKH, P2SH, P2WPKH, P2WSH, P2TR.

    Old addresses are the same on all chains but the main one. Raises SettlementError for what is
    none, is of another chain, or is one that nobody could ever spend from.
    """
    text = address.strip()
    script = None
    if chain_name in BECH32_PREFIXES and len(text) <= _MAX_ADDRESS_CHARACTERS:
        script = _base58_script(text, chain_name)
        script = script or _witness_script(text, chain_name)
    if script is None:
        raise SettlementError(
            f"{text[:_MAX_ADDRESS_CHARACTERS]!r} is not an address on {chain_name}; compare it "
            "with what the wallet that is to receive shows"
        )
    return script


def _base58_script(text: str, chain_name: str) -> bytes | None:
    try:
        data = base58.decode(text)
    except base58.InvalidBase58Error:
        return None
    if len(data) != _BASE58_BYTES or Hash(data[:-4])[:4] != data[-4:]:
        return None
    version, payload = data[0], data[1:-4]
    if version == (0 if chain_name == "main" else 111):
        script = CScript([OP_DUP, OP_HASH160, payload, OP_EQUALVERIFY, OP_CHECKSIG])
    elif version == (5 if chain_name == "main" else 196):
        script = CScript([OP_HASH160, payload, OP_EQUAL])
    else:
        return None
    return bytes(script)


def _witness_script(text: str, chain_name: str) -> bytes | None:
    version, program = bech32.decode(BECH32_PREFIXES[chain_name], text)
    if program is None or version not in (0, 1) or (version == 1 and len(program) != 32):
        return None  # other programs of version 1 can be spent by anybody
    if version == 1:
        check_public_key(b"\x02" + bytes(program), "address's")
    return script_of_address(text, chain_name)


def bech32_address(script_pubkey: bytes, chain_name: str) -> str:
    """The address of a version 0 witness output script on `main`, `testnet`, `signet`, `regtest`.

    Raises SettlementError for another script or chain.
    """
    if chain_name not in BECH32_PREFIXES:
        known = ", ".join(BECH32_PREFIXES)
        raise SettlementError(f"unknown chain {chain_name!r}; use one of {known}")
    program = bytes(script_pubkey)[2:]
    if len(program) not in (20, 32) or bytes(script_pubkey)[:2] != bytes([0, len(program)]):
        raise SettlementError("only version 0 witness scripts have an address here")
    return str(segwit_addr.encode(BECH32_PREFIXES[chain_name], 0, program))
