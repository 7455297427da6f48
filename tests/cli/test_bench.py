"""`zkcmp bench` prints one complete JSON object a line."""

import json

import pytest
from typer.testing import CliRunner

from zkcmp.bn254.lanes.body import BODY
from zkcmp.cli.proving.bench import dense_circuit
from zkcmp.cli.proving.bench_libra import app

CASES = [
    (["mul", "--repeats", "1"], ["mul/chains", "mul/l1", "mul/l2"]),
    (["ntt", "--size", "10", "--repeats", "1"], ["ntt", "ntt/to_reversed", "ntt/from_reversed"]),
    (["msm", "--size", "8", "--bits", "8", "--repeats", "1"], ["msm/g1"]),
    (["msm", "--size", "8", "--group", "g2", "--repeats", "1"], ["msm/g2"]),
    (["pairing", "--repeats", "1"], ["pairing", "pairing/product"]),
    (["libra", "--images", "2", "--repeats", "1"], ["libra/prove", "libra/verify"]),
    (
        ["groth16", "--size", "6", "--repeats", "1"],
        ["groth16/setup", "groth16/audit", "groth16/prove", "groth16/verify"],
    ),
]


@pytest.mark.parametrize(("arguments", "names"), CASES)
def test_json_lines(arguments: list[str], names: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["name"] for record in records] == names
    for record in records:
        assert record["lanes"] == BODY.name
        assert record["seconds"] > 0
        assert record["threads"] >= 1
        assert record["size"] >= 1
        # an interpreter with numpy takes more than 20 MB, and a test machine has less than 1 TB
        assert 20e6 < record["peak_memory_bytes"] < 1e12


def test_table() -> None:
    result = CliRunner().invoke(app, ["ntt", "--size", "4", "--repeats", "1"])
    assert result.exit_code == 0
    assert "ntt/from_reversed" in result.stdout


def test_size_out_of_range() -> None:
    result = CliRunner().invoke(app, ["ntt", "--size", "27"])
    assert result.exit_code == 2


def test_dense_circuit_is_satisfied_and_dense() -> None:
    r1cs, witness = dense_circuit(6)
    r1cs.check(witness)
    assert r1cs.n_constraints == 62
    assert min(int(x).bit_length() for x in witness.to_ints()[10:]) > 200
