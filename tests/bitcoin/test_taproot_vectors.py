"""BIP 340, 341 and 327 against the vectors of the BIPs, and against embit where it has the same."""

import hashlib

import pytest
from bitcoin.core import CTransaction, CTxOut
from bitcoin_sale import BUYER_SCRIPT, SELLER
from embit import bech32
from embit.ec import PrivateKey, SchnorrSig
from embit.script import Script
from embit.transaction import Transaction
from taproot_sale import FUNDING, taproot_lock

from bitcoin_scripts.ecdsa import FIELD_MODULUS, ORDER, base_multiple
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import public_key
from bitcoin_scripts.spend import input_of
from bitcoin_scripts.taproot import schnorr
from bitcoin_scripts.taproot.aggregation import aggregate, aggregate_secret
from bitcoin_scripts.taproot.shares import share_secret
from bitcoin_scripts.taproot.sighash import signature_digest
from bitcoin_scripts.taproot.tree import Tree, branch_hash, leaf_hash

unhex = bytes.fromhex

# BIP 340: secret key, auxiliary randomness, message, signature
SIGNATURES = [
    (
        f"{3:064x}",
        f"{0:064x}",
        f"{0:064x}",
        "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
        "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0",
    ),
    (
        "b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef",
        f"{1:064x}",
        "243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
        "6896bd60eeae296db48a229ff71dfe071bde413e6d43f917dc8dcf8c78de3341"
        "8906d11ac976abccb20b091292bff4ea897efcb639ea871cfa95f6de339e4b0a",
    ),
    (
        "c90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b14e5c9",
        "c87aa53824b4d7ae2eb035a2b5bbbccc080e76cdc6d1692c4b0b62d798e6d906",
        "7e2d58d8b3bcdf1abadec7829054f90dda9805aab56c77333024b9d0a508b75c",
        "5831aaeed7b44bb74e5eab94ba9d4294c49bcf2a60728d8b4c200f50dd313c1b"
        "ab745879a5ad954a72c45a91c3a51d3c7adea98d82f8481e0e1e03674a6f3fb7",
    ),
    (
        "0b432b2677937381aef05bb02a66ecd012773062cf3fa2549e44f58ed2401710",
        "f" * 64,
        "f" * 64,
        "7eb0509757e246f19449885651611cb965ecc1a187dd51b64fda1edc9637d5ec"
        "97582b9cb13db3933705b32ba982af5af25fd78881ebb32771fc5922efc66ea3",
    ),
]

# BIP 341, outputs with two leaves: internal key, (script, version) twice, their hashes, root,
# tweak, output key, address, control blocks
OUTPUTS = [
    (
        "ee4fe085983462a184015d1f782d6a5f8b9c2b60130aff050ce221ecf3786592",
        (
            ("20387671353e273264c495656e27e39ba899ea8fee3bb69fb2a680e22093447d48ac", 0xC0),
            ("06424950333431", 0xFA),
        ),
        (
            "8ad69ec7cf41c2a4001fd1f738bf1e505ce2277acdcaa63fe4765192497f47a7",
            "f224a923cd0021ab202ab139cc56802ddb92dcfc172b9212261a539df79a112a",
        ),
        "6c2dc106ab816b73f9d07e3cd1ef2c8c1256f519748e0813e4edd2405d277bef",
        "9e0517edc8259bb3359255400b23ca9507f2a91cd1e4250ba068b4eafceba4a9",
        "712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5",
        "bc1pwyjywgrd0ffr3tx8laflh6228dj98xkjj8rum0zfpd6h0e930h6saqxrrm",
        "c0",
    ),
    (
        "f9f400803e683727b14f463836e1e78e1c64417638aa066919291a225f0e8dd8",
        (
            ("2044b178d64c32c4a05cc4f4d1407268f764c940d20ce97abfd44db5c3592b72fdac", 0xC0),
            ("07546170726f6f74", 0xC0),
        ),
        (
            "64512fecdb5afa04f98839b50e6f0cb7b1e539bf6f205f67934083cdcc3c8d89",
            "2cb2b90daa543b544161530c925f285b06196940d6085ca9474d41dc3822c5cb",
        ),
        "ab179431c28d3b68fb798957faf5497d69c883c6fb1e1cd9f81483d87bac90cc",
        "639f0281b7ac49e742cd25b7f188657626da1ad169209078e2761cefd91fd65e",
        "77e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220",
        "bc1pwl3s54fzmk0cjnpl3w9af39je7pv5ldg504x5guk2hpecpg2kgsqaqstjq",
        "c1",
    ),
]

