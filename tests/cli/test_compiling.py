"""Whoever waits for kernels to be compiled is told so: once, on stderr, and never without need."""

import subprocess
import sys
from pathlib import Path

import pytest

from zkcmp.cli import party
from zkcmp.cli.terminal import console

SCRIPT = """
import sys
from zkcmp.cli.terminal.compiling import announce_compiling, leave_it_to_the_bar
{first}
import numba
double = numba.njit(lambda x: x + x)
print(double({argument}), double(1.5))
"""
LINE = "zkcmp: compiling kernels, a minute or two the first time\n"


def _run(first: str, argument: str = "1") -> tuple[str, str]:
    script = SCRIPT.format(first=first, argument=argument)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_one_line_on_stderr_however_much_is_compiled() -> None:
    assert _run("announce_compiling()\nannounce_compiling()") == ("2 3.0\n", LINE)


def test_kernels_that_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZKCMP_CACHE", str(tmp_path / "file"))
    said, line = _run("announce_compiling()\nimport zkcmp.bn254.lanes.jit")
    assert said == "2 3.0\n"
    assert line.startswith(f"zkcmp: compiling kernels, minutes each time: {tmp_path}/file/kernels-")
    assert line.endswith(" cannot be written to; set ZKCMP_CACHE to a directory that can\n")


@pytest.mark.parametrize(
    "first",
    [
        "pass",
        "announce_compiling()\nleave_it_to_the_bar()",
        "sys.stderr = sys.stdout\nannounce_compiling()",
    ],
)
def test_silence(first: str) -> None:
    """Unasked, below a bar, and in a program that has put another stream there."""
    assert _run(first) == ("2 3.0\n", "")


def test_nothing_is_said_while_nothing_is_compiled() -> None:
    script = "from zkcmp.cli.terminal.compiling import announce_compiling\nannounce_compiling()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_commands_announce_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zkcmp.exchange.buyer import Buyer

    told: list[str] = []
    for module in (console, party):
        monkeypatch.setattr(module, "announce_compiling", lambda: told.append("asked"))
    with console.progress_bars():
        assert told == ["asked"]
    with party.opened(Buyer, tmp_path / "buyer", lambda what: ""):
        assert told == ["asked", "asked"]


def test_a_numba_without_events_is_no_error() -> None:
    first = "import numba.core as core, numba\ndel core.event\n"
    first += "sys.modules['numba.core.event'] = None\nannounce_compiling()\n"
    script = f"import sys\nfrom zkcmp.cli.terminal.compiling import announce_compiling\n{first}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
