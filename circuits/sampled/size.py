"""How large the `sampled` statement is, before anything of it is allocated.

    constraints    those of `full` less n·(N − K), K = ⌈u·N⌉
    public wires   those of `full`
    private wires  those of `full` less n·N, and at most n·(3K + m): a kept row mentions three
                   (two sums and an input), and the m logits are there in any case
    entries        those of `full` less the network's, and at most 4·n·K

N, the rows of the network for one image, is what an image adds to `full` less what S4 and S5 are.
"""

from fractions import Fraction
from math import prod

from circuits.full.size import statement_size
from circuits.gadgets.argmax import margin_bits
from circuits.sampled.sampling import kept_count
from circuits.size import Size, check_fits
from zkcmp.errors import ZkcmpError
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import bounds
from zkcmp.model.layers import Square, SumPool


def network_rows(architecture: Architecture) -> int:
    """N: products and squares of one image; the rows that sampling chooses from."""
    one, two = (statement_size(architecture, n).n_constraints for n in (1, 2))
    margins = 2 + margin_bits(bounds(architecture)[-1])  # of a class: its share of the label's
    return two - one - margins * architecture.n_classes - 1  # logit, its margin, that one's range


def sampled_size(architecture: Architecture, n_images: int, u: Fraction) -> Size:
    """The sizes; `n_wires` and `n_entries` depend on the sample and are not exceeded."""
    full = statement_size(architecture, n_images)
    n_rows = network_rows(architecture)
    n_kept = kept_count(n_rows, u)
    shapes = zip(architecture.layers, architecture.shapes()[1:], strict=True)
    n_squares = sum(prod(shape) for layer, shape in shapes if isinstance(layer, Square))
    entries = 4 * n_rows - n_squares
    wires = min(n_rows, 3 * n_kept + architecture.n_classes)
    return Size(
        full.n_constraints - n_images * (n_rows - n_kept),
        full.n_public,
        full.n_wires - n_images * (n_rows - wires),
        full.n_entries - n_images * (entries - min(entries, 4 * n_kept)),
    )


def check_sampled_size(architecture: Architecture, n_images: int, u: Fraction) -> Size:
    """The sizes; raises VerificationError when no proof of such a statement can be made.

    ZkcmpError for a network with sum pools: their rows mention more than three wires.
    """
    if any(isinstance(layer, SumPool) for layer in architecture.layers):
        raise ZkcmpError("mode sampled knows no pooling; choose another mode")
    return check_fits(sampled_size(architecture, n_images, u), n_images)
