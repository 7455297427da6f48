"""Calls of a bitcoind's JSON-RPC interface, one connection each, every failure a SettlementError.

A connection of its own for every call costs a fraction of a millisecond to a node on this machine,
and there is none that an idle timeout or a restarted node could have broken. Numbers with a point
are read as Decimal: amounts are never floats. No text of an error quotes what authenticates us.
"""

import http.client
import json
import re
import ssl
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from bitcoin.core.serialize import SerializationError

from bitcoin_scripts.chain import node_address
from bitcoin_scripts.chain.node_address import NodeAddress
from bitcoin_scripts.errors import SettlementError

T = TypeVar("T")

TIMEOUT_S = 60.0

MAX_ANSWER_BYTES = 256_000_000
"""A block is 8 MB in hexadecimal; a list of all that waits in a full mempool about 10 MB."""

WARMING_UP = -28

_MAX_DEPTH = 64
_BRACKET = re.compile(rb"[\[\]{}]")

_HINTS = {
    WARMING_UP: "the node is still starting; repeat this in a minute",
    -32601: "zkcmp needs Bitcoin Core 25 or newer, with its wallet where that is used",
    -18: "load the wallet with `bitcoin-cli loadwallet NAME`, or name another --wallet",
    -19: "name the one to use with --wallet",
    -13: "unlock the wallet with `bitcoin-cli walletpassphrase`, then repeat this",
    -6: "send more coins to the wallet, or name another",
    -4: "check the wallet with `bitcoin-cli getbalances`",
}


class NodeError(SettlementError):
    """The node answered a call with an error: its number, and its own words in `reason`."""

    def __init__(self, method: str, code: int, reason: str):
        self.method, self.code, self.reason = method, code, reason
        hint = _HINTS.get(code, "see the node's debug.log")
        super().__init__(f"the node refuses {method}: {reason} ({code}); {hint}")


class NodeUnreachable(SettlementError):
    """No node answered, or one that cannot answer now; the same call may do better later."""


class NodeClient:
    """Calls to one node, and to one of its wallets if `wallet` names one."""

    def __init__(self, address: NodeAddress, wallet: str = ""):
        self.address, self.wallet = address, wallet

    @classmethod
    def connect(
        cls,
        url: str = "",
        *,
        cookie: Path | None = None,
        conf: Path | None = None,
        wallet: str = "",
    ) -> "NodeClient":
        """A client of the node at `url` or of `conf`; nothing is sent yet. See `node_address`."""
        if conf is None:
            return cls(node_address.from_url(url, cookie), wallet)
        address = node_address.from_conf(conf, url)
        return cls(address.with_cookie(cookie) if cookie else address, wallet)

    def call(self, method: str, *parameters: Any, timeout_s: float = TIMEOUT_S) -> Any:
        """The result of a call. Raises NodeError for the node's refusal, else SettlementError."""
        answers = self._exchange(method, [_request(0, method, parameters)], timeout_s)
        return _result(method, answers[0])

    def ask(self, read: Callable[[Any], T], method: str, *parameters: Any) -> T:
        """`read` of the result; what it cannot read is no answer of a Bitcoin node."""
        return self.understood(method, read, self.call(method, *parameters))

    def batch(self, method: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of many calls of one method, in order; None where the node refuses one."""
        if not calls:
            return []
        requests = [_request(i, method, parameters) for i, parameters in enumerate(calls)]
        answers = self._exchange(method, requests, TIMEOUT_S)
        by_id = self.understood(method, lambda a: {x["id"]: x.get("result") for x in a}, answers)
        return [by_id.get(i) for i in range(len(calls))]

    def understood(self, method: str, read: Callable[[Any], T], answer: Any) -> T:
        """`read(answer)`, with every way in which it can fail as a SettlementError."""
        try:
            return read(answer)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            SerializationError,
            TypeError,
            ValueError,
        ):
            raise SettlementError(
                f"the answer of {self.address} to {method} is not a Bitcoin node's; "
                "check the address and the node's version"
            ) from None

    def _exchange(self, method: str, requests: list[dict[str, Any]], timeout_s: float) -> list[Any]:
        status, body = self._post(json.dumps(requests).encode(), timeout_s)
        if status == http.client.UNAUTHORIZED:
            raise SettlementError(
                f"{self.address} does not accept our user and password or cookie; give those of "
                "its bitcoin.conf (--node-conf), or its cookie file (--node-cookie)"
            )
        if status == http.client.FORBIDDEN:
            raise SettlementError(f"{self.address} serves other addresses only; set its rpcallowip")
        if status == http.client.SERVICE_UNAVAILABLE:
            raise NodeUnreachable(f"{self.address} is too busy; repeat this in a minute")

        def read(text: bytes) -> list[Any]:
            _check_depth(text)
            answers = json.loads(text, parse_float=Decimal)
            if not isinstance(answers, list):
                answers = [answers]  # a refusal of the whole
            if len(answers) != len(requests) and not answers[0]["error"]:
                raise ValueError
            return answers

        return self.understood(method, read, body)

    def _post(self, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        headers["Authorization"] = self.address.authorization()
        path = f"/wallet/{quote(self.wallet, safe='')}" if self.wallet else "/"
        connection = self._connection(timeout_s)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            answer = response.read(MAX_ANSWER_BYTES + 1)
        except TimeoutError:
            raise NodeUnreachable(
                f"{self.address} did not answer within {timeout_s:.0f} s; is the node busy?"
            ) from None
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise NodeUnreachable(
                f"no Bitcoin node answers at {self.address} ({reason}); start bitcoind with "
                "-server, or correct --node"
            ) from None
        finally:
            connection.close()
        if len(answer) > MAX_ANSWER_BYTES:
            raise SettlementError(f"{self.address} answers without end; is it a Bitcoin node?")
        return response.status, answer

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        where = (self.address.host, self.address.port)
        if self.address.tls:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(*where, timeout=timeout_s, context=context)
        return http.client.HTTPConnection(*where, timeout=timeout_s)


def _check_depth(text: bytes) -> None:
    """Raise ValueError for brackets so deep that the parser's recursion would end the process."""
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > _MAX_DEPTH:
            raise ValueError("brackets too deep")


def _request(number: int, method: str, parameters: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "1.0", "id": number, "method": method, "params": list(parameters)}


def _result(method: str, answer: Any) -> Any:
    error = answer.get("error") if isinstance(answer, dict) else {"message": "no answer"}
    if error is None:
        return answer.get("result")
    code = error.get("code") if isinstance(error, dict) else None
    text = error.get("message") if isinstance(error, dict) else error
    line = "".join(c for c in " ".join(str(text).split())[:300] if c.isprintable())
    raise NodeError(method, code if isinstance(code, int) else 0, line.rstrip("."))
