"""Engine tests run on the lane body of this process; test_both_bodies.py runs the other one."""

import pytest

from zkcmp.bn254.lanes.body import BODY


def pytest_report_header(config: pytest.Config) -> str:
    return f"lane body: {BODY.name}"
