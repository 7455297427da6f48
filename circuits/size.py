"""How large a constraint system is, and what every mode of the statement has in common.

    part                    constraints        private wires      entries of A, B and C
    S1  hash of the key     fixed              fixed              fixed
    S2  ℓ blocks            364 ℓ              363 ℓ              1637 ℓ − 3 + weights

A few hundred bytes of architecture can ask for billions of constraints, so every party that is
about to build or to answer asks for the size of the mode first (full/size.py, freivalds/size.py,
sampled/size.py). Integers only, and nothing is imported that takes time to load.
"""

from dataclasses import dataclass

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.model.architecture import Architecture

MAX_DOMAIN = 1 << 26  # rows of the largest Groth16 key
MAX_ENTRIES = 1 << 30  # nonzero coefficients in the three matrices

_BLOCK_BITS = FR_MODULUS.bit_length() - 1  # seal.CAPACITY_BITS
_ROUNDS = 91  # of MiMC7


@dataclass(frozen=True)
class Part:
    """What a part of the statement adds: constraints, private wires, matrix entries."""

    n_constraints: int
    n_private: int
    n_entries: int

    def __add__(self, other: "Part") -> "Part":
        return Part(
            self.n_constraints + other.n_constraints,
            self.n_private + other.n_private,
            self.n_entries + other.n_entries,
        )

    def __mul__(self, n: int) -> "Part":
        return Part(self.n_constraints * n, self.n_private * n, self.n_entries * n)


@dataclass(frozen=True)
class Size:
    """A constraint system: `n_wires` counts the constant one, `n_entries` all three matrices."""

    n_constraints: int
    n_public: int
    n_wires: int
    n_entries: int

    @property
    def domain_size(self) -> int:
        """Rows of the Groth16 key: a power of two that holds constraints, public wires and one."""
        return 1 << (self.n_constraints + self.n_public).bit_length()


def check_fits(size: Size, n_images: int) -> Size:
    """The same sizes; raises VerificationError when they are too large for a proof."""
    if size.domain_size > MAX_DOMAIN or size.n_entries > MAX_ENTRIES:
        raise VerificationError(
            f"statement about {n_images} image{'s' if n_images != 1 else ''}",
            f"at most {MAX_DOMAIN} rows and {MAX_ENTRIES} matrix entries",
            f"{size.n_constraints + size.n_public + 1} rows and {size.n_entries} entries",
            "use fewer images or a smaller network",
        )
    return size


# S1: SHA-256 of 32 bytes, its 256 message bits, two rows of digest and one of the key
COMMITMENT = Part(25_468, 25_284, 180_457)


def block_count(architecture: Architecture) -> int:
    """seal.n_blocks."""
    return sum(-(-spec.size // (_BLOCK_BITS // spec.bits)) for spec in architecture.tensors())


def encrypted_weights(architecture: Architecture, n_blocks: int) -> Part:
    """S2: the weights' wires, and four constraints a cipher round."""
    # an inner round has 18 entries; the first one has no state and no constant, and the counter
    # of block 0 is 0, which saves three more; the last one has the block's weights and offset
    n_entries = n_blocks * (15 + 18 * (_ROUNDS - 2) + 20) - 3 + architecture.n_weights
    n_private = (4 * _ROUNDS - 1) * n_blocks + architecture.n_weights
    return Part(4 * _ROUNDS * n_blocks, n_private, n_entries)
