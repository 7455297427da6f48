"""Nodes that must not be believed, nodes that fail, and words that must not leak.

What a healthy node answers is tested on one, in tests/regtest.
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from bitcoin.core import CBlock, CTransaction, CTxOut
from bitcoin_sale import BUYER, BUYER_SCRIPT, terms
from fake_node import ELSEWHERE, PASSWORD, TIP, FakeNode, Refusal

from bitcoin_scripts.chain import Outpoint, node_tip, node_transactions, txid_of
from bitcoin_scripts.chain.node_client import NodeUnreachable
from bitcoin_scripts.chain.node_tip import MAX_TIP_AGE_S, MAX_TIP_AHEAD_S
from bitcoin_scripts.chain.node_transactions import RECENT_BLOCKS
from bitcoin_scripts.chain.rpc import RpcChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.refund import build_refund
from bitcoin_scripts.spend import input_of

TXID = "ab" * 32
OUTPOINT = Outpoint(TXID, 0, 1_000_000)
LOCK = CTransaction([input_of(OUTPOINT)], [CTxOut(1_000_000, BUYER_SCRIPT)], 0, 2)
KNOWN = Outpoint(txid_of(LOCK), 0, 1_000_000)
SPEND = CTransaction([input_of(KNOWN)], [], 0, 2)
BLOCK = CBlock(vtx=[LOCK, SPEND]).serialize().hex()


@pytest.fixture
def node() -> Iterator[FakeNode]:
    fake = FakeNode()
    stop = fake.start()
    yield fake
    stop()


def connect(node: FakeNode, **options: Any) -> RpcChain:
    login = f"alice:{quote(PASSWORD, safe='')}"
    return RpcChain.connect(f"http://{login}@127.0.0.1:{node.port}", **options)


def refused(words: str) -> Any:
    """One line with these words, and none of the secret."""
    caught = pytest.raises(SettlementError, match=words)

    class Checked:
        def __enter__(self) -> None:
            self.info = caught.__enter__()

        def __exit__(self, *error: Any) -> Any:
            swallowed = caught.__exit__(*error)
            assert "\n" not in str(self.info.value)
            assert "pa55" not in repr(self.info.value) + str(self.info.value.__context__)
            return swallowed

    return Checked()


def signet(node: FakeNode, **changes: Any) -> RpcChain:
    node.info |= {"chain": "signet", "time": int(time.time()), **changes}
    return connect(node)


QUESTIONS = {
    "height": lambda chain: chain.height(),
    "confirmations": lambda chain: chain.confirmations(TXID),
    "get_transaction": lambda chain: chain.get_transaction(TXID),
    "find_output": lambda chain: chain.find_output(BUYER_SCRIPT),
    "find_spendable": lambda chain: chain.find_spendable(BUYER_SCRIPT),
    "find_spend": lambda chain: chain.find_spend(OUTPOINT),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_node_that_is_behind_is_asked_nothing(node: FakeNode, question: str):
    ask = QUESTIONS[question]
    chain = signet(node, initialblockdownload=True)
    with refused(r"still catching up .*wait until it has all blocks"):
        ask(chain)
    chain = signet(node, initialblockdownload=False, headers=10)
    with refused(r"still catching up \(block 7, 3 behind\)"):
        ask(chain)
    chain = signet(node, headers=9, time=int(time.time()) - MAX_TIP_AGE_S - 60)
    with refused(r"newest block is 4 hours old, so it may be cut off"):
        ask(chain)
    chain = signet(node, time=int(time.time()) + MAX_TIP_AHEAD_S + 60)
    with refused(r"newest block is 2 hours ahead of this machine's clock; set that right"):
        ask(chain)
    assert set(node.methods) == {"getblockchaininfo"}


def test_a_node_that_is_up_to_date_is_believed(node: FakeNode):
    chain = signet(node, headers=9, time=int(time.time()) - MAX_TIP_AGE_S + 60)
    assert chain.height() == 7
    assert signet(node, time=int(time.time()) + MAX_TIP_AHEAD_S - 60).height() == 7


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("test", "testnet"), ("testnet4", "testnet"), ("signet", "signet"), ("regtest", "regtest")],
)
def test_names_of_chains(node: FakeNode, theirs: str, ours: str):
    node.info["chain"] = theirs
    assert connect(node).name == ours


def test_the_main_chain_only_where_that_is_accepted(node: FakeNode):
    node.info["chain"] = "main"
    with refused(r"main chain.* unaudited.* --accept-unaudited-on-mainnet"):
        connect(node)
    assert connect(node, accept_unaudited_on_mainnet=True).name == "main"


def test_other_chains_are_refused(node: FakeNode):
    node.info["chain"] = "liquidv1"
    with refused(r"'liquidv1', which is no chain of Bitcoin's"):
        connect(node)


def test_a_node_that_comes_back_on_another_chain_is_refused(node: FakeNode):
    chain = connect(node)
    node.info["chain"] = "main"
    with refused(r"was on regtest and is on 'main' now"):
        chain.height()


def test_what_was_seen_of_two_tips_is_asked_again(node: FakeNode):
    """The block of the transaction is undone right after the node told its depth."""
    chain = connect(node)
    raw = LOCK.serialize().hex()

    def undo() -> str:
        node.info["bestblockhash"] = ELSEWHERE
        node.answers["getblockheader"] = {"confirmations": -1}
        return ELSEWHERE

    node.answers["getrawtransaction"] = lambda *_: {"blockhash": TIP, "hex": raw}
    node.answers["getblockheader"] = {"confirmations": 5}
    assert chain.confirmations(KNOWN.txid) == 5
    node.answers["getbestblockhash"] = undo
    assert chain.confirmations(KNOWN.txid) == 0


def test_a_chain_that_never_rests_is_an_error(node: FakeNode):
    chain = connect(node)
    node.answers["getbestblockhash"] = ELSEWHERE
    node.answers["getrawtransaction"] = lambda *_: {"hex": LOCK.serialize().hex()}
    with refused("changes all the time; repeat"):
        chain.get_transaction(KNOWN.txid)


def test_a_transaction_of_an_undone_block_is_not_there(node: FakeNode):
    chain = connect(node)
    raw = LOCK.serialize().hex()
    node.answers["getrawtransaction"] = lambda *_: {"blockhash": ELSEWHERE, "hex": raw}
    node.answers["getblockheader"] = {"confirmations": -1}
    assert chain.confirmations(KNOWN.txid) == 0
    assert chain.get_transaction(KNOWN.txid) is None


def test_a_pruned_node_says_that_it_cannot_tell(node: FakeNode):
    chain = connect(node)

    def missing(*_: Any) -> None:
        raise Refusal(-5, "No such mempool transaction")

    def pruned(*_: Any) -> None:
        raise Refusal(-1, "Block not available (pruned data)")

    node.answers |= {"getrawtransaction": missing, "getindexinfo": {}, "gettxout": None}
    node.answers |= {"getblockhash": TIP, "getblock": pruned, "getrawmempool": []}
    with refused(r"does not have block .* any more; .*not pruned"):
        chain.get_transaction(TXID)
    with refused(r"does not have block .* any more"):
        chain.find_output(BUYER_SCRIPT)


def test_without_an_index_only_recent_blocks_are_searched(node: FakeNode):
    chain = connect(node)
    node.info["blocks"] = node.info["headers"] = 1_000_000

    def missing(*_: Any) -> None:
        raise Refusal(-5, "No such mempool transaction")

    heights: list[int] = []
    node.answers |= {"getrawtransaction": missing, "getindexinfo": {}, "gettxout": None}
    node.answers |= {"getblockhash": lambda h: heights.append(h) or f"{h:064x}"}
    node.answers |= {"getblock": {"tx": []}, "getrawmempool": []}
    assert chain.get_transaction(TXID) is None
    assert (min(heights), max(heights)) == (1_000_000 - RECENT_BLOCKS + 1, 1_000_000)
    heights.clear()
    old = {"txid": TXID, "vout": 1, "amount": 0.5, "height": 9, "coinbase": False}
    node.answers |= {"scantxoutset": {"unspents": [old]}, "gettxout": {"confirmations": 1}}
    node.answers |= {"gettxspendingprevout": [{}], "getblock": ""}
    [found] = chain.find_output(BUYER_SCRIPT)
    assert (found.height, found.amount_sat, found.spent_by) == (9, 50_000_000, None)
    assert min(heights) == 1_000_000 - RECENT_BLOCKS + 1
    with refused(r"takes too long"):
        chain.find_output(BUYER_SCRIPT, since_height=1)


def test_with_an_index_nothing_is_searched_for(node: FakeNode):
    chain = connect(node)

    def missing(*_: Any) -> None:
        raise Refusal(-5, "No such mempool or blockchain transaction")

    node.answers |= {"getrawtransaction": missing, "getindexinfo": {"txindex": {"synced": True}}}
    assert chain.get_transaction(TXID) is None
    assert chain.confirmations(TXID) == 0


def missing_unless_named(txid: str, verbosity: int = 0, block_hash: str = "") -> Any:
    """A node without an index: a mined transaction is there for who names its block."""
    if not block_hash:
        raise Refusal(-5, "No such mempool transaction")
    return {"hex": LOCK.serialize().hex(), "blockhash": block_hash}


def test_without_an_index_the_wallet_says_which_block(node: FakeNode):
    chain = connect(node, wallet="mine")
    node.answers |= {"getrawtransaction": missing_unless_named, "getindexinfo": {}}
    node.answers |= {"gettransaction": {"blockhash": TIP}, "getblockheader": {"confirmations": 3}}
    assert chain.get_transaction(KNOWN.txid) == LOCK
    assert chain.confirmations(KNOWN.txid) == 3
    assert "getblock" not in node.methods


@pytest.mark.parametrize("wallet_says", ["nothing", "waiting", "undone block"])
def test_without_an_index_an_unspent_output_says_which_block(node: FakeNode, wallet_says: str):
    chain = connect(node, wallet="mine")

    def of_the_wallet(_: str) -> Any:
        if wallet_says == "nothing":
            raise Refusal(-5, "Invalid or non-wallet transaction id")
        return {} if wallet_says == "waiting" else {"blockhash": ELSEWHERE}

    heights: list[int] = []
    node.answers |= {"getrawtransaction": missing_unless_named, "getindexinfo": {}}
    node.answers |= {
        "gettransaction": of_the_wallet,
        "getblockheader": lambda block: {"confirmations": 3 if block == TIP else -1},
        "gettxout": lambda _, vout, mempool: {"confirmations": 3} if vout == 2 else None,
        "getblockhash": lambda height: heights.append(height) or TIP,
    }
    assert chain.get_transaction(KNOWN.txid) == LOCK
    assert heights == [7 - 3 + 1]
    assert "getblock" not in node.methods


def test_without_an_index_a_coin_that_was_found_says_which_block(node: FakeNode):
    """Of any output, however old: else whoever sends coins makes us read blocks for each."""
    chain = connect(node)
    coin = {"txid": KNOWN.txid, "vout": 9, "amount": 0.01, "height": 3, "coinbase": False}
    node.answers |= {"scantxoutset": {"unspents": [coin]}, "gettxspendingprevout": [{}]}
    node.answers |= {"getrawtransaction": missing_unless_named, "getindexinfo": {}}
    node.answers |= {"getblockhash": lambda height: TIP if height == 3 else ELSEWHERE}
    node.answers |= {"getblockheader": {"confirmations": 5}, "gettxout": None}
    assert [found.vout for found in chain.find_spendable(BUYER_SCRIPT)] == [9]
    assert chain.get_transaction(KNOWN.txid) == LOCK
    assert "getblock" not in node.methods


def test_a_failing_node_is_not_taken_for_one_that_knows_nothing(node: FakeNode):
    """Not found means: pay again, claim again. Another refusal must not look like it."""
    chain = connect(node)

    def broken(*_: Any) -> None:
        raise Refusal(-20, "database error")

    node.answers |= {"getrawtransaction": broken, "gettxspendingprevout": [{"spendingtxid": TXID}]}
    for ask in (chain.get_transaction, chain.confirmations):
        with refused("database error"):
            ask(TXID)
    with refused("database error"):
        chain.find_spend(KNOWN)


def test_a_waiting_spend_that_vanishes_is_asked_for_again(node: FakeNode):
    chain = connect(node)
    spenders = iter([{"spendingtxid": TXID}, {"spendingtxid": txid_of(SPEND)}])

    def waiting(txid: str, *_: Any) -> Any:
        if txid == TXID:
            raise Refusal(-5, "No such mempool transaction")
        return {"hex": SPEND.serialize().hex()}

    node.answers |= {"gettxspendingprevout": lambda _: [next(spenders)]}
    node.answers |= {"getrawtransaction": waiting}
    assert chain.find_spend(KNOWN) == SPEND
    node.answers |= {"gettxspendingprevout": [{"spendingtxid": TXID}]}
    with refused("mempool changes all the time"):
        chain.find_spend(KNOWN)


def test_an_output_that_cannot_exist_has_no_spend(node: FakeNode):
    chain = connect(node)
    assert chain.find_spend(Outpoint(TXID, -1, 1)) is None
    assert chain.find_spend(Outpoint(TXID, 1 << 31, 1)) is None


def test_an_unspent_or_waiting_output_has_no_spend(node: FakeNode):
    chain = connect(node)
    node.answers |= {"gettxspendingprevout": [{}], "gettxout": {"confirmations": 1}}
    assert chain.find_spend(KNOWN) is None
    node.answers |= {"gettxout": None, "getrawtransaction": {"hex": LOCK.serialize().hex()}}
    assert chain.find_spend(KNOWN) is None
    assert "getblock" not in node.methods


def test_a_transaction_that_the_node_takes_is_sent_once(node: FakeNode):
    chain = connect(node)
    sent: list[str] = []
    node.answers |= {"testmempoolaccept": [{"allowed": True}]}
    node.answers |= {"sendrawtransaction": lambda raw, limit: sent.append(raw)}
    assert chain.broadcast(LOCK) == KNOWN.txid
    assert sent == [LOCK.serialize().hex()]


def test_a_transaction_that_is_there_already_was_sent(node: FakeNode):
    """Refused at the last moment, because it was mined in between."""
    chain = connect(node)

    def refuse(*_: Any) -> None:
        raise Refusal(-27, "Transaction already in block chain")

    node.answers |= {"testmempoolaccept": [{"allowed": True}], "sendrawtransaction": refuse}
    node.answers |= {"getrawtransaction": {"hex": LOCK.serialize().hex()}}
    assert chain.broadcast(LOCK) == KNOWN.txid


def test_another_transaction_under_the_id_is_refused(node: FakeNode):
    chain = connect(node)
    node.answers |= {"getrawtransaction": {"hex": SPEND.serialize().hex()}}
    with refused("getrawtransaction is not a Bitcoin node's"):
        chain.get_transaction(KNOWN.txid)


def test_a_scan_that_fails_otherwise_is_said(node: FakeNode):
    chain = connect(node)

    def broken(*_: Any) -> None:
        raise Refusal(-1, "Unable to read the coins")

    node.answers |= {"scantxoutset": broken}
    with refused("Unable to read the coins"):
        chain.find_spendable(BUYER_SCRIPT)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, r"does not accept our user and password or cookie; .*--node-conf"),
        (403, "rpcallowip"),
        (503, "too busy; repeat"),
    ],
)
def test_refusals_by_http(node: FakeNode, status: int, words: str):
    chain = connect(node)
    node.status = status
    with refused(words):
        chain.height()


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        (-28, "Loading block index…", "Loading block index.*still starting; repeat"),
        (-32601, "Method not found", "needs Bitcoin Core 25 or newer"),
        (-18, "Requested wallet does not exist", "--wallet"),
        (-1, "two\nlines\x1b[31m", r"two lines\[31m"),
    ],
)
def test_refusals_by_the_node(node: FakeNode, code: int, text: str, words: str):
    chain = connect(node)

    def refuse(*_: Any) -> None:
        raise Refusal(code, text)

    node.answers["getblockchaininfo"] = refuse
    with refused(words):
        chain.height()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>a web server</html>",
        b"[]",
        b"{}",
        b"[1]",
        b"[" * 100_000,
        b'[{"id": 0, "result": 5, "error": null}]',
        b'[{"id": 0, "result": {"blocks": []}, "error": null}]',
        b'[{"id": 0, "error": null}]',
        b'[{"id": 0, "error": "text"}]',
        b'[{"id": 0, "error": "text"}, {"id": 0, "error": "text"}]',
        b"\xff\xfe",
    ],
)
def test_what_is_no_node_is_said_to_be_none(node: FakeNode, body: bytes):
    chain = connect(node)
    node.raw = body
    with refused(r"is not a Bitcoin node's|refuses getblockchaininfo: (text|no answer)"):
        chain.height()


def test_nobody_there(node: FakeNode):
    chain = connect(node)
    chain._node.address = type(chain._node.address)("127.0.0.1", 1)
    with pytest.raises(NodeUnreachable, match=r"no Bitcoin node answers at 127.0.0.1:1 .*start"):
        chain.height()
    with pytest.raises(SettlementError, match="no Bitcoin node answers"):
        RpcChain.connect(f"http://a:b@{'x' * 70}.invalid:8332")


def test_a_slow_node(node: FakeNode):
    chain = connect(node)
    node.answers["slow"] = lambda: time.sleep(0.3)
    with pytest.raises(NodeUnreachable, match="did not answer within"):
        chain._node.call("slow", timeout_s=0.05)


def test_the_password_goes_to_the_node_and_nowhere_else(node: FakeNode):
    chain = connect(node, wallet="our wallet/2")
    assert set(node.logins) == {f"alice:{PASSWORD}"}
    assert set(node.paths) == {"/wallet/our%20wallet%2F2"}
    assert "pa55" not in repr(vars(chain._node)) + str(chain._node.address)


def test_a_cookie_is_read_anew_for_every_call(node: FakeNode, tmp_path: Path):
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:one")
    chain = RpcChain.connect(f"127.0.0.1:{node.port}", cookie=cookie)
    cookie.write_text("__cookie__:two\n")
    chain.height()
    assert node.logins == ["__cookie__:one", "__cookie__:two"]
    cookie.unlink()
    with pytest.raises(SettlementError, match=r"cannot read the cookie .* is the node running"):
        chain.height()


@pytest.mark.parametrize(
    ("btc_per_kvb", "sat_per_vb"),
    [(0.00001, 1), (0.00001001, 2), (0.000129, 13), (1e-8, 1), (0.1, 10_000)],
)
def test_fee_rates_are_rounded_up(node: FakeNode, btc_per_kvb: float, sat_per_vb: int):
    chain = connect(node)
    node.answers["estimatesmartfee"] = lambda target, _: {"feerate": btc_per_kvb, "blocks": target}
    assert chain.fee_rate(6) == sat_per_vb
    node.answers["estimatesmartfee"] = {"errors": ["Insufficient data or no feerate found"]}
    assert chain.fee_rate(6) is None


REFUND = build_refund(terms(), OUTPOINT, BUYER, BUYER_SCRIPT, 3)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("non-final", "locked until height 110, wait for 103 more blocks"),
        ("non-BIP68-final", "relative lock time; wait"),
        ("min relay fee not met", "raise the fee rate"),
        ("mempool min fee not met", "raise the fee rate"),
        ("insufficient fee", "raise the fee rate"),
        ("max-fee-exceeded", "lower the fee rate"),
        ("missing-inputs", "is it the right chain"),
        ("dust", "raise the amount"),
        ("txn-mempool-conflict", "wait"),
        ("bad-txns-premature-spend-of-coinbase", "100 blocks deep"),
        ("mandatory-script-verify-flag-failed (Script failed)", "check key, preimage"),
        ("something new", "build it again"),
    ],
)
def test_a_rejection_says_what_to_do(node: FakeNode, reason: str, words: str):
    chain = connect(node)
    txid = REFUND.GetTxid()[::-1].hex()

    def missing(*_: Any) -> None:
        raise Refusal(-5, "No such mempool or blockchain transaction")

    node.answers |= {"testmempoolaccept": [{"allowed": False, "reject-reason": reason}]}
    node.answers |= {"getrawtransaction": missing, "getindexinfo": {"txindex": {"synced": True}}}
    node.answers |= {"getblockcount": 7}
    with refused(f"refuses transaction {txid}: .*{words}"):
        chain.broadcast(REFUND)
    assert "sendrawtransaction" not in node.methods, "a refused transaction is told to nobody"


def test_a_node_that_fails_in_a_broadcast_is_no_rejection(node: FakeNode):
    chain = connect(node)

    def busy(*_: Any) -> None:
        raise Refusal(-28, "Rescanning…")

    node.answers |= {"testmempoolaccept": [{"allowed": True}], "sendrawtransaction": busy}
    with refused("still starting; repeat"):
        chain.broadcast(REFUND)


def test_one_search_of_coins_at_a_time(node: FakeNode):
    chain = connect(node)

    def busy(*_: Any) -> None:
        raise Refusal(-8, 'Scan already in progress, use action "abort" or "status"')

    node.answers["scantxoutset"] = busy
    with refused("busy with another search of its coins; repeat"):
        chain.find_spendable(BUYER_SCRIPT)


UNSPENT = {"txid": TXID, "vout": 0, "amount": 0.01, "height": 3, "coinbase": False}


def known_transaction(txid: str, verbosity: int = 0, block_hash: str = "") -> Any:
    if txid != KNOWN.txid:
        raise Refusal(-5, "No such mempool transaction")
    raw = LOCK.serialize().hex()
    return {"hex": raw, "blockhash": TIP} if verbosity else raw


HEALTHY: dict[str, Any] = {
    "getrawmempool": [KNOWN.txid],
    "getrawtransaction": known_transaction,
    "getblockheader": {"confirmations": 2},
    "getblockhash": TIP,
    "getblock": lambda _, verbosity: BLOCK if verbosity == 0 else {"tx": [TXID]},
    "getindexinfo": {},
    "gettxout": None,
    "gettxspendingprevout": [{"txid": TXID, "vout": 0}],
    "scantxoutset": {"unspents": [UNSPENT]},
    "estimatesmartfee": {"feerate": 0.0001},
    "testmempoolaccept": [{"allowed": False, "reject-reason": "dust"}],
    "getblockcount": 7,
}
NONSENSE = [None, 5, -1, 1e400, "x", "ff" * 80, [], {}, [None], [[]], [{}], {"hex": "00"}]
NONSENSE += [{"hex": 5}, {"blocks": "x"}, {"tx": 5}, {"unspents": [{}]}, {"unspents": {"a": 1}}]
NONSENSE += [{"confirmations": "many"}, {"feerate": "NaN"}, {"feerate": []}, [{"allowed": False}]]
NONSENSE += [
    {"unspents": [UNSPENT | {"amount": "Infinity"}]},
    {"unspents": [UNSPENT | {"vout": []}]},
]
ALL_QUESTIONS = (
    lambda chain: chain.height(),
    lambda chain: chain.confirmations(KNOWN.txid),
    lambda chain: chain.get_transaction(KNOWN.txid),
    lambda chain: chain.find_output(BUYER_SCRIPT),
    lambda chain: chain.find_spendable(BUYER_SCRIPT),
    lambda chain: chain.find_spend(KNOWN),
    lambda chain: chain.fee_rate(6),
    lambda chain: chain.broadcast(REFUND),
)


def test_healthy_answers_are_understood(node: FakeNode):
    chain = connect(node)
    node.answers |= HEALTHY
    assert chain.find_spend(KNOWN) == SPEND
    assert {o.spent_by for o in chain.find_output(BUYER_SCRIPT)} == {txid_of(SPEND)}
    assert [o.amount_sat for o in chain.find_spendable(BUYER_SCRIPT)] == [1_000_000]
    assert chain.get_transaction(KNOWN.txid) == LOCK
    assert chain.confirmations(KNOWN.txid) == 2
    assert chain.fee_rate(6) == 10
    assert chain.height() == 7


@pytest.mark.parametrize("method", [*HEALTHY, "getblockchaininfo", "getbestblockhash"])
def test_nonsense_is_an_error_or_an_answer_and_no_defect(
    node: FakeNode, monkeypatch: pytest.MonkeyPatch, method: str
):
    """Every question that the method has a part in, while it answers nonsense."""
    for module in (node_tip, node_transactions):
        monkeypatch.setattr(module, "_ATTEMPTS", 2)
    chain, errors = connect(node), []
    sound = node.answers | HEALTHY
    for ask in ALL_QUESTIONS:
        node.answers = sound
        node.methods.clear()
        with contextlib.suppress(SettlementError):
            ask(chain)
        if method not in node.methods:
            continue
        for nonsense in NONSENSE:
            node.answers = {**sound, method: nonsense}
            try:
                ask(RpcChain(chain._node))
            except SettlementError as error:
                errors.append(str(error))
    assert errors
    assert not any("\n" in error for error in errors)
