"""One pytest process that runs the tests of some modules on each of their mutants.

    collect  ->  run everything once, unchanged (must pass; notes the lines that each test runs)
             ->  run everything in a child, unchanged (must pass again: the control)
             ->  for every mutant: fork, put the changed code in place, run tests until one fails

No file is changed: a mutant is a code object that replaces the function's own in the memory of a
child. The tests run are those that run the changed line, the quickest first; for a constant of a
module, those that run a line which names it, and all quick ones. Kernels are loaded once, before
the first fork, and there is one thread, so a child costs what its tests cost. What session fixtures
made is the work of unchanged code.
"""

import ast
import functools
import gc
import json
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from mutants import FUNCTIONS, Mutant, assigned, dependents, mutants

_BROKEN = 70  # exit code of a child whose mutant could not be put in place
_QUICK_S = 0.1
_KEPT_CACHES = ("zkcmp.bn254", "numba", "llvmlite", "_pytest", "py_ecc")


class LoopError(Exception):
    """The tests do not pass unchanged, so they say nothing about mutants."""


@dataclass
class Outcome:
    """The fate of a mutant: killed, timeout, survived, or uncovered (no test runs its line)."""

    module: str
    line: int
    column: int
    what: str
    fate: str
    seconds: float


@dataclass
class Source:
    """A module under change and the functions that were compiled from its file."""

    module: ModuleType
    provers: frozenset[str]
    path: Path = field(init=False)
    tree: ast.Module = field(init=False)
    functions: list[FunctionType] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.path = Path(str(self.module.__file__))
        self.tree = ast.parse(self.path.read_text())

    def find_functions(self) -> None:
        self.functions = [
            f
            for f in gc.get_objects()
            if isinstance(f, FunctionType) and f.__code__.co_filename == str(self.path)
        ]

    def put_in_place(self, mutant: Mutant) -> None:
        """Make this process run the mutant: its functions' code, or its constant."""
        tree = mutant.tree(self.tree)
        if not mutant.is_in_function:
            _set_constant(self.module, tree, mutant)
            return
        new = dict(_codes(compile(tree, str(self.path), "exec")))
        for function in self.functions:
            name = (function.__code__.co_qualname, function.__code__.co_firstlineno)
            if name not in new:
                raise LoopError(f"{name} is not in {self.path}")
            function.__code__ = new[name]


@dataclass
class MutationLoop:
    """The plugin. `lines`: of which only, where given. `out` gets a line for each mutant."""

    sources: list[Source]
    out: Path
    lines: frozenset[int] = frozenset()
    longest_s: float = 120.0

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        covering, seconds = self._unchanged(session)
        _forget_caches()
        gc.collect()
        for source in self.sources:
            source.find_functions()
        gc.freeze()
        if self._in_child(lambda: None, session, session.items, 1200) != "survived":
            raise LoopError("the tests pass once, but not again in a child of the process")
        for source in self.sources:
            for mutant in mutants(source.tree, source.provers):
                if not self.lines or mutant.line in self.lines:
                    self._try(source, mutant, session, covering, seconds)
        return True

    def _try(
        self,
        source: Source,
        mutant: Mutant,
        session: pytest.Session,
        covering: dict[str, set[tuple[str, int]]],
        seconds: dict[str, float],
    ) -> None:
        where = {(str(source.path), line) for line in mutant.lines}
        items = [i for i in session.items if where & covering[i.nodeid]]
        if not mutant.is_in_function:  # a test may read a constant itself
            items += [i for i in session.items if i not in items and seconds[i.nodeid] < _QUICK_S]
        items.sort(key=lambda i: seconds[i.nodeid])
        begin, fate = time.monotonic(), "uncovered"
        if items:
            fate = self._in_child(
                lambda: source.put_in_place(mutant), session, items, self.longest_s
            )
        took = time.monotonic() - begin
        name = source.module.__name__
        outcome = Outcome(name, mutant.line, mutant.column, mutant.what, fate, took)
        with self.out.open("a") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
        if fate not in ("killed", "timeout"):
            text = f"{name}:{mutant.line}:{mutant.column} {mutant.what} [{fate}]"
            print(text, file=sys.__stderr__, flush=True)

    def _unchanged(
        self, session: pytest.Session
    ) -> tuple[dict[str, set[tuple[str, int]]], dict[str, float]]:
        """(file, line) pairs that each test runs, and the processor time that it takes."""
        paths = {str(source.path) for source in self.sources}
        covering: dict[str, set[tuple[str, int]]] = defaultdict(set)
        seconds: dict[str, float] = {}
        ran: set[tuple[str, int]] = set()

        def trace_lines(frame: FrameType, event: str, _: Any) -> Any:
            ran.add((frame.f_code.co_filename, frame.f_lineno))
            return trace_lines

        def trace_calls(frame: FrameType, event: str, _: Any) -> Any:
            return trace_lines(frame, event, _) if frame.f_code.co_filename in paths else None

        for item, following in _in_order(session.items):
            ran.clear()
            begin = time.process_time()
            sys.settrace(trace_calls)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            sys.settrace(None)
            covering[item.nodeid] = _whole_statements(ran)
            seconds[item.nodeid] = time.process_time() - begin
        if session.testsfailed:
            raise LoopError("the tests fail on unchanged code")
        return covering, seconds

    def _in_child(
        self,
        change: Callable[[], None],
        session: pytest.Session,
        items: Sequence[pytest.Item],
        longest_s: float,
    ) -> str:
        """The fate of a change under these tests."""
        child = os.fork()
        if child == 0:
            _be_child(change, session, items)
        limit = time.monotonic() + longest_s
        while time.monotonic() < limit:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                if code == _BROKEN:
                    raise LoopError("a mutant could not be put in place")
                return "survived" if code == 0 else "killed"
            time.sleep(0.005)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return "timeout"


