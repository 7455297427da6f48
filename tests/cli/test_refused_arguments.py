"""Arguments that contradict each other: one line, nothing written."""

from importlib import import_module
from pathlib import Path

import pytest
from test_setup_commands import _circuit, _zkcmp

MAINNET = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
TAPROOT = "bcrt1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqc8gma6"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    code, out, err = _zkcmp(capsys, *arguments)
    assert code == 2, (out, err)
    return err


@pytest.mark.parametrize("address", [MAINNET, TAPROOT, "nonsense"])
def test_coins_go_to_addresses_of_the_embedded_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    chain = tmp_path / "chain"
    error = refused(capsys, "chain", "mine", "--to", address, "--chain-dir", chain)
    assert "is not a regtest address" in error
    assert not chain.exists()


def test_proofs_come_with_their_public_inputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, public = tmp_path / "verification_key.json", tmp_path / "public.json"
    assert "in pairs" in refused(capsys, "groth16", "verify", key, public)


def test_an_offer_is_a_circuit_only_for_a_number_of_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "ceremony"
    assert "--images" in refused(capsys, "setup", "new", place, tmp_path / "offer.zkcmp")
    assert not place.exists()


def test_a_finished_ceremony_needs_a_name_for_its_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    circuit, place = _circuit(tmp_path / "c.r1cs"), tmp_path / "ceremony"
    assert _zkcmp(capsys, "setup", "new", place, circuit)[0] == 0
    assert _zkcmp(capsys, "setup", "contribute", place)[0] == 0
    assert _zkcmp(capsys, "setup", "finalise", place, circuit)[0] == 0
    assert _zkcmp(capsys, "setup", "contribute", place)[0] == 0
    before = sorted(place.rglob("*"))
    assert "name the KEY" in refused(capsys, "setup", "finalise", place, circuit)
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("name", ["circuit.key", "circuit.zkey"])
def test_a_circuit_that_no_domain_holds(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    for module in ("zkcmp.groth16.setup", "zkcmp.groth16.snarkjs.zkey_writer"):
        monkeypatch.setattr(import_module(module), "MAX_DOMAIN", 1)
    key = tmp_path / name
    error = refused(capsys, "groth16", "setup", _circuit(tmp_path / "c.r1cs"), key)
    assert "use a smaller circuit" in error
    assert not key.exists()
