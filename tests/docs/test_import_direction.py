"""Imports point one way, as the README says: from the engine up to the commands."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# whoever stands here may import what stands before it
UPWARDS = (
    *("zkcmp.errors", "zkcmp.disk", "zkcmp.progress", "zkcmp.json_nesting", "zkcmp.sha256"),
    *("zkcmp.bn254", "zkcmp.machine", "zkcmp.random_weights", "zkcmp.overlap"),
    *("zkcmp.transcript", "zkcmp.mimc7"),
    *("zkcmp.linear_combination", "zkcmp.r1cs", "zkcmp.model", "zkcmp.seal"),
    *("zkcmp.groth16", "zkcmp.commitments", "zkcmp.r1cs_builder", "circuits", "zkcmp.libra"),
    *("zkcmp.exchange", "zkcmp.api", "zkcmp.cli"),
)
KNOW_COINS = ("bitcoin_scripts", "zkcmp.exchange", "zkcmp.api", "zkcmp.cli")
PARTS = ("bitcoin_scripts", *UPWARDS)
OURS = ("bitcoin_scripts", "circuits", "zkcmp", "tests", "experiments")


def part_of(module: str) -> str:
    """`zkcmp.model` of zkcmp.model.onnx.graph, `circuits` of circuits.size."""
    words = module.split(".")
    return ".".join(words[: 2 if words[0] == "zkcmp" else 1])


def imported(source: str) -> Iterator[str]:
    """The modules that a source file imports anywhere, of ours."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            # `from zkcmp import seal` imports zkcmp.seal
            whole = node.module == "zkcmp"
            names = [f"zkcmp.{a.name}" for a in node.names] if whole else [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for name in names if name.split(".")[0] in OURS)


def may_import(importer: str, other: str) -> bool:
    """Whether one part may import another one."""
    if importer == "bitcoin_scripts":
        return other == "zkcmp.errors"
    if other == "bitcoin_scripts":
        return importer in KNOW_COINS
    return other in UPWARDS[: UPWARDS.index(importer)]


@pytest.mark.parametrize("part", PARTS)
def test_imports_point_one_way(part: str) -> None:
    place = ROOT.joinpath(*part.split("."))
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    assert files
    for file in files:
        for name in imported(file.read_text()):
            other = part_of(name)
            assert other in (part, "zkcmp.__version__") or may_import(part, other), (file, name)


def test_every_part_has_its_place() -> None:
    files = {path.stem for path in (ROOT / "zkcmp").glob("*.py")} - {"__init__", "__main__"}
    folders = {path.parent.name for path in (ROOT / "zkcmp").glob("*/__init__.py")}
    assert {f"zkcmp.{name}" for name in files | folders} | {"circuits"} == set(UPWARDS)


def test_an_import_that_points_up_is_found() -> None:
    assert list(imported("def f():\n    from zkcmp import seal\n    import numpy\n")) == [
        "zkcmp.seal"
    ]
    assert list(imported("import circuits.size, zkcmp.cli.main")) == [
        "circuits.size",
        "zkcmp.cli.main",
    ]
    assert not may_import("zkcmp.bn254", "zkcmp.seal")
    assert not may_import("zkcmp.libra", "bitcoin_scripts")
    assert not may_import("bitcoin_scripts", "zkcmp.exchange")
    assert may_import("zkcmp.exchange", "bitcoin_scripts")
