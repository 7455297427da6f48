"""Mutants of a module: its syntax tree with one small change, compiled.

Only what decides something is changed: statements and expressions inside functions, and constants
of modules and classes. Texts, labels, exception arguments, annotations, defaults and decorators
stay as they are.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

Change = Callable[[ast.AST], ast.AST]
Path = tuple[tuple[str, int | None], ...]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_UNSEEN = {"progress"}
"""Calls that only tell the user something."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Mutant:
    """One change. `path` leads to the node from the root: (field, index or None) pairs.

    A mutant that is not in a function changes a constant of the module or of a class. `lines` are
    those that notice if anything does: its own, or those where the constant is used.
    """

    line: int
    column: int
    function: str
    is_in_function: bool
    what: str
    lines: frozenset[int]
    path: Path
    change: Change

    def tree(self, root: ast.Module) -> ast.Module:
        """A copy of the module's tree with the change made."""
        changed = copy.deepcopy(root)
        node: ast.AST = changed
        for field, index in self.path[:-1]:
            node = _child(node, field, index)
        field, index = self.path[-1]
        old = _child(node, field, index)
        new = ast.copy_location(self.change(old), old)
        if index is None:
            setattr(node, field, new)
        else:
            getattr(node, field)[index] = new
        return ast.fix_missing_locations(changed)


def mutants(root: ast.Module, skipped: frozenset[str]) -> list[Mutant]:
    """All mutants but those of the functions or classes in `skipped`, in the order of the file."""
    found = [
        replace(m, lines=_uses(root, m))
        for m in _walk(root, (), "", None)
        if not skipped & {m.function, m.function.split(".")[0]}
    ]
    return sorted(found, key=lambda m: m.line)


def _uses(root: ast.Module, mutant: Mutant) -> frozenset[int]:
    """The mutant's line, or for a constant all lines that name it or what is made of it."""
    if mutant.is_in_function:
        return frozenset([mutant.line])
    statement: ast.AST = root
    for field, index in mutant.path:
        statement = _child(statement, field, index)
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            break
    names = assigned(statement)
    for other in dependents(root, names):
        names |= assigned(other)
    return frozenset(
        node.lineno
        for node in ast.walk(root)
        if (isinstance(node, ast.Name) and node.id in names)
        or (isinstance(node, ast.Attribute) and node.attr in names)
    ) - {mutant.line}


def assigned(statement: ast.AST) -> set[str]:
    """The names that an assignment gives a value to."""
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def dependents(root: ast.Module, names: set[str]) -> list[ast.Assign | ast.AnnAssign]:
    """The module's assignments whose values are made of these names, in order."""
    found, changed = [], set(names)
    for statement in root.body:
        if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
            continue
        if changed & {n.id for n in ast.walk(statement.value) if isinstance(n, ast.Name)}:
            found.append(statement)
            changed |= assigned(statement)
    return found


def _walk(
    node: ast.AST, path: Path, function: str, is_in_function: bool | None
) -> Iterator[Mutant]:
    """The mutants of a node and what is under it; None where nothing is changed yet."""
    if is_in_function is not None:
        for what, change in _changes(node):
            line, column = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
            none: frozenset[int] = frozenset()
            yield Mutant(line, column + 1, function, is_in_function, what, none, path, change)
    for field, index, child in _children(node):
        step = (*path, (field, index))
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            inner = f"{function}.{child.name}" if function else child.name
            yield from _walk(child, step, inner, True if isinstance(child, FUNCTIONS) else None)
        elif is_in_function is not None:
            yield from _walk(child, step, function, is_in_function)
        elif _is_constant(node, child):
            yield from _walk(child, step, function, False)


def _is_constant(parent: ast.AST, node: ast.AST) -> bool:
    """Whether a statement outside functions makes a constant.

    The fields of dataclasses do not, nor do unions of types.
    """
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return False
    if isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr):
        return False
    return isinstance(node, ast.Assign) or not isinstance(parent, ast.ClassDef)


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    """The children in which something may be changed."""
    skipped: set[str] = {"annotation", "returns", "decorator_list", "args", "bases", "keywords"}
    if isinstance(node, ast.Call):
        skipped = set()
    elif isinstance(node, ast.Raise):
        skipped = {"exc", "cause"}
    elif isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        skipped = {"operand"}  # -1 becomes 1; for numpy's shapes, -2 is the same
    elif isinstance(node, ast.JoinedStr):
        skipped = {"values"}
    elif isinstance(node, ast.ExceptHandler):
        skipped = {"type"}
    for field, value in ast.iter_fields(node):
        if field in skipped:
            continue
        if isinstance(value, ast.AST):
            yield field, None, value
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield field, index, item


