""".ptau files (version 1): powers of τ of snarkjs's universal ceremony, for domains up to 2^power.

    section 1        n8 u32 = 32, p; power u32, power of the whole ceremony u32
    section 2        [τ^i]₁       i < 2^(power+1) − 1
    section 3        [τ^i]₂       i < 2^power
    section 4 5      [α·τ^i]₁, [β·τ^i]₁
    section 6        [β]₂
    section 7        the contributions
    section 12 … 15  sections 2 … 5 in the Lagrange bases of the domains 2^0, 2^1, … one after the
                     other ("prepared" for phase 2); section 12 up to 2^(power+1)

`Ptau.check` tells whether the powers are powers of one τ. It does not tell who knows τ: that is
what the contributions are about.
"""

import secrets
import struct
from pathlib import Path

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.pairing.ate import pairing_product_is_one
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.bn254.reference import G1
from zkcmp.errors import VerificationError
from zkcmp.groth16.snarkjs.field_words import G1_SHAPE, G2_SHAPE, point_bytes, read_points
from zkcmp.groth16.snarkjs.sections import SectionFile

MAGIC, VERSION = b"ptau", 1
MAX_POWER = 28

TAU_G1, TAU_G2, ALPHA_TAU_G1, BETA_TAU_G1, BETA_G2 = 2, 3, 4, 5, 6
_LAGRANGE = 10  # added to the number of a section
_HEADER = struct.Struct("<I32sII")
_PRIME = FQ_MODULUS.to_bytes(32, "little")


class Ptau:
    """A mapped .ptau whose sections have the right lengths; points are checked when read."""

    def __init__(self, path: Path | str):
        """Map `path`.

        Raises:
            DecodeError: when it is no .ptau over BN254 of consistent lengths.
        """
        self.file = file = SectionFile(path, MAGIC, VERSION)
        n8, prime, power, ceremony_power = file.unpack(1, _HEADER)
        if n8 != 32 or prime != _PRIME:
            raise file.error("is for another curve than BN254")
        if not power <= ceremony_power <= MAX_POWER:
            raise file.error("has an impossible power")
        self.power = int(power)
        for number in (TAU_G1, TAU_G2, ALPHA_TAU_G1, BETA_TAU_G1, BETA_G2):
            file.section(number, self._count(number) * point_bytes(_shape(number)))

    def __repr__(self) -> str:
        return f"Ptau(2^{self.power})"

    def _count(self, number: int) -> int:
        counts = {TAU_G1: (2 << self.power) - 1, BETA_G2: 1}
        return counts.get(number, 1 << self.power)

    def points(self, number: int, count: int | None = None) -> np.ndarray:
        """The first `count` points of a section 2 … 6, or all, at rest.

        Raises:
            DecodeError: when one is not in its group.
        """
        shape = _shape(number)
        data = self.file.section(number)
        if count is not None:
            if not 0 <= count <= self._count(number):
                raise self.file.error(f"has not {count} powers")
            data = data[: count * point_bytes(shape)]
        return read_points(data, shape, f"{self.file.name}, section {number}")

    @property
    def is_prepared(self) -> bool:
        """Whether the Lagrange bases are there."""
        return all(_LAGRANGE + number in self.file for number in (2, 3, 4, 5))

    def lagrange(self, number: int, log: int) -> np.ndarray:
        """Section 2 … 5 in the Lagrange basis of the domain 2^log: [L_j(τ)]₁ and so on.

        Raises:
            DecodeError: when the file is not prepared or too small, or a point not in its group.
        """
        largest = self.power + (number == TAU_G1)
        if not self.is_prepared:
            raise self.file.error("is not prepared for phase 2")
        if log > largest:
            raise self.file.error(f"is too small for a domain of 2^{log}")
        size = point_bytes(_shape(number))
        data = self.file.section(_LAGRANGE + number, ((2 << largest) - 1) * size)
        start = ((1 << log) - 1) * size
        part = data[start : start + (size << log)]
        name = f"{self.file.name}, section {_LAGRANGE + number}"
        return read_points(part, _shape(number), name)

    def check(self) -> None:
        """Check sections 2 … 6 against each other with random combinations.

        Raises:
            DecodeError: when a point is not in its group.
            VerificationError: when the powers are not of one τ, α and β.
        """
        tau = self.points(TAU_G1)
        tau_g2 = self.points(TAU_G2)
        beta_g2 = self.points(BETA_G2)
        alpha_tau, beta_tau = self.points(ALPHA_TAU_G1), self.points(BETA_TAU_G1)
        everything = (tau, tau_g2, beta_g2, alpha_tau, beta_tau)
        if any(is_infinity(points).any() for points in everything):
            raise VerificationError("powers of tau", "finite points", "infinity")
        one, one_g2 = g1.generator(), g2.generator()
        if not np.array_equal(tau[:1], one) or not np.array_equal(tau_g2[:1], one_g2):
            raise VerificationError("powers of tau", "the generators first", "other points")
        for name, points in (("tau", tau), ("alpha tau", alpha_tau), ("beta tau", beta_tau)):
            if len(points) > 1:
                rho = _random(len(points) - 1)
                low, high = msm(points[:-1], rho), msm(points[1:], rho)
                # a domain of one has no τ in G2
                _expect(name, [(_negative(high), one_g2), (low, tau_g2[1:2])], len(tau_g2) > 1)
        rho = _random(len(tau_g2))
        in_g1, in_g2 = msm(tau[: len(tau_g2)], rho), msm(tau_g2, rho)
        _expect("tau in G2", [(_negative(in_g1), one_g2), (one, in_g2)])
        _expect("beta in G2", [(_negative(beta_tau[:1]), one_g2), (one, beta_g2)])


def _shape(number: int) -> tuple[int, ...]:
    return G2_SHAPE if number in (TAU_G2, BETA_G2) else G1_SHAPE


def _random(n: int) -> FrVector:
    return FrVector.from_ints([secrets.randbits(128) for _ in range(n)])


def _negative(point: np.ndarray) -> np.ndarray:
    return g1.from_affine_ints([G1.neg(g1.to_affine_ints(point)[0])])


def _expect(name: str, pairs: list[tuple[np.ndarray, np.ndarray]], possible: bool = True) -> None:
    if possible and not pairing_product_is_one(pairs):
        raise VerificationError(
            f"powers of tau: {name}", "consistent powers", "others", "use another file"
        )
