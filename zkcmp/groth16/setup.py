"""Groth16 setup: a trapdoor, the QAP evaluated at τ, and all multiples of the generators.

Source: Groth 2016, §3.2, Setup. With L_j the Lagrange basis of the N-th roots of unity w^j,

    L_j(τ) = Z(τ)/N · w^j/(τ − w^j),     A_i(τ) = Σ_j A[j, i]·L_j(τ)    (B, C alike)

so column sums are one product of the transposed matrix with (L_j(τ))_j. Of the N rows, n … n + ℓ
are the consistency rows z_i·0 = 0 for the constant one and the public inputs; quotient.py says what
they prevent. In a circuit of two rounds the entries of the committed wires are divided by δ₀, drawn
independently of δ: with δ₀ = c·δ and c known, wires could move from one round to the other.

Whoever knows the trapdoor can prove anything. It is drawn from `secrets`, used, and forgotten here;
Python cannot promise that no copy stays in memory until the process ends.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import permute, root_of_unity
from zkcmp.bn254.msm.fixed_base import Group, fixed_base_mul
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.groth16.columns import column_sums
from zkcmp.groth16.key_file import KeyWriter, Shape, create_key_file
from zkcmp.groth16.keys import (
    KEY_NAME,
    MAX_DOMAIN,
    ProvingKey,
    circuit_shape,
    domain_size,
    section_names,
)
from zkcmp.groth16.verifying_key import VerifyingKey
from zkcmp.overlap import overlapped
from zkcmp.progress import Progress, silent
from zkcmp.r1cs import R1CS

_CHUNK = 1 << 17


@dataclass(frozen=True)
class Trapdoor:
    """The toxic waste; never printed, logged or stored. delta0 is for circuits of two rounds."""

    alpha: int = field(repr=False)
    beta: int = field(repr=False)
    gamma: int = field(repr=False)
    delta: int = field(repr=False)
    tau: int = field(repr=False)
    delta0: int | None = field(default=None, repr=False)

    @classmethod
    def random(cls, n: int) -> "Trapdoor":
        """Nonzero scalars, tau outside the domain of size n."""
        values = [secrets.randbelow(FR_MODULUS - 1) + 1 for _ in range(6)]
        while pow(values[4], n, FR_MODULUS) == 1:
            values[4] = secrets.randbelow(FR_MODULUS - 1) + 1
        return cls(*values)


@dataclass(frozen=True)
class QapAtTau:
    """A_i(τ), B_i(τ), C_i(τ) for every wire, and Z(τ)."""

    a: FrVector
    b: FrVector
    c: FrVector
    z: int = field(repr=False)


def setup(r1cs: R1CS, path: Path | str, progress: Progress = silent) -> ProvingKey:
    """Make a fresh key for the circuit and write it to the file `path` (or into that directory).

    Raises:
        ValueError: when the circuit needs a domain above 2^26.
    """
    n = domain_size(r1cs.n_constraints, r1cs.n_public)
    if n > MAX_DOMAIN:
        raise ValueError(f"{r1cs.n_constraints} constraints need a domain above {MAX_DOMAIN}")
    return setup_with(r1cs, path, Trapdoor.random(n), progress)


def setup_with(
    r1cs: R1CS, path: Path | str, trapdoor: Trapdoor, progress: Progress = silent
) -> ProvingKey:
    """The key of a given trapdoor (for ceremonies and tests; `setup` draws one).

    Raises ValueError when the circuit has two rounds and the trapdoor no delta0.
    """
    path = Path(path)
    path = path / KEY_NAME if path.is_dir() else path
    shape = circuit_shape(r1cs)
    qap = evaluate_qap(r1cs, shape.domain_size, trapdoor.tau)
    progress("setup: polynomials at tau", 1, 1)
    if shape.n_challenges and trapdoor.delta0 is None:
        raise ValueError("a circuit of two rounds needs delta0 in its trapdoor")
    with create_key_file(path, shape, len(section_names(shape))) as writer:
        _write_sections(writer, shape, qap, trapdoor, progress)
    return ProvingKey.open(path)


def lagrange_basis(n: int, tau: int) -> tuple[FrVector, int]:
    """(L_0(τ), …, L_{n−1}(τ)) and Z(τ), for τ outside the domain."""
    z = (pow(tau, n, FR_MODULUS) - 1) % FR_MODULUS
    points = FrVector.powers(root_of_unity(n), n)
    basis = points * (-points + tau).inverse()
    return basis.scale(z * pow(n, -1, FR_MODULUS)), z


def evaluate_qap(r1cs: R1CS, n: int, tau: int) -> QapAtTau:
    """All polynomials of the circuit at τ, the consistency rows included."""
    basis, z = lagrange_basis(n, tau)
    m, table = r1cs.n_constraints, r1cs.coefficient_vector
    rows = basis.slice(0, m)
    a, b, c = overlapped(
        lambda matrix: column_sums(matrix, table, rows, r1cs.n_wires), r1cs.matrices
    )
    stop = r1cs.n_public + 1
    a.assign(0, a.slice(0, stop) + basis.slice(m, m + stop))
    return QapAtTau(a, b, c, z)


def _write_sections(
    writer: KeyWriter, shape: Shape, qap: QapAtTau, t: Trapdoor, progress: Progress
) -> None:
    stop = shape.n_public + 1
    k = qap.a.scale(t.beta) + qap.b.scale(t.alpha) + qap.c
    deltas = [t.delta] if t.delta0 is None or not shape.n_challenges else [t.delta, t.delta0]
    over_gamma, *over_deltas = (pow(x, -1, FR_MODULUS) for x in (t.gamma, *deltas))
    elements_g1 = fixed_base_mul("g1", FrVector.from_ints([t.alpha, t.beta, *deltas]))
    elements_g2 = fixed_base_mul("g2", FrVector.from_ints([t.beta, *deltas, t.gamma]))
    verifying_key = VerifyingKey(
        shape.circuit_digest,
        elements_g1[0:1],
        elements_g2[0:1],
        elements_g2[-1:],
        elements_g2[1:2],
        fixed_base_mul("g1", k.slice(0, stop).scale(over_gamma)),
        shape.n_challenges,
        elements_g2[2:-1],
    )
    a_wires, b_wires, k_wires = overlapped(_nonzero, (qap.a, qap.b, k))
    committed, other = np.searchsorted(k_wires, [stop, shape.first_other])
    h_count = shape.domain_size - 1
    points_g1 = len(a_wires) + len(b_wires) + len(k_wires) - committed
    points_g1 += h_count + shape.domain_size + 1
    in_all = {"g1": int(points_g1), "g2": len(b_wires)}
    # a point in G2 costs about three in G1
    total, done = in_all["g1"] + 3 * in_all["g2"] + 3, 0

    def multiples(
        group: Group, scalars: FrVector, wires: np.ndarray | None = None, over: int = 1
    ) -> Iterator[np.ndarray]:
        """Multiples by the scalars of those wires, or by all, divided by `over`."""
        nonlocal done

        def points(start: int) -> np.ndarray:
            if wires is None:
                part = scalars.slice(start, min(start + _CHUNK, len(scalars)))
            else:
                part = scalars.take(wires[start : start + _CHUNK])
            part = part if over == 1 else part.scale(over)
            return fixed_base_mul(group, part, in_all[group])

        for piece in overlapped(points, range(0, len(scalars if wires is None else wires), _CHUNK)):
            yield piece
            done += len(piece) * (3 if group == "g2" else 1)
            progress("setup: points", done, total)

    def listed(name: str, wires: np.ndarray, over_delta: int) -> None:
        writer.section(f"{name}_wires", [wires])
        writer.section(f"{name}_query", multiples("g1", k, wires, over_delta))

    writer.section("verifying_key", [verifying_key.to_bytes()])
    writer.section("elements_g1", [elements_g1])
    writer.section("elements_g2", [elements_g2[:-1]])
    writer.section("a_wires", [a_wires])
    writer.section("a_query", multiples("g1", qap.a, a_wires))
    writer.section("b_wires", [b_wires])
    writer.section("b_g1_query", multiples("g1", qap.b, b_wires))
    writer.section("b_g2_query", multiples("g2", qap.b, b_wires))
    listed("l", k_wires[other:], over_deltas[0])
    powers = FrVector.powers(t.tau, shape.domain_size + 1)
    quotients = powers.slice(0, shape.domain_size).scale(qap.z * over_deltas[0])
    permute(quotients)
    writer.section("h_query", multiples("g1", quotients.slice(0, h_count)))
    if shape.n_challenges:
        listed("commitment", k_wires[committed:other], over_deltas[1])
    writer.section("tau_g1", multiples("g1", powers))
    writer.section("tau_g2", multiples("g2", FrVector.from_ints([t.tau])))


def _nonzero(values: FrVector) -> np.ndarray:
    """Positions of the nonzero scalars, uint32."""
    return np.flatnonzero(values.to_words().any(axis=1)).astype(np.uint32)