# BIP 327: keys, and the aggregates of some of them
KEYS = [
    unhex("02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"),
    unhex("03dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba659"),
    unhex("023590a94e768f8e1815c2f24b4d80a8e3149316c3518ce7b7ad338368d038ca66"),
]
AGGREGATES = [
    ((0, 1, 2), "90539eede565f5d054f32cc0c220126889ed1e5d193baf15aef344fe59d4610c"),
    ((2, 1, 0), "6204de8b083426dc6eaf9502d27024d53fc826bf7d2012148a0575435df54b2b"),
    ((0, 0, 0), "b436e3bad62b8cd409969a224731c193d051162d8c5ae8b109306127da3aa935"),
    ((0, 0, 1, 1), "69bc22bfa5d106306e48a20679de1d7389386124d07571d0d872686028c26a3e"),
]


@pytest.mark.parametrize(("secret", "aux", "message", "signature"), SIGNATURES)
def test_signatures_of_bip_340(secret: str, aux: str, message: str, signature: str):
    assert schnorr.sign(unhex(secret), unhex(message), unhex(aux)).hex() == signature
    assert schnorr.verify(public_key(unhex(secret))[1:], unhex(message), unhex(signature))


def test_altered_signatures_are_refused():
    secret, message, signature = unhex(SIGNATURES[1][0]), unhex(SIGNATURES[1][2]), SIGNATURES[1][3]
    key, good = public_key(secret)[1:], unhex(signature)
    r, s = good[:32], int.from_bytes(good[32:], "big")
    assert schnorr.verify(key, message, good)
    for altered in (
        good[:-1],
        good + b"\x00",
        r + (ORDER - s).to_bytes(32, "big"),
        r + ((s + ORDER) % 2**256).to_bytes(32, "big"),
        r + ORDER.to_bytes(32, "big"),
        FIELD_MODULUS.to_bytes(32, "big") + good[32:],
        bytes(32) + good[32:],
        bytes([r[0] ^ 1]) + good[1:],
        bytes(64),
    ):
        assert not schnorr.verify(key, message, altered), altered.hex()
    assert not schnorr.verify(key, bytes([message[0] ^ 1]) + message[1:], good)
    assert not schnorr.verify(public_key(SELLER)[1:], message, good)
    off_curve = unhex("eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34")
    for bad_key in (off_curve, (FIELD_MODULUS + 1).to_bytes(32, "big"), b""):
        assert not schnorr.verify(bad_key, message, good)


def test_embit_accepts_our_signatures_and_we_its():
    for number in (1, 2, 3, ORDER - 1):
        secret = number.to_bytes(32, "big")
        message = hashlib.sha256(secret).digest()
        key = PrivateKey(secret)
        ours = schnorr.sign(secret, message)
        assert key.schnorr_verify(SchnorrSig(ours), message)
        assert schnorr.verify(key.xonly(), message, key.schnorr_sign(message).serialize())


def test_randomness_is_fresh():
    assert schnorr.sign(SELLER, bytes(32)) != schnorr.sign(SELLER, bytes(32))


@pytest.mark.parametrize(
    ("internal", "leaves", "hashes", "root", "tweak", "output", "address", "first"), OUTPUTS
)
def test_outputs_of_bip_341(internal, leaves, hashes, root, tweak, output, address, first):
    found = tuple(leaf_hash(unhex(script), version) for script, version in leaves)
    assert tuple(h.hex() for h in found) == hashes
    assert branch_hash(*found).hex() == branch_hash(*reversed(found)).hex() == root
    point = schnorr.lift_x(int(internal, 16))
    for parity in (point, (point[0], FIELD_MODULUS - point[1])):
        tree = Tree(parity, found)
        assert f"{tree.tweak:064x}" == tweak
        assert f"{tree.output[0]:064x}" == output
        assert tree.control_block(found[0]).hex() == first + internal + hashes[1]
        assert tree.control_block(found[1]).hex() == first + internal + hashes[0]
    assert bech32.encode("bc", 1, unhex(output)) == address


