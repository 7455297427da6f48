"""A tiny sale, run once, with a copy of everything after every step."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deal_stages import Stages
from stage_fixtures import sale, stages

__all__ = ["killed", "sale", "stages"]


@pytest.fixture(scope="session")
def killed(
    stages: Stages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[int, list[str]], bool]]:
    """`killed(3, arguments)`: run a command and kill it before its third durable step.

    False when it ended well before that.
    """
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("killed_command.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ZKCMP_THREADS": "1"},
    )

    def run(step: int, arguments: list[str]) -> bool:
        print(json.dumps([step, *arguments]), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        assert code in (0, -9), (step, arguments)
        return code == -9

    with server:
        warm = stages.copy("requested", tmp_path_factory.mktemp("warm") / "sale")
        for command in (("buyer", "setup"), ("seller", "prove"), ("buyer", "verify")):
            run(0, warm.arguments(*command))
        yield run
        server.stdin.close()
