"""`zkcmp groth16` with snarkjs's vectors: what it says, writes and refuses."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from zkcmp.cli.main import run
from zkcmp.groth16.key_file import create_key_file
from zkcmp.groth16.keys import POWER_SECTIONS, SECTIONS

VECTORS = Path(__file__).parents[1] / "groth16" / "snarkjs_vectors"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the vectors."""
    for source in VECTORS.iterdir():
        shutil.copy(source, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(line: str) -> int:
    return run(["groth16", *line.split()])


def test_a_key_of_each_kind(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("setup power.r1cs a.zkey") == 0
    assert _run("setup power.r1cs b.key") == 0
    out = capsys.readouterr().out
    assert out.count("circuit    3 constraints, 3 public inputs\n") == 2
    assert _run("prove a.zkey power.wtns a.json a_public.json") == 0
    assert _run("prove b.key power.wtns b.json b_public.json --circuit power.r1cs") == 0
    assert (
        "proved     b.json, for the 3 public inputs in b_public.json\n" in capsys.readouterr().out
    )
    for kind, key in (("a", "a.zkey"), ("b", "b.key")):
        assert _run(f"export verificationkey {key} {kind}_vk.json") == 0
        assert _run(f"verify {kind}_vk.json {kind}_public.json {kind}.json") == 0
        assert capsys.readouterr().out.endswith("verified   1 of 1\n")
    assert _run("export zkey b.key power.r1cs c.zkey") == 0
    assert _run("prove c.zkey power.wtns c.json c_public.json") == 0
    assert _run("verify b_vk.json b_public.json b.json c_public.json c.json") == 0
    assert capsys.readouterr().out.endswith("verified   2 of 2\n")
    assert _run("verify b_vk.json b_public.json b.json a_public.json a.json") == 2
    assert "zkcmp: proof 1; pairing equation" in capsys.readouterr().err


def test_audit(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An honest key passes; one with two points exchanged does not, and it is said where."""
    from zkcmp.groth16 import ProvingKey

    assert _run("setup power.r1cs b.key") == 0
    capsys.readouterr()
    assert _run("audit b.key power.r1cs") == 0
    captured = capsys.readouterr()
    key = ProvingKey.open(files / "b.key")
    assert captured.err == ""
    assert captured.out == (
        "circuit    3 constraints, 3 public inputs\n"
        f"audited    key {key.digest.hex()}\n"
        "           under this key, no proof for this circuit reveals the witness\n"
    )
    h_query = np.array(key.h_query)
    h_query[[1, 2]] = h_query[[2, 1]]
    names = SECTIONS + POWER_SECTIONS
    with create_key_file(files / "forged.key", key.shape, len(names)) as writer:
        for name in names:
            writer.section(name, [h_query if name == "h_query" else key.file.bytes(name)])
    _audit_refuses("forged.key power.r1cs", "proving key h_query[", capsys)


def _audit_refuses(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(f"audit {line}") == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_audit_of_keys_that_have_none(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from zkcmp.groth16.snarkjs import write_r1cs
    from zkcmp.r1cs_builder import ConstraintSystem

    assert _run("setup power.r1cs b.key") == 0
    assert _run("import zkey power.r1cs power.zkey imported.key") == 0
    system = ConstraintSystem()
    x = system.private(1, "x", lambda: [])
    system.enforce("boolean", system.wires(x), system.wires(x), system.wires(x))
    write_r1cs(files / "other.r1cs", system.build())
    capsys.readouterr()
    for line, said in (
        ("power.zkey power.r1cs", "power.zkey cannot be audited: a .zkey is without the powers"),
        ("imported.key power.r1cs", "a key without them cannot be audited"),
        ("b.key other.r1cs", "use the key that was made for this circuit"),
        ("b.key none.r1cs", "none.r1cs"),
        ("none.key power.r1cs", "none.key"),
        ("power.wtns power.r1cs", "not a proving key"),
        ("b.key power.wtns", "power.wtns is no usable .r1cs file"),
    ):
        _audit_refuses(line, said, capsys)


def test_prove_says_what_an_unaudited_key_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("prove --help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "can give the witness away unless the key was audited first" in text
    assert "zkcmp groth16 audit" in text


def test_imported_key(files: Path) -> None:
    assert _run("import zkey power.r1cs power.zkey ours.key") == 0
    assert _run("prove ours.key power.wtns p.json i.json --circuit power.r1cs") == 0
    assert _run("verify verification_key.json i.json p.json") == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("prove power.zkey power.r1cs p.json i.json", "power.r1cs is no usable .wtns file"),
        ("prove power.wtns power.wtns p.json i.json", "needs --circuit"),
        ("prove missing.zkey power.wtns p.json i.json", "cannot read missing.zkey"),
        ("setup power.wtns k.zkey", "power.wtns is no usable .r1cs file"),
        ("verify verification_key.json public.json", "in pairs"),
        ("verify proof.json public.json proof.json", "proof.json is no verification key"),
        ("import zkey power.r1cs power.ptau k.key", "power.ptau is no usable .zkey file"),
    ],
)
def test_refusals(files: Path, capsys: pytest.CaptureFixture[str], line: str, message: str) -> None:
    before = sorted(p.name for p in files.iterdir())
    assert _run(line) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert sorted(p.name for p in files.iterdir()) == before


def test_false_witness_is_named(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray((files / "power.wtns").read_bytes())
    data[-96] ^= 1  # the input x
    (files / "false.wtns").write_bytes(bytes(data))
    assert _run("prove power.zkey false.wtns p.json i.json --circuit power.r1cs") == 2
    assert "expected constraint 0 to hold" in capsys.readouterr().err
    assert _run("prove power.zkey false.wtns p.json i.json") == 2
    assert "the witness breaks a constraint" in capsys.readouterr().err
    assert not (files / "p.json").exists()


def _export(deal, *options: str) -> int:
    home = ["--home", str(deal.root / "buyer"), "--deal", str(deal.deal)]
    return run(["groth16", "export", "deal", *home, *options])


def test_exported_deal(sale, capsys: pytest.CaptureFixture[str]) -> None:
    """What the buyer verified, verified again from files alone; and the circuit it is about."""
    from zkcmp.groth16.snarkjs import read_public, read_r1cs

    deal = sale("sealed")
    deal.ask_and_prove("--mode", "full")
    out = deal.root / "export"
    options = ["--out", str(out)]
    assert _export(deal, *options) == 2
    assert not out.exists()
    assert deal.run("buyer", "verify").code == 0
    assert _export(deal, "--out", str(deal.deal)) == 2
    assert _export(deal, *options) == 0
    assert out.stat().st_mode & 0o777 == 0o700
    files = [str(out / f"{name}.json") for name in ("verification_key", "public", "proof")]
    assert run(["groth16", "verify", *files]) == 0
    r1cs = read_r1cs(out / "circuit.r1cs")
    assert r1cs.n_public == len(read_public(out / "public.json"))
    text = (out / "public.json").read_text()
    (out / "public.json").write_text(text.replace('"2"', '"3"', 1))
    assert run(["groth16", "verify", *files]) == 2


def test_deal_is_not_exported_where_others_can_look(
    sale, capsys: pytest.CaptureFixture[str]
) -> None:
    """The public inputs hold the ciphertext, and the key is public after the sale."""
    deal = sale("sealed")
    deal.ask_and_prove("--mode", "full")
    assert deal.run("buyer", "verify").code == 0
    out = deal.root / "export"
    out.mkdir()
    out.chmod(0o755)
    assert _export(deal, "--out", str(out)) == 2
    assert "can be entered by other users" in capsys.readouterr().err
    assert list(out.iterdir()) == []


def test_deal_of_two_rounds_is_not_exported(sale, capsys: pytest.CaptureFixture[str]) -> None:
    """snarkjs would take the challenges for inputs that a prover may choose."""
    deal = sale("verified")
    assert _export(deal, "--out", str(deal.root / "export")) == 2
    assert "a deal in mode full can be exported" in capsys.readouterr().err
    assert not (deal.root / "export").exists()


@pytest.mark.parametrize("group", ["groth16", "groth16 export", "groth16 import"])
def test_groups_alone_show_their_help(capsys: pytest.CaptureFixture[str], group: str) -> None:
    assert run(group.split()) == 0
    assert f"Usage: zkcmp {group}" in capsys.readouterr().out
