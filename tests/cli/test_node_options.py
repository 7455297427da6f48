"""The options that put a node in the place of the embedded chain."""

from pathlib import Path

import pytest
from deal_stages import Result

from zkcmp.cli.main import run
from zkcmp.cli.node_options import chosen_node

ON_A_CHAIN = [
    ("seller", "redeem"),
    ("buyer", "lock"),
    ("buyer", "open"),
    ("buyer", "refund"),
    ("chain", "height"),
]


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    capsys.readouterr()
    code = run(list(arguments))
    return Result(code, *capsys.readouterr())


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ZKCMP_NODE", "ZKCMP_NODE_COOKIE", "ZKCMP_NODE_CONF", "ZKCMP_CHAIN_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("names", ON_A_CHAIN, ids=" ".join)
def test_every_command_on_a_chain_has_them(
    capsys: pytest.CaptureFixture[str], names: tuple[str, str]
):
    shown = command(capsys, *names, "--help")
    assert shown.code == 0
    for option in ("--chain-dir", "--node URL", "--node-cookie", "--node-conf", "--wallet"):
        assert option in shown.out


@pytest.mark.parametrize("way", ["option", "variable", "configuration"])
def test_a_node_is_asked_instead(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
):
    secret = "http://alice:secret@127.0.0.1:1"
    arguments = ["chain", "height"]
    if way == "option":
        arguments += ["--node", secret]
    elif way == "variable":
        monkeypatch.setenv("ZKCMP_NODE", secret)
    else:
        conf = tmp_path / "bitcoin.conf"
        conf.write_text("regtest=1\nregtest.rpcport=1\nrpcuser=a\nrpcpassword=secret\n")
        arguments += ["--node-conf", str(conf)]
    shown = command(capsys, *arguments)
    assert shown.refused
    assert "no Bitcoin node answers at 127.0.0.1:1 (" in shown.err
    assert "secret" not in shown.err
    assert chosen_node() is None


def test_one_chain_at_a_time(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    both = ["--node", "127.0.0.1:1", "--chain-dir", str(tmp_path / "chain")]
    shown = command(capsys, "chain", "height", *both)
    assert shown.refused
    assert "give one of --chain-dir and --node" in shown.err
    assert not (tmp_path / "chain").exists()


@pytest.mark.parametrize("verb", ["mine", "reorg"])
@pytest.mark.parametrize("by_variable", [True, False])
def test_only_the_embedded_chain_is_mined(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    verb: str,
    by_variable: bool,
):
    if by_variable:
        monkeypatch.setenv("ZKCMP_NODE", "127.0.0.1:1")
    given = [] if by_variable else ["--node", "127.0.0.1:1"]
    shown = command(capsys, "chain", verb, "1", *given)
    assert shown.refused
    assert "this is for the embedded chain" in shown.err
    assert list(tmp_path.iterdir()) == []


def test_paths_that_lead_nowhere(capsys: pytest.CaptureFixture[str]):
    for option in ("--node-cookie", "--node-conf"):
        given = ["--node", "127.0.0.1:1", option, "~no-such-user-here/x"]
        shown = command(capsys, "chain", "height", *given)
        assert shown.refused
        assert "leads nowhere" in shown.err


@pytest.mark.parametrize("option", ["--wallet", "--node-cookie"])
def test_what_goes_with_a_node_needs_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str
):
    given = ["--chain-dir", str(tmp_path / "chain"), option, "x"]
    shown = command(capsys, "chain", "height", *given)
    assert shown.refused
    assert "go with --node" in shown.err


def test_the_embedded_chain_is_the_default(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    where = ["--chain-dir", str(tmp_path / "chain")]
    assert command(capsys, "chain", "mine", "3", *where).code == 0
    assert command(capsys, "chain", "height", *where).out == "3\n"


def test_reorganisation(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    where = ["--chain-dir", str(tmp_path / "chain")]
    command(capsys, "chain", "mine", "3", *where)
    done = command(capsys, "chain", "reorg", "2", *where)
    assert done.out == "the chain has 4 blocks, the last 3 of them new\n"
    assert command(capsys, "chain", "height", *where).out == "4\n"
    shown = command(capsys, "chain", "reorg", "5", *where)
    assert shown.refused
    assert "cannot replace 5 blocks; ask for 1 to 4" in shown.err
    shown = command(capsys, "chain", "reorg", "1", "--forget", "ab" * 32, *where)
    assert shown.refused
    assert "does not have abab" in shown.err
