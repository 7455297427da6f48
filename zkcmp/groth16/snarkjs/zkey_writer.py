"""Writing .zkey files: a fresh setup, or one of our keys; and taking a .zkey in as one of ours.

The two kinds of key differ in the basis of the quotient's query. With M_j = [τ^j·Z(τ)/δ]₁ (ours),
H_i as in zkey.py (snarkjs's) and x_i = g·w^i, interpolation on the coset reads

    H_i = −1/(2N)·Σ_j x_i^(−j)·M_j         M_j = −2·Σ_i x_i^j·H_i

which are transforms of points. Our keys leave M_(N−1) out because no quotient has that degree; it
counts as infinity, which changes every H_i and no proof. `setup_zkey` knows τ and needs neither.

The file's phase-2 section holds no contributions and a zero circuit hash: whoever runs the setup is
trusted. `snarkjs zkey contribute` adds to it as to any other.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import bit_reversed, root_of_unity
from zkcmp.bn254.msm.fixed_base import Group, fixed_base_mul
from zkcmp.bn254.msm.point_multiples import multiples, transform
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.groth16.key_file import Shape, create_key_file
from zkcmp.groth16.keys import MAX_DOMAIN, SECTIONS, ProvingKey, circuit_shape
from zkcmp.groth16.setup import Trapdoor, evaluate_qap, lagrange_basis
from zkcmp.groth16.snarkjs import zkey as form
from zkcmp.groth16.snarkjs.circuit_file import sparse_matrix
from zkcmp.groth16.snarkjs.field_words import ZKEY_SCALAR_FACTOR, point_chunks
from zkcmp.groth16.snarkjs.rounds import require_one_round
from zkcmp.groth16.snarkjs.sections import create_sections
from zkcmp.groth16.snarkjs.zkey import ZKey
from zkcmp.groth16.verifying_key import VerifyingKey
from zkcmp.progress import Progress, silent
from zkcmp.r1cs import R1CS

Chunks = Iterable[np.ndarray]

_CHUNK = 1 << 16
_NO_CONTRIBUTIONS = bytes(64 + 4)


def setup_zkey(r1cs: R1CS, path: Path | str, progress: Progress = silent) -> ZKey:
    """Make a fresh key for the circuit, for snarkjs.

    Raises:
        ValueError: when the circuit needs a domain above 2^26.
        ZkcmpError: when it has two rounds.
    """
    require_one_round(r1cs.n_challenges > 0, "circuit")
    shape = circuit_shape(r1cs)
    n = shape.domain_size
    if n > MAX_DOMAIN:
        raise ValueError(f"{r1cs.n_constraints} constraints need a domain above {MAX_DOMAIN}")
    # τ must lie neither on the domain nor on its coset
    t = Trapdoor.random(2 * n)
    qap = evaluate_qap(r1cs, n, t.tau)
    progress("setup: polynomials at tau", 1, 1)
    k = qap.a.scale(t.beta) + qap.b.scale(t.alpha) + qap.c
    inverse_gamma, inverse_delta = (pow(x, -1, FR_MODULUS) for x in (t.gamma, t.delta))
    stop = shape.n_public + 1
    g1s = fixed_base_mul("g1", FrVector.from_ints([t.alpha, t.beta, t.delta]))
    g2s = fixed_base_mul("g2", FrVector.from_ints([t.beta, t.gamma, t.delta]))
    gamma_abc = fixed_base_mul("g1", k.slice(0, stop).scale(inverse_gamma))
    verifying_key = VerifyingKey(
        shape.circuit_digest, g1s[0:1], g2s[0:1], g2s[1:2], g2s[2:3], gamma_abc
    )
    coset = t.tau * pow(root_of_unity(2 * n), -1, FR_MODULUS) % FR_MODULUS
    h = lagrange_basis(n, coset)[0].scale(-qap.z * pow(2, -1, FR_MODULUS) * inverse_delta)
    total = 5 * shape.n_wires - stop + n
    done = 0

    def points(group: Group, scalars: FrVector) -> Iterator[np.ndarray]:
        nonlocal done
        for i in range(0, len(scalars), _CHUNK):
            j = min(i + _CHUNK, len(scalars))
            yield fixed_base_mul(group, scalars.slice(i, j))
            done += (j - i) * (2 if group == "g2" else 1)
            progress("setup: points", done, total)

    queries: dict[int, Chunks] = {
        form.A: points("g1", qap.a),
        form.B_G1: points("g1", qap.b),
        form.B_G2: points("g2", qap.b),
        form.L: points("g1", k.slice(stop, shape.n_wires).scale(inverse_delta)),
        form.H: points("g1", h),
    }
    _write(path, r1cs, verifying_key, g1s[1:2], g1s[2:3], queries)
    return ZKey(path)


def export_zkey(key: ProvingKey, r1cs: R1CS, path: Path | str, progress: Progress = silent) -> ZKey:
    """Write one of our keys as a .zkey; `r1cs` is its circuit.

    Changing the basis costs about N/2·log N multiples of points: seconds at 2^16.

    Raises:
        VerificationError: when the key is of another circuit.
        ZkcmpError: when it has two rounds.
    """
    require_one_round(key.verifying_key.two_rounds, "key")
    key.check_circuit(r1cs)
    shape, n = key.shape, key.shape.domain_size
    inverse_shift = pow(root_of_unity(2 * n), -1, FR_MODULUS)
    monomial = np.zeros((n, 2, 4), np.uint64)
    monomial[: n - 1] = key.h_query
    h = transform(monomial, inverse_shift, inverse=True, reversed_order=True, progress=progress)
    h = multiples(h, _constant(-pow(2 * n, -1, FR_MODULUS), n))
    first = shape.n_public + 1
    queries: dict[int, Chunks] = {
        form.A: [_spread(key.a_query, key.a_wires, 0, shape.n_wires)],
        form.B_G1: [_spread(key.b_g1_query, key.b_wires, 0, shape.n_wires)],
        form.B_G2: [_spread(key.b_g2_query, key.b_wires, 0, shape.n_wires)],
        form.L: [_spread(key.l_query, key.l_wires, first, shape.n_wires)],
        form.H: [h],
    }
    _write(path, r1cs, key.verifying_key, key.beta_g1, key.delta_g1, queries)
    return ZKey(path)


def import_zkey(
    zkey: ZKey, r1cs: R1CS, path: Path | str, progress: Progress = silent
) -> ProvingKey:
    """Write a .zkey as one of our keys, for the circuit `r1cs`, every point checked.

    The result has no powers of τ.

    Raises:
        DecodeError: when a point is not in its group.
        VerificationError: when the key's sizes or its matrices A and B are not the circuit's (a
            .zkey does not have C; a wrong one shows when a proof is made).
        ZkcmpError: when the circuit has two rounds.
    """
    require_one_round(r1cs.n_challenges > 0, "circuit")
    path = Path(path)
    shape = circuit_shape(r1cs)
    _check_matrices(zkey, r1cs, shape)
    n, first = shape.domain_size, shape.n_public + 1
    shift = root_of_unity(2 * n)
    h = transform(zkey.query(form.H), progress=progress)
    h = multiples(h, FrVector.powers(shift, n).scale(-2))[bit_reversed(n)][: n - 1]
    theirs = zkey.verifying_key
    verifying_key = VerifyingKey(
        shape.circuit_digest,
        theirs.alpha_g1,
        theirs.beta_g2,
        theirs.gamma_g2,
        theirs.delta_g2,
        theirs.gamma_abc_g1,
    )
    a, b_g1, b_g2, l_points = (zkey.query(k) for k in (form.A, form.B_G1, form.B_G2, form.L))
    a_wires, b_wires, l_wires = (_finite(points) for points in (a, b_g1, l_points))
    if not np.array_equal(b_wires, _finite(b_g2)):
        raise VerificationError("section 7", "infinity where section 6 has it", "elsewhere")
    parts: dict[str, list[np.ndarray | bytes]] = {
        "verifying_key": [verifying_key.to_bytes()],
        "elements_g1": [zkey.alpha_g1, zkey.beta_g1, zkey.delta_g1],
        "elements_g2": [zkey.beta_g2, zkey.delta_g2],
        "a_wires": [a_wires],
        "a_query": [a[a_wires]],
        "b_wires": [b_wires],
        "b_g1_query": [b_g1[b_wires]],
        "b_g2_query": [b_g2[b_wires]],
        "l_wires": [l_wires + np.uint32(first)],
        "l_query": [l_points[l_wires]],
        "h_query": [h],
    }
    with create_key_file(path, shape, len(SECTIONS)) as writer:
        for name in SECTIONS:
            writer.section(name, parts.get(name, []))
    return ProvingKey.open(path)


def _constant(value: int, n: int) -> FrVector:
    return FrVector.from_ints([value]).take(np.zeros(n, np.int64))


def _spread(points: np.ndarray, wires: np.ndarray, first: int, stop: int) -> np.ndarray:
    """A point for every wire first … stop − 1, infinity for those not listed."""
    out = np.zeros((stop - first, *points.shape[1:]), np.uint64)
    out[wires.astype(np.int64) - first] = points
    return out


def _finite(points: np.ndarray) -> np.ndarray:
    return np.flatnonzero(~is_infinity(points)).astype(np.uint32)


def _check_matrices(zkey: ZKey, r1cs: R1CS, shape: Shape) -> None:
    """Raise unless A and B of the key are the circuit's, the consistency rows included."""
    sizes = (zkey.n_public, zkey.n_wires, zkey.domain_size)
    expected = (shape.n_public, shape.n_wires, shape.domain_size)
    if sizes != expected:
        raise VerificationError("zkey: public wires, wires, domain", expected, sizes)
    a, b, table = zkey.matrices
    ids = {value: k for k, value in enumerate(table)}
    ours = np.array([ids.get(value, -1) for value in r1cs.coefficients], np.int64)
    m, stop = shape.n_constraints, shape.n_public + 1
    for name, found, matrix, extra in (("A", a, r1cs.a, stop), ("B", b, r1cs.b, 0)):
        rows = np.repeat(np.arange(m), np.diff(matrix.indptr))
        wanted = sparse_matrix(
            np.concatenate([rows, m + np.arange(extra)]),
            np.concatenate([matrix.indices, np.arange(extra, dtype=np.uint32)]),
            np.concatenate([ours[matrix.coefficient_ids], np.full(extra, ids.get(1, -1))]),
            shape.domain_size,
            shape.n_wires,
        )
        same = (
            np.array_equal(found.indptr, wanted.indptr)
            and np.array_equal(found.indices, wanted.indices)
            and np.array_equal(found.coefficient_ids, wanted.coefficient_ids)
        )
        if not same:
            raise VerificationError(
                f"zkey: matrix {name}", "the circuit's", "another", "use the key of this circuit"
            )


