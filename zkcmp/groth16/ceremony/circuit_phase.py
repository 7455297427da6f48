"""Phase 2 of a ceremony: from powers of τ to the key of one circuit, and the factors of δ and δ₀.

`derive_key` computes the key with γ = δ = δ₀ = 1 from the powers alone: the Lagrange basis at τ is
the inverse transform of the powers, in the group, and every query is a column sum over it,

    [L_j(τ)]₁ = 1/N·Σ_i w^(−ij)·[τ^i]₁          the same with [ατ^i]₁, [βτ^i]₁, [τ^i]₂
    [A_i(τ)]₁ = Σ_j A[j, i]·[L_j(τ)]₁            [βA_i + αB_i + C_i]₁ alike
    [τ^i·Z(τ)]₁ = [τ^(i+N)]₁ − [τ^i]₁

so anybody who repeats it gets the same bytes. Then every contributor multiplies δ by a secret
factor x, which divides l_query and h_query by x, and in a circuit of two rounds δ₀ by another one,
which divides commitment_query. An audit (audit/) of the result shows that this, and nothing else,
was done. γ stays 1, as in Bowe, Gabizon, Miers 2017 and in snarkjs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import bit_reversed
from zkcmp.bn254.msm.point_multiples import multiples, sums, transform
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError
from zkcmp.groth16.ceremony.column_points import column_points
from zkcmp.groth16.ceremony.membership import check_membership
from zkcmp.groth16.ceremony.powers import Powers
from zkcmp.groth16.key_file import Shape, create_key_file
from zkcmp.groth16.keys import POWER_SECTIONS, ProvingKey, circuit_shape, section_names
from zkcmp.groth16.verifying_key import VerifyingKey
from zkcmp.progress import Progress, silent
from zkcmp.r1cs import R1CS, SparseMatrix

_CHUNK = 1 << 15
_MULTIPLIED = (
    *("delta_g1", "delta_g2", "delta0_g1", "delta0_g2"),
    *("l_query", "h_query", "commitment_query"),
)


def derive_key(powers: Powers, r1cs: R1CS, path: Path, progress: Progress = silent) -> ProvingKey:
    """Write the key of the circuit with γ = δ = δ₀ = 1. The powers must have been checked.

    Raises ValueError when the powers are for another domain.
    """
    shape = circuit_shape(r1cs)
    n = shape.domain_size
    if powers.domain_size != n:
        raise ValueError(f"powers for a domain of {powers.domain_size}, the circuit needs {n}")
    columns = _Columns.at_tau(powers, r1cs, progress)
    return _write(path, shape, _content(powers, shape, columns))


@dataclass(frozen=True, eq=False)
class _Columns:
    """A_i(τ), B_i(τ) and K_i = βA_i(τ) + αB_i(τ) + C_i(τ) of every wire i, infinity for 0."""

    a: np.ndarray
    b_g1: np.ndarray
    b_g2: np.ndarray
    k: np.ndarray

    @classmethod
    def at_tau(cls, powers: Powers, r1cs: R1CS, progress: Progress) -> "_Columns":
        """The column sums over each Lagrange basis, one basis in memory at a time."""
        n = powers.domain_size
        one = FrVector.from_ints([1])
        table = FrVector.concat([r1cs.coefficient_vector, one])  # the last for consistency rows
        a, b, c = _with_consistency_rows(r1cs, n), _rows(r1cs.b, n), _rows(r1cs.c, n)

        def sums_over(lagrange: np.ndarray, *matrices: SparseMatrix) -> list[np.ndarray]:
            return [column_points(m, table, lagrange, r1cs.n_wires, progress) for m in matrices]

        a_points, b_points, k = sums_over(_lagrange(powers.tau_g1[:n], progress), a, b, c)
        for matrix, base in ((a, powers.beta_tau_g1), (b, powers.alpha_tau_g1)):
            k = _add(k, *sums_over(_lagrange(base, progress), matrix))
        (b_g2_points,) = sums_over(_lagrange(powers.tau_g2, progress), b)
        return cls(a_points, b_points, b_g2_points, k)


def _content(powers: Powers, shape: Shape, columns: _Columns) -> dict[str, bytes | np.ndarray]:
    """The sections of the key with γ = δ = δ₀ = 1."""
    n, stop = shape.domain_size, shape.n_public + 1
    alpha, beta = powers.alpha_tau_g1[:1], powers.beta_tau_g1[:1]
    deltas = 2 if shape.n_challenges else 1
    one_g1, one_g2 = (np.repeat(g.generator(), deltas, axis=0) for g in (g1, g2))
    verifying_key = VerifyingKey(
        shape.circuit_digest,
        alpha,
        powers.beta_g2,
        g2.generator(),
        one_g2[:1],
        columns.k[:stop],
        shape.n_challenges,
        one_g2[1:],
    )
    a_wires, b_wires, k_wires = (_present(p) for p in (columns.a, columns.b_g1, columns.k))
    committed, other = np.searchsorted(k_wires, [stop, shape.first_other])
    commitment_wires, l_wires = k_wires[committed:other], k_wires[other:]
    return {
        "verifying_key": verifying_key.to_bytes(),
        "elements_g1": np.concatenate([alpha, beta, one_g1]),
        "elements_g2": np.concatenate([powers.beta_g2, one_g2]),
        "a_wires": a_wires,
        "a_query": columns.a[a_wires],
        "b_wires": b_wires,
        "b_g1_query": columns.b_g1[b_wires],
        "b_g2_query": columns.b_g2[b_wires],
        "l_wires": l_wires,
        "l_query": columns.k[l_wires],
        "h_query": _quotients(powers.tau_g1, n),
        "commitment_wires": commitment_wires,
        "commitment_query": columns.k[commitment_wires],
        "tau_g1": powers.tau_g1[: n + 1],
        "tau_g2": powers.tau_g2[1:2],
    }


def check_multiplied(key: ProvingKey, progress: Progress = silent) -> None:
    """Check what `multiply_deltas` multiplies: every such point is in its group, not infinity.

    Raises DecodeError for a damaged key or one without the powers of τ, VerificationError naming a
    bad point.
    """
    if not set(POWER_SECTIONS) <= set(key.file.sections):
        raise DecodeError("a key without the powers of tau; phase 2 needs one with them")
    key.file.check_digests()
    sections = {name: getattr(key, name) for name in _MULTIPLIED}
    check_membership("key: ", sections, "key: points", progress)


def multiply_deltas(
    key: ProvingKey, path: Path, factors: Sequence[int], progress: Progress = silent
) -> ProvingKey:
    """Write the key with δ·factors[0] in place of δ, and δ₀·factors[1] in a key of two rounds.

    The factors are secret: somebody else's key must have passed `check_multiplied`, and nobody may
    be able to change it since.
    """
    deltas_g1 = np.concatenate([key.delta_g1, key.delta0_g1])
    deltas_g2 = np.concatenate([key.delta_g2, key.delta0_g2])
    scalars = FrVector.from_ints(factors)
    deltas_g1, deltas_g2 = multiples(deltas_g1, scalars), multiples(deltas_g2, scalars)
    verifying_key = replace(
        key.verifying_key, delta_g2=deltas_g2[:1], delta0_g2=deltas_g2[1:]
    ).to_bytes()
    content: dict[str, bytes | np.ndarray] = {
        name: key.file.bytes(name) for name in section_names(key.shape)
    }
    content["verifying_key"] = verifying_key
    content["elements_g1"] = np.concatenate([key.alpha_g1, key.beta_g1, deltas_g1])
    content["elements_g2"] = np.concatenate([key.beta_g2, deltas_g2])
    over_delta, over_delta0 = (pow(x, -1, FR_MODULUS) for x in (factors[0], factors[-1]))
    divided = [("l_query", over_delta), ("h_query", over_delta)]
    if key.shape.n_challenges:
        divided.append(("commitment_query", over_delta0))
    total, done = sum(len(getattr(key, name)) for name, _ in divided), 0
    for name, inverse in divided:
        points = getattr(key, name)
        parts = [points[:0]]
        for start in range(0, len(points), _CHUNK):
            part = points[start : start + _CHUNK]
            repeated = FrVector.from_ints([inverse]).take(np.zeros(len(part), np.int64))
            parts.append(multiples(part, repeated))
            done += len(part)
            progress("contribution: key", done, total)
        content[name] = np.concatenate(parts)
    return _write(path, key.shape, content)


def _write(path: Path, shape: Shape, content: dict[str, bytes | np.ndarray]) -> ProvingKey:
    names = section_names(shape)
    with create_key_file(path, shape, len(names)) as writer:
        for name in names:
            data = content[name]
            writer.section(name, [data if isinstance(data, bytes) else data.tobytes()])
    return ProvingKey.open(path)


def _quotients(tau_g1: np.ndarray, n: int) -> np.ndarray:
    """[τ^i·(τ^n − 1)]₁ for i < n − 1, in the order of keys: i with its bits reversed."""
    one = FrVector.from_ints([1])
    minus = multiples(tau_g1[: n - 1], one.scale(-1).take(np.zeros(n - 1, np.int64)))
    quotients = np.zeros((n, 2, 4), np.uint64)
    quotients[bit_reversed(n)[: n - 1]] = sums(tau_g1[n:], minus)
    return quotients[: n - 1]


def _lagrange(powers: np.ndarray, progress: Progress) -> np.ndarray:
    """[τ^i] for i < N to [L_j(τ)] for j < N."""
    n = len(powers)
    scale = FrVector.from_ints([pow(n, -1, FR_MODULUS)]).take(np.zeros(n, np.int64))
    return transform(multiples(powers, scale), inverse=True, progress=progress)


def _rows(matrix: SparseMatrix, n: int) -> SparseMatrix:
    """The matrix with empty rows below it, n rows in all."""
    end = np.full(n - matrix.n_rows, matrix.indptr[-1], np.int64)
    return SparseMatrix(
        np.concatenate([matrix.indptr, end]), matrix.indices, matrix.coefficient_ids
    )


def _with_consistency_rows(r1cs: R1CS, n: int) -> SparseMatrix:
    """A with the rows z_i for the public wires (quotient.py), n rows in all.

    Their coefficient is the one after the circuit's own.
    """
    a, count, one = r1cs.a, r1cs.n_public + 1, len(r1cs.coefficients)
    longer = SparseMatrix(
        np.concatenate([a.indptr, a.indptr[-1] + np.arange(1, count + 1)]),
        np.concatenate([a.indices, np.arange(count, dtype=np.uint32)]),
        np.concatenate([a.coefficient_ids, np.full(count, one, np.uint32)]),
    )
    return _rows(longer, n)


def _add(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Point by point, where either may be infinity."""
    out = np.where(is_infinity(left)[:, None, None], right, left)
    both = np.flatnonzero(~is_infinity(left) & ~is_infinity(right))
    out[both] = sums(left[both], right[both])
    return out


def _present(points: np.ndarray) -> np.ndarray:
    return np.flatnonzero(~is_infinity(points)).astype(np.uint32)
