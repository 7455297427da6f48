"""`zkcmp demo` tells the whole story, catches its own cheats, and leaves nothing behind."""

import re
import tempfile
from pathlib import Path

import pytest

from zkcmp.cli.main import run


@pytest.mark.parametrize(
    ("options", "proof_bytes", "audits"),
    [
        ((), "160", 1),
        (("--mode", "full"), "128", 1),
        (("--backend", "libra"), r"\d{5}", 0),
        (("--backend", "libra", "--commitment", "zkvpd"), r"\d{5}", 1),
    ],
    ids=["freivalds", "full", "hyrax", "zkvpd"],
)
def test_demo(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    proof_bytes: str,
    audits: int,
) -> None:
    assert run(["demo", "--images", "1", "--keep", str(tmp_path / "kept"), *options]) == 0
    out = capsys.readouterr().out
    titles = [line for line in out.splitlines() if line[:1].isdigit()]
    assert len(titles) == 11
    assert out.count("   caught ") == 4
    assert out.count("audits  all of the key material") == audits
    assert re.search(f"ciphertext and {proof_bytes} bytes of proof", out)
    assert "BN254, about 100 bits" in out
    assert "exactly the sealed network" in out
    assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == [
        "bought.onnx",
        "bought.onnx.json",
        "buyer",
        "chain",
        "deal",
        "seller",
    ]


def test_kept_directory_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, temporary = tmp_path / "kept", tmp_path / "temporary"
    kept.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    assert run(["demo", "--keep", str(kept)]) == 2
    assert list(kept.iterdir()) == list(temporary.iterdir()) == []
