"""Environment variables of the engine: refused in one line, and a cache that cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zkcmp.bn254 import threads
from zkcmp.errors import SettingError

PRODUCT = """
from zkcmp.bn254.field.fr import FrVector
print((FrVector.from_ints([3, 4]) * 5).to_ints())
"""


def run(arguments: list[str], **settings: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("wanted", ["0", "-1", "1.5", "two", "1025", "²", "9" * 5000])
def test_an_impossible_number_of_threads_is_refused(monkeypatch, wanted: str) -> None:
    monkeypatch.setenv("ZKCMP_THREADS", wanted)
    with pytest.raises(SettingError, match="give a number from 1 to 1024"):
        threads.thread_count()


@pytest.mark.parametrize(
    ("name", "advice"), [("ZKCMP_LANES", "use ifma"), ("ZKCMP_THREADS", "give a number")]
)
def test_a_command_refuses_a_bad_setting_in_one_line(name: str, advice: str) -> None:
    done = run(["-m", "zkcmp.cli.main", "bench", "pairing"], **{name: "nonsense"})
    assert done.returncode == 2
    assert done.stderr.startswith(f"zkcmp: {name} is 'nonsense'; {advice}")
    assert done.stderr.count("\n") == 1


def test_without_a_writable_cache_nothing_is_cached(tmp_path: Path) -> None:
    """Both bodies in turn: one must not load what the other compiled."""
    blocked = tmp_path / "file"
    blocked.touch()
    package = Path(threads.__file__).parent
    for body in ("auto", "portable"):
        done = run(["-c", PRODUCT], ZKCMP_CACHE=str(blocked), ZKCMP_LANES=body)
        assert done.stdout == "[15, 20]\n", done.stderr
    assert not list(package.rglob("*.nb[ic]"))


@pytest.mark.parametrize("setting", ["NUMBA_CPU_NAME=generic", "NUMBA_ENABLE_AVX=0"])
def test_the_lane_body_is_one_numba_can_compile(setting: str) -> None:
    name, value = setting.split("=")
    done = run(["-c", PRODUCT], **{name: value, "ZKCMP_LANES": "auto"})
    assert done.stdout == "[15, 20]\n", done.stderr
    refused = run(["-c", PRODUCT], **{name: value, "ZKCMP_LANES": "ifma"})
    assert "SettingError: ZKCMP_LANES=ifma" in refused.stderr
