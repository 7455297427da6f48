"""The wallet of a bitcoind, for funding a lock: thin calls, and nothing that it says is checked.

Coins that `fund_psbt` chooses stay reserved until the transaction is sent, `release` is called, or
the node restarts. The caller must decode what comes back and check that it pays what it must.
"""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.chain.node_client import NodeClient
from bitcoin_scripts.errors import SettlementError


@dataclass(frozen=True)
class FundedPsbt:
    """A transaction with inputs and change of the node's wallet, not signed; base64 (BIP 174)."""

    psbt: str
    fee_sat: int
    change_vout: int | None


@dataclass(frozen=True)
class SignedPsbt:
    """A transaction after the wallet signed what it can; `complete` if nothing is missing."""

    psbt: str
    complete: bool


class NodeWallet:
    """The wallet that a client names, or the only one that is loaded. All raise SettlementError."""

    def __init__(self, node: NodeClient):
        self._node = node

    @property
    def wallet(self) -> str:
        """The wallet's name as the user gave it; empty if none was given."""
        return self._node.wallet

    def fund_psbt(
        self,
        script_pubkey: bytes,
        amount_sat: int,
        fee_sat_per_vb: int | None,
        coins: Sequence[Outpoint] = (),
    ) -> FundedPsbt:
        """A replaceable transaction that pays the script; with no fee rate the wallet estimates.

        It spends `coins`, reserved ones too, and what the wallet adds. Its output is anywhere among
        the outputs, and its inputs may be of any kind.
        """
        outputs = [{self._address(script_pubkey): f"{Decimal(amount_sat).scaleb(-8):.8f}"}]
        options: dict[str, Any] = {"lockUnspents": True, "replaceable": True}
        options["change_type"] = "bech32"
        if fee_sat_per_vb is not None:
            options["fee_rate"] = fee_sat_per_vb
        inputs = [{"txid": coin.txid, "vout": coin.vout} for coin in coins]
        if inputs:
            options["add_inputs"] = True
        answer = self._node.call("walletcreatefundedpsbt", inputs, outputs, 0, options)

        def read(answer: Any) -> FundedPsbt:
            position = int(answer["changepos"])
            fee_sat = int(Decimal(answer["fee"]).scaleb(8))
            change_vout = None if position < 0 else position
            return FundedPsbt(_base64(answer["psbt"]), fee_sat, change_vout)

        return self._node.understood("walletcreatefundedpsbt", read, answer)

    def sign_psbt(self, psbt: str) -> SignedPsbt:
        """The transaction with the wallet's signatures; others may still add theirs."""
        return self._node.ask(
            lambda a: SignedPsbt(_base64(a["psbt"]), bool(a["complete"])),
            "walletprocesspsbt",
            psbt,
            True,
            "ALL",
        )

    def finalize_psbt(self, psbt: str) -> CTransaction:
        """The transaction to be sent. Raises SettlementError while signatures are missing."""
        answer = self._node.call("finalizepsbt", psbt, True)

        def read(answer: Any) -> CTransaction | None:
            text = answer.get("hex") if answer["complete"] else None
            return None if text is None else CTransaction.deserialize(bytes.fromhex(text))

        transaction = self._node.understood("finalizepsbt", read, answer)
        if transaction is None:
            raise SettlementError("signatures are missing; have the transaction signed first")
        return transaction

    def new_address(self) -> str:
        """A fresh address of the wallet, version 0 witness."""
        return self._node.ask(str, "getnewaddress", "", "bech32")

    def note(self, script_pubkey: bytes, line: str) -> None:
        """Write a line beside the script into the wallet's address book, where it stays."""
        self._node.call("setlabel", self._address(script_pubkey), line)

    def notes(self) -> list[str]:
        """Every such line, and whatever else the wallet's owner has labelled."""
        return self._node.ask(lambda lines: [str(line) for line in lines], "listlabels")

    def reserve(self, coins: Sequence[Outpoint]) -> None:
        """Keep the wallet from spending coins elsewhere; those that are not its own are left out.

        It lasts as long as that of `fund_psbt`.
        """
        wanted = {coin.place for coin in coins}
        if not wanted:
            return
        free = self._node.ask(list, "listunspent", 0)
        found = self._node.understood(
            "listunspent", lambda u: wanted & {(c["txid"], c["vout"]) for c in u}, free
        )
        ours = [{"txid": txid, "vout": vout} for txid, vout in sorted(found)]
        if ours:
            self._node.call("lockunspent", False, ours)

    def release(self, coins: Sequence[Outpoint]) -> None:
        """Let the wallet spend coins elsewhere that it reserved for a transaction never sent."""
        listed = self._node.ask(list, "listlockunspent")
        ours = {coin.place for coin in coins}
        reserved = self._node.understood(
            "listlockunspent", lambda r: [c for c in r if (c["txid"], c["vout"]) in ours], listed
        )
        if reserved:
            self._node.call("lockunspent", True, reserved)

    def _address(self, script_pubkey: bytes) -> str:
        return self._node.ask(lambda a: str(a["address"]), "decodescript", script_pubkey.hex())


def _base64(text: Any) -> str:
    b64decode(text, validate=True)
    return str(text)
