"""The tiny sale of the command tests, with a fresh copy of any of its stages."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "cli"))

from stage_fixtures import sale, stages

__all__ = ["sale", "stages"]
