"""Scripts of experiments/ end with one line and exit code 2 where their user can mend something."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ending
import pytest
import sell_mnist
import train_digits

from zkcmp.errors import ZkcmpError

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.mark.parametrize(
    ("main", "arguments", "module", "package"),
    [
        (train_digits.main, [], "sklearn", "scikit-learn"),
        (sell_mnist.main, ["mnist.onnx"], "onnxruntime", "onnxruntime"),
    ],
)
def test_a_missing_package_is_named(
    main: Callable[[], None],
    arguments: list[str],
    module: str,
    package: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["experiments/script.py", *arguments])
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SystemExit) as ended:
        ending.run_script(main)
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert told.out == ""
    assert told.err.startswith("script.py: ")
    assert told.err.endswith(f"pip install {package}\n")
    assert told.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", ["train_digits.py", "sell_mnist.py"])
def test_help_is_there_without_these_packages(script: str) -> None:
    blocked = "sys.modules.update(sklearn=None, onnxruntime=None)"
    run = f"import runpy, sys; {blocked}; runpy.run_path({script!r}, None, '__main__')"
    done = subprocess.run(
        [sys.executable, "-c", run, "--help"], cwd=EXPERIMENTS, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {script}")


def _raises(error: Exception) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ZkcmpError("no MNIST here;\nget it"), "no MNIST here; get it"),
        (FileNotFoundError(2, "No such file", "rows.csv"), "rows.csv: No such file"),
        (
            subprocess.CalledProcessError(2, ["zkcmp", Path("offer")]),
            "stopped: exit code 2 of zkcmp offer",
        ),
    ],
)
def test_errors_are_one_line(
    error: Exception,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["experiments/script.py"])
    with pytest.raises(SystemExit) as ended:
        ending.run_script(_raises(error))
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"script.py: {line}\n"


def test_defects_are_not_hidden() -> None:
    with pytest.raises(KeyError):
        ending.run_script(_raises(KeyError("name")))


def test_what_succeeds_just_returns() -> None:
    ran: list[str] = []
    ending.run_script(lambda: ran.append("main"))
    assert ran == ["main"]
