"""Keys are made, and taken in, where the disk has room for them; --force begins all the same."""

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import ARCHITECTURE, Sale

from zkcmp import machine
from zkcmp.cli.main import run
from zkcmp.exchange.costs.forecast import key_file_bytes
from zkcmp.exchange.messages.encryption import encrypted_length
from zkcmp.exchange.method import FREIVALDS, HYRAX, ZKVPD, Method
from zkcmp.groth16.estimate import CircuitSize, zkey_bytes
from zkcmp.groth16.snarkjs import read_r1cs, setup_zkey

Usage = namedtuple("Usage", "total used free")
CIRCUIT = Path(__file__).parents[1] / "groth16" / "snarkjs_vectors" / "power.r1cs"
ZKVPD_OPTIONS = ("--backend", "libra", "--commitment", "zkvpd")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`free(n)`: every disk has n free bytes."""

    def say(n_bytes: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, n_bytes))

    return say


@pytest.mark.parametrize(
    ("method", "options"), [(FREIVALDS, ()), (ZKVPD, ZKVPD_OPTIONS)], ids=["freivalds", "zkvpd"]
)
def test_setup(
    method: Method,
    options: tuple[str, ...],
    sale: Callable[[str], Sale],
    free: Callable[[int], None],
) -> None:
    """The key and the message of it are there at one time."""
    deal = sale("sealed")
    assert deal.request(1, *options).code == 0
    key = key_file_bytes(ARCHITECTURE, 3, method)
    needed = key + encrypted_length(key)
    before = deal.tree()
    free(needed - 1)
    refused = deal.run("buyer", "setup")
    assert refused.refused
    assert f"zkcmp: setup will write about {needed / 1e6:.1f} MB to {deal.root}" in refused.err
    assert "make room on that disk, or use another, or --force" in refused.err
    assert deal.tree() == before
    free(needed)
    assert deal.run("buyer", "setup").code == 0
    assert deal.message("key-material").stat().st_size < encrypted_length(key) + 4096


def test_setup_by_force(sale: Callable[[str], Sale], free: Callable[[int], None]) -> None:
    deal = sale("requested")
    free(0)
    assert deal.run("buyer", "setup").code == 2
    assert deal.run("buyer", "setup", "--force").code == 0


@pytest.mark.parametrize("command", ["audit", "prove"])
def test_audit(command: str, sale: Callable[[str], Sale], free: Callable[[int], None]) -> None:
    """The copy of the message and what is decrypted of it are there at one time."""
    deal = sale("set_up")
    needed = 2 * deal.message("key-material").stat().st_size
    before = deal.tree()
    free(needed - 1)
    refused = deal.run("seller", command)
    assert refused.refused
    assert f"zkcmp: the audit will write about {needed / 1e6:.1f} MB to {deal.root}" in refused.err
    assert deal.tree() == before
    free(needed)
    assert deal.run("seller", command).code == 0


def test_audit_by_force(sale: Callable[[str], Sale], free: Callable[[int], None]) -> None:
    deal = sale("set_up")
    free(0)
    assert deal.prove().code == 2
    assert deal.run("seller", "prove", "--force").code == 0


@pytest.mark.parametrize(
    ("stage", "party", "command", "halves"),
    [
        ("requested", "buyer", "setup", (".proving.key.part", ".key-material.zkcmp.part")),
        ("set_up", "seller", "prove", (".proving.key.part", "incoming.key-material.zkcmp")),
    ],
)
def test_what_a_killed_command_left_makes_room(
    stage: str,
    party: str,
    command: str,
    halves: tuple[str, ...],
    sale: Callable[[str], Sale],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deal = sale(stage)
    directory = deal.private(party)
    for half in halves:
        (directory / half).touch()

    def full_while_they_are_there(path: Path) -> Usage:
        return Usage(0, 0, 0 if any((directory / half).exists() for half in halves) else 1 << 40)

    monkeypatch.setattr(shutil, "disk_usage", full_while_they_are_there)
    assert deal.run(party, command).code == 0


def test_a_request_whose_keys_would_not_fit(
    sale: Callable[[str], Sale], free: Callable[[int], None]
) -> None:
    """Its test set would be spent for nothing."""
    deal = sale("sealed")
    before = deal.tree()
    free(0)
    refused = deal.request()
    assert refused.refused
    assert "setup will write about" in refused.err
    assert deal.tree() == before
    assert deal.request(1, "--force").code == 0


def test_nothing_is_asked_for_without_a_key() -> None:
    assert key_file_bytes(ARCHITECTURE, 3, HYRAX) == 0


@pytest.mark.parametrize("name", ["circuit.key", "circuit.zkey"])
def test_a_key_without_a_deal(
    name: str,
    tmp_path: Path,
    free: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["groth16", "setup", str(CIRCUIT), str(tmp_path / name)]
    free(0)
    assert run(command) == 2
    assert "zkcmp: setup will write about 0.0 MB to " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert run([*command, "--force"]) == 0
    free(1_000_000)
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 100_000_000)
    assert run(command) == 2
    assert "0.1 GB are free; use a smaller circuit, another" in capsys.readouterr().err


def test_a_key_of_snarkjs_has_the_predicted_size(tmp_path: Path) -> None:
    r1cs = read_r1cs(CIRCUIT)
    predicted = zkey_bytes(CircuitSize.of(r1cs))
    setup_zkey(r1cs, tmp_path / "circuit.zkey")
    found = (tmp_path / "circuit.zkey").stat().st_size
    assert found <= predicted < found + 4096 + 44 * CircuitSize.of(r1cs).n_entries
