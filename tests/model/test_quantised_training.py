"""The digits are trained again: the same file every time, and both accuracies in their bounds."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from zkcmp.model.data_files import load_digits_test, load_npz

ROOT = Path(__file__).parents[2]


def _train(output: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "experiments" / "train_digits.py"), "--output"]
    return subprocess.run(
        [*command, str(output), *options], capture_output=True, text=True, check=False
    )


def test_one_seed_one_file(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    printed = []
    for name in ("one", "two"):
        done = _train(tmp_path / name)
        assert done.returncode == 0, done.stderr
        digest = hashlib.sha256((tmp_path / name / "digits.onnx").read_bytes()).hexdigest()
        assert done.stdout.startswith(f"SHA-256 {digest}\non 360 samples: float 9")
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    assert load_npz(tmp_path / "one" / "digits_test.npz") == load_digits_test()


def test_too_little_training_is_said(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    done = _train(tmp_path / "short", "--epochs", "1")
    assert done.returncode == 1
    assert "the float accuracy is below 97.0%" in done.stderr
