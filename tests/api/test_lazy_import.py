"""`import zkcmp` is light, and has what its documentation lists."""

import subprocess
import sys

import pytest

import zkcmp

HEAVY = {"numba", "numpy", "onnx", "bitcoin", "pbk", "py_ecc", "rich", "typer"}


def test_importing_the_package_imports_nothing_heavy() -> None:
    script = f"import sys, zkcmp; dir(zkcmp); sys.exit(bool({HEAVY!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_exported_names_are_those_of_the_api() -> None:
    assert set(zkcmp.__all__) <= set(dir(zkcmp))
    for name in zkcmp.__all__:
        expected = sys.modules["zkcmp.api"] if name == "api" else getattr(zkcmp.api, name)
        assert getattr(zkcmp, name) is expected


def test_other_names_are_missing_as_usual() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sell'"):
        _ = zkcmp.sell
    with pytest.raises(ImportError):
        from zkcmp import sell  # noqa: F401
