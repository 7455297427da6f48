"""Blocks of weights as linear combinations: the paper's Convert, with exact widths (S2, S3).

    pack_i = Σ_t (w_t + 2^(b−1)) · 2^(b·t)

No constraint of its own: the block enters the last round of its cipher as a linear combination.
Every weight is held to its declared width, so each term is a digit in [0, 2^b) and a block has one
reading only. Positions that hold no weight contribute the constant 0, which is what `seal.unpack`
demands of them. The plain reference is `zkcmp.seal.pack`.
"""

import numpy as np

from circuits.gadgets.bits import enforce_signed
from circuits.signals import Signals
from zkcmp.linear_combination import LinearCombination
from zkcmp.model.layers import TensorSpec
from zkcmp.r1cs_builder import ConstraintSystem
from zkcmp.seal import BlockRun


def enforce_widths(system: ConstraintSystem, spec: TensorSpec, weights: Signals) -> None:
    """Every weight of a tensor has exactly its declared signed width; bits constraints a weight."""
    enforce_signed(system, f"range {spec.name}", weights, spec.bits)


def packed_blocks(
    system: ConstraintSystem, runs: list[BlockRun], tensors: list[Signals]
) -> LinearCombination:
    """One row a block, in ciphertext order."""
    n_blocks = sum(run.n_blocks for run in runs)
    total = system.constant(0, n_blocks)
    for run in runs:
        place = np.arange(run.n_weights)
        block, digit = place // run.weights_per_block, place % run.weights_per_block
        powers = system.table.ids_of([1 << (run.bits * t) for t in range(run.weights_per_block)])
        total = total + system.combination_of_ids(
            run.first_block + block, tensors[run.tensor_index].wires, powers[digit], n_blocks
        )
        offsets = [0] * n_blocks
        for b in range(run.n_blocks):
            offsets[run.first_block + b] = _offset(run.bits, run.count(b))
        total = total + system.constant(offsets, n_blocks)
    return total


def _offset(bits: int, count: int) -> int:
    """Σ_{t<count} 2^(bits−1) · 2^(bits·t)."""
    return (1 << (bits - 1)) * (((1 << (bits * count)) - 1) // ((1 << bits) - 1))
