"""What a taproot signature signs: hash type DEFAULT, all inputs and outputs, no annex (BIP 341)."""

import hashlib

from bitcoin.core import CTransaction, CTxOut

from bitcoin_scripts.taproot.schnorr import tagged_hash

_EPOCH, _DEFAULT = b"\x00", b"\x00"
_SCRIPT_PATH = 1
_KEY_VERSION, _NO_CODESEPARATOR = b"\x00", b"\xff\xff\xff\xff"


def signature_digest(tx: CTransaction, spent: CTxOut, leaf: bytes | None) -> bytes:
    """The digest for the one input of `tx`, which spends `spent` through a leaf or its key.

    `leaf` is the hash of the leaf, None for the key path.
    """
    ((outpoint, sequence),) = [(i.prevout, i.nSequence) for i in tx.vin]
    script = bytes(spent.scriptPubKey)
    fields = [
        _EPOCH + _DEFAULT,
        tx.nVersion.to_bytes(4, "little") + tx.nLockTime.to_bytes(4, "little"),
        _sha256(outpoint.serialize()),
        _sha256(spent.nValue.to_bytes(8, "little")),
        _sha256(bytes([len(script)]) + script),
        _sha256(sequence.to_bytes(4, "little")),
        _sha256(b"".join(output.serialize() for output in tx.vout)),
        bytes([0 if leaf is None else 2 * _SCRIPT_PATH]),
        bytes(4),  # the index of the input
    ]
    if leaf is not None:
        fields += [leaf, _KEY_VERSION, _NO_CODESEPARATOR]
    return tagged_hash("TapSighash", *fields)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
