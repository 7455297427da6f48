"""Files of circom and snarkjs are read as what they are, and written back the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from groth16_circuits import bits, cubic, system
from snarkjs_files import VECTORS, join, read_zkey, split

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import intt
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.params import FR_MODULUS, TWIST_B
from zkcmp.bn254.reference import G2, fq2_add, fq2_mul, fq2_sqrt
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16 import ProvingKey, prove, setup, verify
from zkcmp.groth16.setup import Trapdoor, setup_with
from zkcmp.groth16.snarkjs import (
    Ptau,
    ZKey,
    export_zkey,
    import_zkey,
    prove_with_zkey,
    read_proof,
    read_public,
    read_r1cs,
    read_verification_key,
    read_wtns,
    setup_zkey,
    write_proof,
    write_public,
    write_r1cs,
    write_verification_key,
    write_wtns,
)
from zkcmp.groth16.snarkjs import zkey as sections
from zkcmp.groth16.snarkjs.field_words import point_chunks
from zkcmp.r1cs import R1CS

X, U, W = 1234, 77, 5
Y = (X**5 + (X << 200) - U) % FR_MODULUS


def test_circuit_by_circom() -> None:
    """tests/snarkjs/power.circom: wires 1, y, u, w, x, x², x⁴."""
    r1cs, witness = read_r1cs(VECTORS / "power.r1cs"), read_wtns(VECTORS / "power.wtns")
    assert (r1cs.n_public, r1cs.n_wires, r1cs.n_constraints) == (3, 7, 3)
    assert witness.to_ints() == [1, Y, U, W, X, X**2, X**4]
    r1cs.check(witness)
    for wire in (1, 2, 4, 5, 6):
        values = witness.to_ints()
        values[wire] += 1
        with pytest.raises(VerificationError, match="constraints: expected constraint"):
            r1cs.check(FrVector.from_ints(values))
    assert 1 << 200 in r1cs.coefficients or FR_MODULUS - (1 << 200) in r1cs.coefficients


def test_proof_by_snarkjs() -> None:
    key = read_verification_key(VECTORS / "verification_key.json")
    inputs, proof = read_public(VECTORS / "public.json"), read_proof(VECTORS / "proof.json")
    assert inputs.to_ints() == [Y, U, W]
    verify(key, inputs, proof)
    for wrong in ([Y + 1, U, W], [Y, U + 1, W], [Y, U, W + 1]):
        with pytest.raises(VerificationError, match="pairing equation"):
            verify(key, FrVector.from_ints(wrong), proof)


def test_key_by_snarkjs(tmp_path: Path) -> None:
    key, witness = read_zkey(VECTORS / "power.zkey"), read_wtns(VECTORS / "power.wtns")
    theirs = read_verification_key(VECTORS / "verification_key.json")
    assert key.verifying_key == theirs
    verify(theirs, witness.slice(1, 4), prove_with_zkey(key, witness))
    r1cs = read_r1cs(VECTORS / "power.r1cs")
    ours = import_zkey(key, r1cs, tmp_path / "imported.key")
    ours.check_points()
    verify(theirs, witness.slice(1, 4), prove(ours, r1cs, witness))


def test_false_witness_for_a_zkey() -> None:
    key, witness = ZKey(VECTORS / "power.zkey"), read_wtns(VECTORS / "power.wtns").to_ints()
    witness[4] += 1
    with pytest.raises(VerificationError, match="the witness breaks a constraint"):
        prove_with_zkey(key, FrVector.from_ints(witness))
    with pytest.raises(VerificationError, match="witness length: expected 7, got 6"):
        prove_with_zkey(key, FrVector.from_ints(witness[:6]))
    with pytest.raises(VerificationError, match="constant wire"):
        prove_with_zkey(key, FrVector.from_ints([2, *witness[1:]]))


def _twist_point_outside_g2() -> np.ndarray:
    x = (1, 0)
    while True:
        y = fq2_sqrt(fq2_add(fq2_mul(fq2_mul(x, x), x), TWIST_B))
        if y is not None and not G2.in_subgroup((x, y)):
            return g2.from_affine_ints([(x, y)])
        x = (x[0] + 1, 0)


def test_point_outside_the_subgroup(tmp_path: Path) -> None:
    """B of wire 4 (x) replaced: no proof leaves the prover, and no import."""
    head, parts = split((VECTORS / "power.zkey").read_bytes())
    changed = dict(parts)
    point = b"".join(chunk.tobytes() for chunk in point_chunks(_twist_point_outside_g2()))
    changed[7] = changed[7][: 4 * 128] + point + changed[7][5 * 128 :]
    path = tmp_path / "changed.zkey"
    path.write_bytes(join(head, list(changed.items())))
    key = ZKey(path)
    with pytest.raises(VerificationError, match=r"self-check of the new proof.*proof element B"):
        prove_with_zkey(key, read_wtns(VECTORS / "power.wtns"))
    with pytest.raises(DecodeError, match="section 7, point 4 is not in its group"):
        import_zkey(key, read_r1cs(VECTORS / "power.r1cs"), tmp_path / "k.key")


def test_powers_by_snarkjs() -> None:
    powers = Ptau(VECTORS / "power.ptau")
    powers.check()
    assert powers.power == 3
    for log in (0, 1, 3):
        # the sum of a Lagrange basis is one
        total = powers.lagrange(2, log)
        assert len(total) == 1 << log
        assert np.array_equal(_sum(total), g1.generator())
    with pytest.raises(DecodeError, match="too small for a domain of 2\\^4"):
        powers.lagrange(3, 4)


def _sum(points: np.ndarray) -> np.ndarray:
    from zkcmp.bn254.msm.pippenger import msm

    return msm(points, FrVector.from_ints([1] * len(points)))


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
def test_powers_of_no_tau(tmp_path: Path, number: int) -> None:
    """The last point of a section replaced by another point of the group."""
    head, parts = split((VECTORS / "power.ptau").read_bytes())
    changed = dict(parts)
    size = 128 if number in (3, 6) else 64
    other = dict(parts)[3][:128] if number in (3, 6) else dict(parts)[2][:64]
    changed[number] = changed[number][:-size] + other
    path = tmp_path / "changed.ptau"
    path.write_bytes(join(head, list(changed.items())))
    with pytest.raises(VerificationError, match="powers of tau"):
        Ptau(path).check()


def _wide() -> tuple[R1CS, list[int]]:
    """Coefficients of every size, and a wire that occurs nowhere."""
    big = [FR_MODULUS - 1, 1 << 64, (1 << 64) - 1, 1 << 253, 3, FR_MODULUS - (1 << 64)]
    wires = [1, 0, 2, 3, 5, 7, 9]
    total = sum(c * w for c, w in zip(big, wires[1:], strict=True))
    rows = [({k + 1: c for k, c in enumerate(big)}, {0: 1}, {7: 1}), ({7: 5}, {}, {})]
    return system(2, 9, rows), [*wires, total % FR_MODULUS, 123]


@pytest.mark.parametrize("circuit", [cubic, lambda: bits(70, 1 << 65), _wide])
def test_circuits_and_witnesses_come_back(tmp_path: Path, circuit) -> None:
    r1cs, wires = circuit()
    witness = FrVector.from_ints(wires)
    r1cs.check(witness)
    write_r1cs(tmp_path / "c.r1cs", r1cs)
    again = read_r1cs(tmp_path / "c.r1cs")
    assert (again.n_public, again.n_wires) == (r1cs.n_public, r1cs.n_wires)
    for ours, theirs in zip(r1cs.matrices, again.matrices, strict=True):
        assert ours.n_rows == theirs.n_rows
        for j in range(ours.n_rows):
            left = {(w, r1cs.coefficients[k]) for w, k in ours.row(j)}
            assert left == {(w, again.coefficients[k]) for w, k in theirs.row(j)}
    write_r1cs(tmp_path / "d.r1cs", again)
    assert (tmp_path / "d.r1cs").read_bytes() == (tmp_path / "c.r1cs").read_bytes()
    write_wtns(tmp_path / "w.wtns", witness)
    assert read_wtns(tmp_path / "w.wtns").equals(witness)
    assert (tmp_path / "w.wtns").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("circuit", [cubic, lambda: bits(13, 5), lambda: bits(4, 5), _wide])
def test_every_kind_of_key_proves(tmp_path: Path, circuit) -> None:
    r1cs, wires = circuit()
    witness = FrVector.from_ints(wires)
    inputs = witness.slice(1, r1cs.n_public + 1)
    key = setup(r1cs, tmp_path / "our.key")
    exported = export_zkey(key, r1cs, tmp_path / "exported.zkey")
    verify(key.verifying_key, inputs, prove_with_zkey(exported, witness))
    back = import_zkey(exported, r1cs, tmp_path / "back.key")
    for name in ("a_query", "b_g1_query", "b_g2_query", "l_query", "h_query", "l_wires"):
        assert np.array_equal(getattr(back, name), getattr(key, name)), name
    assert back.verifying_key == key.verifying_key
    fresh = setup_zkey(r1cs, tmp_path / "fresh.zkey")
    verify(fresh.verifying_key, inputs, prove_with_zkey(fresh, witness))
    taken = import_zkey(fresh, r1cs, tmp_path / "taken.key")
    verify(fresh.verifying_key, inputs, prove(taken, r1cs, witness))


def test_quotient_query_by_its_definition(tmp_path: Path) -> None:
    """snarkjs's own key obeys the formula in zkey.py: Σ x_i^j·H_i·(−2) are the powers M_j."""
    t = Trapdoor(alpha=11, beta=12, gamma=13, delta=14, tau=15)
    r1cs, _ = cubic()
    key = setup_with(r1cs, tmp_path / "t.key", t)
    h = export_zkey(key, r1cs, tmp_path / "t.zkey").query(sections.H)
    n = 8
    g = pow(5, (FR_MODULUS - 1) // (2 * n), FR_MODULUS)
    z_over_delta = (pow(15, n, FR_MODULUS) - 1) * pow(14, -1, FR_MODULUS)
    # M without its last: the values on 1/g·⟨1/w⟩ of the polynomial Σ_{j<n−1} M_j X^j, over −2n
    logs = [pow(15, j, FR_MODULUS) * z_over_delta * pow(g, -j, FR_MODULUS) for j in range(n - 1)]
    values = intt(FrVector.from_ints([*logs, 0])).scale(-pow(2, -1, FR_MODULUS))
    assert np.array_equal(h, fixed_base_mul("g1", values))


def test_key_of_another_circuit(tmp_path: Path) -> None:
    zkey = setup_zkey(cubic()[0], tmp_path / "k.zkey")
    rows = [
        ({3: 1}, {3: 1}, {4: 1}),
        ({4: 1}, {3: 2}, {5: 1}),
        ({5: 1, 3: 1, 0: 5}, {0: 1}, {1: 1}),
    ]
    other = system(2, 6, rows)
    with pytest.raises(VerificationError, match="matrix B"):
        import_zkey(zkey, other, tmp_path / "k.key")
    with pytest.raises(VerificationError, match="public wires, wires, domain"):
        import_zkey(zkey, bits(3, 1)[0], tmp_path / "k.key")
    assert not (tmp_path / "k.key").exists()
    key = setup(cubic()[0], tmp_path / "ours.key")
    with pytest.raises(VerificationError, match="proving key"):
        export_zkey(key, other, tmp_path / "o.zkey")


def test_json_comes_back(tmp_path: Path) -> None:
    key = read_verification_key(VECTORS / "verification_key.json")
    proof = read_proof(VECTORS / "proof.json")
    inputs = FrVector.from_ints([0, 1, FR_MODULUS - 1])
    write_verification_key(tmp_path / "k.json", key)
    write_proof(tmp_path / "p.json", proof)
    write_public(tmp_path / "i.json", inputs)
    assert read_verification_key(tmp_path / "k.json") == key
    assert read_proof(tmp_path / "p.json") == proof
    assert read_public(tmp_path / "i.json").equals(inputs)
    theirs = json.loads((VECTORS / "proof.json").read_text())
    assert json.loads((tmp_path / "p.json").read_text()) == theirs


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '["01"]',
        '["-1"]',
        '["+1"]',
        '[" 1"]',
        '["1\\n"]',
        '["\\u0661"]',
        '[["1"]]',
        f'["{FR_MODULUS}"]',
        '["' + "9" * 5000 + '"]',
        "[" + "9" * 5000 + "]",
        "[" * 100_000,
        '{"a": 1, "a": 2}',
    ],
)
def test_public_inputs_have_one_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DecodeError):
        read_public(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("proof.json", {"curve": "bls12381"}),
        ("proof.json", {"protocol": "plonk"}),
        ("proof.json", {"pi_a": ["0", "1", "0"]}),
        ("proof.json", {"pi_a": ["1", "3", "1"]}),
        ("proof.json", {"pi_a": ["1", "2"]}),
        ("proof.json", {"pi_b": [["1", "2"], ["3", "4"], ["1", "0"]]}),
        ("proof.json", {"pi_c": "12"}),
        ("verification_key.json", {"nPublic": 2}),
        ("verification_key.json", {"nPublic": -1, "IC": []}),
        ("verification_key.json", {"nPublic": True}),
        ("verification_key.json", {"IC": [["1", "2", "1"]] * 3}),
        ("verification_key.json", {"vk_delta_2": [["0", "0"], ["1", "0"], ["0", "0"]]}),
    ],
)
def test_json_that_is_no_key_and_no_proof(tmp_path: Path, name: str, change: dict) -> None:
    value = json.loads((VECTORS / name).read_text())
    (tmp_path / name).write_text(json.dumps({**value, **change}))
    read = read_proof if name == "proof.json" else read_verification_key
    with pytest.raises(DecodeError):
        read(tmp_path / name)


def test_imported_key_opens_again(tmp_path: Path) -> None:
    r1cs = read_r1cs(VECTORS / "power.r1cs")
    import_zkey(ZKey(VECTORS / "power.zkey"), r1cs, tmp_path / "k.key")
    key = ProvingKey.open(tmp_path / "k.key")
    key.check_circuit(r1cs)
    key.check_points()
