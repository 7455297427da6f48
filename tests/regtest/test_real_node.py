"""What only a real node can show: restarts, its wallet, agreement with the embedded chain."""

from collections.abc import Callable
from pathlib import Path

import pytest
from bitcoin.core import b2lx
from bitcoin_sale import (
    AMOUNT_SAT,
    ANYONE,
    BUYER_SCRIPT,
    PREIMAGE,
    SELLER,
    SELLER_SCRIPT,
    open_sale,
    terms,
)
from bitcoind import Bitcoind

from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.chain.node_client import NodeUnreachable
from bitcoin_scripts.chain.rpc import RpcChain
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fees import vsize
from bitcoin_scripts.funding import lock_outpoint
from bitcoin_scripts.preimage import extract_preimage

pytestmark = pytest.mark.regtest


def test_blocks_of_the_embedded_chain_are_valid_to_a_node(
    new_node: Callable[..., Bitcoind], tmp_path: Path
):
    """A sale with a replacement and a reorganisation, replayed block by block."""
    with KernelChain(tmp_path / "chain") as chain:
        sale = open_sale(chain, terms())
        for fee in (3, 9):
            claim = build_claim(sale.htlc, sale.funding, PREIMAGE, SELLER, SELLER_SCRIPT, fee)
            chain.broadcast(claim)
        chain.mine(1, ANYONE)
        chain.reorganise(2)
        chain.mine(1, ANYONE)
        node = new_node("-txindex=1")
        for raw in chain.raw_blocks():
            assert node.call("submitblock", raw.hex()) is None
        theirs = RpcChain.connect(node.url, cookie=node.cookie)
        assert theirs.height() == chain.height()
        for script in (sale.htlc.script_pubkey, SELLER_SCRIPT, BUYER_SCRIPT):
            found = chain.find_output(script)
            assert found
            assert sorted(theirs.find_output(script), key=repr) == sorted(found, key=repr)
            assert theirs.find_spendable(script) == chain.find_spendable(script)
        assert theirs.find_spend(sale.funding) == claim
        assert theirs.confirmations(txid_of(claim)) == chain.confirmations(txid_of(claim)) == 1


def test_the_helper_reorganises(new_node: Callable[..., Bitcoind]):
    node = new_node()
    node.mine(5)
    first = node.call("getblockhash", 4)
    for _ in range(2):
        node.reorganise(1)
    node.reorganise(4)
    chain = RpcChain.connect(node.url, cookie=node.cookie)
    assert chain.height() == 8
    assert node.call("getblockhash", 4) != first


def test_a_node_that_stops_and_comes_back(new_node: Callable[..., Bitcoind]):
    node = new_node()
    node.mine(3)
    chain = RpcChain.connect(node.url, cookie=node.cookie)
    assert chain.height() == 3
    node.stop()
    with pytest.raises(SettlementError, match=r"cannot read the cookie .* is the node running"):
        chain.height()
    node.start()  # with another cookie
    assert chain.height() == 3
    node.kill()
    with pytest.raises(NodeUnreachable, match=r"no Bitcoin node answers .*start bitcoind"):
        chain.height()
    node.start()
    assert chain.height() == 3


def test_wrong_words(indexed_node: Bitcoind):
    with pytest.raises(SettlementError, match=r"does not accept our user and password") as caught:
        RpcChain.connect(f"http://alice:secret@127.0.0.1:{indexed_node.port}")
    assert "secret" not in repr(caught.value)
    with pytest.raises(SettlementError, match=r"does not accept our user and password"):
        RpcChain.connect(indexed_node.url)


def test_found_by_its_configuration(new_node: Callable[..., Bitcoind]):
    node = new_node()
    conf = node.directory / "bitcoin.conf"
    conf.write_text(f"regtest=1\n[regtest]\nrpcport={node.port}\n")
    for place in (conf, node.directory):
        assert RpcChain.connect(conf=place).name == "regtest"


@pytest.fixture
def wallet(indexed_node: Bitcoind, request: pytest.FixtureRequest) -> RpcChain:
    """The chain, and a wallet with coins."""
    name = f"wallet of {request.node.name}"
    indexed_node.call("createwallet", name)
    chain = RpcChain.connect(indexed_node.url, cookie=indexed_node.cookie, wallet=name)
    indexed_node.call("generatetoaddress", 2, chain.new_address())
    indexed_node.mine(100)
    return chain


def test_a_lock_from_the_wallet(wallet: RpcChain, indexed_node: Bitcoind):
    htlc = terms(timeout_height=wallet.height() + 20)
    funded = wallet.fund_psbt(htlc.script_pubkey, AMOUNT_SAT, 5)
    with pytest.raises(SettlementError, match="signatures are missing"):
        wallet.finalize_psbt(funded.psbt)
    signed = wallet.sign_psbt(funded.psbt)
    assert signed.complete
    lock = wallet.finalize_psbt(signed.psbt)
    outpoint = lock_outpoint(lock, htlc)
    assert outpoint.amount_sat == AMOUNT_SAT
    assert outpoint.vout != funded.change_vout
    assert funded.fee_sat <= 6 * vsize(lock)
    assert all(tx_input.nSequence <= 0xFFFFFFFD for tx_input in lock.vin), "it can be replaced"
    wallet.broadcast(lock)
    indexed_node.mine()
    claim = build_claim(htlc, outpoint, PREIMAGE, SELLER, SELLER_SCRIPT, 3)
    wallet.broadcast(claim)
    spend = wallet.find_spend(outpoint)
    assert spend is not None
    assert extract_preimage(spend, htlc) == PREIMAGE


def test_coins_stay_reserved_until_they_are_released(wallet: RpcChain):
    script, most_sat = terms().script_pubkey, 49 * 100_000_000
    reserved = [wallet.fund_psbt(script, most_sat, 2) for _ in range(2)]
    with pytest.raises(SettlementError, match=r"Insufficient funds.*; check the wallet"):
        wallet.fund_psbt(script, most_sat, 2)
    tx = wallet.finalize_psbt(wallet.sign_psbt(reserved[0].psbt).psbt)
    wallet.release([Outpoint(str(b2lx(i.prevout.hash)), i.prevout.n, 0) for i in tx.vin])
    again = wallet.finalize_psbt(wallet.sign_psbt(wallet.fund_psbt(script, most_sat, 2).psbt).psbt)
    assert again.vin[0].prevout == tx.vin[0].prevout


def test_a_locked_wallet_says_how_to_unlock_it(wallet: RpcChain, indexed_node: Bitcoind):
    psbt = wallet.fund_psbt(terms().script_pubkey, AMOUNT_SAT, 2).psbt
    indexed_node.call("encryptwallet", "passphrase", wallet=wallet.wallet)
    with pytest.raises(SettlementError, match="walletpassphrase"):
        wallet.sign_psbt(psbt)


def test_no_such_wallet(indexed_node: Bitcoind):
    chain = RpcChain.connect(indexed_node.url, cookie=indexed_node.cookie, wallet="none")
    with pytest.raises(SettlementError, match="--wallet"):
        chain.new_address()


def test_an_estimate_of_nothing(indexed_node: Bitcoind):
    chain = RpcChain.connect(indexed_node.url, cookie=indexed_node.cookie)
    assert chain.fee_rate(0) is None
    assert chain.fee_rate(10**6) is None
