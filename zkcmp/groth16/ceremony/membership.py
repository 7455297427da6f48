"""Every point is in its group of order r and not infinity: canonical, on its curve, r·P = O.

Whoever multiplies somebody else's points by a secret x must know this first. A point of small order
q tells x mod q (the twist of G2 has points of order 10069), and the formulas of addition also work
on other curves y² = x³ + b', whose orders have whatever factors the forger looked for.
"""

from collections.abc import Mapping

import numpy as np

from zkcmp.errors import VerificationError
from zkcmp.groth16.keys import bad_points
from zkcmp.progress import Progress

_CHUNK = 1 << 15
# a point of G2 costs about as much to check as so many of G1
_G2_WEIGHT = 64


def check_membership(
    what: str, sections: Mapping[str, np.ndarray], stage: str, progress: Progress
) -> None:
    """Raise a VerificationError naming the first point of the sections that is not in its group."""
    weights = {name: _G2_WEIGHT if p.ndim == 4 else 1 for name, p in sections.items()}
    total = sum(weights[name] * len(p) for name, p in sections.items())
    done = 0
    for name, points in sections.items():
        for start in range(0, len(points), _CHUNK):
            chunk = points[start : start + _CHUNK]
            # a ceremony begins with one point many times
            same = bool((chunk == chunk[:1]).all())
            bad = bad_points(chunk[:1] if same else chunk)
            if len(bad):
                where = f"{what}{name}[{start + int(bad[0])}]"
                raise VerificationError(where, "a point of its group, not infinity", "none")
            done += weights[name] * len(chunk)
            progress(stage, done, total)
