"""Where a node is, from what a user has."""

from base64 import b64decode
from pathlib import Path

import pytest

from bitcoin_scripts.chain import node_address
from bitcoin_scripts.chain.node_address import NodeAddress, from_conf, from_url
from bitcoin_scripts.chain.node_client import NodeClient
from bitcoin_scripts.errors import SettlementError


def login(address: NodeAddress) -> str:
    scheme, _, words = address.authorization().partition(" ")
    assert scheme == "Basic"
    return b64decode(words).decode()


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("http://127.0.0.1:18443", "127.0.0.1", 18443, False),
        ("https://node.example:443/", "node.example", 443, True),
        ("localhost:8332", "localhost", 8332, False),
        ("http://[::1]:38332", "::1", 38332, False),
    ],
)
def test_urls(url: str, host: str, port: int, tls: bool):
    address = from_url(url)
    assert (address.host, address.port, address.tls) == (host, port, tls)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a:b@host:1",
        "http://:8332",
        "http://host:port",
        "http://host:70000",
        "http://[::1",
        "http://host:8332/wallet/x",
        "http://host:8332?x=secret",
    ],
)
def test_what_is_no_address(url: str):
    with pytest.raises(SettlementError, match=r"not of the form http://user:password@host:port"):
        from_url(url)


def test_an_address_needs_a_port_and_says_which():
    with pytest.raises(SettlementError, match=r"needs a port, .*8332 \(main\).*18443 \(regtest\)"):
        from_url("http://alice:secret@host")


def test_user_and_password_come_before_a_cookie(tmp_path: Path):
    assert login(from_url("http://al%3Ae:p%40ss%3A@h:1", tmp_path / "none")) == "al:e:p@ss:"
    (tmp_path / "cookie").write_text("__cookie__:x")
    assert login(from_url("h:1", tmp_path / "cookie")) == "__cookie__:x"


def test_a_node_on_this_machine_has_its_cookie_in_the_usual_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(node_address, "DEFAULT_DATADIR", tmp_path)
    assert from_url("127.0.0.1:8332").cookie == tmp_path / ".cookie"
    assert from_url("localhost:48332").cookie == tmp_path / "testnet4" / ".cookie"
    assert from_url("localhost:1234").cookie is None
    assert from_url("node.example:8332").cookie is None


def test_no_secret_is_shown():
    address = from_url("http://alice:secret@host:1")
    assert "secret" not in repr(address) + str(address)


@pytest.mark.parametrize(
    ("lines", "expected", "cookie"),
    [
        ("", "127.0.0.1:8332", ".cookie"),
        ("regtest=1", "127.0.0.1:18443", "regtest/.cookie"),
        ("chain=signet", "127.0.0.1:38332", "signet/.cookie"),
        ("testnet4=1\n[testnet4]\nrpcport=5", "127.0.0.1:5", "testnet4/.cookie"),
        ("testnet=1 # three\ntest.rpcport=6", "127.0.0.1:6", "testnet3/.cookie"),
        ("rpcport=9\nrpcport=10", "127.0.0.1:9", ".cookie"),
        ("rpcport=9\nregtest=1", "127.0.0.1:18443", "regtest/.cookie"),
        ("regtest=1\nrpcconnect=other\nrpccookiefile=c", "other:18443", "regtest/c"),
        ("[regtest]\nrpcport=9", "127.0.0.1:8332", ".cookie"),
    ],
)
def test_configurations(tmp_path: Path, lines: str, expected: str, cookie: str):
    (tmp_path / "bitcoin.conf").write_text(lines)
    for place in (tmp_path, tmp_path / "bitcoin.conf"):
        address = from_conf(place)
        assert (str(address), address.cookie) == (expected, tmp_path / cookie)


def test_configured_password_and_other_directories(tmp_path: Path):
    conf = tmp_path / "my.conf"
    conf.write_text("regtest=1\nrpcuser=alice\n[regtest]\nrpcpassword=a=b\n")
    assert login(from_conf(conf)) == "alice:a=b"
    assert str(from_conf(conf, "http://host:7")) == "host:7"
    assert login(from_conf(conf, "http://bob:c@host:7")) == "bob:c"
    conf.write_text(f"datadir={tmp_path / 'data'}\nsignet=1\n")
    assert from_conf(conf).cookie == tmp_path / "data" / "signet" / ".cookie"
    assert from_conf(tmp_path).cookie == tmp_path / ".cookie", "a data directory needs no file"


def test_a_named_cookie_comes_before_a_configured_password(tmp_path: Path):
    (tmp_path / "bitcoin.conf").write_text("rpcuser=alice\nrpcpassword=b\n")
    (tmp_path / "cookie").write_text("__cookie__:x")
    client = NodeClient.connect(conf=tmp_path, cookie=tmp_path / "cookie")
    assert login(client.address) == "__cookie__:x"


def test_configurations_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(SettlementError, match=r"cannot read .*none: No such file"):
        from_conf(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettlementError, match=r"binary is not text"):
        from_conf(tmp_path / "binary")
    (tmp_path / "bitcoin.conf").write_text("chain=doge\n")
    with pytest.raises(SettlementError, match=r"no chain of that name"):
        from_conf(tmp_path)


def test_a_directory_in_which_a_node_of_another_chain_runs(tmp_path: Path):
    """`bitcoind -regtest` without a line in its bitcoin.conf."""
    with pytest.raises(SettlementError, match=r"may you read its files\?$"):
        from_conf(tmp_path).authorization()
    (tmp_path / "regtest").mkdir()
    (tmp_path / "regtest" / ".cookie").write_text("__cookie__:x")
    with pytest.raises(SettlementError, match="A node on regtest runs there") as refused:
        from_conf(tmp_path).authorization()
    assert "chain=regtest in its bitcoin.conf" in str(refused.value)
    assert "--node http://127.0.0.1:18443" in str(refused.value)
    assert "__cookie__" not in str(refused.value)
    (tmp_path / "bitcoin.conf").write_text("chain=regtest\n")
    assert from_conf(tmp_path).authorization().startswith("Basic ")
