"""A real bitcoind on regtest for tests: where it comes from, and how it is started and stopped.

`BITCOIND=/path` names one; else the one on the PATH is taken; else Debian's package is downloaded
once and unpacked beside the system, with its libraries, into the user's cache directory: by the
machine's own apt, from the archive that apt is configured for, with its keyrings, into an apt root
of our own. Nothing is installed and no privilege is needed. `python bitcoind.py` obtains it.
"""

import contextlib
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from bitcoin_scripts.chain.node_client import NodeClient, NodeError
from bitcoin_scripts.errors import SettlementError

PACKAGES = ("bitcoin-knots", "systemd-standalone-sysusers")
"""The second one satisfies a dependency of the first in a few kilobytes instead of megabytes."""

SUITE = "sid"

ANYONE = b"\x51"

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_START_S = 30


class Unobtainable(Exception):
    """No bitcoind can be had here; the text says why."""


@functools.cache
def bitcoind_command() -> tuple[str, ...]:
    """How to start bitcoind, without its arguments.

    Raises Unobtainable, or FileNotFoundError where BITCOIND names none.
    """
    named = os.environ.get("BITCOIND")
    if named:
        if not os.access(named, os.X_OK):
            raise FileNotFoundError(f"BITCOIND={named} is not a program")
        return (named,)
    found = shutil.which("bitcoind")
    if found:
        return (found,)
    root = _cache() / "root"
    if not root.exists():
        _download(_cache())
    return _unpacked_command(root)


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "zkcmp" / "bitcoind"


def _unpacked_command(root: Path) -> tuple[str, ...]:
    """The unpacked program, started by the dynamic loader that came with it."""
    [program] = root.glob("usr/bin/bitcoind")
    [loader] = {path.resolve() for path in root.glob("**/ld-linux*.so.*")}
    return (str(loader), "--library-path", str(loader.parent), str(program))


def _download(cache: Path) -> None:
    """Fill `cache`/root, all or nothing."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unobtainable(f"there is no bitcoind on the PATH, and no {tool} to get one with")
    work = cache / f"work-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        for part in ("etc", "lists/partial", "archives/partial", "root"):
            (work / part).mkdir(parents=True)
        (work / "status").touch()
        (work / "etc" / "sources.list").write_text(_source_line(), "ascii")
        apt = ["apt-get", "-qq", *_apt_options(work)]
        _run([*apt, "update"])
        _run([*apt, "install", "--yes", "--download-only", *PACKAGES])
        for package in sorted((work / "archives").glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(work / "root")])
        _run([*_unpacked_command(work / "root"), "-version"])
        try:
            (work / "root").rename(cache / "root")
        except OSError:  # another process was faster
            if not (cache / "root").exists():
                raise
    except (OSError, ValueError) as error:
        raise Unobtainable(f"bitcoind could not be unpacked into {cache}: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _source_line() -> str:
    """The archive of this machine's apt, at the suite that has bitcoind."""
    form = "$(REPO_URI)|$(COMPONENT)|$(RELEASE)"
    # without the archive's release files, which need not have been downloaded
    lean = ["-o", "APT::Get::IndexTargets::ReleaseInfo=false"]
    listed = _run(["apt-get", *lean, "indextargets", "--format", form])
    for line in sorted(set(listed.splitlines())):
        uri, component, release = line.split("|")
        if component == "main" and not release.endswith("-security") and _KEYRING.exists():
            return f"deb [signed-by={_KEYRING}] {uri} {SUITE} main\n"
    raise Unobtainable("apt is not configured for a Debian archive, which has bitcoind")


def _apt_options(work: Path) -> list[str]:
    settings = {
        "Dir::Etc::SourceList": work / "etc" / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": work,
        "Dir::State::Lists": work / "lists",
        "Dir::State::Status": work / "status",
        "Dir::Cache": work,
        "Dir::Cache::Archives": work / "archives",
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "APT::Get::List-Cleanup": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Debug::NoLocking": "true",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def _run(command: Sequence[str]) -> str:
    """The output of a tool. Raises Unobtainable with the last line of what it complained about."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        complaint = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise Unobtainable(f"`{Path(command[0]).name}` failed: {complaint}")
    return done.stdout


class Bitcoind:
    """One node with a data directory and ports of its own, no peers, and no wallet until asked."""

    def __init__(self, directory: Path, *options: str):
        self.directory = directory
        self.port = _free_port()
        self._options = options
        self._branches = 0
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def cookie(self) -> Path:
        return self.directory / "regtest" / ".cookie"

    def start(self) -> None:
        """Start the program and wait until it answers."""
        arguments = [
            "-regtest",
            "-server",
            "-listen=0",
            "-dnsseed=0",
            "-fixedseeds=0",
            "-persistmempool=0",
            "-fallbackfee=0.00001",
            f"-datadir={self.directory}",
            f"-rpcport={self.port}",
            *self._options,
        ]
        with (self.directory / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [*bitcoind_command(), *arguments], stdout=output, stderr=output
            )
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError((self.directory / "output").read_text()[-2000:])
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            self.call("getblockcount")
        except SettlementError:
            return False
        return True

    def call(self, method: str, *parameters: Any, wallet: str = "") -> Any:
        """One call of the node's interface."""
        client = NodeClient.connect(self.url, cookie=self.cookie, wallet=wallet)
        return client.call(method, *parameters)

    def mine(self, n: int = 1, script: bytes = ANYONE) -> None:
        """Mine blocks that pay to a script, the first with everything that waits."""
        self.call("generatetodescriptor", n, self._descriptor(script))

    def reorganise(self, depth: int, forget: Collection[str] = ()) -> None:
        """Replace the last `depth` blocks by one more, all empty; what they had waits again.

        But for transactions in `forget`, and those that spend from them: for that the node is
        restarted, which forgets all that waits, and given the others again.
        """
        tip = self.call("getblockcount")
        hashes = [self.call("getblockhash", height) for height in range(tip - depth + 1, tip + 1)]
        blocks = [self.call("getblock", block_hash, 2)["tx"][1:] for block_hash in hashes]
        sent = [(tx["txid"], tx["hex"]) for block in blocks for tx in block]
        waiting = self.call("getrawmempool")
        sent += [(txid, self.call("getrawtransaction", txid)) for txid in waiting]
        self.call("invalidateblock", hashes[0])
        if forget:
            self.restart()
        self._branches += 1
        unlike_the_old = b"\x04" + self._branches.to_bytes(4, "little")
        for _ in range(depth + 1):
            self.call("generateblock", self._descriptor(unlike_the_old), [])
        for txid, raw in sent if forget else ():
            if txid not in forget:
                with contextlib.suppress(NodeError):  # a child of one that is forgotten
                    self.call("sendrawtransaction", raw)

    def _descriptor(self, script: bytes) -> str:
        described = self.call("getdescriptorinfo", f"raw({bytes(script).hex()})")
        return str(described["descriptor"])

    def restart(self) -> None:
        """Stop the node and start it again; it forgets what waits."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Shut the node down cleanly."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
        self._process = None

    def kill(self) -> None:
        """End the node as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    try:
        print(json.dumps(bitcoind_command()))
    except Unobtainable as reason:
        sys.exit(str(reason))
