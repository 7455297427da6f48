"""No kernel of a sum reads or writes beside its arrays; guarded_sums.py in processes of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("guarded_sums.py")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=SCRIPT.parent, check=False
    )


@pytest.mark.parametrize("side", ["after", "before"])
def test_sums_stay_inside_their_arrays(side: str) -> None:
    done = run(str(SCRIPT), side)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "140 sums\n"


def test_a_buffer_that_is_too_short_is_noticed() -> None:
    """The pages do protect: without room behind the last pair, what is prefetched is beyond it."""
    short = "import guarded_sums; guarded_sums.point_multiples._SLACK = 0; guarded_sums.main(True)"
    done = run("-c", short)
    assert done.returncode < 0
    assert "Fatal Python error" in done.stderr
