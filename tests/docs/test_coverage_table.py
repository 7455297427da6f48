"""The coverage gate counts lines and branches apart, by package, and fails for either."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from documents import ROOT

_SPEC = spec_from_file_location("coverage_table", ROOT / "tests" / "coverage_table.py")
assert _SPEC is not None
assert _SPEC.loader is not None
coverage_table = module_from_spec(_SPEC)
_SPEC.loader.exec_module(coverage_table)


def _counts(lines: int, branches: int) -> dict[str, int]:
    counts = (lines, 100, branches, 50)
    return dict(zip(coverage_table.COUNTS, counts, strict=True))


def _total(*counts: dict[str, int]) -> dict[str, int]:
    return {key: sum(each[key] for each in counts) for key in coverage_table.COUNTS}


@pytest.mark.parametrize(
    ("lines", "branches", "code", "said"),
    [
        (90, 45, 0, ""),
        (100, 44, 1, "covered: 88.0 % of branches, less than 90 %\n"),
        (89, 50, 1, "covered: 89.0 % of lines, less than 90 %\n"),
    ],
)
def test_each_is_held_to_90_percent(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lines: int,
    branches: int,
    code: int,
    said: str,
) -> None:
    one, two = _counts(lines, branches), _counts(lines, branches)
    report = {
        "files": {
            "zkcmp/exchange/buyer/opening.py": {"summary": one},
            "zkcmp/seal.py": {"summary": two},
        },
        "totals": _total(one, two),
    }
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    assert coverage_table.main(str(path)) == code
    out, err = capsys.readouterr()
    assert err == said
    both = 100 * (lines + branches) / 150
    assert out.splitlines()[2:] == [
        f"| `zkcmp` | 100 | {lines:.1f} | 50 | {2 * branches:.1f} | {both:.1f} |",
        f"| `zkcmp/exchange` | 100 | {lines:.1f} | 50 | {2 * branches:.1f} | {both:.1f} |",
        f"| all | 200 | {lines:.1f} | 100 | {2 * branches:.1f} | {both:.1f} |",
    ]
