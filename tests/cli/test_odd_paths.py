"""Paths that lead nowhere, and paths that the terminal cannot show."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import PRICE_SAT, Sale

from zkcmp.cli.main import run

COMMANDS = (
    ["seller", "status", "--home"],
    ["buyer", "status", "--home"],
    ["chain", "height", "--chain-dir"],
    ["buyer", "setup", "--deal"],
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("path", ["circle", "~nobody-has-this-name/home"])
def test_path_to_nowhere_is_one_line(
    command: list[str],
    path: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("circle").symlink_to("circle")
    assert run([*command, path]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_terminal_without_the_letter(sale: Callable[[str], Sale]) -> None:
    deal = sale("ready")
    deal.folder = "\u00e9"
    model = str(deal.root / "model.onnx")
    arguments = deal.arguments("seller", "seal", model, "--price-sat", str(PRICE_SAT))
    done = subprocess.run(
        [sys.executable, "-m", "zkcmp.cli.main", *arguments],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\xe9" in done.stdout
