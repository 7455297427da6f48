"""How large the `freivalds` statement is, in closed form, before anything of it is allocated.

    Size(architecture, n) = the sizes of statement.build(architecture, testset).r1cs

Exact for the pixel counts of a test set (`ConstantImages.reads` counts them); without, what no
test set of n images exceeds. plan.py decides which gadgets there are, cost.py what each costs.
"""

from dataclasses import dataclass

from circuits.freivalds import cost
from circuits.freivalds.plan import Form, Plan, make_plan, step_part
from circuits.size import COMMITMENT, Part, Size, block_count, check_fits, encrypted_weights
from circuits.window_shape import Reads, all_reads
from zkcmp.model.architecture import Architecture


@dataclass(frozen=True)
class ImageCounts:
    """What the sizes depend on: what the first linear layer reads, and the sum of all labels."""

    reads: Reads
    label_sum: int


def freivalds_size(
    architecture: Architecture, n_images: int, counts: ImageCounts | None = None
) -> Size:
    """The sizes for n images, 0 for the encryption alone."""
    plan = make_plan(architecture, n_images)
    n_blocks = block_count(architecture)
    total = COMMITMENT + encrypted_weights(architecture, n_blocks)
    for demand in plan.demands:
        total += cost.weight_lookups(demand, plan.tables)
    total += cost.table_rows((*plan.demands, plan.margins), plan.tables)
    n_public = 4 + n_blocks + len(plan.challenges)
    if n_images:
        n_public += 1
        total += _network(plan, counts)
    return Size(total.n_constraints, n_public, 1 + n_public + total.n_private, total.n_entries)


def check_freivalds_size(
    architecture: Architecture, n_images: int, counts: ImageCounts | None = None
) -> Size:
    """The sizes; raises VerificationError when no proof of such a statement can be made."""
    return check_fits(freivalds_size(architecture, n_images, counts), n_images)


def _network(plan: Plan, counts: ImageCounts | None) -> Part:
    """S4 and S5."""
    n = plan.n_images
    label_sum = plan.margins.count if counts is None else counts.label_sum
    if counts is None:
        reads = all_reads(plan.first.layer_shape, n, plan.has_moments)
    else:
        reads = counts.reads
    total = cost.flags(n) + cost.margins(plan.margins, plan.tables, label_sum)
    for step in plan.steps:
        total += step_part(step, n, reads)
    if plan.checked:
        total += cost.powers(n) + cost.sum_of_powers(n)
    total += cost.powers(plan.n_position_powers)
    if plan.steps[-1].form is Form.FORM:
        total += cost.form_margins(plan.first.layer_shape, reads)
    return total