def test_output_key_and_its_secret_are_embits():
    """With internal keys of both parities, and output keys of both parities."""
    parities = set()
    for number in range(1, 12):
        internal = base_multiple(number)
        tree = Tree(internal, (leaf_hash(b"\x51"), leaf_hash(b"\x52")))
        theirs = PrivateKey(number.to_bytes(32, "big")).taproot_tweak(branch_hash(*tree.leaves))
        assert tree.output[0].to_bytes(32, "big") == theirs.xonly()
        assert public_key(tree.output_secret(number))[1:] == theirs.xonly()
        parities.add((internal[1] % 2, tree.output[1] % 2))
    assert len(parities) == 4


@pytest.mark.parametrize(("indices", "expected"), AGGREGATES)
def test_aggregates_of_bip_327(indices: tuple[int, ...], expected: str):
    assert f"{aggregate([KEYS[i] for i in indices])[0]:064x}" == expected


@pytest.mark.parametrize(
    "bad",
    [
        b"\x02" + bytes(31) + b"\x05",
        b"\x02" + (FIELD_MODULUS + 1).to_bytes(32, "big"),
        b"\x04" + KEYS[0][1:],
        KEYS[0][:-1],
    ],
)
def test_keys_that_are_no_points_are_not_aggregated(bad: bytes):
    """The first three are BIP 327's."""
    for keys in ([KEYS[0], bad], [bad, KEYS[0]]):
        with pytest.raises(SettlementError, match="not a public key"):
            aggregate(keys)


@pytest.mark.parametrize("numbers", [(5, 7), (7, 5), (9, 9), (1, ORDER - 1), (3, 4, 4, 3)])
def test_whoever_has_all_secrets_has_the_aggregates(numbers: tuple[int, ...]):
    secrets = [number.to_bytes(32, "big") for number in numbers]
    publics = [public_key(secret) for secret in secrets]
    assert base_multiple(aggregate_secret(secrets, publics)) == aggregate(publics)


@pytest.mark.parametrize("rogue_first", [False, True])
def test_a_rogue_key_does_not_own_the_aggregate(rogue_first: bool):
    """x G - P would own a plain sum; here its maker's x is not the aggregate's secret."""
    x, victim = 42, public_key(SELLER)
    point = schnorr.point_of(victim)
    rogue_point = schnorr.add(base_multiple(x), (point[0], FIELD_MODULUS - point[1]))
    rogue = bytes([2 + rogue_point[1] % 2]) + rogue_point[0].to_bytes(32, "big")
    assert schnorr.add(point, rogue_point) == base_multiple(x)
    assert aggregate([rogue, victim] if rogue_first else [victim, rogue])[0] != base_multiple(x)[0]


def test_points_add_to_infinity_and_back():
    g = base_multiple(1)
    minus = base_multiple(ORDER - 1)
    assert schnorr.add(g, minus) == schnorr.INFINITY == schnorr.multiple(g, 0)
    assert schnorr.add(g, schnorr.INFINITY) == schnorr.add(schnorr.INFINITY, g) == g
    assert schnorr.add(g, g) == base_multiple(2)


def test_share_of_a_key_is_pinned():
    """A party that restores its key must find the share that is in the lock."""
    pinned = "875e58e6cae5b72fd0035ec874d6c2b623dcfe42f3f1eb11e712b201838ef053"
    assert share_secret(SELLER).hex() == pinned
    with pytest.raises(SettlementError):
        share_secret(bytes(32))


@pytest.mark.parametrize("leaf", [None, b"\x51" * 3])
def test_signature_digests_are_embits(leaf: bytes | None):
    spent = CTxOut(FUNDING.amount_sat, taproot_lock().script_pubkey)
    tx = CTransaction([input_of(FUNDING)], [CTxOut(40_000, BUYER_SCRIPT)] * 2, 110, 2)
    theirs = Transaction.parse(tx.serialize()).sighash_taproot(
        0,
        [Script(bytes(spent.scriptPubKey))],
        [spent.nValue],
        ext_flag=int(leaf is not None),
        script=None if leaf is None else Script(leaf),
    )
    assert signature_digest(tx, spent, None if leaf is None else leaf_hash(leaf)) == theirs
