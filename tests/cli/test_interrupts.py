"""An interrupt from which Python would go on is raised again; one that is ignored stays ignored."""

import signal
import subprocess
import sys

import pytest

LOSING = {
    "a callback of C": "ctypes.CFUNCTYPE(None)(interrupt)()",
    "a weak reference": "kept = Thing(); watched = weakref.ref(kept, interrupt); del kept",
    "a finaliser": "Thing.__del__ = interrupt; Thing()",
    "an answer to C": "table[Key(1)] = 1; look_up(table, Key(1))",
}
BEGIN = """
import ctypes, os, signal, sys, time, weakref
class Thing: pass
def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(100): pass
class Key:
    def __init__(self, number): self.number = number
    def __hash__(self): return 1
    def __eq__(self, other): interrupt()
table = {}
look_up = ctypes.pythonapi.PyDict_GetItem  # takes any error for: it is not there
look_up.argtypes, look_up.restype = [ctypes.py_object] * 2, ctypes.c_void_p
"""
KEEP = "from zkcmp.cli.interrupts import heeded, keep_interrupts\nkeep_interrupts()\n"


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


WAIT = """
try:
    {losing}
    print("lost")
    time.sleep(20)
except KeyboardInterrupt:
    print("raised")
    heeded()
"""


@pytest.mark.parametrize("where", LOSING)
def test_an_interrupt_that_has_nowhere_to_go_is_raised_again(where: str) -> None:
    done = run(BEGIN + KEEP + WAIT.format(losing=LOSING[where]))
    assert (done.stdout, done.stderr, done.returncode) == ("lost\nraised\n", "", 0)


def test_one_is_raised_again_that_is_lost_after_a_long_clean_up() -> None:
    """Each time the timer looks before, it is on its way."""
    callback = """
def tidy(_):
    try: interrupt()
    finally: time.sleep(0.25)
"""
    losing = "kept = Thing(); watched = weakref.ref(kept, tidy); del kept"
    done = run(BEGIN + callback + KEEP + WAIT.format(losing=losing))
    assert (done.stdout, done.stderr, done.returncode) == ("lost\nraised\n", "", 0)


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


def test_what_an_interrupt_leaves_to_be_done_is_done_undisturbed() -> None:
    """Files are removed, threads waited for, errors met on the way, for longer than a moment."""
    program = """
try:
    try:
        interrupt()
    finally:
        time.sleep(1)
        try:
            raise OSError
        except OSError:
            time.sleep(0.3)
        print("removed")
except KeyboardInterrupt:
    time.sleep(0.3)
    heeded()
print("done")
time.sleep(0.3)
"""
    done = run(BEGIN + KEEP + program)
    assert (done.stdout, done.stderr, done.returncode) == ("removed\ndone\n", "", 0)


def test_none_is_raised_after_the_command_has_ended() -> None:
    program = "try: interrupt()\nexcept KeyboardInterrupt: heeded()\ntime.sleep(0.3)\nprint('end')"
    done = run(BEGIN + KEEP + program)
    assert (done.stdout, done.stderr, done.returncode) == ("end\n", "", 0)


def test_a_timer_that_is_heard_of_too_late_is_silent() -> None:
    """It has run out while the command ended, without an interrupt on its way."""
    program = """
def ended(*_):
    os.kill(os.getpid(), signal.SIGALRM)
signal.setitimer, set_timer = ended, signal.setitimer
heeded()
signal.setitimer = set_timer
try: interrupt()
except KeyboardInterrupt: print(signal.getitimer(signal.ITIMER_REAL))
"""
    done = run(BEGIN + KEEP + program)
    assert (done.stdout, done.stderr, done.returncode) == ("(0.0, 0.0)\n", "", 0)


def test_a_second_one_while_the_first_is_answered() -> None:
    program = """
from zkcmp.cli import main
def answer(arguments, said=main.interrupted, times=[]):
    times.append(1)
    if len(times) == 1:
        interrupt()
    return said(arguments)
main.interrupted = answer
main.app = lambda **_: interrupt()
sys.argv = ["zkcmp", "seller", "status"]
main.main()
"""
    done = run(BEGIN + KEEP + program)
    assert done.stderr.startswith("zkcmp: interrupted; ")
    assert (done.stdout, done.stderr.count("\n"), done.returncode) == ("", 1, 130)


def test_other_errors_there_are_reported_as_ever() -> None:
    done = run(BEGIN + KEEP + "ctypes.CFUNCTYPE(None)(lambda: 1 / 0)()\nprint('on')\n")
    assert done.stdout == "on\n"
    assert "ZeroDivisionError" in done.stderr


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    done = run(BEGIN + KEEP + "interrupt()\ntime.sleep(0.3)\nprint('on')\n", ignore_interrupts)
    assert (done.stdout, done.stderr, done.returncode) == ("on\n", "", 0)
