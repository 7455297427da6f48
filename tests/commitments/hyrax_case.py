"""A commitment to random values, and a true claim on it."""

import random

from proof_fields import split

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.commitments.hyrax import Hyrax, HyraxOpening
from zkcmp.transcript import Transcript


class Case:
    """A committed vector and tail, a point, weights, and the claim that is true."""

    def __init__(
        self, n_vars: int, column_bits: int, tail_length: int, values: list[int] | None = None
    ):
        rng = random.Random(n_vars)
        self.scheme = Hyrax(column_bits)
        self.values = FrVector.from_ints(values or [rng.randrange(R) for _ in range(1 << n_vars)])
        self.tail = FrVector.from_ints([rng.randrange(R) for _ in range(tail_length)])
        self.point = [rng.randrange(R) for _ in range(n_vars)]
        self.weights = [rng.randrange(R) for _ in range(tail_length)]
        self.claim = evaluate(self.values, self.tail, self.point, self.weights)
        self.commitment, self.opening = self.scheme.commit(self.values, self.tail)
        self.n = 1 + (1 << min(n_vars, column_bits)) + tail_length

    def open(self, opening: HyraxOpening | None = None, claim: int | None = None) -> bytes:
        claim = self.claim if claim is None else claim
        opening = opening or self.opening
        transcript = Transcript(b"case")
        return self.scheme.open(opening, transcript, self.point, self.weights, claim)

    def verify(self, proof: bytes, commitment: bytes | None = None, **changed: object) -> None:
        data = self.commitment.to_bytes() if commitment is None else commitment
        statement = {"point": self.point, "tail_weights": self.weights, "claim": self.claim}
        self.scheme.verify(
            self.scheme.decode(data), Transcript(b"case"), **{**statement, **changed}, proof=proof
        )


def evaluate(values: FrVector, tail: FrVector, point: list[int], weights: list[int]) -> int:
    """V~(point) + <weights, tail> from the definition, in integers."""
    total = sum(w * t for w, t in zip(weights, tail.to_ints(), strict=True))
    for i, v in enumerate(values.to_ints()):
        for k, p in enumerate(point):
            v = v * (p if i >> (len(point) - 1 - k) & 1 else 1 - p) % R
        total += v
    return total % R


def elements(case: Case) -> list[bytes]:
    return split(case.commitment.to_bytes()[3:])
