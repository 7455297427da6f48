"""The statement in `sampled` mode: the paper's Sampling (§4.1, Fig. 4), which is not sound.

    S1 S2 S3    as in `full`
    F(w, x_j)   of the N constraints of image j only the K = ⌈u·N⌉ that the seed chooses
    S4 S5       as in `full`, about wires that need no longer be logits of the network

u is a decimal fraction, the seed 32 bytes that the buyer draws after the seal; sampling.py says
which rows they keep. Public inputs are those of `full`, in the same order, pixels included.

NOT SOUND. The key is made for the kept constraints, so whoever proves knows what was dropped before
it chooses the witness, and the seed being late does not help. A seller with a random network passes
at any threshold by cheating on one dropped constraint an image: experiments/sampling_attack.py does
it, docs/sampling.md says why. The mode exists for the paper's tables.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from circuits.full.public_inputs import (
    Assignment,
    PublicWires,
    check_image_count,
    public_inputs,
)
from circuits.full.statement import Statement
from circuits.sampled.rows import SampledRows, Template
from circuits.sampled.sampling import check_seed, check_selecting_parameter, sample
from circuits.sampled.size import check_sampled_size
from circuits.sampled.values import kept_values
from circuits.signals import Signals
from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import IntArray
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.network import Architecture
from zkcmp.r1cs_builder import ConstraintSystem, Respond

__all__ = ["SampledStatement", "build", "public_inputs"]


@dataclass(frozen=True, eq=False)
class SampledStatement(Statement):
    """The kept constraints for test sets of `n_images` under one architecture.

    `public_inputs`, `witness` and `check` are those of `full`. placed: (n, runs), where the system
    has the own wires of each image (SampledRows.wires).
    """

    u: Fraction
    seed: bytes
    rows: SampledRows
    placed: IntArray

    def __repr__(self) -> str:
        return f"SampledStatement({self.rows}, {self.r1cs})"

    def assign(self, assignment: Assignment, respond: Respond | None = None) -> FrVector:
        """The witness an assignment leads to, whether or not it satisfies the statement.

        `respond` is for statements of two rounds; this one has no challenges.
        """
        system = ConstraintSystem(with_values=True, respond=respond)
        _synthesise(system, self.architecture, self.rows, assignment)
        return system.witness()


def build(architecture: Architecture, n_images: int, u: Fraction, seed: bytes) -> SampledStatement:
    """The sampled statement for any sealed network of this architecture.

    Raises ZkcmpError unless 0 < u <= 1 is a Fraction and the seed 32 bytes, VerificationError when
    an accumulator or a margin could wrap the field, or when the system, or `full` for one image,
    would be too large to prove; nothing is allocated then.
    """
    check_image_count(n_images)
    check_selecting_parameter(u)
    check_seed(seed)
    check_no_wrap(architecture)
    check_sampled_size(architecture, n_images, u)
    template = Template.of(architecture)
    rows = SampledRows.of(template, sample(seed, n_images, template.n_rows, u))
    system = ConstraintSystem()
    placed = _synthesise(system, architecture, rows, None)
    return SampledStatement(architecture, n_images, system.build(), u, seed, rows, placed)


def _synthesise(
    system: ConstraintSystem,
    architecture: Architecture,
    rows: SampledRows,
    given: Assignment | None,
) -> IntArray:
    """Allocate every wire and enforce every relation; with `given`, compute the values too."""
    public_wires = PublicWires.allocate(system, architecture, rows.n_images, given)
    tensors = public_wires.sealed_weights(system, architecture, given)
    values, logit_values = None, None
    if given is not None:
        values, logit_values = kept_values(rows, architecture, given.tensors, given.images)
    placed = rows.allocate(system, values)
    weights = np.concatenate([tensor.wires.reshape(-1) for tensor in tensors])
    pixels = public_wires.pixels.wires.reshape(rows.n_images, -1)
    rows.enforce(system, pixels, weights, placed)
    logit_wires = [
        rows.wires(placed, image, rows.template.logits) for image in range(rows.n_images)
    ]
    logits = Signals(np.array(logit_wires), logit_values)
    public_wires.enforce_accuracy(system, architecture, logits, given)
    return placed
