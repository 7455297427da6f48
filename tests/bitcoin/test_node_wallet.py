"""A node's wallet: what is asked of it, and answers that are no wallet's."""

from base64 import b64encode
from typing import Any

import pytest
from bitcoin_sale import BUYER_SCRIPT
from fake_node import FakeNode, Refusal
from test_rpc_chain import KNOWN, LOCK, connect, node, refused

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.chain.node_wallet import FundedPsbt, SignedPsbt

__all__ = ["node"]

ADDRESS = "bcrt1qfunded"
PSBT = b64encode(b"psbt\xff").decode()
FUNDED = {"psbt": PSBT, "fee": 0.00000123, "changepos": 1}


def asked_of(node: FakeNode, method: str, result: Any) -> list[tuple[Any, ...]]:
    """From now on, the parameters of every call of the method, which answers `result`."""
    calls: list[tuple[Any, ...]] = []

    def answer(*parameters: Any) -> Any:
        calls.append(parameters)
        return result

    node.answers[method] = answer
    return calls


@pytest.mark.parametrize(("rate", "options"), [(None, {}), (7, {"fee_rate": 7})])
def test_funding_pays_the_script_exactly_and_reserves_the_coins(
    node: FakeNode, rate: int | None, options: dict[str, Any]
):
    wallet = connect(node, wallet="a b/c")
    scripts = asked_of(node, "decodescript", {"address": ADDRESS})
    calls = asked_of(node, "walletcreatefundedpsbt", FUNDED)
    assert wallet.fund_psbt(BUYER_SCRIPT, 100_000_001, rate) == FundedPsbt(PSBT, 123, 1)
    [(inputs, outputs, locktime, given)] = calls
    assert scripts == [(BUYER_SCRIPT.hex(),)]
    assert (inputs, outputs, locktime) == ([], [{ADDRESS: "1.00000001"}], 0)
    assert given == {
        "lockUnspents": True,
        "replaceable": True,
        "change_type": "bech32",
        **options,
    }
    assert (wallet.wallet, node.paths[-1]) == ("a b/c", "/wallet/a%20b%2Fc")


def test_a_transaction_without_change(node: FakeNode):
    wallet = connect(node)
    node.answers |= {"decodescript": {"address": ADDRESS}}
    node.answers |= {"walletcreatefundedpsbt": FUNDED | {"changepos": -1}}
    assert wallet.fund_psbt(BUYER_SCRIPT, 1, None).change_vout is None
    assert (wallet.wallet, node.paths[-1]) == ("", "/")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        FUNDED | {"psbt": "not base64!"},
        FUNDED | {"psbt": 5},
        FUNDED | {"fee": "much"},
        FUNDED | {"fee": float("inf")},
        FUNDED | {"changepos": None},
    ],
)
def test_a_funding_that_is_none_is_refused(node: FakeNode, answer: Any):
    wallet = connect(node)
    node.answers |= {"decodescript": {"address": ADDRESS}, "walletcreatefundedpsbt": answer}
    with refused("walletcreatefundedpsbt is not a Bitcoin node's"):
        wallet.fund_psbt(BUYER_SCRIPT, 1, None)


def test_too_few_coins_are_said_in_the_nodes_words(node: FakeNode):
    wallet = connect(node)

    def poor(*_: Any) -> None:
        raise Refusal(-4, "Insufficient funds")

    node.answers |= {"decodescript": {"address": ADDRESS}, "walletcreatefundedpsbt": poor}
    with refused("Insufficient funds"):
        wallet.fund_psbt(BUYER_SCRIPT, 1, None)


@pytest.mark.parametrize("complete", [True, False])
def test_signing(node: FakeNode, complete: bool):
    wallet = connect(node)
    calls = asked_of(node, "walletprocesspsbt", {"psbt": PSBT, "complete": complete})
    assert wallet.sign_psbt("cHNidA==") == SignedPsbt(PSBT, complete)
    assert calls == [("cHNidA==", True, "ALL")]  # its own signatures, over everything
    node.answers["walletprocesspsbt"] = {"psbt": "%%", "complete": True}
    with refused("walletprocesspsbt is not a Bitcoin node's"):
        wallet.sign_psbt(PSBT)


def test_a_transaction_is_final_only_with_all_signatures(node: FakeNode):
    wallet = connect(node)
    node.answers["finalizepsbt"] = {"complete": True, "hex": LOCK.serialize().hex()}
    assert wallet.finalize_psbt(PSBT) == LOCK
    node.answers["finalizepsbt"] = {"complete": False, "hex": LOCK.serialize().hex()}
    with refused("signatures are missing"):
        wallet.finalize_psbt(PSBT)
    node.answers["finalizepsbt"] = {"complete": True, "hex": "00"}
    with refused("finalizepsbt is not a Bitcoin node's"):
        wallet.finalize_psbt(PSBT)


def test_only_the_coins_of_the_transaction_are_released(node: FakeNode):
    wallet = connect(node)
    ours = {"txid": KNOWN.txid, "vout": KNOWN.vout}
    others = [{"txid": KNOWN.txid, "vout": 5}, {"txid": "cd" * 32, "vout": KNOWN.vout}]
    released = asked_of(node, "lockunspent", True)
    node.answers["listlockunspent"] = [others[0], ours, others[1]]
    wallet.release([KNOWN])
    assert released == [(True, [ours])]
    released.clear()
    node.answers["listlockunspent"] = others
    wallet.release([KNOWN])
    assert not released  # an empty list would release everything
    node.answers["listlockunspent"] = [5]
    with refused("listlockunspent is not a Bitcoin node's"):
        wallet.release([KNOWN])


def test_coins_of_the_wallet_alone_are_reserved(node: FakeNode):
    wallet = connect(node)
    ours, other = {"txid": KNOWN.txid, "vout": KNOWN.vout}, {"txid": "cd" * 32, "vout": 1}
    reserved = asked_of(node, "lockunspent", True)
    node.answers["listunspent"] = [other, ours]
    wallet.reserve([KNOWN, Outpoint("ef" * 32, 0, 1)])
    assert reserved == [(False, [ours])]
    reserved.clear()
    node.answers["listunspent"] = [other]  # spent, or reserved by now
    wallet.reserve([KNOWN])
    assert not reserved
    node.answers["listunspent"] = [5]
    with refused("listunspent is not a Bitcoin node's"):
        wallet.reserve([KNOWN])
    del node.answers["listunspent"]
    wallet.reserve([])  # nothing is asked


def test_addresses_are_of_version_0_witnesses(node: FakeNode):
    calls = asked_of(node, "getnewaddress", ADDRESS)
    assert connect(node).new_address() == ADDRESS
    assert calls == [("", "bech32")]
