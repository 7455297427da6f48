"""What circom and snarkjs write is read here, and what is written here they accept.

Run by tests/snarkjs/run.sh, which puts npm's snarkjs and circom2 on the PATH.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zkcmp.cli.main import run
from zkcmp.groth16 import prove, setup, verify
from zkcmp.groth16.snarkjs import (
    ZKey,
    export_zkey,
    prove_with_zkey,
    read_proof,
    read_public,
    read_verification_key,
    read_wtns,
    write_proof,
    write_public,
    write_r1cs,
    write_verification_key,
    write_wtns,
)

sys.path.append(str(Path(__file__).parents[1] / "circuits"))

pytestmark = pytest.mark.snarkjs

BEACON = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"


def tool(directory: Path, *arguments: str) -> str:
    """Run snarkjs or circom2; they exit with a code other than 0 when they refuse."""
    program = shutil.which(arguments[0])
    if program is None:
        pytest.skip(f"{arguments[0]} is not on the PATH; run tests/snarkjs/run.sh")
    done = subprocess.run(
        [program, *arguments[1:]], cwd=directory, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def snarkjs_accepts(directory: Path, key: str, public: str, proof: str) -> bool:
    program = shutil.which("snarkjs")
    assert program is not None
    done = subprocess.run(
        [program, "groth16", "verify", key, public, proof],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ("OK!" in done.stdout) == (done.returncode == 0)
    return done.returncode == 0


def ours(directory: Path, *arguments: str) -> None:
    """Run a zkcmp command on files in the directory."""
    paths = [str(directory / a) if "." in a else a for a in arguments]
    assert run(paths) == 0


@pytest.fixture(scope="module")
def power(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """power.{r1cs,wtns,ptau,zkey}, vk.json, public.json and proof.json by circom and snarkjs."""
    directory = tmp_path_factory.mktemp("power")
    shutil.copy(Path(__file__).with_name("power.circom"), directory)
    (directory / "input.json").write_text(json.dumps({"u": "77", "w": "5", "x": "1234"}))
    for line in (
        "circom2 power.circom --r1cs --wasm",
        "snarkjs wtns calculate power_js/power.wasm input.json power.wtns",
        "snarkjs powersoftau new bn128 3 new.ptau",
        f"snarkjs powersoftau beacon new.ptau beacon.ptau {BEACON} 10",
        "snarkjs powersoftau prepare phase2 beacon.ptau power.ptau",
        "snarkjs groth16 setup power.r1cs power.ptau new.zkey",
        f"snarkjs zkey beacon new.zkey power.zkey {BEACON} 10",
        "snarkjs zkey export verificationkey power.zkey vk.json",
        "snarkjs groth16 prove power.zkey power.wtns proof.json public.json",
    ):
        tool(directory, *line.split())
    return directory


def test_proof_from_a_snarkjs_key(power: Path) -> None:
    ours(power, "groth16", "prove", "power.zkey", "power.wtns", "our_proof.json", "our_public.json")
    assert read_public(power / "our_public.json").equals(read_public(power / "public.json"))
    assert snarkjs_accepts(power, "vk.json", "our_public.json", "our_proof.json")
    (power / "wrong.json").write_text('["1", "77", "5"]')
    assert not snarkjs_accepts(power, "vk.json", "wrong.json", "our_proof.json")


def test_proof_by_snarkjs(power: Path) -> None:
    ours(power, "groth16", "verify", "vk.json", "public.json", "proof.json")
    ours(power, "groth16", "export", "verificationkey", "power.zkey", "our_vk.json")
    theirs = json.loads((power / "vk.json").read_text())
    del theirs["vk_alphabeta_12"]
    assert json.loads((power / "our_vk.json").read_text()) == theirs


def test_imported_key(power: Path) -> None:
    ours(power, "groth16", "import", "zkey", "power.r1cs", "power.zkey", "imported.key")
    files = ("imported.key", "power.wtns", "i_proof.json", "i_public.json")
    ours(power, "groth16", "prove", *files, "--circuit", "power.r1cs")
    assert snarkjs_accepts(power, "vk.json", "i_public.json", "i_proof.json")


def test_our_setup_of_a_circom_circuit(power: Path) -> None:
    """A .zkey of our setup, and one of ours exported; snarkjs proves with either."""
    ours(power, "groth16", "setup", "power.r1cs", "fresh.zkey")
    ours(power, "groth16", "setup", "power.r1cs", "fresh.key")
    ours(power, "groth16", "export", "zkey", "fresh.key", "power.r1cs", "exported.zkey")
    for name, source in (("fresh", "fresh.zkey"), ("exported", "fresh.key")):
        ours(power, "groth16", "export", "verificationkey", source, f"{name}_vk.json")
        proof, public = f"{name}_proof.json", f"{name}_public.json"
        tool(power, "snarkjs", "groth16", "prove", f"{name}.zkey", "power.wtns", proof, public)
        assert snarkjs_accepts(power, f"{name}_vk.json", public, proof)
        ours(power, "groth16", "verify", f"{name}_vk.json", public, proof)


def test_snarkjs_contributes_to_our_key(power: Path) -> None:
    ours(power, "groth16", "setup", "power.r1cs", "first.zkey")
    tool(power, "snarkjs", "zkey", "beacon", "first.zkey", "second.zkey", BEACON, "10")
    tool(power, "snarkjs", "zkey", "export", "verificationkey", "second.zkey", "second_vk.json")
    proof = prove_with_zkey(ZKey(power / "second.zkey"), read_wtns(power / "power.wtns"))
    write_proof(power / "second_proof.json", proof)
    assert snarkjs_accepts(power, "second_vk.json", "public.json", "second_proof.json")


def test_the_exchange_statement(tmp_path: Path) -> None:
    """Mode full on a small network with every kind of layer: circuit, witness, key and proofs."""
    from small_statement import make_case, small_network

    case = make_case(small_network())
    r1cs, witness = case.statement.r1cs, case.witness
    inputs = case.inputs()
    key = setup(r1cs, tmp_path / "deal.key")
    write_r1cs(tmp_path / "deal.r1cs", r1cs)
    write_wtns(tmp_path / "deal.wtns", witness)
    export_zkey(key, r1cs, tmp_path / "deal.zkey")
    write_verification_key(tmp_path / "vk.json", key.verifying_key)
    write_public(tmp_path / "public.json", inputs)
    write_proof(tmp_path / "proof.json", prove(key, r1cs, witness))
    assert f"# of Constraints: {r1cs.n_constraints}" in tool(
        tmp_path, "snarkjs", "r1cs", "info", "deal.r1cs"
    )
    tool(tmp_path, "snarkjs", "wtns", "check", "deal.r1cs", "deal.wtns")
    assert snarkjs_accepts(tmp_path, "vk.json", "public.json", "proof.json")

    tool(tmp_path, "snarkjs", "zkey", "export", "verificationkey", "deal.zkey", "their_vk.json")
    line = "groth16 prove deal.zkey deal.wtns their_proof.json their_public.json"
    tool(tmp_path, "snarkjs", *line.split())
    theirs = read_proof(tmp_path / "their_proof.json")
    assert read_public(tmp_path / "their_public.json").equals(inputs)
    verify(key.verifying_key, inputs, theirs)
    verify(read_verification_key(tmp_path / "their_vk.json"), inputs, theirs)