def _be_child(
    change: Callable[[], None], session: pytest.Session, items: Sequence[pytest.Item]
) -> None:
    code = 1  # a constant that cannot even be computed is noticed by whoever imports it
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        change()
        code = _run(session, items)
    except LoopError:
        code = _BROKEN
    finally:
        os._exit(code)


def _run(session: pytest.Session, items: Sequence[pytest.Item]) -> int:
    """1 as soon as a test fails, else 0."""
    session._setupstate.teardown_exact(items[0])
    for item, following in _in_order(items):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return 0


def _in_order(items: Sequence[pytest.Item]) -> Iterator[tuple[pytest.Item, pytest.Item]]:
    """Each test with its successor; the last one's is the first, so session fixtures stay."""
    return zip(items, [*items[1:], items[0]], strict=True)


def _whole_statements(ran: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """All lines of the statements that these lines belong to."""
    return {(path, other) for path, line in ran for other in _extents(path).get(line, (line,))}


@functools.cache
def _extents(path: str) -> dict[int, set[int]]:
    """For each line of a file, the lines of the statements around it, without their bodies."""
    found: dict[int, set[int]] = defaultdict(set)
    for node in ast.walk(ast.parse(Path(path).read_text())):
        if isinstance(node, (ast.stmt, ast.ExceptHandler)):
            first, last = node.lineno, node.end_lineno or node.lineno
            if isinstance(node, FUNCTIONS):
                first = min([first, *(d.lineno for d in node.decorator_list)])
            body = getattr(node, "body", None)
            if body:
                last = max(first, body[0].lineno - 1)
            for line in range(first, last + 1):
                found[line].update(range(first, last + 1))
    return dict(found)


def _forget_caches() -> None:
    """Whatever unchanged code computed once and kept would hide a change."""
    for found in gc.get_objects():
        is_cache = isinstance(found, functools._lru_cache_wrapper)
        if is_cache and not str(getattr(found, "__module__", "")).startswith(_KEPT_CACHES):
            found.cache_clear()


def _codes(code: CodeType) -> Iterator[tuple[tuple[str, int], CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield (constant.co_qualname, constant.co_firstlineno), constant
            yield from _codes(constant)


def _set_constant(module: ModuleType, tree: ast.Module, mutant: Mutant) -> None:
    """Run the changed assignment, and give its value to all who imported the old one."""
    owner: Any = module
    statement: Any = tree
    for name, index in mutant.path:
        statement = getattr(statement, name) if index is None else getattr(statement, name)[index]
        if isinstance(statement, ast.ClassDef):
            owner = getattr(owner, statement.name)
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            break
    _assign(statement, module, owner)
    if owner is module:
        for dependent in dependents(tree, assigned(statement)):
            _assign(dependent, module, module)


def _assign(statement: ast.stmt, module: ModuleType, owner: Any) -> None:
    space = {**vars(module), **vars(owner)}
    exec(compile(ast.Module([statement], []), str(module.__file__), "exec"), space)
    for name in assigned(statement):
        old = vars(owner)[name]
        for other in [owner, *sys.modules.values()]:
            if other is owner or vars(other).get(name) is old:
                setattr(other, name, space[name])