def _write(
    path: Path | str,
    r1cs: R1CS,
    key: VerifyingKey,
    beta_g1: np.ndarray,
    delta_g1: np.ndarray,
    queries: dict[int, Chunks],
) -> None:
    shape = circuit_shape(r1cs)
    sizes = form.SIZES.pack(
        32, form.FQ_PRIME, 32, form.FR_PRIME, shape.n_wires, shape.n_public, shape.domain_size
    )
    elements = (key.alpha_g1, beta_g1, key.beta_g2, key.gamma_g2, delta_g1, key.delta_g2)
    with create_sections(path, form.MAGIC, form.VERSION, 10) as writer:
        writer.section(1, [form.GROTH16.to_bytes(4, "little")])
        writer.section(2, [sizes, *_raw(elements)])
        writer.section(3, _raw([key.gamma_abc_g1]))
        writer.section(4, _entries(r1cs))
        for number in (form.A, form.B_G1, form.B_G2, form.L, form.H):
            writer.section(number, _raw(queries[number]))
        writer.section(10, [_NO_CONTRIBUTIONS])


def _raw(arrays: Chunks) -> Iterator[np.ndarray]:
    for points in arrays:
        yield from point_chunks(points)


def _entries(r1cs: R1CS) -> Iterator[bytes | np.ndarray]:
    """Section 4: A and B row after row, then the consistency rows."""
    m, stop = r1cs.n_constraints, r1cs.n_public + 1
    count = r1cs.a.n_entries + r1cs.b.n_entries + stop
    yield count.to_bytes(4, "little")
    table = r1cs.coefficient_vector.scale(ZKEY_SCALAR_FACTOR).to_words()
    for first in range(0, m, _CHUNK):
        last = min(first + _CHUNK, m)
        parts = []
        for k, matrix in enumerate((r1cs.a, r1cs.b)):
            entries = slice(int(matrix.indptr[first]), int(matrix.indptr[last]))
            part = np.zeros(entries.stop - entries.start, form.ENTRY)
            part["matrix"] = k
            part["row"] = np.repeat(
                np.arange(first, last), np.diff(matrix.indptr[first : last + 1])
            )
            part["wire"] = matrix.indices[entries]
            part["value"] = table[matrix.coefficient_ids[entries]]
            parts.append(part)
        both = np.concatenate(parts)
        yield both[np.argsort(both["row"], kind="stable")]
    rows = np.zeros(stop, form.ENTRY)
    rows["row"] = m + np.arange(stop)
    rows["wire"] = np.arange(stop)
    rows["value"] = FrVector.from_ints([ZKEY_SCALAR_FACTOR]).to_words()
    yield rows
