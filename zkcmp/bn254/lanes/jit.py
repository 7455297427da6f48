"""How kernels are compiled: nogil, cached on disk, one cache per lane body and engine version.

Numba's own cache notices an edit of the kernel's file only. A kernel also depends on the files its
intrinsics live in and on the lane body chosen for this process, so both go into the name of the
cache directory. Where that cannot be written, numba would choose another one, which all bodies and
versions share, and load code made for another memory layout; so there nothing is cached at all.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import config

from zkcmp.bn254.lanes.body import BODY


def _cache_directory() -> str:
    digest = hashlib.sha256(f"{BODY.name} {numba.__version__} {llvmlite.__version__}".encode())
    engine = Path(__file__).parents[1]
    for source in sorted(engine.rglob("*.py")):
        digest.update(source.relative_to(engine).as_posix().encode() + source.read_bytes())
    root = os.environ.get("ZKCMP_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "zkcmp"
    )
    return os.path.join(root, f"kernels-{BODY.name}-{digest.hexdigest()[:16]}")


def _is_writable(directory: str) -> bool:
    try:
        os.makedirs(directory, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError:
        return False
    return True


_CACHE_DIRECTORY = _cache_directory()
_CACHED = _is_writable(_CACHE_DIRECTORY)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile `function` with numba: no GIL while it runs, machine code on disk if possible."""
    return _compile(function, inline=False)


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A piece of a kernel, compiled into every kernel that calls it: lanes stay in registers."""
    return _compile(function, inline=True)


def _compile(function: Callable[..., Any], inline: bool) -> Callable[..., Any]:
    before = config.CACHE_DIR
    config.CACHE_DIR = _CACHE_DIRECTORY
    try:
        return numba.njit(nogil=True, cache=_CACHED, error_model="numpy", forceinline=inline)(
            function
        )
    finally:
        config.CACHE_DIR = before
