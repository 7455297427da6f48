"""Where each secret tensor lies in the one committed vector V of length 2^m.

Every tensor has a block of 2^k entries at a multiple of 2^k, so that its extension is that of V
with the first m − k variables fixed to the bits of the block's number:

    V~(bits(offset / 2^k), x) = block~(x)

Blocks are placed by falling size, which leaves no gaps between them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zkcmp.bn254.field.fr import FrVector
from zkcmp.libra.multilinear.tables import log_size


@dataclass(frozen=True)
class Block:
    """Entries offset … offset + 2^n_vars − 1 of V."""

    name: str
    offset: int
    n_vars: int

    @property
    def size(self) -> int:
        return 1 << self.n_vars


class Layout:
    """Blocks by name; `n_vars` is m."""

    def __init__(self, sizes: Mapping[str, int]):
        """`sizes`: entries of each tensor, at least 1, which are rounded up to a power of two."""
        n_vars = {name: log_size(size) for name, size in sizes.items()}
        self.blocks: dict[str, Block] = {}
        end = 0
        for name in sorted(n_vars, key=lambda name: (-n_vars[name], name)):
            self.blocks[name] = Block(name, end, n_vars[name])
            end += 1 << n_vars[name]
        self.n_vars = log_size(end)

    def prefix(self, block: Block) -> list[int]:
        """The bits that select the block, most significant first."""
        number = block.offset >> block.n_vars
        n_bits = self.n_vars - block.n_vars
        return [number >> (n_bits - 1 - k) & 1 for k in range(n_bits)]

    def assemble(self, tensors: Mapping[str, FrVector]) -> FrVector:
        """V, with zeros where a tensor is shorter than its block."""
        out = FrVector.zeros(1 << self.n_vars)
        for name, block in self.blocks.items():
            values = tensors[name]
            if len(values) > block.size:
                raise ValueError(f"{name}: {len(values)} values for a block of {block.size}")
            out.assign(block.offset, values)
        return out

    def split(self, block: Block, point: Sequence[int]) -> tuple[list[int], list[int]]:
        """A point of V's variables: those that select the block, and those inside it."""
        n = self.n_vars - block.n_vars
        return list(point[:n]), list(point[n:])
