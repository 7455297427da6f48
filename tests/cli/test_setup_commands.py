"""`zkcmp setup`: two parties make a key in turn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deal_stages import Sale

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.point_multiples import multiples
from zkcmp.cli.main import run
from zkcmp.groth16 import ProvingKey, prove, verify
from zkcmp.groth16.audit import audit
from zkcmp.groth16.snarkjs import write_r1cs
from zkcmp.r1cs_builder import ConstraintSystem


def _circuit(path: Path) -> Path:
    """y = x²."""
    system = ConstraintSystem()
    y = system.public(1, "y", lambda: [])
    x = system.private(1, "x", lambda: [])
    system.enforce("square", system.wires(x), system.wires(x), system.wires(y))
    write_r1cs(path, system.build())
    return path


def _zkcmp(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_two_parties(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from zkcmp.groth16.snarkjs import read_r1cs

    circuit, place, key = _circuit(tmp_path / "c.r1cs"), tmp_path / "ceremony", tmp_path / "key"
    assert _zkcmp(capsys, "setup", "new", place, circuit)[0] == 0
    records = []
    for phase in ("powers", "key"):
        for number in (1, 2):
            code, out, _ = _zkcmp(capsys, "setup", "contribute", place)
            assert code == 0
            assert f"contributed {phase} {number}" in out
            records.append(out.splitlines()[1].split()[1])
        code, out, err = _zkcmp(
            capsys, "setup", "finalise", place, circuit, *([key] * (phase == "key"))
        )
        assert (code, err) == (0, "")
    code, out, _ = _zkcmp(capsys, "setup", "verify", place, circuit)
    assert code == 0
    assert [line.split()[2] for line in out.splitlines()[:4]] == records
    assert "4 contributions; look for your own" in out

    made, r1cs = ProvingKey.open(key), read_r1cs(circuit)
    audit(made, r1cs)
    verify(
        made.verifying_key,
        FrVector.from_ints([49]),
        prove(made, r1cs, FrVector.from_ints([1, 49, 7])),
    )


def test_both_parties_make_the_key_of_a_deal(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    deal = sale("sealed")
    assert deal.request(1, "--mode", "full").code == 0
    place, offer = str(tmp_path / "ceremony"), str(deal.message("offer"))

    def setup(*command: str) -> str:
        return _done(deal, "setup", *command)

    setup("new", place, offer, "--images", "3")
    ours = []
    for _ in ("powers", "key"):
        after = f"`zkcmp setup finalise {place} CIRCUIT{' KEY' if ours else ''}`"
        assert after in setup("contribute", place)  # the seller
        ours.append(setup("contribute", place).splitlines()[1].split()[1])
        if not ours[1:]:
            setup("finalise", place, offer, "--images", "3")
    setup("verify", place, str(deal.deal), "--images", "3")
    before = deal.tree()
    for records in ([], ours[:1], ours[1:], [ours[0], "00" * 32]):
        given = [word for record in records for word in ("--record", record)]
        result = deal.run("buyer", "setup", "--ceremony", place, *given)
        assert result.refused
        assert "a contribution of ours" in result.err
        assert deal.tree() == before
    for given in (["--ceremony", place, "--record", "x"], ["--record", ours[0]]):
        assert deal.run("buyer", "setup", *given).refused
    given = ["--record", ours[0], "--record", ours[1]]
    result = deal.run("buyer", "setup", "--ceremony", place, *given)
    assert result.code == 0, result.err
    assert "which we contributed to" in result.out
    assert deal.run("seller", "audit").code == 0
    assert deal.prove().code == 0
    assert deal.run("buyer", "verify").code == 0
    again = deal.run("buyer", "setup", "--ceremony", place, *given)
    assert again.code == 0
    assert "nothing is to be done: the seller has answered" in again.out


def _done(deal: Sale, *command: str) -> str:
    assert deal.capsys is not None
    code, out, err = _zkcmp(deal.capsys, *command)
    assert code == 0, err
    return out


def test_refusals_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    circuit, place = _circuit(tmp_path / "c.r1cs"), tmp_path / "ceremony"
    nowhere = tmp_path / "nowhere"
    assert _zkcmp(capsys, "setup", "new", place, circuit)[0] == 0
    for arguments, said in (
        (("new", place, circuit), "not empty"),
        (("new", nowhere, tmp_path / "none.r1cs"), "none.r1cs"),
        (("contribute", nowhere), "cannot read"),
        (("verify", nowhere, circuit), "cannot read"),
        (("verify", place, tmp_path / "offer.zkcmp"), "--images"),
        (("verify", place, tmp_path / "offer.zkcmp", "--images", "3"), "offer.zkcmp"),
        (("verify", place, circuit, "--ptau", tmp_path / "none.ptau"), "none.ptau"),
        (("finalise", place, circuit), "nobody has contributed"),
    ):
        code, out, err = _zkcmp(capsys, "setup", *arguments)
        assert (code, out) == (2, ""), arguments
        assert len(err.splitlines()) == 1
        assert said in err
    assert _zkcmp(capsys, "setup", "contribute", place)[0] == 0
    (place / "powers-001.record").write_bytes(b"")
    for arguments in (("verify", place, circuit), ("contribute", place)):
        code, out, err = _zkcmp(capsys, "setup", *arguments)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert "ceremony, powers, contributor 1: a record of the wrong length" in err


def test_cheating_contributor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points of another curve come from the first contributor; the second says so and stops."""
    from zkcmp.bn254.curve import g1

    circuit, place = _circuit(tmp_path / "c.r1cs"), tmp_path / "ceremony"
    assert _zkcmp(capsys, "setup", "new", place, circuit)[0] == 0

    def forged(points: np.ndarray, scalars: FrVector) -> np.ndarray:
        out = multiples(points, scalars)
        if points.ndim == 3 and len(points) > 2:
            out[2] = g1.from_affine_ints([(1, 5)])[0]
        return out

    with monkeypatch.context() as patch:
        patch.setattr("zkcmp.groth16.ceremony.powers.multiples", forged)
        assert _zkcmp(capsys, "setup", "contribute", place)[0] == 0
    before = sorted(path.name for path in place.iterdir())
    code, out, err = _zkcmp(capsys, "setup", "contribute", place)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "contributor 1: powers: tau_g1[2]: expected a point of its group" in err
    assert sorted(path.name for path in place.iterdir()) == before
