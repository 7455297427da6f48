"""A sale between two private directories that are under passphrases."""

import getpass
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import NETWORK, Sale

from zkcmp.cli import passphrase
from zkcmp.cli.deal import watching
from zkcmp.cli.main import run
from zkcmp.errors import PassphraseError, WrongPassphraseError
from zkcmp.exchange.private.keyring import LOG2_N
from zkcmp.exchange.private.secret_files import HEADER_FILE, SecretFiles
from zkcmp.exchange.seller import Seller
from zkcmp.exchange.settlement.watched import Watched
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

FAST = 4
PARTIES = ("seller", "buyer")
WORDS = "six words that nobody else knows"


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with the passphrase, which every command is told of."""
    path = tmp_path / "words"
    path.write_text(WORDS + "\n")
    path.chmod(0o600)
    monkeypatch.setenv(passphrase.VARIABLE, str(path))
    return path


def protect(sale: Sale) -> None:
    for party in PARTIES:
        SecretFiles(sale.root / party).change(WORDS, FAST)


def secrets_of(sale: Sale) -> dict[str, bytes]:
    """What must be in no file as it is."""
    found = {}
    for party in PARTIES:
        files = SecretFiles.opened(sale.root / party, lambda what: WORDS)
        places = [files.home / "identity.key", files.home / "wallet.key"]
        names = ("keys", "preimage", "ciphertext", "published-preimage", "claims", "refunds")
        places += [sale.private(party) / name for name in names]
        for place in places:
            if place.exists():
                found[f"{party} {place.name}"] = files.read(place)
    return found


def test_whole_sale_leaves_no_secret_in_a_file(sale: Callable[[str], Sale], words: Path) -> None:
    deal = sale("ready")
    protect(deal)
    assert deal.seal().code == 0
    assert deal.request().code == 0
    for command in (
        ("buyer", "setup"),
        ("seller", "prove"),
        ("buyer", "verify"),
        ("buyer", "lock"),
        ("chain", "mine", "1"),
        ("seller", "redeem"),
    ):
        assert deal.run(*command).code == 0, command
    assert deal.open().code == 0
    assert quantize(read_onnx(deal.root / "bought.onnx")) == NETWORK
    secrets = secrets_of(deal)
    assert {"seller preimage", "seller ciphertext", "seller claims", "buyer keys"} <= set(secrets)
    for party in PARTIES:
        for path in sorted((deal.root / party).rglob("*")):
            data = path.read_bytes() if path.is_file() else b""
            for name, secret in secrets.items():
                assert secret not in data, (name, path)
                assert secret.hex().encode() not in data, (name, path)
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("party", PARTIES)
def test_without_it_no_command_does_anything(
    sale: Callable[[str], Sale], party: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = sale("locked")
    protect(deal)
    monkeypatch.delenv(passphrase.VARIABLE, raising=False)
    before = deal.tree()
    commands = {
        "seller": ["status", "prove", "redeem", "inspect", "passphrase"],
        "buyer": ["status", "verify", "lock", "refund", "passphrase"],
    }
    for verb in commands[party]:
        given = [party, verb, "--home", str(deal.root / party)]
        if verb not in ("status", "passphrase"):
            given = deal.arguments(party, verb)
        assert run(given) == 2
        told = deal.capsys.readouterr()
        assert "is under a passphrase: run this in a terminal" in told.err
        assert (told.out, told.err.count("\n")) == ("", 1)
    wrong = tmp_path / "wrong"
    wrong.write_text("some other words")
    wrong.chmod(0o600)
    monkeypatch.setenv(passphrase.VARIABLE, str(wrong))
    result = deal.run(party, "status")
    assert result.refused, result
    assert "that is not the passphrase" in result.err
    assert "some other words" not in result.err
    assert deal.tree() == before


@pytest.mark.parametrize("party", PARTIES)
def test_set_change_and_remove(
    sale: Callable[[str], Sale], party: str, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real cost, from a file, a descriptor and a terminal."""
    deal = sale("locked")
    home = ["--home", str(deal.root / party)]
    secret = (deal.private(party) / "keys").read_bytes()
    unfinished = deal.root / party / "deals" / ("0" * 32 + ".unfinished")
    shutil.copytree(deal.private(party), unfinished)  # as of a command that was killed
    assert run([party, "passphrase", *home, "--new-file", str(words)]) == 0
    assert not unfinished.exists()
    header = (deal.root / party / HEADER_FILE).read_bytes()
    assert LOG2_N in header
    assert (deal.private(party) / "keys").read_bytes() != secret
    other = "words that are typed"
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: other)
    assert run([party, "passphrase", *home]) == 0
    assert run([party, "status", *home]) == 2, "the file's is not the one that was typed"
    monkeypatch.delenv(passphrase.VARIABLE)
    reader, writer = os.pipe()
    os.write(writer, other.encode())
    os.close(writer)
    given = ["--passphrase-fd", str(reader), party, "passphrase", *home, "--remove"]
    assert run(given) == 0
    os.close(reader)
    assert (deal.private(party) / "keys").read_bytes() == secret
    assert not (deal.root / party / HEADER_FILE).exists()
    told = deal.capsys.readouterr()
    assert "removed" in told.out
    assert other not in told.out + told.err


