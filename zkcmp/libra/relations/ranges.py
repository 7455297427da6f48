"""S3: every weight and bias lies in exactly its declared signed width, and padding is zero.

With v = V + 2^(b−1) for a tensor of b bits, over a whole block, and lookups in 0 … 2^t − 1,

    b = t      v is looked up
    b < t      v and v·2^(t−b) are
    b > t      v = Σ_k 2^(t·k)·limb_k and every limb is looked up, the top one, of b' bits, like
               a value of b' bits

(both v and v·2^(t−b) in the table: as integers below 2^(2t) they do not wrap, so v < 2^b). The sum
of limbs is compared at one random point.

Blocks are padded to powers of two. An entry of the padding would be a weight that no ciphertext
block holds, so a random combination of these entries is shown to be 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.forms import Form, combine
from zkcmp.libra.multilinear.sealed_tensor import PaddingWeights, SealedTensor
from zkcmp.libra.multilinear.tables import evaluate
from zkcmp.libra.relations.accuracy import Margins
from zkcmp.libra.relations.lookup import Column, Lookup
from zkcmp.libra.requirements.opening import EqWeights

LABEL = b"ranges"
TABLE_BITS = (8, 16)


@dataclass(frozen=True)
class Ranges:
    """Widths of the tensors, and of the margins' limbs if there are images, by one table."""

    table_bits: int
    tensors: tuple[SealedTensor, ...]
    margins: Margins | None

    @classmethod
    def plan(
        cls,
        tensors: Sequence[SealedTensor],
        n_images: int,
        n_classes: int,
        difference_bound: int,
    ) -> "Ranges":
        """The table with the fewest leaves. Raises VerificationError when a margin could wrap."""
        fitting = [bits for bits in TABLE_BITS if Margins.fit(difference_bound, bits)]
        if n_images and not fitting:
            Margins.plan(n_images, n_classes, difference_bound, TABLE_BITS[0])  # raises
        plans = []
        for bits in fitting if n_images else TABLE_BITS:
            margins = None
            if n_images:
                margins = Margins.plan(n_images, n_classes, difference_bound, bits)
            plans.append(cls(bits, tuple(tensors), margins))
        return min(plans, key=lambda plan: plan.n_leaves)

    @property
    def n_leaves(self) -> int:
        sizes = [1 << self.lookup.n_vars[c.block] for c in self.lookup.columns]
        return sum(sizes) + (1 << self.table_bits)

    def limb_names(self, tensor: SealedTensor) -> list[str]:
        """Blocks of limbs, none when the tensor itself is looked up."""
        if tensor.bits <= self.table_bits:
            return []
        return [f"{tensor.name} limb {k}" for k in range(-(-tensor.bits // self.table_bits))]

    @property
    def lookup(self) -> Lookup:
        columns: list[Column] = []
        n_vars: dict[str, int] = {}
        for tensor in self.tensors:
            names = self.limb_names(tensor)
            n_vars |= dict.fromkeys(names or [tensor.name], tensor.n_vars)
            if names:
                columns += [Column(name, 1, 0) for name in names]
                columns += self._short(names[-1], tensor.bits - self.table_bits * (len(names) - 1))
            else:
                columns.append(Column(tensor.name, 1, 1 << (tensor.bits - 1)))
                columns += self._short(tensor.name, tensor.bits, 1 << (tensor.bits - 1))
        if self.margins is not None:
            for block in self.margins.blocks():
                n_vars[block.name] = block.row_vars + self.margins.image_vars
                columns.append(Column(block.name, 1, 0))
        return Lookup(self.table_bits, tuple(columns), n_vars)

    def _short(self, block: str, bits: int, offset: int = 0) -> list[Column]:
        """The second look at a value of fewer bits than the table's."""
        shift = self.table_bits - bits
        return [Column(block, 1 << shift, offset << shift)] if shift else []

    def sizes(self) -> dict[str, int]:
        """Entries of the blocks of limbs (of tensors, not of margins)."""
        return {
            name: 1 << tensor.n_vars for tensor in self.tensors for name in self.limb_names(tensor)
        }

    def limbs(self, blocks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The blocks of limbs for the int64 blocks of the tensors."""
        mask = (1 << self.table_bits) - 1
        out = {}
        for tensor in self.tensors:
            shifted = blocks[tensor.name] + (1 << (tensor.bits - 1))
            for k, name in enumerate(self.limb_names(tensor)):
                out[name] = shifted >> (self.table_bits * k) & mask
        return out

    # --- reductions -----------------------------------------------------------------------

    def prove_limbs(self, channel: Channel, blocks: Mapping[str, FrVector] | None) -> None:
        """v = Σ_k 2^(t·k)·limb_k for every tensor that has limbs."""
        for tensor in self.tensors:
            names = self.limb_names(tensor)
            if not names:
                continue
            point = channel.challenges(LABEL, tensor.n_vars)
            weights = EqWeights(point)
            values = None
            if blocks is not None:
                values = [evaluate(blocks[name], point) for name in [tensor.name, *names]]
            whole, *limbs = channel.send(LABEL, values, 1 + len(names))
            for name, form in zip([tensor.name, *names], [whole, *limbs], strict=True):
                channel.require_opening(name, weights, form)
            terms = [(1 << (self.table_bits * k), form) for k, form in enumerate(limbs)]
            channel.require_zero(combine([*terms, (-1, whole)]) - (1 << (tensor.bits - 1)))


def prove_padding(channel: Channel, tensors: Iterable[SealedTensor]) -> None:
    """All entries outside the tensors are 0."""
    for tensor in tensors:
        if prod(tensor.shape) == 1 << tensor.n_vars:
            continue
        point = channel.challenges(LABEL, tensor.n_vars)
        channel.require_opening(tensor.name, PaddingWeights(tensor, point), Form.public(0))
