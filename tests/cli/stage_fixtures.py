"""The fixtures of tests that begin at a step of the tiny sale (deal_stages.py)."""

from pathlib import Path

import pytest
from deal_stages import Sale, Stages, build_stages


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """Snapshots of one sale after every command."""
    return build_stages(tmp_path_factory.mktemp("stages"))


@pytest.fixture
def sale(stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """`sale("proved")` is a fresh copy of the sale after that step."""

    def at(stage: str) -> Sale:
        return stages.copy(stage, tmp_path / "sale", capsys)

    return at
