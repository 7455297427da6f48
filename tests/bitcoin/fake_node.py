"""An HTTP server on loopback that answers as a test says: what no real node does on request."""

import contextlib
import json
import threading
from base64 import b64decode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PASSWORD = "pa55:w@rd/%"
TIP, ELSEWHERE = "11" * 32, "22" * 32


class Refusal(Exception):
    """What a method raises to answer with an error."""

    def __init__(self, code: int, text: str):
        self.answer = {"code": code, "message": text}


class FakeNode:
    """`answers[method]` is a result, or a function of the parameters.

    `raw` instead is the body of every answer, with `status`.
    """

    def __init__(self) -> None:
        self.info: dict[str, Any] = {
            "chain": "regtest",
            "blocks": 7,
            "headers": 7,
            "bestblockhash": TIP,
            "initialblockdownload": False,
            "time": 0,
        }
        self.answers: dict[str, Any] = {
            "getblockchaininfo": lambda: self.info,
            "getbestblockhash": lambda: self.info["bestblockhash"],
        }
        self.status, self.raw = 200, b""
        self.logins: list[str] = []
        self.paths: list[str] = []
        self.methods: list[str] = []

    def start(self) -> Callable[[], None]:
        """Serve on `port`; call what is returned at the end."""
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                scheme, _, login = self.headers["Authorization"].partition(" ")
                assert scheme == "Basic"
                node.logins.append(b64decode(login).decode())
                node.paths.append(self.path)
                requests = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = node.raw or json.dumps([node.answer(each) for each in requests]).encode()
                with contextlib.suppress(BrokenPipeError):  # a client that waited long enough
                    self.send_response(node.status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        method = request["method"]
        self.methods.append(method)
        try:
            if method not in self.answers:
                raise Refusal(-32601, "Method not found")
            known = self.answers[method]
            result = known(*request["params"]) if callable(known) else known
            return {"id": request["id"], "result": result, "error": None}
        except Refusal as refusal:
            return {"id": request["id"], "result": None, "error": refusal.answer}
