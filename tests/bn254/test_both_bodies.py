"""Every test file of the engine once more, in a process with the other lane body."""

import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from zkcmp.bn254.lanes.body import BODY

HERE = Path(__file__)
# nothing in these depends on the lane body
WITHOUT_LANES = {HERE.name, "test_reference.py"}
FILES = sorted(p.name for p in HERE.parent.glob("test_*.py") if p.name not in WITHOUT_LANES)
OTHER = "portable" if BODY.name == "ifma" else "ifma"


@pytest.mark.skipif(
    OTHER == "ifma" and not llvm.get_host_cpu_features().get("avx512ifma"),
    reason="this CPU has no AVX-512 IFMA",
)
@pytest.mark.parametrize("name", FILES)
def test_with_the_other_body(name: str) -> None:
    options = ["-v", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(HERE.parent / name)],
        env={**os.environ, "ZKCMP_LANES": OTHER},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"lane body: {OTHER}" in done.stdout


@pytest.mark.parametrize("wanted", ["", "IFMA", "avx2"])
def test_an_unknown_body_is_refused(wanted: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import zkcmp.bn254.lanes.body"],
        env={**os.environ, "ZKCMP_LANES": wanted},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "use ifma, portable or auto" in done.stderr
