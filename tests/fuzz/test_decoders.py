"""No decoder does anything but return or raise one of the project's errors.

A few hundred cases each; `python tests/fuzz/run.py --cases 1000000` runs as many as are wanted, and
tests/fuzz/coverage_guided.py lets coverage lead.
"""

import pytest
from fuzzing import fuzz
from targets import GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_only_typed_errors(group: str) -> None:
    for target in GROUPS[group]():
        outcome = fuzz(target, 4 * target.weight, seed=1)
        assert not outcome.faults, f"{target.name}: {outcome.faults[0]}"
        assert outcome.refused > outcome.cases // 10, f"{target.name} takes nearly anything"
