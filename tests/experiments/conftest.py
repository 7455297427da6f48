"""The scripts of experiments/ are imported by name, as they import one another."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "experiments"))