def _child(node: ast.AST, field: str, index: int | None) -> ast.AST:
    value = getattr(node, field)
    child = value if index is None else value[index]
    assert isinstance(child, ast.AST)
    return child


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    if isinstance(node, FUNCTIONS):
        yield from _of_function(node)
    elif isinstance(node, ast.Raise):
        yield "raise dropped", lambda _: ast.Pass()
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        if _text(node.value.func) not in _UNSEEN:
            yield f"{_text(node.value.func)}(…) dropped", lambda _: ast.Pass()
    elif isinstance(node, (ast.Break, ast.Continue)):
        yield f"{type(node).__name__.lower()} dropped", lambda _: ast.Pass()
    elif isinstance(node, ast.AugAssign) and type(node.op) in _OPERATORS:
        other = _OPERATORS[type(node.op)]
        yield f"{_text(node)}: {other.__name__}", lambda n: _with(n, op=other())
        yield f"{_text(node)} dropped", lambda _: ast.Pass()
    elif isinstance(node, (ast.If, ast.IfExp)) and not _is_flipped(node.test):
        yield f"not ({_text(node.test)})", lambda n: _with(n, test=_negated(n.test))  # type: ignore[attr-defined]
    elif isinstance(node, ast.Compare):
        yield from _of_comparison(node)
    elif isinstance(node, ast.BoolOp):
        yield from _of_connective(node)
    elif isinstance(node, ast.BinOp):
        yield from _of_operation(node)
    elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.UAdd):
        yield f"{_text(node)} without its sign", lambda n: n.operand  # type: ignore[attr-defined]
    elif isinstance(node, ast.Tuple) and not _is_enumeration(node):
        return
    elif isinstance(node, (ast.List, ast.Tuple)) and isinstance(node.ctx, ast.Load):
        yield from _of_sequence(node)
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node)


def _is_flipped(test: ast.expr) -> bool:
    """Whether another change of this test negates it already."""
    return isinstance(test, ast.Compare) or (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    )


def _is_enumeration(node: ast.Tuple) -> bool:
    """Whether a tuple lists things of one kind; a pair or a shape without a part is only broken."""
    return (
        len(node.elts) > 2
        and len({type(e) for e in node.elts}) == 1
        and not isinstance(node.elts[0], ast.Constant)
    )


def _of_function(node: ast.AST) -> Iterator[tuple[str, Change]]:
    assert isinstance(node, FUNCTIONS)
    if all(isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) for s in node.body):
        return  # a protocol's
    if isinstance(node.returns, ast.Constant) and node.returns.value is None:
        yield "does nothing", lambda n: _with(n, body=[ast.Return(None)])
    elif isinstance(node.returns, ast.Name) and node.returns.id == "bool":
        for value in (True, False):
            yield (
                f"is {value}",
                lambda n, v=value: _with(n, body=[ast.Return(ast.Constant(v))]),
            )


def _of_comparison(node: ast.Compare) -> Iterator[tuple[str, Change]]:
    for k, op in enumerate(node.ops):
        for other in _COMPARISONS[type(op)]:
            ops = [*node.ops[:k], other(), *node.ops[k + 1 :]]
            new = ast.Compare(node.left, ops, node.comparators)
            yield f"{_text(node)}: {_text(new)}", lambda n, o=ops: _with(n, ops=o)


def _of_connective(node: ast.BoolOp) -> Iterator[tuple[str, Change]]:
    other: type[ast.boolop] = ast.Or if isinstance(node.op, ast.And) else ast.And
    yield f"{_text(node)}: {other.__name__.lower()}", lambda n: _with(n, op=other())
    for k, value in enumerate(node.values):
        kept = [*range(k), *range(k + 1, len(node.values))]
        yield (
            f"{_text(node)} without {_text(value)}",
            lambda n, ks=kept: _joined(n, ks),
        )


def _of_operation(node: ast.BinOp) -> Iterator[tuple[str, Change]]:
    if isinstance(node.op, ast.Mod):
        yield f"{_text(node)} unreduced", lambda n: n.left  # type: ignore[attr-defined]
        return
    if isinstance(node.op, (ast.Add, ast.BitOr)):
        yield f"{_text(node)}: left only", lambda n: n.left  # type: ignore[attr-defined]
        yield f"{_text(node)}: right only", lambda n: n.right  # type: ignore[attr-defined]
    elif type(node.op) in _OPERATORS:
        other = _OPERATORS[type(node.op)]
        yield f"{_text(node)}: {other.__name__}", lambda n: _with(n, op=other())


def _of_sequence(node: ast.List | ast.Tuple) -> Iterator[tuple[str, Change]]:
    if len(node.elts) < 2:
        return
    for k, element in enumerate(node.elts):
        kept = [*range(k), *range(k + 1, len(node.elts))]
        yield (
            f"{_text(node)} without {_text(element)}",
            lambda n, ks=kept: _with(n, elts=[n.elts[i] for i in ks]),  # type: ignore[attr-defined]
        )


def _of_constant(node: ast.Constant) -> Iterator[tuple[str, Change]]:
    if isinstance(node.value, bool):
        yield f"{node.value}: {not node.value}", lambda n: ast.Constant(not n.value)  # type: ignore[attr-defined]
    elif isinstance(node.value, int):
        yield f"{node.value}: {node.value + 1}", lambda n: ast.Constant(n.value + 1)  # type: ignore[attr-defined]


def _with(node: ast.AST, **fields: object) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _joined(node: ast.AST, kept: list[int]) -> ast.AST:
    assert isinstance(node, ast.BoolOp)
    values = [node.values[k] for k in kept]
    return values[0] if len(values) == 1 else _with(node, values=values)


def _text(node: ast.AST, longest: int = 60) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
