"""An interrupt from which Python would go on is raised again; one that is ignored stays ignored."""

import signal
import subprocess
import sys

import pytest

LOSING = {
    "a callback of C": "ctypes.CFUNCTYPE(None)(interrupt)()",
    "a weak reference": "kept = Thing(); watched = weakref.ref(kept, interrupt); del kept",
    "a finaliser": "Thing.__del__ = interrupt; Thing()",
}
BEGIN = """
import ctypes, sys, time, weakref
class Thing: pass
def interrupt(*_): raise KeyboardInterrupt
"""
WAIT = """
try:
    {losing}
    time.sleep(20)
    print("lost")
except KeyboardInterrupt:
    print("raised")
"""


def heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run(program: str, before: object = heed_interrupts) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=before,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("where", LOSING)
def test_an_interrupt_that_has_nowhere_to_go_is_raised_again(where: str) -> None:
    begin = f"{BEGIN}from zkcmp.cli.interrupts import keep_interrupts\nkeep_interrupts()\n"
    done = run(begin + WAIT.format(losing=LOSING[where]))
    assert (done.stdout, done.stderr, done.returncode) == ("raised\n", "", 0)


def test_one_that_was_lost_while_modules_are_loaded_ends_the_command() -> None:
    """As when the lock of a module is dropped just then."""
    loading = """
class Losing:
    def find_spec(self, name, *_):
        if name == "typer":
            {losing}
            time.sleep(20)
sys.meta_path.insert(0, Losing())
sys.argv = ["zkcmp", "--version"]
from zkcmp.cli.entry import main
main()
"""
    done = run(BEGIN + loading.format(losing=LOSING["a callback of C"]))
    said = "\nzkcmp: interrupted before anything was begun\n"
    assert (done.stdout, done.stderr, done.returncode) == ("", said, 130)


def test_other_errors_there_are_reported_as_ever() -> None:
    program = f"{BEGIN}from zkcmp.cli.interrupts import keep_interrupts\nkeep_interrupts()\n"
    done = run(program + "ctypes.CFUNCTYPE(None)(lambda: 1 / 0)()\nprint('on')\n")
    assert done.stdout == "on\n"
    assert "ZeroDivisionError" in done.stderr


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    program = f"{BEGIN}from zkcmp.cli.interrupts import keep_interrupts\nkeep_interrupts()\n"
    program += "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    program += "print(sys.unraisablehook is sys.__unraisablehook__)\n"
    done = run(program, ignore_interrupts)
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)
