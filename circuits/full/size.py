"""How large the `full` statement is, in closed form, before anything of it is allocated.

    Size(architecture, n) = the sizes of statement.build(architecture, n).r1cs, exactly

    part                    constraints        private wires      entries of A, B and C
    S1  S2                  see circuits/size.py
    S3  weight of b bits    b                  b                  5b − 2
    product of a layer      1                  1                  4
    sum of k values         1                  1                  k + 2
    square                  1                  1                  3
    S4  S5                  see `_arg_max` and `_accuracy`

Every party that is about to build or to answer calls `check_size` first.
"""

from math import prod

from circuits.size import COMMITMENT, Part, Size, block_count, check_fits, encrypted_weights
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import logit_difference_bound
from zkcmp.model.layers import Conv, Dense, Shape, Square, SumPool


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


def _seal(architecture: Architecture, n_blocks: int) -> Part:
    """S2 and S3: the weights in the cipher, and the range of every one."""
    total = encrypted_weights(architecture, n_blocks)
    for spec in architecture.tensors():
        total += _range(spec.bits) * spec.size
    return total


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
