"""Both tutorials, typed as they stand: the sale, the refund, and each party's lost machine."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from documents import ROOT, blocks

# settles where compiled kernels are, before HOME is another
import zkcmp.bn254.lanes.jit  # noqa: F401
from bitcoin_scripts.keys import bech32_address, p2wpkh_script, public_key
from zkcmp.cli.main import run

PARTIES = ("seller", "buyer")
PAYEE = bech32_address(p2wpkh_script(public_key(b"\x09" * 32)), "regtest")


def _steps() -> dict[str, tuple[str, list[str]]]:
    """What is to be typed, by the name of the step, and by whom."""
    found = {}
    for party in PARTIES:
        page = (ROOT / "docs" / f"tutorial-{party}.md").read_text(encoding="utf-8")
        for block in blocks(page):
            if block.run:
                assert block.run not in found
                found[block.run] = (party, block.lines)
    return found


STEPS = _steps()


@dataclass
class Desk:
    """One directory with a terminal for each party."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    exported: dict[str, dict[str, str]] = field(
        default_factory=lambda: {party: {} for party in PARTIES}
    )

    def sit_down(self) -> None:
        self.monkeypatch.chdir(self.root)
        self.monkeypatch.setenv("HOME", str(self.root))

    def take(self, step: str) -> str:
        """Type the lines of a step; what they print."""
        party, lines = STEPS[step]
        return "".join(self.type(party, line) for line in lines)

    def type(self, party: str, line: str) -> str:
        words = shlex.split(line, comments=True)
        if words[0] == "export":
            name, value = words[1].split("=", 1)
            self.exported[party][name] = value.replace("$PWD", os.getcwd())
            return ""
        with self.monkeypatch.context() as patch:
            for name, value in self.exported[party].items():
                patch.setenv(name, value)
            if words[0] != "zkcmp":
                subprocess.run(["/bin/sh", "-c", line], check=True, timeout=60)
                return ""
            self.capsys.readouterr()
            code = run([os.path.expandvars(word) for word in words[1:]])
            out, err = self.capsys.readouterr()
            assert code == 0, (line, err)
            return out

    def note(self, party: str, printed: str) -> None:
        """What a party tells the other by another channel, and its wallet's address."""
        found = re.search(rf"^{party} +((?:[0-9a-f]{{4}} ?){{8}})$", printed, re.MULTILINE)
        assert found
        other = PARTIES[party == "seller"]
        self.exported[other][party.upper()] = found[1]
        address = re.search(r"^wallet +(bcrt1\S+)", printed, re.MULTILINE)
        assert address
        self.exported[party]["ADDRESS"] = address[1]

    def elsewhere(self, root: Path) -> "Desk":
        """A copy of everything."""
        shutil.copytree(self.root, root)
        return Desk(root, self.monkeypatch, self.capsys, self.exported)


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Desk:
    pytest.importorskip("pbk")
    for name in list(os.environ):
        if name.startswith("ZKCMP_") and name not in ("ZKCMP_CACHE", "ZKCMP_THREADS"):
            monkeypatch.delenv(name)
    root = tmp_path / "desk"
    root.mkdir()
    shutil.copy(ROOT / "zkcmp" / "data" / "digits.onnx", root / "model.onnx")
    return Desk(root, monkeypatch, capsys)


def test_steps_are_numbered_through_both_pages() -> None:
    numbers = sorted(int(name) for name in STEPS if name.isdigit())
    assert numbers == list(range(1, 13))


def test_everything_that_can_be_typed(desk: Desk, tmp_path: Path) -> None:
    desk.sit_down()
    desk.note("seller", desk.take("1"))
    desk.take("2")
    desk.take("3")
    desk.note("buyer", desk.take("4"))
    for step in range(5, 11):
        desk.take(str(step))
    locked = desk.elsewhere(tmp_path / "locked"), desk.elsewhere(tmp_path / "lost")

    desk.take("11")
    desk.exported["seller"]["PAYEE"] = PAYEE
    assert re.search(r"^already withdrawn .*\n.*\ndepth +1 ", desk.take("spend"), re.MULTILINE)
    assert "opened" in desk.take("12")
    assert (desk.root / "bought.onnx").exists()
    assert (desk.root / "bought.onnx.json").exists()

    desk = locked[0]
    desk.sit_down()
    assert "refunded" in desk.take("refund")

    desk = locked[1]
    desk.sit_down()
    for party in PARTIES:
        shutil.rmtree(desk.root / ".zkcmp" / party)
    assert "paid" in desk.take("recover-seller")
    assert "opened" in desk.take("recover-buyer")
    assert (desk.root / "recovered.onnx").read_bytes() == (
        tmp_path / "desk" / "bought.onnx"
    ).read_bytes()
