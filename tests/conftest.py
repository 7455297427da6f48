"""What a test process measured is on disk before it says that it is done (`make coverage`).

A worker of pytest-xdist is killed when it does not end within seconds, which on a busy machine is
sooner than coverage writes by itself, and then all that the worker ran would count for nothing.
"""

import sys

import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    measuring = sys.modules.get("coverage")
    current = measuring.Coverage.current() if measuring else None
    if current is not None:
        current.save()
