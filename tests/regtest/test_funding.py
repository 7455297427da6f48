"""Locks from a node's wallets and from payments by address, replaced and reorganised ones too."""

import json
import re
import shutil
from pathlib import Path

import pytest
from embit import ec
from embit.psbt import PSBT
from funding_wallet import ADDRESS, KEY, SECRET
from test_deal_on_a_node import BOTH, TIMEOUT_BLOCKS, NodeSale, open_command, sale, verified

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.chain.rpc import RpcChain
from bitcoin_scripts.keys import script_of_address

pytestmark = pytest.mark.regtest

__all__ = ["sale", "verified"]

WALLET = "spending"
EXTERNAL = ("buyer", "lock", "--external")


@pytest.fixture
def rich(sale: NodeSale) -> NodeSale:
    """The node has a wallet with coins, which are none of the buyer's."""
    assert sale.node is not None
    sale.node.call("createwallet", WALLET)
    address = sale.node.call("getnewaddress", "", "bech32", wallet=WALLET)
    sale.node.call("generatetoaddress", 2, address)
    sale.mine(100)
    return sale


def txid_in(said: str) -> str:
    found = re.search(r"locked +100000 sat in ([0-9a-f]{64})", said)
    assert found, said
    return found[1]


def pay(sale: NodeSale, address: str, bitcoin: str = "0.00100000") -> str:
    assert sale.node is not None
    return str(sale.node.call("sendtoaddress", address, bitcoin, wallet=WALLET))


def asked(sale: NodeSale) -> str:
    found = re.search(r"in one payment, to (bcrt1\w+)", sale.done(*EXTERNAL).out)
    assert found
    return found[1]


def redeemed_and_opened(sale: NodeSale) -> None:
    sale.redeemed()
    sale.mine()
    sale.has_the_network()


@BOTH
def test_from_the_wallet(rich: NodeSale, options: tuple[str, ...]):
    txid = txid_in(rich.done("buyer", "lock", "--wallet", WALLET).out)
    assert rich.waiting() == txid
    assert f"already locked     100000 sat in {txid}" in rich.done("buyer", "lock").out
    rich.mine()
    redeemed_and_opened(rich)


def test_coins_of_other_kinds_are_refused_and_not_kept(rich: NodeSale):
    """Inputs with a scriptSig: nothing is begun, and the wallet may spend the coins again."""
    assert rich.node is not None
    address = rich.node.call("getnewaddress", "", "p2sh-segwit", wallet=WALLET)
    rich.node.call("sendall", [address], wallet=WALLET)
    rich.mine()
    rich.refused("only coins of one key", "buyer", "lock", "--wallet", WALLET)
    assert rich.node.call("listlockunspent", wallet=WALLET) == []
    txid = pay(rich, asked(rich))
    rich.mine()
    assert txid_in(rich.done(*EXTERNAL).out) == txid


def test_from_the_wallet_and_refunded(rich: NodeSale):
    rich.done("buyer", "lock", "--wallet", WALLET)
    rich.mine(TIMEOUT_BLOCKS)
    rich.done("buyer", "refund")
    rich.mine()
    rich.refused("refund", *open_command(rich))


def test_a_locked_wallet_is_repeated_when_it_is_open(rich: NodeSale):
    assert rich.node is not None
    rich.node.call("encryptwallet", "passphrase", wallet=WALLET)
    rich.refused("walletpassphrase", "buyer", "lock", "--wallet", WALLET)
    rich.refused("drafted for another wallet", "buyer", "lock")
    rich.node.call("walletpassphrase", "passphrase", 600, wallet=WALLET)
    txid = txid_in(rich.done("buyer", "lock", "--wallet", WALLET).out)
    assert rich.waiting() == txid


def test_signed_by_another_wallet_of_the_node(rich: NodeSale):
    """As text, not finalised: what that call answers."""
    assert rich.node is not None
    out = rich.root / "lock.psbt"
    rich.done("buyer", "lock", "--wallet", WALLET, "--psbt-out", str(out))
    answer = rich.node.call("walletprocesspsbt", _base64(out), True, "ALL", True, False)
    signed = rich.root / "signed.psbt"
    signed.write_text(answer["psbt"] + "\n")
    txid = txid_in(rich.done("buyer", "lock", "--psbt-in", str(signed)).out)
    assert rich.waiting() == txid
    rich.mine()
    redeemed_and_opened(rich)


def _base64(path: Path) -> str:
    from base64 import b64encode

    return b64encode(path.read_bytes()).decode()


@pytest.mark.parametrize(("options", "kind"), [((), "wpkh"), ((), "tr")])
def test_watched_by_the_node_and_signed_elsewhere(
    sale: NodeSale, options: tuple[str, ...], kind: str
):
    assert sale.node is not None
    node = sale.node
    node.call("createwallet", "watching", True, True)
    described = node.call("getdescriptorinfo", f"{kind}({KEY.hex()})")["descriptor"]
    imported = [{"desc": described, "timestamp": "now"}]
    node.call("importdescriptors", imported, wallet="watching")
    [address] = node.call("deriveaddresses", described)
    sale.mine(1)
    node.call("generatetoaddress", 1, address)
    sale.mine(100)
    out = sale.root / "lock.psbt"
    result = sale.run("buyer", "lock", "--wallet", "watching", "--psbt-out", str(out))
    if result.code:  # a wallet that watches one address has none for the change
        assert "change" in result.err.lower(), result
        out.unlink(missing_ok=True)
        sale.done("buyer", "lock", "--psbt-out", str(out), "--from", address)
    parsed = PSBT.parse(out.read_bytes())
    assert parsed.sign_with(ec.PrivateKey(SECRET)) == len(parsed.inputs)
    out.write_bytes(parsed.serialize())
    txid = txid_in(sale.done("buyer", "lock", "--psbt-in", str(out)).out)
    assert sale.waiting() == txid
    sale.mine()
    redeemed_and_opened(sale)


