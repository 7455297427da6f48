"""Help explains every option and argument, looks alike everywhere, and shells can complete."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from zkcmp.cli.main import app, run
from zkcmp.cli.proving import bench_libra


def _leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    commands = getattr(command, "commands", None)
    if commands is None:
        yield name, command
        return
    for word, inner in commands.items():
        if word != "bench":  # which hands its arguments on
            yield from _leaves(inner, f"{name} {word}")


COMMANDS = dict(
    (
        *_leaves(typer.main.get_command(app), "zkcmp"),
        *_leaves(typer.main.get_command(bench_libra.app), "zkcmp bench"),
    )
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_explained(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert [p.name for p in command.params if not getattr(p, "help", None)] == []


@pytest.mark.parametrize("asked", ["bench", "bench -h", "help bench groth16", "bench libra --help"])
def test_benchmarks_have_help_like_all_others(
    asked: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert run(asked.split()) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usage: zkcmp bench")
    assert "╭" not in said
    assert "--install-completion" not in said
    assert all(len(line) <= 60 for line in said.splitlines())


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("zkcmp sel", ["seller"]),
        ("zkcmp seller pr", ["prove"]),
        ("zkcmp buyer request --back", ["--backend"]),
        ("zkcmp buyer request --backend ", ["groth16", "libra"]),
        ("zkcmp demo --mode ", ["freivalds", "full"]),
        ("zkcmp seller seal mo", []),  # the shell's own: names of files
    ],
)
def test_a_shell_completes(
    typed: str,
    offered: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_ZKCMP_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert run([]) == 0
    assert capsys.readouterr().out.split() == offered
