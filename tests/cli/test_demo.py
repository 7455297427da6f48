"""`zkcmp demo` tells the whole story, catches its own cheats, and leaves nothing behind."""

import tempfile
from pathlib import Path

import pytest

from zkcmp.cli.main import run


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--images", "1", "--keep", str(tmp_path / "kept")]) == 0
    out = capsys.readouterr().out
    titles = [line for line in out.splitlines() if line[:1].isdigit()]
    assert len(titles) == 11
    assert out.count("   caught ") == 4
    assert "audits  all of the key material" in out
    assert "exactly the sealed network" in out
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == [
        "bought.onnx",
        "buyer",
        "chain",
        "deal",
        "seller",
    ]


def test_kept_directory_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "--keep", str(tmp_path)]) == 2
    assert list(tmp_path.iterdir()) == []
    assert list(Path(tempfile.gettempdir()).glob("zkcmp-demo-*")) == []
