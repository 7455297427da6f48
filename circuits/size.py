"""How large the `full` statement is, in closed form, before anything of it is allocated.

    Size(architecture, n) = the sizes of statement.build(architecture, n).r1cs, exactly

    part                    constraints        private wires      entries of A, B and C
    S1  hash of the key     fixed              fixed              fixed
    S2  ℓ blocks            364 ℓ              363 ℓ              1637 ℓ − 3 + weights
    S3  weight of b bits    b                  b                  5b − 2
    product of a layer      1                  1                  4
    sum of k values         1                  1                  k + 2
    square                  1                  1                  3
    S4  S5                  see `_arg_max` and `_accuracy`

A few hundred bytes of architecture can ask for billions of constraints, so every party that is
about to build or to answer calls `check_size` first. Integers only, and nothing is imported that
takes time to load.
"""

from dataclasses import dataclass
from math import prod

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import logit_difference_bound
from zkcmp.model.layers import Conv, Dense, Shape, Square, SumPool

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


# S1: SHA-256 of 32 bytes, its 256 message bits, two rows of digest and one of the key
COMMITMENT = Part(25_468, 25_284, 180_457)


def statement_size(architecture: Architecture, n_images: int) -> Size:
    """The sizes of the statement about `n_images` images."""
    n_blocks = block_count(architecture)
    total = COMMITMENT + _seal(architecture, n_blocks) + _network(architecture) * n_images
    total += _arg_max(architecture) * n_images + _accuracy(n_images)
    n_public = 5 + n_blocks + n_images * (architecture.n_inputs + architecture.n_classes)
    return Size(total.n_constraints, n_public, 1 + n_public + total.n_private, total.n_entries)


def check_size(architecture: Architecture, n_images: int) -> Size:
    """The sizes; raises VerificationError when no proof of such a statement can be made."""
    return check_fits(statement_size(architecture, n_images), n_images)


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


def block_count(architecture: Architecture) -> int:
    """seal.n_blocks."""
    return sum(-(-spec.size // (_BLOCK_BITS // spec.bits)) for spec in architecture.tensors())


def _seal(architecture: Architecture, n_blocks: int) -> Part:
    """S2 and S3: the weights in the cipher, and the range of every one."""
    total = encrypted_weights(architecture, n_blocks)
    for spec in architecture.tensors():
        total += _range(spec.bits) * spec.size
    return total


def encrypted_weights(architecture: Architecture, n_blocks: int) -> Part:
    """S2: the weights' wires, and four constraints a cipher round."""
    # an inner round has 18 entries; the first one has no state and no constant, and the counter
    # of block 0 is 0, which saves three more; the last one has the block's weights and offset
    n_entries = n_blocks * (15 + 18 * (_ROUNDS - 2) + 20) - 3 + architecture.n_weights
    n_private = (4 * _ROUNDS - 1) * n_blocks + architecture.n_weights
    return Part(4 * _ROUNDS * n_blocks, n_private, n_entries)


def _range(n_bits: int) -> Part:
    """bits.enforce_range of one value: n − 1 boolean wires, and u · (u − 2^(n−1)) = 0.

    u has n entries; the power is an entry of one factor, or cancels a weight's offset there and
    leaves it in the other.
    """
    return Part(n_bits, n_bits - 1, 3 * (n_bits - 1) + 2 * n_bits + 1)


def _network(architecture: Architecture) -> Part:
    """Every product and every square of one image."""
    total = Part(0, 0, 0)
    shapes = architecture.shapes()
    for layer, before, after in zip(architecture.layers, shapes, shapes[1:], strict=False):
        if isinstance(layer, Conv):
            total += Part(1, 1, 4) * _conv_products(layer, before, after)
        elif isinstance(layer, Dense):
            total += Part(1, 1, 4) * (layer.in_features * layer.out_features)
        elif isinstance(layer, SumPool):
            total += Part(1, 1, layer.fan_in + 2) * prod(after)
        elif isinstance(layer, Square):
            total += Part(1, 1, 3) * prod(after)
    return total


def _conv_products(layer: Conv, before: Shape, after: Shape) -> int:
    """Products of one image; positions in the padding have none."""
    top, left = layer.padding[:2]
    rows = _inside(layer.extent[0], layer.dilation[0], layer.stride[0], top, before[1], after[1])
    columns = _inside(
        layer.extent[1], layer.dilation[1], layer.stride[1], left, before[2], after[2]
    )
    return layer.weight_shape[1] * layer.out_channels * rows * columns


def _inside(
    extent: int, dilation: int, stride: int, padding: int, n_inputs: int, n_outputs: int
) -> int:
    """How many (output h, offset a) read an input: 0 ≤ stride·h + a − padding < inputs."""
    total = 0
    for a in range(0, extent, dilation):
        first = max(-((a - padding) // stride), 0)
        last = min((n_inputs - 1 - a + padding) // stride, n_outputs - 1)
        total += max(last - first + 1, 0)
    return total


def _arg_max(architecture: Architecture) -> Part:
    """S4 of one image with m classes: the label's logit, m margins and their ranges."""
    m = architecture.n_classes
    n_bits = max(logit_difference_bound(architecture).bit_length(), 1)  # argmax.margin_bits
    label_logit = Part(m, m, 4 * m - 1)
    margins = Part(m, m, 4 * m + m * (m - 1) // 2)  # row i reads the labels after i
    return label_logit + margins + _range(n_bits) * m


def _accuracy(n_images: int) -> Part:
    """S5: a boolean flag an image, and one row for their sum."""
    return Part(1, 1, 3) * n_images + Part(1, 0, n_images + 2)
