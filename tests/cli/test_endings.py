"""A command that was mistyped, interrupted, or met a full disk ends with one line that helps."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from zkcmp.cli.main import run

SEAL = "zkcmp seller seal"
INSPECT = "`zkcmp seller inspect` or `zkcmp buyer inspect` or `zkcmp model inspect`"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("seal m.onnx", "there is no command `zkcmp seal`; is it `zkcmp seller seal`?"),
        ("inspect m.onnx", f"there is no command `zkcmp inspect`; is it {INSPECT}?"),
        ("seler", "No such command 'seler'. Did you mean 'seller'? see `zkcmp --help`"),
        ("frobnicate", "No such command 'frobnicate'; see `zkcmp --help`"),
        (
            "seller verify --deal D",
            "there is no command `zkcmp seller verify`; is it `zkcmp buyer verify` or `zkcmp "
            "groth16 verify` or `zkcmp setup verify`?",
        ),
        ("seller seal", f"Missing argument 'model'; see `{SEAL} --help`"),
        ("--passphrase-fd 9 seller seal", f"Missing argument 'model'; see `{SEAL} --help`"),
        ("groth16 export", None),
        (
            "buyer request --deal D --test-set digits",
            "Invalid value: give one of --accuracy and --threshold; see `zkcmp buyer request "
            "--help`",
        ),
    ],
)
def test_a_mistyped_command_hears_what_was_meant(
    typed: str, said: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(typed.split()) == (2 if said else 0)
    assert capsys.readouterr().err == (f"zkcmp: {said}\n" if said else "")


@pytest.mark.parametrize("asked", ["seller seal -h", "help seller seal", "seller seal --help"])
def test_help_is_found_by_every_name(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(asked.split()) == 0
    assert f"Usage: {SEAL} " in capsys.readouterr().out


@pytest.mark.parametrize(
    "group", ["", "seller", "buyer", "chain", "model", "setup", "groth16", "groth16 export"]
)
def test_lists_of_commands_are_not_cut_off(
    group: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert run(group.split()) == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert listed.strip()
    assert "..." not in listed
    assert all(len(line) <= 60 for line in listed.splitlines())
    if not group:
        assert listed.split()[0] == "demo"


@pytest.mark.parametrize(
    ("typed", "broken", "kept"),
    [
        ("seller status", "zkcmp.cli.seller.opened", "`zkcmp seller status` shows it"),
        ("buyer status", "zkcmp.cli.buyer.opened", "`zkcmp buyer status` shows it"),
        ("demo", "zkcmp.cli.demo._sell", "the demo begins anew each time"),
        ("chain mine", "zkcmp.cli.chain.open_embedded_chain", "`zkcmp chain height` counts them"),
        ("model inspect x", "zkcmp.model.onnx.read_onnx", "files are written whole or not at all"),
    ],
)
def test_an_interrupt_says_what_is_kept(
    typed: str,
    broken: str,
    kept: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(broken, interrupt)
    assert run(typed.split()) == 130
    line = capsys.readouterr().err
    assert line.startswith("zkcmp: interrupted; ")
    assert kept in line
    assert line.count("\n") == 1


def heed_interrupts() -> None:
    """Tests that run in the background of a shell ignore SIGINT, and what they start would too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_real_interrupt(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zkcmp", "demo", "--keep", str(tmp_path / "kept")]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("zkcmp demo: ")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    # CPython ends by the signal itself where code that was compiled from a string was interrupted,
    # as in numba; a shell calls both 130
    assert process.returncode in (130, -signal.SIGINT)
    assert error.startswith("zkcmp: interrupted; ")
    assert error.count("\n") == 1


def test_an_interrupt_before_anything_was_loaded() -> None:
    program = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from zkcmp.cli.entry import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "\nzkcmp: interrupted before anything was begun\n"


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "No space left on device; make room on that disk, then repeat the command"),
        (errno.EROFS, "Read-only file system; name a place that can be written to"),
        (
            errno.EIO,
            "Input/output error; the disk fails: save what is on it, then go on with a copy "
            "elsewhere",
        ),
        (errno.EACCES, "Permission denied; check the path and its permissions"),
    ],
)
def test_what_the_system_refused(
    number: int, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("zkcmp.cli.seller.opened", fail)
    assert run(["seller", "status"]) == 2
    assert capsys.readouterr().err == f"zkcmp: {advice}\n"


@pytest.mark.parametrize(("closed", "said"), [(">&-", ""), ("2>&-", "zkcmp "), (">&- 2>&-", "")])
def test_streams_that_the_caller_closed(closed: str, said: str) -> None:
    line = f'"{sys.executable}" -m zkcmp --version {closed}'
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr, done.stdout[:6]) == (0, "", said)
