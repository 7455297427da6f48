"""Phase 1 of a ceremony: powers of τ that belong to no circuit yet.

    tau_g1          [τ^i]₁           i < 2N − 1
    tau_g2          [τ^i]₂           i < N
    alpha_tau_g1    [α·τ^i]₁         i < N
    beta_tau_g1     [β·τ^i]₁         i < N
    beta_g2         [β]₂

It begins with τ = α = β = 1, or with a .ptau file, and each contributor multiplies the three by
secret factors of its own, element by element. N ≥ 2 is the domain of the circuit of phase 2
(circuit_phase.py).

`check` shows that all elements come from one (τ, α, β). Who knows those three, the records of the
contributions tell (steps.py).
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.msm.point_multiples import multiples
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16.ceremony.contribution import same_ratio
from zkcmp.groth16.ceremony.membership import check_membership
from zkcmp.groth16.key_file import KeyFile, Shape, create_key_file
from zkcmp.groth16.keys import MAX_DOMAIN
from zkcmp.groth16.snarkjs.ptau import (
    ALPHA_TAU_G1,
    BETA_G2,
    BETA_TAU_G1,
    TAU_G1,
    TAU_G2,
    Ptau,
)
from zkcmp.progress import Progress, silent
from zkcmp.random_weights import random_weights

SECTIONS = ("tau_g1", "tau_g2", "alpha_tau_g1", "beta_tau_g1", "beta_g2")
_IN_PTAU = (TAU_G1, TAU_G2, ALPHA_TAU_G1, BETA_TAU_G1, BETA_G2)
_CHUNK = 1 << 15
_NO_CIRCUIT = hashlib.sha256(b"zkcmp powers of tau").digest()


@dataclass(frozen=True, eq=False)
class Powers:
    """Arrays of points at rest; `digest` names the file they are mapped from."""

    digest: bytes
    tau_g1: np.ndarray
    tau_g2: np.ndarray
    alpha_tau_g1: np.ndarray
    beta_tau_g1: np.ndarray
    beta_g2: np.ndarray

    @property
    def domain_size(self) -> int:
        return len(self.tau_g2)

    @property
    def parameters(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """[τ]₁, [α]₁, [β]₁, (1, 2, 4) each."""
        return self.tau_g1[1:2], self.alpha_tau_g1[:1], self.beta_tau_g1[:1]

    @classmethod
    def open(cls, path: Path) -> "Powers":
        """Map a file of powers. Raises DecodeError when it is none, or a length is wrong."""
        file = KeyFile(path, SECTIONS)
        n = file.shape.domain_size
        if file.shape != _shape(n) or not 2 <= n <= MAX_DOMAIN or n & (n - 1):
            raise DecodeError(f"{path.name} does not hold powers of tau; get it again")
        out = cls(file.digest, *(file.array(name, np.uint64, _item(name)) for name in SECTIONS))
        for name, count in _counts(n).items():
            if len(getattr(out, name)) != count:
                raise DecodeError(
                    f"{path.name}: section {name} needs {count} entries; get it again"
                )
        file.check_digests()
        return out

    def check(self, progress: Progress = silent) -> None:
        """Raise a VerificationError naming the first section that does not fit τ, α, β."""
        self.check_points(progress)
        n, one, two = self.domain_size, g1.generator(), g2.generator()
        first = np.array_equal(self.tau_g1[:1], one) and np.array_equal(self.tau_g2[:1], two)
        if not first:
            raise VerificationError("powers: power 0", "the generators", "other points")
        tau_g1, tau_g2 = self.tau_g1[1:2], self.tau_g2[1:2]
        tests: list[tuple[str, Callable[[], bool]]] = [
            ("tau_g1", lambda: _geometric(self.tau_g1, two, tau_g2)),
            ("alpha_tau_g1", lambda: _geometric(self.alpha_tau_g1, two, tau_g2)),
            ("beta_tau_g1", lambda: _geometric(self.beta_tau_g1, two, tau_g2)),
            ("tau_g2", lambda: self._geometric_g2(one, tau_g1)),
            ("beta_g2", lambda: same_ratio(one, self.beta_tau_g1[:1], two, self.beta_g2)),
        ]
        for k, (name, holds) in enumerate(tests):
            if not holds():
                raise VerificationError(f"powers: {name}", "multiples by tau", "other points")
            progress("powers: equations", k + 1, len(tests))
        if np.array_equal(self.tau_g1[n : n + 1], one):
            raise VerificationError("powers: tau_g1", "tau outside the domain", "a root of unity")

    def check_points(self, progress: Progress = silent) -> None:
        """Raise a VerificationError naming the first point that is not in its group."""
        sections = {name: getattr(self, name) for name in SECTIONS}
        check_membership("powers: ", sections, "powers: points", progress)

    def _geometric_g2(self, one: np.ndarray, tau_g1: np.ndarray) -> bool:
        rho = random_weights(self.domain_size - 1)
        low, high = msm(self.tau_g2[:-1], rho), msm(self.tau_g2[1:], rho)
        return same_ratio(one, tau_g1, low, high)


def _geometric(points: np.ndarray, one: np.ndarray, tau: np.ndarray) -> bool:
    rho = random_weights(len(points) - 1)
    return same_ratio(msm(points[:-1], rho), msm(points[1:], rho), one, tau)


def _counts(n: int) -> dict[str, int]:
    return dict(zip(SECTIONS, (2 * n - 1, n, n, n, 1), strict=True))


def _item(name: str) -> tuple[int, ...]:
    return (2, 2, 4) if name.endswith("g2") else (2, 4)


def _shape(n: int) -> Shape:
    return Shape(_NO_CIRCUIT, 0, 1, 0, n)


def beginning(domain_size: int, ptau: Ptau | None) -> Iterator[tuple[str, np.ndarray]]:
    """The sections before any contribution: of τ = α = β = 1, or of a .ptau file.

    Raises DecodeError when the file has too few powers.
    """
    for (name, count), number in zip(_counts(domain_size).items(), _IN_PTAU, strict=True):
        if ptau is not None:
            yield name, ptau.points(number, count)
        else:
            one = g2.generator() if name.endswith("g2") else g1.generator()
            yield name, np.repeat(one, count, axis=0)


def first_powers(path: Path, domain_size: int, ptau: Ptau | None = None) -> Powers:
    """Write the powers that a ceremony begins with."""
    with create_key_file(path, _shape(domain_size), len(SECTIONS)) as writer:
        for name, points in beginning(domain_size, ptau):
            writer.section(name, [points])
    return Powers.open(path)


def multiply_powers(
    powers: Powers, path: Path, tau: int, alpha: int, beta: int, progress: Progress = silent
) -> Powers:
    """Write the powers of τ·tau, α·alpha, β·beta.

    The factors are secret: somebody else's powers must have passed `check_points`, and nobody may
    be able to change them since.
    """
    factors = {"alpha_tau_g1": alpha, "beta_tau_g1": beta, "beta_g2": beta}
    counts = _counts(powers.domain_size)
    total, done = sum(counts.values()), 0
    with create_key_file(path, _shape(powers.domain_size), len(SECTIONS)) as writer:
        for name, count in counts.items():
            scalars = FrVector.powers(tau, count).scale(factors.get(name, 1) % FR_MODULUS)
            parts = []
            for start in range(0, count, _CHUNK):
                stop = min(start + _CHUNK, count)
                points = getattr(powers, name)[start:stop]
                parts.append(multiples(points, scalars.slice(start, stop)))
                done += stop - start
                progress("contribution: powers", done, total)
            writer.section(name, parts)
    return Powers.open(path)
