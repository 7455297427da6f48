"""The API reference: every module's docstring, and those of its public classes and functions.

    python docs/make_reference.py [OUT]          writes HTML into OUT, build/reference unless said

Sources are parsed and never imported, so nothing is compiled and nothing is run. A name is public
when it and the modules on its way do not begin with an underscore; a class or a function without a
docstring is listed by its signature.
"""

import ast
import html
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("zkcmp", "circuits", "bitcoin_scripts")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 sans-serif }}
pre {{ white-space: pre-wrap }}
pre.code {{ background: #8881; padding: .5rem }}
section section {{ margin-left: 2rem }}
</style></head><body>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Module:
    """A source file, by the name that it is imported by."""

    name: str
    tree: ast.Module

    @property
    def file_name(self) -> str:
        return f"{self.name}.html"

    @property
    def summary(self) -> str:
        """The first sentence, or line, of the docstring."""
        text = ast.get_docstring(self.tree) or ""
        return " ".join(text.split("\n\n")[0].split())


def modules(root: Path = ROOT) -> list[Module]:
    """All public ones, in the order of their names."""
    found = []
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            if not any(part.startswith("_") for part in parts):
                tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
                found.append(Module(".".join(parts), tree))
    return sorted(found, key=lambda module: module.name)


def public(body: list[ast.stmt]) -> Iterator[Definition]:
    """Classes and functions whose names do not begin with an underscore; `__init__`, too."""
    for node in body:
        if isinstance(node, Definition) and (
            not node.name.startswith("_") or node.name == "__init__"
        ):
            yield node


def signature(node: Definition) -> str:
    """The definition's first line as it could have been written, with its decorators."""
    lines = [f"@{ast.unparse(decorator)}" for decorator in node.decorator_list]
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(map(ast.unparse, node.bases))
        lines.append(f"class {node.name}({bases})" if bases else f"class {node.name}")
        lines += [f"    {ast.unparse(field)}" for field in _fields(node)]
    else:
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        lines.append(f"def {node.name}({ast.unparse(node.args)}){returns}")
    return "\n".join(lines)


def _fields(node: ast.ClassDef) -> list[ast.AnnAssign]:
    """The annotated fields of a class, without their defaults' length."""
    return [
        each
        for each in node.body
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and not each.target.id.startswith("_")
    ]


def _section(node: Definition, within: str = "") -> str:
    name = f"{within}{node.name}"
    parts = [f'<section id="{html.escape(name)}">']
    parts.append(f'<pre class="code">{html.escape(signature(node))}</pre>')
    text = ast.get_docstring(node)
    if text:
        parts.append(f"<pre>{html.escape(text)}</pre>")
    if isinstance(node, ast.ClassDef):
        parts += [_section(each, f"{name}.") for each in public(node.body)]
    return "\n".join([*parts, "</section>"])


def page(module: Module) -> str:
    """One module as HTML."""
    parts = ['<p><a href="index.html">reference</a></p>', f"<h1>{html.escape(module.name)}</h1>"]
    parts.append(f"<pre>{html.escape(ast.get_docstring(module.tree) or '')}</pre>")
    parts += [_section(node) for node in public(module.tree.body)]
    return _PAGE.format(title=html.escape(module.name), body="\n".join(parts))


def index(found: list[Module]) -> str:
    """The list of modules as HTML."""
    items = [
        f'<li><a href="{module.file_name}">{html.escape(module.name)}</a>: '
        f"{html.escape(module.summary)}</li>"
        for module in found
    ]
    body = "\n".join(["<h1>zkcmp: reference</h1>", "<ul>", *items, "</ul>"])
    return _PAGE.format(title="zkcmp: reference", body=body)


def write(out: Path) -> int:
    """Write all pages into `out`; how many modules there are."""
    out.mkdir(parents=True, exist_ok=True)
    found = modules()
    for module in found:
        (out / module.file_name).write_text(page(module), encoding="utf-8")
    (out / "index.html").write_text(index(found), encoding="utf-8")
    return len(found)


def main() -> None:
    if len(sys.argv) > 2 or sys.argv[1:2] == ["--help"]:
        sys.exit(__doc__)
    out = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "build" / "reference"
    try:
        n_modules = write(out)
    except OSError as error:
        sys.exit(f"{out}: {error.strerror}; choose another directory")
    print(f"{n_modules} modules; open {out / 'index.html'}")


if __name__ == "__main__":
    main()
