"""No memory of a command is written anywhere when the command is killed."""

import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from zkcmp.cli.core_dumps import forbid_core_dumps

_KILLED = """
import os, resource, signal, sys
from pathlib import Path

from zkcmp.cli import entry, main

def killed() -> None:
    Path("limit").write_text(str(resource.getrlimit(resource.RLIMIT_CORE)))
    os.kill(os.getpid(), signal.SIGQUIT)

_, most = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
main.main = killed
entry.main()
"""


def test_a_killed_command_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    heeded = [signal.SIGQUIT]  # a shell's background ignores it, and so would what is started there
    arguments = [sys.executable, "-c", _KILLED]
    pid = os.posix_spawn(sys.executable, arguments, os.environ, setsigdef=heeded)
    status = os.waitpid(pid, 0)[1]
    assert os.WTERMSIG(status) == signal.SIGQUIT
    assert not os.WCOREDUMP(status)
    assert [path.name for path in tmp_path.iterdir()] == ["limit"]
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    expected = {"(1, 1)", "(0, 0)"} if most == 0 else {"(1, 1)"}  # of 0 that root raises, or not
    assert (tmp_path / "limit").read_text() in expected


@pytest.mark.parametrize("root", [True, False])
def test_where_the_limit_is_0_for_good(root: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(0, 0)]

    def setrlimit(_which: int, new: tuple[int, int]) -> None:
        if new[1] > limits[-1][1] and not root:
            raise ValueError("not allowed to raise maximum limit")
        limits.append(new)

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    forbid_core_dumps()
    assert limits[1:] == [(1, 1) if root else (0, 0)]
