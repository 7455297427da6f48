"""Every `zkcmp …` in the documents is a command that exists, with options that it has.

Every text that the tutorials quote from a refusal is one that the program can print.
"""

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from documents import DOCUMENTS, ROOT, blocks, command_lines, tables

from zkcmp.cli.main import app
from zkcmp.cli.proving import bench_libra

_ENDS = {"|", "&&", ";", ">", "#", "…", "..."}
_ANY = {"seller|buyer": "seller"}


def _words(line: str) -> list[str]:
    """The words of a command line up to whatever follows the command."""
    words: list[str] = []
    for word in shlex.split(line, comments=True)[1:]:
        if word in _ENDS:
            break
        words.append(_ANY.get(word, word))
    return words


def _refusal(line: str) -> str | None:
    """Why a command line does not parse; that it lacks an argument is no reason."""
    words = _words(line)
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, info_name="zkcmp")
    while True:
        if words and words[0] == "bench" and context.parent is None:
            command, words = typer.main.get_command(bench_libra.app), words[1:]
            context = command.context_class(command, info_name="bench", parent=context)
        if not hasattr(command, "get_command"):
            break
        # options of the program itself come before the name of a command
        if words == ["--help"]:
            return None
        while words and words[0].startswith("--"):
            if words[0].split("=")[0] not in {o for p in command.params for o in p.opts}:
                return f"{line}: no option {words[0]}"
            is_flag = any(words[0] in p.opts and p.is_flag for p in command.params)
            words = words[1:] if is_flag else words[2:]
        if not words:
            return None
        name = words[0]
        if name.startswith("{"):
            return _all_exist(command, context, name, line)
        found = command.get_command(context, name)
        if found is None:
            return f"{line}: no command {name}"
        command, words = found, words[1:]
        context = command.context_class(command, info_name=name, parent=context)
    if words == ["--help"]:
        return None
    try:
        command.make_parser(context).parse_args(list(words))
    except Exception as error:
        return f"{line}: {error}"
    return None


def _all_exist(command: Any, context: Any, names: str, line: str) -> str | None:
    missing = [
        name for name in names.strip("{}").split(",") if command.get_command(context, name) is None
    ]
    return f"{line}: no command {missing[0]}" if missing else None


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_exist(path: Path) -> None:
    lines = command_lines(path.read_text(encoding="utf-8"))
    commands = [line for line in lines if line not in _labels()]
    assert [reason for line in commands if (reason := _refusal(line))] == []


def test_commands_are_found_in_every_form() -> None:
    page = (
        "a `zkcmp seller\nstatus` of\n\n    zkcmp chain height\n\n```sh\nzkcmp demo\n"
        "zkcmp buyer open \\\n  --deal D\n```\n"
    )
    assert sorted(" ".join(line.split()) for line in command_lines(page)) == [
        "zkcmp buyer open --deal D",
        "zkcmp chain height",
        "zkcmp demo",
        "zkcmp seller status",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "zkcmp sell",
        "zkcmp seller sell",
        "zkcmp --verbose seller status",
        "zkcmp seller redeem --deal D --fees 3",
        "zkcmp buyer open --deal",
        "zkcmp bench {mul,speed}",
        "zkcmp bench libra --pictures 3",
    ],
)
def test_commands_that_do_not_exist_are_noticed(line: str) -> None:
    assert _refusal(line)


@cache
def _labels() -> set[str]:
    """Constants that enter hashes and begin like a command."""
    found = set()
    for path in (ROOT / "zkcmp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
                found.add(node.value.decode("ascii", "replace"))
    return found


@cache
def _program_texts() -> list[str]:
    """Every string of the program; what an f-string puts in is a NUL."""
    texts = []
    for package in ("zkcmp", "bitcoin_scripts", "circuits"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    texts.append("".join(_piece(value) for value in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return texts


def _piece(value: ast.expr) -> str:
    return str(value.value) if isinstance(value, ast.Constant) else "\0"


@pytest.mark.parametrize("party", ["seller", "buyer"])
def test_quoted_refusals_are_the_programs(party: str) -> None:
    page = (ROOT / "docs" / f"tutorial-{party}.md").read_text(encoding="utf-8")
    (rows,) = (table for table in tables(page) if table[0][0] == "what it says")
    assert len(rows) > 20
    quoted = [text for row in rows[1:] for text in re.findall(r"`([^`]+)`", row[0])]
    unknown = [text for text in quoted if not any(text in known for known in _program_texts())]
    assert unknown == []


def test_blocks_of_the_tutorials_are_run() -> None:
    for party in ("seller", "buyer"):
        page = (ROOT / "docs" / f"tutorial-{party}.md").read_text(encoding="utf-8")
        assert sum(bool(block.run) for block in blocks(page)) >= 7
