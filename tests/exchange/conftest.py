"""Fixtures of the exchange tests."""

from pathlib import Path

import pytest
from sample_messages import Sample, build_sample


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """Five valid messages of one deal."""
    folder = tmp_path / "messages"
    folder.mkdir()
    return build_sample(folder)
