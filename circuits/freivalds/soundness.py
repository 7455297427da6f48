"""The statistical error of mode `freivalds`: how likely a false statement passes its checks.

    layer check     (n − 1)/r                 a polynomial in u of that degree (image_sums.py)
    projected       (n − 1 + m − 1)/r         in u and s, for padded images of m positions
    lookup table    (lookups + 2^t − 1)/r     a polynomial in γ of that degree (lookups/ranges.py)

Each is a polynomial that is fixed by the committed wires and not zero if they violate the relation,
so it vanishes at a uniform challenge with at most that probability (Schwartz and Zippel). At least
one check fails unless its challenge is a root, so the sum bounds the error of the whole. It is
the error of one choice of committed wires; a prover who tries N of them, a hash each, gets N times
as many chances.

What this does not count: SHA-256, and Groth16 over BN254 (about 100 bits).
"""

from dataclasses import dataclass
from fractions import Fraction
from math import log2

from circuits.freivalds.plan import Check, Form, Plan, make_plan
from circuits.lookups.plan import split
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.model.architecture import Architecture


@dataclass(frozen=True)
class SoundnessBound:
    """terms: for each check, the degree of its polynomial."""

    terms: tuple[tuple[str, int], ...]

    @property
    def error(self) -> Fraction:
        """The bound, exactly."""
        return Fraction(sum(degree for _, degree in self.terms), FR_MODULUS)

    @property
    def bits(self) -> float:
        """−log2 of the bound, rounded down to tenths."""
        degree = sum(degree for _, degree in self.terms)
        return int(10 * (log2(FR_MODULUS) - log2(degree))) / 10


def soundness_bound(architecture: Architecture, n_images: int) -> SoundnessBound:
    """The bound for n images."""
    plan = make_plan(architecture, n_images)
    terms = []
    for step in plan.steps:
        if step.form is Form.COMMITTED:
            degree = n_images - 1
            if step.check is Check.PROJECTED:
                degree += step.layer_shape.n_padded - 1
            terms.append((architecture.layer_name(step.index), degree))
    for table, count in _lookup_counts(plan).items():
        terms.append((f"table of {table} bits", count + (1 << table) - 1))
    return SoundnessBound(tuple(terms))


def _lookup_counts(plan: Plan) -> dict[int, int]:
    """How many values are looked up in each table."""
    counts = dict.fromkeys(plan.tables, 0)
    for demand in (*plan.demands, plan.margins):
        if demand.count:
            for limb in split(demand.bits, plan.tables):
                counts[limb.table] += demand.count * len(limb.shifts)
    return counts