def test_passphrases_that_will_not_do(
    sale: Callable[[str], Sale], words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = sale("sealed")
    home = deal.root / "seller"
    before = deal.tree()

    def refused(text: bytes, mode: int = 0o600) -> str:
        words.write_bytes(text)
        words.chmod(mode)
        given = ["seller", "passphrase", "--home", str(home), "--new-file", str(words)]
        assert run(given) == 2
        told = deal.capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)
        assert deal.tree() == before
        return told.err

    assert "at least 8 characters" in refused(b"short")
    assert "chmod 600" in refused(b"long enough a passphrase", 0o644)
    for odd in (b"", b"\n", b"\xff" * 20, b"two lines\nof text", b"a" * 2000, b"with \0 in it"):
        assert "the passphrase in" in refused(odd)
    typed = iter(["one passphrase", "another passphrase"])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(typed))
    assert run(["seller", "passphrase", "--home", str(home)]) == 2
    assert "differ" in deal.capsys.readouterr().err
    assert run(["--passphrase-fd", "99", "seller", "status", "--home", str(home)]) == 0
    protect(deal)
    assert run(["--passphrase-fd", "99", "seller", "status", "--home", str(home)]) == 2
    assert "descriptor 99 cannot be read" in deal.capsys.readouterr().err


def test_accents_are_one_passphrase_however_they_are_written(
    sale: Callable[[str], Sale], words: Path
) -> None:
    deal = sale("sealed")
    SecretFiles(deal.root / "seller").change("caf\u00e9 au lait", FAST)
    words.write_bytes("cafe\u0301 au lait\r\n".encode())
    assert deal.run("seller", "status").code == 0


def test_snarkjs_export_asks_too(
    sale: Callable[[str], Sale], words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = sale("verified")
    protect(deal)
    given = ["groth16", "export", "deal", "--deal", str(deal.deal), "--out", str(deal.root / "x")]
    assert run([*given, "--home", str(deal.root / "buyer")]) == 2
    assert "snarkjs verifies Groth16 of one round only" in deal.capsys.readouterr().err
    monkeypatch.delenv(passphrase.VARIABLE)
    assert run([*given, "--home", str(deal.root / "buyer")]) == 2
    assert "under a passphrase" in deal.capsys.readouterr().err


def test_other_commands_run_while_it_is_typed(sale: Callable[[str], Sale]) -> None:
    """Nobody knows how long that lasts, and a watch may have to claim."""
    home, asked = sale("verified").root / "seller", []
    with Seller.opened(home) as seller:
        seller.files.change("first phrase", FAST)

    def typed(what: str) -> str:
        asked.append(what)
        with Seller.opened(home, lambda what: "first phrase") as another:
            assert another.files.keyring is not None
        return "first phrase"

    with Seller.opened(home, typed):
        assert asked == [str(home)]


def test_a_watch_ends_when_a_passphrase_was_set(
    sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is there to type it, and no file has it."""
    home = sale("verified").root / "seller"

    def set_it(_: float) -> None:
        with Seller.opened(home) as seller:
            seller.files.change("first phrase", FAST)

    monkeypatch.setattr(watching.time, "sleep", set_it)
    with pytest.raises(PassphraseError, match="run this in a terminal"):
        watching.keep_looking(Seller, home, lambda party: Watched("looked", None), 30, False)


def test_a_watch_ends_when_the_passphrase_was_changed(
    sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for ever otherwise, and raise no fee."""
    home, looks = sale("verified").root / "seller", []
    with Seller.opened(home) as seller:
        seller.files.change("first phrase", FAST)

    def change(_: float) -> None:
        looks.append("slept")
        with Seller.opened(home, lambda what: "first phrase") as seller:
            seller.files.change("second phrase", FAST)

    monkeypatch.setattr(watching.passphrase, "ask", lambda what: "first phrase")
    monkeypatch.setattr(watching.time, "sleep", change)
    with pytest.raises(WrongPassphraseError):
        watching.keep_looking(Seller, home, lambda party: Watched("looked", None), 30, False)
    assert looks == ["slept"]
