"""Where a bitcoind answers, and with which words: from a URL, a cookie file or its bitcoin.conf.

A cookie is read anew for every call, because a node writes another one whenever it starts. What is
secret here is shown in no text: `NodeAddress` has no repr of it and no error quotes it.
"""

import base64
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bitcoin_scripts.errors import SettlementError

DEFAULT_DATADIR = Path("~/.bitcoin")

_CHAINS = {  # name in bitcoin.conf: port, folder below the data directory
    "main": (8332, ""),
    "test": (18332, "testnet3"),
    "testnet4": (48332, "testnet4"),
    "signet": (38332, "signet"),
    "regtest": (18443, "regtest"),
}
_CHAIN_SWITCHES = {name: name for name in _CHAINS} | {"testnet": "test"}


@dataclass(frozen=True)
class NodeAddress:
    """Host, port and how to authenticate: by user and password, or by what `cookie` holds now."""

    host: str
    port: int
    tls: bool = False
    cookie: Path | None = None
    _login: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def with_cookie(self, cookie: Path) -> "NodeAddress":
        """The same place, and the words of that cookie."""
        return replace(self, cookie=cookie, _login="")

    def authorization(self) -> str:
        """The value of the HTTP header. Raises SettlementError when the cookie cannot be read."""
        login = self._login.encode()
        if self.cookie is not None:
            try:
                login = self.cookie.read_bytes().strip()
            except OSError as error:
                raise SettlementError(
                    f"cannot read the cookie {self.cookie}: {error.strerror}; is the node running, "
                    f"and may you read its files?{_other_chain(self.cookie)}"
                ) from None
        return "Basic " + base64.b64encode(login).decode("ascii")


def _other_chain(cookie: Path) -> str:
    """What to try where a node of another chain than the cookie's runs in that directory."""
    for name, (port, folder) in _CHAINS.items():
        if folder and (cookie.parent / folder / cookie.name).exists():
            return (
                f" A node on {name} runs there: say chain={name} in its bitcoin.conf, or give "
                f"--node http://127.0.0.1:{port}"
            )
    return ""


def from_url(url: str, cookie: Path | None = None) -> NodeAddress:
    """The node at `http[s]://[user:password@]host[:port]`; the scheme may be left out.

    Without words to say, those of the cookie, which for a node on this machine at a usual port
    need not be named. Raises SettlementError for anything else.
    """
    try:
        parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
        host, port = parts.hostname or "", parts.port
        extra = parts.path.strip("/") or parts.query or parts.fragment
        well_formed = parts.scheme in ("http", "https") and host and not extra
    except ValueError:
        well_formed = False
    if not well_formed:
        raise SettlementError(
            "the node's address is not of the form http://user:password@host:port; correct it"
        )
    if port is None:
        ports = ", ".join(f"{port} ({name})" for name, (port, _) in _CHAINS.items())
        raise SettlementError(f"the node's address needs a port, usually one of {ports}; add it")
    tls = parts.scheme == "https"
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return NodeAddress(host, port, tls, None, login)
    return NodeAddress(host, port, tls, cookie or _usual_cookie(host, port))


def from_conf(path: Path, url: str = "") -> NodeAddress:
    """The node that a bitcoin.conf, or the data directory with it, is of.

    `url` takes the place of its host and port. Files that it includes are not read. Raises
    SettlementError for a file that cannot be read or does not say which chain.
    """
    conf = path / "bitcoin.conf" if path.is_dir() else path
    everywhere, sections = _read_conf(conf) if conf == path or conf.exists() else ({}, {})
    chain = everywhere.get("chain", "main")
    for switch, name in _CHAIN_SWITCHES.items():
        if everywhere.get(switch) == "1":
            chain = name
    if chain not in _CHAINS:
        raise SettlementError(f"{conf}: there is no chain of that name; correct it")
    port, folder = _CHAINS[chain]
    if chain != "main":
        everywhere.pop("rpcport", None)  # bitcoind takes it for the main chain's alone
    settings = everywhere | sections.get(chain, {})
    datadir = Path(settings.get("datadir", conf.parent)).expanduser()
    cookie = datadir / folder / settings.get("rpccookiefile", ".cookie")
    host, port_text = settings.get("rpcconnect", "127.0.0.1"), settings.get("rpcport", str(port))
    address = from_url(url or f"http://{host}:{port_text}", cookie)
    if address.cookie is not None and "rpcpassword" in settings:
        login = f"{settings.get('rpcuser', '')}:{settings['rpcpassword']}"
        return replace(address, cookie=None, _login=login)
    return address


def _read_conf(conf: Path) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Settings before any section, and by section; the first of several counts, as for bitcoind."""
    try:
        lines = conf.read_text("utf-8").splitlines()
    except OSError as error:
        raise SettlementError(
            f"cannot read {conf}: {error.strerror}; name a bitcoin.conf or a data directory"
        ) from None
    except UnicodeDecodeError:
        raise SettlementError(f"{conf} is not text; name a bitcoin.conf") from None
    sections: dict[str, dict[str, str]] = {"": {}}
    section = ""
    for line in lines:
        content = line.partition("#")[0].strip()
        if content.startswith("[") and content.endswith("]"):
            section = content[1:-1]
            continue
        key, _, value = content.partition("=")
        key, dot, dotted = key.strip().rpartition(".")[::-1]
        owner = dotted if dot else section
        sections.setdefault(owner, {}).setdefault(key, value.strip())
    return sections.pop(""), sections


def _usual_cookie(host: str, port: int) -> Path | None:
    """Where a node on this machine leaves its cookie, going by its port."""
    if host not in ("127.0.0.1", "localhost", "::1"):
        return None
    for usual_port, folder in _CHAINS.values():
        if port == usual_port:
            return DEFAULT_DATADIR.expanduser() / folder / ".cookie"
    return None
