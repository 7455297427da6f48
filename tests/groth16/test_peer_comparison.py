"""experiments/groth16_peers.py: its circuits are what it says, and it works without the peers."""

import csv
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from zkcmp.errors import VerificationError
from zkcmp.groth16.keys import domain_size
from zkcmp.groth16.snarkjs import read_r1cs, read_wtns
from zkcmp.r1cs import R1CS

sys.path.append(str(Path(__file__).parents[2] / "experiments"))

import groth16_peers
from peer_circuits import CIRCUITS, write_circuit
from peer_table import Row, make_table, write_records
from peer_workers import read_rows, read_witness

SIZE = 9
MACHINE = {"threads": 2, "cpu": "a test", "cpu_features": "avx2"}


def shown(rows: list[Row]) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(make_table(rows, MACHINE))
    return capture.get()


@pytest.mark.parametrize("kind", CIRCUITS)
def test_circuits_are_satisfied_and_of_one_domain(kind: str) -> None:
    r1cs, witness = CIRCUITS[kind](SIZE)
    r1cs.check(witness)
    assert (r1cs.n_constraints, r1cs.n_public) == (2**SIZE - 2, 1)
    assert domain_size(r1cs.n_constraints, r1cs.n_public) == 2**SIZE
    # every wire matters: any other value of a wire in the middle breaks a constraint
    middle = r1cs.n_wires // 2
    witness.assign(middle, witness.slice(middle, middle + 1) + 7)
    with pytest.raises(VerificationError):
        r1cs.check(witness)


def used(r1cs: R1CS, k: int) -> int:
    return len(np.unique(r1cs.matrices[k].indices))


def test_dense_wires_are_full_size_and_in_both_products() -> None:
    r1cs, witness = CIRCUITS["dense"](SIZE)
    values = witness.to_ints()[1:]
    assert len(set(values)) == len(values)
    assert sum(value.bit_length() > 240 for value in values) > 0.99 * len(values)
    assert min(used(r1cs, 0), used(r1cs, 1), used(r1cs, 2)) >= r1cs.n_wires - 3


def test_bits_are_random_bits_in_both_products() -> None:
    r1cs, witness = CIRCUITS["bits"](SIZE)
    values = witness.to_ints()[1:]
    assert set(values) == {0, 1}
    assert 0.4 < sum(values) / len(values) < 0.6
    assert [used(r1cs, k) for k in range(3)] == [r1cs.n_wires - 1] * 3
    assert witness.equals(CIRCUITS["bits"](SIZE)[1])


@pytest.mark.parametrize("kind", CIRCUITS)
def test_zksnake_gets_the_same_files(kind: str, tmp_path: Path) -> None:
    """The reader that needs no zkcmp sees what ours sees."""
    write_circuit(kind, 5, tmp_path)
    r1cs = read_r1cs(tmp_path / "circuit.r1cs")
    n_wires, n_public, rows = read_rows(tmp_path / "circuit.r1cs")
    assert (n_wires, n_public) == (r1cs.n_wires, r1cs.n_public)
    expected = [
        (i, k, [(i, wire, r1cs.coefficients[c]) for wire, c in matrix.row(i)])
        for i in range(r1cs.n_constraints)
        for k, matrix in enumerate(r1cs.matrices)
    ]
    assert list(rows) == expected
    ints = read_wtns(tmp_path / "witness.wtns").to_ints()
    assert read_witness(tmp_path / "witness.wtns") == ints


def test_table_compares_with_ours_and_marks_orientation() -> None:
    rows = [
        Row("dense", 18, "zkcmp", "1", (2.0, 0.9, 1.0), (0.5,), 10**9, 2 * 10**9, "verified"),
        Row("dense", 18, "zksnake", "2", (80.0,), (20.0, 30.0, 10.0), None, None, "verified"),
        Row("dense", 18, "snarkjs", note="skipped, not found: node"),
    ]
    lines = shown(rows).splitlines()
    cells = {
        parts[2]: parts[3:9]
        for line in lines
        if line.startswith("│")
        for parts in [[part.strip() for part in line.split("│")]]
    }
    assert cells["zkcmp 1"] == ["1.00", "1.0", "0.500", "1.0", "2000 MB", "verified"]
    assert cells["zksnake 2"] == ["80.00", "80.0", "20.00", "40.0", "–", "verified"]
    assert cells["snarkjs"] == ["–"] * 5 + ["skipped, not found: node"]
    assert cells["rapidsnark ¹"] == ["–", "–", "4.10", "8.2", "–", "orientation"]
    assert cells["libsnark bn128 ¹"] == ["7.50", "7.5", "6.90", "13.8", "–", "orientation"]
    assert any("orientation, not of this run" in line for line in lines)


def test_records(tmp_path: Path) -> None:
    rows = [Row("bits", 5, "zkcmp", "1", (1.0,), (0.5, 0.75)), Row("bits", 5, "snarkjs", note="no")]
    records = [row.record(MACHINE) for row in rows]
    write_records(tmp_path / "r.jsonl", records)
    assert [json.loads(x) for x in (tmp_path / "r.jsonl").read_text().splitlines()] == records
    write_records(tmp_path / "r.csv", records)
    with open(tmp_path / "r.csv", newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["prove_s"], first["prove_runs_s"]) == ("0.625", "0.5 0.75")
    assert (second["prove_s"], second["note"], second["cpu"]) == ("", "no", "a test")


def test_a_run_without_the_peers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groth16_peers, "zksnake_installed", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/nowhere/{name}")
    monkeypatch.setattr(groth16_peers, "describe_machine", lambda threads: MACHINE)
    out = tmp_path / "peers.jsonl"
    line = f"--sizes 5 --kinds bits --repeats 1 --snarkjs {tmp_path} --work {tmp_path} --out {out}"
    groth16_peers.main(line.split())
    ours, zksnake, snarkjs = (json.loads(x) for x in out.read_text().splitlines())
    assert ours["prove_s"] > 0
    assert ours["setup_s"] > 0
    assert zksnake["prove_s"] is None
    assert "pip install zksnake" in zksnake["note"]
    assert snarkjs["prove_s"] is None
    assert "npm install" in snarkjs["note"]
    table = capsys.readouterr().out
    assert table.count("skipped") == 2
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_failing_peer_is_a_row_and_our_failure_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = groth16_peers.Runner(tmp_path, 1, 1, 2, None)
    with pytest.raises(groth16_peers.ToolError, match=r"circuit\.r1cs"):
        runner.run("zkcmp", "dense", 5)
    monkeypatch.setattr(groth16_peers, "zksnake_installed", lambda: True)
    words = (sys.executable, "-c", "raise SystemExit('out of luck')")
    monkeypatch.setattr(runner, "worker", lambda *arguments: runner.process(*words))
    assert "out of luck" in runner.run("zksnake", "dense", 5).note


def test_a_peer_is_stopped_with_its_helpers_after_the_time_limit(tmp_path: Path) -> None:
    """The helper keeps the output open, so who waits for its end waits too long."""
    runner = groth16_peers.Runner(tmp_path, 1, 1, 2, None, limit_s=0.5)
    start = time.monotonic()
    with pytest.raises(groth16_peers.ToolError, match=r"stopped after 0\.5 s"):
        runner.process("sh", "-c", "sleep 60 & sleep 60")
    assert time.monotonic() - start < 30
