"""Small parameters with known secrets, a commitment under them, and a true claim on it."""

import random
from functools import cache

from hyrax_case import evaluate

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.commitments import dot_product
from zkcmp.commitments.multilinear import suffix_eq_tables
from zkcmp.commitments.srs import Srs, assemble
from zkcmp.commitments.zkvpd import Zkvpd, ZkvpdOpening
from zkcmp.transcript import Transcript


def known_secrets(n_vars: int) -> list[int]:
    """s_1 … s_m, t."""
    rng = random.Random(n_vars)
    return [rng.randrange(2, R) for _ in range(n_vars + 1)]


def srs_from(secrets: list[int]) -> Srs:
    """The parameters by their definition."""
    scalars = FrVector.from_ints(secrets)
    tables = FrVector.concat(suffix_eq_tables(secrets[:-1])[::-1])
    return assemble(
        fixed_base_mul("g1", scalars), fixed_base_mul("g2", scalars), fixed_base_mul("g1", tables)
    )


@cache
def small_srs(n_vars: int = 5) -> Srs:
    return srs_from(known_secrets(n_vars))


class Case:
    """A committed vector and tail, a point, weights, and the claim that is true."""

    def __init__(self, n_vars: int, tail_length: int, values: list[int] | None = None):
        rng = random.Random(n_vars)
        self.srs = small_srs()
        self.scheme = Zkvpd(self.srs)
        self.values = FrVector.from_ints(values or [rng.randrange(R) for _ in range(1 << n_vars)])
        self.tail = FrVector.from_ints([rng.randrange(R) for _ in range(tail_length)])
        self.point = [rng.randrange(R) for _ in range(n_vars)]
        self.weights = [rng.randrange(R) for _ in range(tail_length)]
        self.claim = evaluate(self.values, self.tail, self.point, self.weights)
        self.commitment, self.opening = self.scheme.commit(self.values, self.tail)
        # points of a proof before those of its dot product, and the dot product's length
        self.quotients, self.n = n_vars + 2, 2 + tail_length

    def open(self, opening: ZkvpdOpening | None = None, claim: int | None = None) -> bytes:
        claim = self.claim if claim is None else claim
        transcript = Transcript(b"case")
        return self.scheme.open(
            opening or self.opening, transcript, self.point, self.weights, claim
        )

    def verify(self, proof: bytes, commitment: bytes | None = None, **changed: object) -> None:
        """With what a verifier has: the bytes and the short key."""
        data = self.commitment.to_bytes() if commitment is None else commitment
        statement = {"point": self.point, "tail_weights": self.weights, "claim": self.claim}
        scheme = Zkvpd(self.srs.key)
        scheme.verify(
            scheme.decode(data), Transcript(b"case"), **{**statement, **changed}, proof=proof
        )

    def dot_product_bytes(self) -> int:
        return dot_product.proof_bytes(self.n)
