"""Run a zkcmp command and die by SIGKILL when it renames a file for the n-th time.

    python killed_command.py N ARGUMENT...

Every durable step of a command is a rename, so this stops it before each of them in turn.
"""

import os
import signal
import sys

from zkcmp.cli.main import run

_remaining = int(sys.argv[1])
_replace = os.replace


def _replace_or_die(*arguments: object, **options: object) -> None:
    global _remaining
    _remaining -= 1
    if _remaining == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    _replace(*arguments, **options)  # type: ignore[arg-type]


os.replace = _replace_or_die  # type: ignore[assignment]
sys.exit(run(sys.argv[2:]))
