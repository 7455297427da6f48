"""Setup, quotient and verification equal plain-Python second sources."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from groth16_circuits import bits, cubic, system
from py_ecc.optimized_bn128 import (
    FQ,
    FQ2,
    FQ12,
    add,
    curve_order,
    final_exponentiate,
    multiply,
    neg,
    pairing,
)

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import bit_reversed, root_of_unity
from zkcmp.bn254.params import FR_MODULUS, G1_GENERATOR, G2_GENERATOR
from zkcmp.bn254.reference import G1, G2
from zkcmp.errors import VerificationError
from zkcmp.groth16 import Proof, ProvingKey, VerifyingKey, prove, setup, verify
from zkcmp.groth16.columns import PIECE, column_sums
from zkcmp.groth16.keys import domain_size
from zkcmp.groth16.quotient import consistency_rows, quotient
from zkcmp.groth16.setup import Trapdoor, lagrange_basis, setup_with
from zkcmp.r1cs import R1CS, SparseMatrix

TRAPDOOR = Trapdoor(alpha=11, beta=FR_MODULUS - 7, gamma=1 << 200, delta=12345, tau=67890)


def _lagrange(n: int, x: int) -> list[int]:
    """L_j(x) = Π_{k≠j} (x − w^k)/(w^j − w^k), by the definition."""
    w = root_of_unity(n)
    points = [pow(w, j, FR_MODULUS) for j in range(n)]
    out = []
    for j in range(n):
        value = 1
        for k in range(n):
            if k != j:
                value = value * (x - points[k]) * pow(points[j] - points[k], -1, FR_MODULUS)
        out.append(value % FR_MODULUS)
    return out


def _plain_qap(r1cs: R1CS, tau: int) -> list[list[int]]:
    """A_i(tau), B_i(tau), C_i(tau) for every wire, consistency rows included."""
    basis = _lagrange(domain_size(r1cs.n_constraints, r1cs.n_public), tau)
    sums = [[0] * r1cs.n_wires for _ in range(3)]
    for k, matrix in enumerate(r1cs.matrices):
        for j in range(r1cs.n_constraints):
            for wire, coefficient in matrix.row(j):
                sums[k][wire] += r1cs.coefficients[coefficient] * basis[j]
    for i in range(r1cs.n_public + 1):
        sums[0][i] += basis[r1cs.n_constraints + i]
    return [[x % FR_MODULUS for x in column] for column in sums]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ProvingKey:
    return setup_with(cubic()[0], tmp_path_factory.mktemp("key"), TRAPDOOR)


def _multiples(scalars: list[int]) -> list:
    return [G1.mul(G1_GENERATOR, s) for s in scalars]


def test_setup_by_hand(key: ProvingKey) -> None:
    r1cs, _ = cubic()
    t, r = TRAPDOOR, FR_MODULUS
    a, b, c = _plain_qap(r1cs, t.tau)
    k = [(t.beta * x + t.alpha * y + z) % r for x, y, z in zip(a, b, c, strict=True)]
    vk, n = key.verifying_key, key.shape.domain_size
    assert n == 8
    assert g1.to_affine_ints(key.a_query) == _multiples([a[i] for i in key.a_wires])
    assert list(key.a_wires) == [i for i, x in enumerate(a) if x]
    assert g1.to_affine_ints(key.b_g1_query) == _multiples([b[i] for i in key.b_wires])
    assert list(key.b_wires) == [0, 3]
    assert g2.to_affine_ints(key.b_g2_query) == [G2.mul(G2_GENERATOR, b[i]) for i in key.b_wires]
    over_delta, over_gamma = pow(t.delta, -1, r), pow(t.gamma, -1, r)
    assert g1.to_affine_ints(key.l_query) == _multiples([x * over_delta for x in k[3:]])
    assert g1.to_affine_ints(vk.gamma_abc_g1) == _multiples([x * over_gamma for x in k[:3]])
    z = pow(t.tau, n, r) - 1
    powers = [pow(t.tau, int(i), r) * z * over_delta for i in bit_reversed(n)]
    assert g1.to_affine_ints(key.h_query) == _multiples(powers[:-1])
    singles = np.concatenate([key.alpha_g1, key.beta_g1, key.delta_g1])
    assert g1.to_affine_ints(singles) == _multiples([t.alpha, t.beta, t.delta])
    twisted = np.concatenate([vk.beta_g2, vk.gamma_g2, vk.delta_g2])
    assert g2.to_affine_ints(twisted) == [
        G2.mul(G2_GENERATOR, s) for s in (t.beta, t.gamma, t.delta)
    ]


def test_whoever_knows_the_trapdoor_forges(key: ProvingKey) -> None:
    """C = (ab − αβ − IC·γ)/δ satisfies the equation for any a and b: it is checked as written."""
    t, r = TRAPDOOR, FR_MODULUS
    false_statement = [999, 5]
    qa, qb, qc = _plain_qap(cubic()[0], t.tau)
    over_gamma_ic = sum(
        z * (t.beta * qa[i] + t.alpha * qb[i] + qc[i]) for i, z in enumerate([1, *false_statement])
    )
    a, b = 101, 202
    c = (a * b - t.alpha * t.beta - over_gamma_ic) * pow(t.delta, -1, r) % r
    forged = Proof(
        g1.from_affine_ints([G1.mul(G1_GENERATOR, a)]),
        g2.from_affine_ints([G2.mul(G2_GENERATOR, b)]),
        g1.from_affine_ints([G1.mul(G1_GENERATOR, c)]),
    )
    verify(key.verifying_key, FrVector.from_ints(false_statement), forged)
    with pytest.raises(VerificationError, match="pairing equation"):
        verify(key.verifying_key, FrVector.from_ints([998, 5]), forged)


def _ecc_g1(array: np.ndarray) -> tuple:
    x, y = g1.to_affine_ints(array)[0]
    return FQ(x), FQ(y), FQ(1)


def _ecc_g2(array: np.ndarray) -> tuple:
    x, y = g2.to_affine_ints(array)[0]
    return FQ2(x), FQ2(y), FQ2.one()


def _ecc_verify(vk: VerifyingKey, inputs: list[int], proof: Proof) -> bool:
    """The verifier again, with nothing but py_ecc."""
    commitment = _ecc_g1(vk.gamma_abc_g1[0:1])
    for i, z in enumerate(inputs):
        commitment = add(commitment, multiply(_ecc_g1(vk.gamma_abc_g1[i + 1 : i + 2]), z))
    product = FQ12.one()
    for p, q in (
        (neg(_ecc_g1(proof.a)), proof.b),
        (_ecc_g1(vk.alpha_g1), vk.beta_g2),
        (commitment, vk.gamma_g2),
        (_ecc_g1(proof.c), vk.delta_g2),
    ):
        product = product * pairing(_ecc_g2(q), p, final_exponentiate=False)
    return bool(final_exponentiate(product) == FQ12.one())


def test_py_ecc_agrees(key: ProvingKey) -> None:
    assert curve_order == FR_MODULUS
    r1cs, wires = cubic()
    proof = Proof.from_bytes(prove(key, r1cs, FrVector.from_ints(wires)).to_bytes())
    assert _ecc_verify(key.verifying_key, wires[1:3], proof)
    assert not _ecc_verify(key.verifying_key, [wires[1], wires[2] + 1], proof)


def _polynomial(values: list[int]) -> list[int]:
    """Coefficients by the definition of the inverse transform."""
    n = len(values)
    w = pow(root_of_unity(n), -1, FR_MODULUS)
    return [
        sum(v * pow(w, i * j, FR_MODULUS) for j, v in enumerate(values))
        * pow(n, -1, FR_MODULUS)
        % FR_MODULUS
        for i in range(n)
    ]


def _times(x: list[int], y: list[int]) -> list[int]:
    out = [0] * (len(x) + len(y) - 1)
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            out[i + j] += a * b
    return out


@pytest.mark.parametrize(("n", "rows"), [(1, 0), (2, 1), (8, 5), (16, 13), (64, 50)])
def test_quotient_times_vanishing_polynomial(n: int, rows: int) -> None:
    a, b = FrVector.random(rows), FrVector.random(rows)
    c = a * b
    public = FrVector.random(n - rows)
    full = consistency_rows(a, public, n)
    pa, pb, pc = (_polynomial(v.to_ints() + [0] * (n - len(v))) for v in (full, b, c))
    h = quotient(full, b, c).to_ints()
    natural = [h[i] for i in bit_reversed(n)]
    assert natural[-1] == 0
    left = [*_times(pa, pb), 0]
    for i, x in enumerate(pc):
        left[i] -= x
    right = _times(natural, [-1] + [0] * (n - 1) + [1])
    right += [0] * (len(left) - len(right))
    assert [x % FR_MODULUS for x in left] == [x % FR_MODULUS for x in right[: len(left)]]


@pytest.mark.parametrize("n", [1, 2, 8, 32])
def test_lagrange_basis(n: int) -> None:
    basis, z = lagrange_basis(n, 987654321)
    assert basis.to_ints() == _lagrange(n, 987654321)
    assert z == pow(987654321, n, FR_MODULUS) - 1


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5])
def test_columns_longer_than_a_piece(length: int) -> None:
    """Column 0 has `length` entries, column 2 none, column 3 one."""
    n_rows = length + 1
    indptr = np.minimum(np.arange(n_rows + 1), length).astype(np.int64)
    indptr[-1] += 1
    indices = np.array([0] * length + [3], np.uint32)
    ids = (np.arange(length + 1) % 2).astype(np.uint32)
    x = FrVector.powers(3, n_rows)
    sums = column_sums(
        SparseMatrix(indptr, indices, ids), FrVector.from_ints([1, FR_MODULUS - 2]), x, 4
    )
    coefficients = [(1, -2)[i % 2] for i in range(n_rows)]
    want = sum(k * pow(3, j, FR_MODULUS) for j, k in enumerate(coefficients[:length]))
    last = coefficients[length] * pow(3, length, FR_MODULUS)
    assert sums.to_ints() == [want % FR_MODULUS, 0, 0, last % FR_MODULUS]


@pytest.mark.parametrize(
    ("constraints", "public", "size"), [(1, 0, 2), (3, 0, 4), (3, 1, 8), (0, 0, 1)]
)
def test_domain_holds_the_consistency_rows(constraints: int, public: int, size: int) -> None:
    assert domain_size(constraints, public) == size


@pytest.mark.parametrize("n_bits", [1, 4, 5, 12, 13])
def test_domains_that_are_just_full(n_bits: int, tmp_path: Path) -> None:
    """rows = bits + 1 + 2, at and around powers of two."""
    r1cs, wires = bits(n_bits, 1)
    key = setup(r1cs, tmp_path)
    verify(key.verifying_key, FrVector.from_ints([1]), prove(key, r1cs, FrVector.from_ints(wires)))


def test_no_private_wires_and_no_constraints(tmp_path: Path) -> None:
    for r1cs, wires in (
        (system(1, 2, [({1: 1}, {1: 1}, {0: 4})]), [1, 2]),
        (system(2, 3, []), [1, 5, 6]),
    ):
        key = setup(r1cs, tmp_path)
        inputs = FrVector.from_ints(wires[1:])
        proof = prove(key, r1cs, FrVector.from_ints(wires))
        verify(key.verifying_key, inputs, proof)
        with pytest.raises(VerificationError, match="pairing equation"):
            verify(key.verifying_key, inputs + 1, proof)


_KEY_ON_OTHER_BODY = """
import sys
sys.path.insert(0, sys.argv[1])
from groth16_circuits import cubic
from test_groth16_equations import TRAPDOOR
from zkcmp.bn254.field.fr import FrVector
from zkcmp.groth16 import Proof, prove, verify
from zkcmp.groth16.setup import setup_with
r1cs, wires = cubic()
key = setup_with(r1cs, sys.argv[2], TRAPDOOR)
inputs, theirs = FrVector.from_ints(wires[1:3]), Proof.from_bytes(bytes.fromhex(sys.argv[3]))
verify(key.verifying_key, inputs, theirs)
key.check_points()
print(prove(key, r1cs, FrVector.from_ints(wires)).to_bytes().hex())
"""


@pytest.mark.skipif("ZKCMP_LANES" in os.environ, reason="this is the run with a chosen body")
def test_key_and_proof_are_the_same_on_the_portable_body(key: ProvingKey, tmp_path: Path) -> None:
    r1cs, wires = cubic()
    mine = prove(key, r1cs, FrVector.from_ints(wires))
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", _KEY_ON_OTHER_BODY, here, str(tmp_path), mine.to_bytes().hex()],
        env={**os.environ, "ZKCMP_LANES": "portable"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = Proof.from_bytes(bytes.fromhex(done.stdout.strip()))
    verify(key.verifying_key, FrVector.from_ints(wires[1:3]), theirs)
    assert ProvingKey.open(tmp_path).digest == key.digest
