"""docs/api.md and experiments/walkthrough.py do what they say: every line of both is run."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pbk")
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "api.md"
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)
    out = capsys.readouterr().out
    assert out.startswith("statistical error: at most 2^-")
    assert "\nrefused: " in out
    assert {"bought.onnx", "integer.onnx", "proving.key"} <= {p.name for p in tmp_path.iterdir()}


def test_the_walkthrough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pbk")
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path))
    runpy.run_path(str(ROOT / "experiments" / "walkthrough.py"))
    lines = capsys.readouterr().out.splitlines()
    kinds = ("bits", "offer", "asked", "proved in", "verified", "locked", "redeemed", "bought")
    assert [kind for kind in kinds if any(line.startswith(kind) for line in lines)] == list(kinds)
    assert (tmp_path / "bought.onnx").exists()
