"""docs/threat-model.md names a test for every deviation, and every test that it names exists."""

import ast
import re
from functools import cache

from documents import ROOT, tables

PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`([a-z0-9_]+/[a-z0-9_]+\.py)::(test_[a-z0-9_]+)`")
TABLES = [table for table in tables(PAGE) if table[0][0] == "deviation"]


@cache
def _defined(path: str) -> set[str]:
    """The tests in a file that pytest collects: functions, and methods of classes."""
    found = set()
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        found |= {each.name for each in inside if isinstance(each, ast.FunctionDef)}
    return found


def test_every_named_test_exists() -> None:
    named = _TEST.findall(PAGE)
    assert len(named) > 100
    files = {path for path, _ in named}
    assert {path for path in files if not (ROOT / "tests" / path).is_file()} == set()
    assert [each for each in named if each[1] not in _defined(each[0])] == []


def test_every_deviation_has_a_win_a_check_and_a_test() -> None:
    assert sum(len(table) - 1 for table in TABLES) > 60
    for table in TABLES:
        assert table[0] == ["deviation", "what it would win", "what stops it", "shown by"]
        for row in table[1:]:
            assert len(row) == 4, row
            assert all(row), row
            assert _TEST.search(row[3]), row
            left = _TEST.sub("", row[3])
            assert set(left) <= set(", "), row