@BOTH
def test_paid_by_address(rich: NodeSale, options: tuple[str, ...]):
    txid = pay(rich, asked(rich))
    assert f"in {txid}, not mined yet" in rich.done(*EXTERNAL).out
    rich.mine()
    assert txid_in(rich.done(*EXTERNAL).out) == txid
    redeemed_and_opened(rich)


@BOTH
def test_paid_replaced_and_mined(rich: NodeSale, options: tuple[str, ...]):
    """The seller is told of the one that was mined, and of no other."""
    assert rich.node is not None
    first = pay(rich, asked(rich))
    assert first in rich.done(*EXTERNAL).out
    bumped = rich.node.call("bumpfee", first, wallet=WALLET)["txid"]
    assert bumped in rich.done(*EXTERNAL).out
    assert not rich.message("lock").exists()
    rich.mine()
    assert txid_in(rich.done(*EXTERNAL).out) == bumped
    redeemed_and_opened(rich)


@BOTH
def test_paid_wrong_twice_and_refunded(rich: NodeSale, options: tuple[str, ...]):
    address = asked(rich)
    for bitcoin in ("0.00099999", "0.00200000"):
        pay(rich, address, bitcoin)
    rich.mine()
    rich.refused("the price is exactly 100000", *EXTERNAL)
    rich.refused("a payment to", "buyer", "lock")
    rich.mine(TIMEOUT_BLOCKS)
    said = rich.done("buyer", "refund").out
    assert len(set(re.findall(r"[0-9a-f]{64}", said))) == 2, "both come back"
    rich.mine()
    assert address not in rich.done(*EXTERNAL, "--abandon").out


def test_paid_reorganised_away_and_paid_again(rich: NodeSale):
    assert rich.node is not None
    address = asked(rich)
    first = pay(rich, address)
    rich.mine()
    assert txid_in(rich.done(*EXTERNAL).out) == first
    rich.node.reorganise(1, [first])
    assert txid_in(rich.done(*EXTERNAL).out) == first, "sent again"
    rich.mine()
    redeemed_and_opened(rich)


def test_coins_of_an_address_need_no_wallet(sale: NodeSale):
    assert sale.node is not None
    sale.node.mine(1, script_of_address(ADDRESS, "regtest"))
    sale.mine(100)
    out = sale.root / "lock.psbt"
    sale.done("buyer", "lock", "--psbt-out", str(out), "--from", ADDRESS)
    decoded = json.loads(json.dumps(sale.node.call("decodepsbt", _base64(out)), default=str))
    assert "witness_utxo" in decoded["inputs"][0]
    parsed = PSBT.parse(out.read_bytes())
    parsed.sign_with(ec.PrivateKey(SECRET))
    out.write_bytes(parsed.serialize())
    sale.done("buyer", "lock", "--psbt-in", str(out))
    sale.mine()
    redeemed_and_opened(sale)


@pytest.mark.parametrize(("options", "sent"), [((), True), (("-txindex=1",), False)])
def test_a_draft_that_the_directory_has_forgotten(
    rich: NodeSale, options: tuple[str, ...], sent: bool
):
    """The wallet has noted its coin, and spends it again; what it sent by itself is found."""
    assert rich.node is not None
    out = rich.root / "lock.psbt"
    draft = ("buyer", "lock", "--wallet", WALLET, "--psbt-out")
    shutil.copytree(rich.root / "buyer", rich.root / "old")
    rich.done(*draft, str(out))
    answer = rich.node.call("walletprocesspsbt", _base64(out), True, "ALL", True, True)
    first = rich.node.call("finalizepsbt", answer["psbt"])["hex"]
    shutil.rmtree(rich.root / "buyer")
    (rich.root / "old").rename(rich.root / "buyer")
    (rich.root / "buyer").chmod(0o700)
    coin = PSBT.parse(out.read_bytes()).tx.vin[0]
    rich.mine()
    if sent:
        txid = str(rich.node.call("sendrawtransaction", first))
        rich.mine()
        assert txid_in(rich.done(*draft, str(rich.root / "second.psbt")).out) == txid
    else:
        txid = txid_in(rich.done("buyer", "lock", "--wallet", WALLET).out)
        raw = rich.node.call("decoderawtransaction", rich.node.call("getrawtransaction", txid))
        spent = {(i["txid"], i["vout"]) for i in raw["vin"]}
        assert (coin.txid.hex(), coin.vout) in spent
        rich.mine()
        assert not rich.node.call("testmempoolaccept", [first])[0]["allowed"]
    redeemed_and_opened(rich)


def test_what_is_reserved_survives_a_repetition_and_is_spent_by_nothing_else(rich: NodeSale):
    """Coins of another deal's lock; those that are not the wallet's, or are spent, are left out."""
    assert rich.node is not None
    wallet = RpcChain.connect(rich.node.url, cookie=rich.node.cookie, wallet=WALLET)
    coins = rich.node.call("listunspent", wallet=WALLET)
    places = [Outpoint(coin["txid"], coin["vout"], 0) for coin in coins]
    for _ in range(2):
        wallet.reserve([*places, Outpoint("ab" * 32, 0, 0)])
    kept = rich.node.call("listlockunspent", wallet=WALLET)
    assert {(c["txid"], c["vout"]) for c in kept} == {(p.txid, p.vout) for p in places}
    result = rich.run("buyer", "lock", "--wallet", WALLET)
    assert result.code == 2
    assert "nsufficient funds" in result.err
    wallet.release(places)
    rich.done("buyer", "lock", "--wallet", WALLET)
