"""The mutants themselves: which changes are made, and that each is one and compiles."""

import ast

import pytest
from mutants import Mutant, mutants

SOURCE = """
LIMIT = 3
TABLE: dict[str, int] = {"most": LIMIT}
Word = int | str

class Box:
    size: int = 4
    MAGIC = 7

    def check(self, n: int = 5) -> None:
        if n > LIMIT or not self.size:
            raise ValueError(f"{n + 1} is more than {LIMIT}")
        self.note("text", n - 1)

def total(values: list[int], flag: bool) -> bool:
    found = [values[-1], values[0]]
    for value in values:
        found.append(value % 7)
    return flag and sum(found) == LIMIT

def prover(n: int) -> int:
    return n + TABLE["most"]
"""


@pytest.fixture
def found() -> list[Mutant]:
    return mutants(ast.parse(SOURCE), frozenset(["prover"]))


def test_every_kind_of_change(found: list[Mutant]) -> None:
    assert [m.line for m in found] == sorted(m.line for m in found)
    assert {(m.line, m.what) for m in found} == {
        (2, "3: 4"),
        (8, "7: 8"),
        (10, "does nothing"),
        (11, "n > LIMIT or not self.size: and"),
        (11, "n > LIMIT or not self.size without n > LIMIT"),
        (11, "n > LIMIT or not self.size without not self.size"),
        (11, "not (n > LIMIT or not self.size)"),
        (11, "n > LIMIT: n >= LIMIT"),
        (11, "n > LIMIT: n <= LIMIT"),
        (11, "not self.size without its sign"),
        (12, "raise dropped"),
        (13, "self.note(…) dropped"),
        (13, "n - 1: Add"),
        (13, "1: 2"),
        (15, "is True"),
        (15, "is False"),
        (16, "[values[-1], values[0]] without values[-1]"),
        (16, "[values[-1], values[0]] without values[0]"),
        (16, "-1 without its sign"),
        (16, "0: 1"),
        (18, "found.append(…) dropped"),
        (18, "value % 7 unreduced"),
        (18, "7: 8"),
        (19, "flag and sum(found) == LIMIT: or"),
        (19, "flag and sum(found) == LIMIT without flag"),
        (19, "flag and sum(found) == LIMIT without sum(found) == LIMIT"),
        (19, "sum(found) == LIMIT: sum(found) != LIMIT"),
    }


def test_each_is_one_change_of_the_tree(found: list[Mutant]) -> None:
    root = ast.parse(SOURCE)
    before = ast.unparse(root)
    texts = set()
    for mutant in found:
        tree = mutant.tree(root)
        compile(tree, "source", "exec")
        texts.add(ast.unparse(tree))
    assert ast.unparse(root) == before
    assert before not in texts
    assert len(texts) == len(found)


def test_a_constant_is_noticed_where_it_is_used(found: list[Mutant]) -> None:
    (limit,) = (m for m in found if m.line == 2)
    assert limit.lines == {3, 11, 12, 19, 22}
    assert not limit.is_in_function
    assert all(m.lines == {m.line} for m in found if m.is_in_function)
