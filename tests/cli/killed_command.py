"""Run zkcmp commands that die by SIGKILL right before a durable step; a server for the tests.

    stdin: one JSON line [step, argument, ...] a command     stdout: its exit code, or -9

A step is a rename, for everything that a party writes, or a record in the chain's journal, for
every broadcast; the command dies before its `step`-th one. It is a fork of this process, which has
one thread only. Step 0 stands for this process itself, so that its forks find the kernels loaded.
"""

import json
import os
import signal
import sys

from bitcoin_scripts.chain.journal import Journal
from zkcmp.cli.main import run


def die_before(step: int) -> None:
    """Kill this process right before its `step`-th durable step."""
    remaining = step

    def count() -> None:
        nonlocal remaining
        remaining -= 1
        if remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    replace, append = os.replace, Journal.append

    def replace_or_die(*arguments, **options):  # type: ignore[no-untyped-def]
        count()
        replace(*arguments, **options)

    def append_or_die(journal: Journal, kind: bytes, payload: bytes) -> None:
        count()
        append(journal, kind, payload)

    os.replace = replace_or_die
    Journal.append = append_or_die  # type: ignore[method-assign]


def fork_and_run(step: int, arguments: list[str]) -> int:
    child = os.fork()
    if not child:
        die_before(step)
        os._exit(run(arguments))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what commands say must not be taken for an answer
for line in sys.stdin:
    step, *arguments = json.loads(line)
    print(fork_and_run(step, arguments) if step else run(arguments), file=answers, flush=True)
