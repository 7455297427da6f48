"""`zkcmp estimate`: what it prints, and its refusal when memory will not suffice."""

import re
from pathlib import Path

import pytest

import zkcmp
from zkcmp import machine
from zkcmp.cli.main import run
from zkcmp.errors import ZkcmpError
from zkcmp.model.data_files import digits_onnx

CIRCUIT = Path(__file__).parents[1] / "groth16" / "snarkjs_vectors" / "power.r1cs"


def test_a_network(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 12_345_000_000)
    assert run(["estimate", str(digits_onnx()), "--images", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    patterns = (
        r"images     20, by --images",
        r"circuit    \d+ constraints, \d+ public inputs",
        r"key        [\d.]+ MB on disk, [\d.]+ MB on the wire",
        r"setup      about [\d.]+ s, at most [\d.]+ MB of memory",
        r"audit      about [\d.]+ s, by the prover, before it proves",
        r"prove      about [\d.]+ s, at most [\d.]+ MB of memory",
        r"free       12\.35 GB of memory",
    )
    assert len(lines) == len(patterns)
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), line


@pytest.mark.parametrize("commitment", ["hyrax", "zkvpd"])
def test_sumchecks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, commitment: str
) -> None:
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 12_345_000_000)
    options = ["--images", "20", "--backend", "libra", "--commitment", commitment]
    assert run(["estimate", str(digits_onnx()), *options]) == 0
    parameters = (
        r"key        [\d.]+ MB on disk, [\d.]+ MB on the wire",
        r"setup      about [\d.]+ s, at most [\d.]+ MB of memory",
        r"audit      about [\d.]+ s",
    )
    nothing = (r"key        none: there is nothing to set up or to audit",)
    patterns = (
        r"images     20, by --images",
        r"committed  \d+ values",
        *(parameters if commitment == "zkvpd" else nothing),
        r"prove      about [\d.]+ s, at most [\d.]+ MB of memory",
        r"verify     about [\d.]+ s",
        r"proof      about \d+ KB",
        r"free       12\.35 GB of memory",
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(patterns)
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), line
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 100_000_000)
    assert run(["estimate", str(digits_onnx()), *options]) == 2
    assert "GB are free; use fewer test images" in capsys.readouterr().err


def test_sumchecks_of_a_circuit_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", str(CIRCUIT), "--backend", "libra"]) == 2
    assert "goes with --backend groth16" in capsys.readouterr().err


def test_a_circuit(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["estimate", str(CIRCUIT)]) == 0
    assert "circuit    3 constraints, 3 public inputs\n" in capsys.readouterr().out


def test_a_deal_folder(sale, capsys: pytest.CaptureFixture[str]) -> None:
    deal = sale("sealed")
    assert run(["estimate", str(deal.deal), "--images", "3"]) == 0
    assert "on the wire" in capsys.readouterr().out


def test_refusal_and_force(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 100_000_000)
    arguments = ["estimate", str(CIRCUIT)]
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert "0.4 GB of memory and 0.1 GB are free" in captured.err
    assert "free       100.0 MB of memory" in captured.out
    assert run([*arguments, "--force"]) == 0


@pytest.mark.parametrize(
    ("stage", "party", "verb", "said"),
    [
        ("proved", "buyer", "verify", "verifying will need about 0.2 GB of memory and 0.1 GB are"),
        ("requested", "buyer", "setup", "setup will need about 0.3 GB"),
        ("set_up", "seller", "prove", "the proof will need about 0.4 GB"),
        ("set_up", "seller", "audit", "the proof will need about 0.4 GB"),
    ],
)
def test_deal_steps_that_will_not_fit(
    sale, monkeypatch: pytest.MonkeyPatch, stage: str, party: str, verb: str, said: str
) -> None:
    """Refused before the step begins, and nothing is written; done with --force."""
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 100_000_000)
    deal = sale(stage)
    before = sorted(path.name for path in deal.deal.iterdir())
    result = deal.run(party, verb)
    assert result.refused
    assert said in result.err
    assert sorted(path.name for path in deal.deal.iterdir()) == before
    assert deal.run(party, verb, "--force").code == 0


@pytest.mark.parametrize(
    ("free_bytes", "said"),
    [
        (100_000_000, "verifying will need about 0.2 GB of memory and 0.1 GB are free; use fewer"),
        (250_000_000, "setup will need about 0.3 GB of memory and 0.2 GB are free; use fewer"),
    ],
)
def test_a_request_that_the_buyer_could_not_go_on_with(
    sale, monkeypatch: pytest.MonkeyPatch, free_bytes: int, said: str
) -> None:
    """Its test set would be spent for nothing."""
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: free_bytes)
    deal = sale("sealed")
    before = deal.tree()
    result = deal.request()
    assert result.refused
    assert said in result.err
    assert deal.tree() == before
    assert deal.request(1, "--force").code == 0


def test_a_request_that_the_seller_could_not_prove(sale, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seal answers one request: it is not bound to this one."""
    deal = sale("sealed")
    assert deal.request(1, "--backend", "libra").code == 0
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 100_000_000)
    before = deal.tree()
    result = deal.run("seller", "prove")
    assert result.refused
    assert "GB are free; close other programs, or use another machine, or --force" in result.err
    assert deal.tree() == before


def test_by_force_from_python(sale, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory_bytes", lambda: 100_000_000)
    deal = sale("requested")
    with pytest.raises(ZkcmpError, match="setup will need"):
        zkcmp.Buyer(deal.root / "buyer").setup(deal.deal)
    zkcmp.Buyer(deal.root / "buyer", force=True).setup(deal.deal)
    zkcmp.Seller(deal.root / "seller", force=True).prove(deal.deal)
    zkcmp.Buyer(deal.root / "buyer", force=True).verify(deal.deal)


@pytest.mark.parametrize("name", ["missing.onnx", "missing.r1cs", "."])
def test_no_source(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["estimate", name]) == 2
    assert capsys.readouterr().err.count("\n") == 1
