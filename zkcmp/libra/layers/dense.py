"""y[j, o] = Σ_i W[o, i]·x[j, i] + b[o] for images j < n, the matrix product as in Thaler 2013:

    y~(r_j, r_o) = Σ_i W~(r_o, i)·x~(r_j, i) + b~(r_o)·[j < n]~(r_j)

one sumcheck over the inputs i only, which may have several axes (C, H, W), each padded: W is laid
out likewise, so that a flatten before the layer moves nothing. At its end W~(r_o, s) and x~(r_j, s)
are sent; the first is opened, the second is the claim on the input. Rows of W in the padding are 0
(relations/ranges.py), so y~ is 0 there.

When x is public, x~(r_j, ·) is known to both sides and the sum over i is an opening of W itself,
with weights eq(r_o, ·) ⊗ x~(r_j, ·).

Soundness error: 2·log(inputs)/r for the sumcheck.
"""

from zkcmp.bn254.field.rows import Rows
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.layers.step import Step, open_bias
from zkcmp.libra.layers.weights import EqOuterWeights
from zkcmp.libra.multilinear.tables import eq_table
from zkcmp.libra.multilinear.tensors import log_shape
from zkcmp.libra.requirements.opening import EqWeights
from zkcmp.libra.sumcheck.protocol import ProductProver, sumcheck
from zkcmp.model.layers import Dense


def reduce_dense(
    channel: Channel, layer: Dense, step: Step, claim: TensorClaim
) -> TensorClaim | None:
    """A claim on the input from one on the output; None where the input is public."""
    parts = step.split(claim.point)
    image, out = parts
    product = claim.form - open_bias(channel, step, parts)
    bound = None
    if step.values is not None:
        bound = step.values.bind_first_axis(eq_table(image))
    if step.is_public:
        if bound is None:
            raise ValueError("a public input is known to both sides")
        channel.require_opening(step.weight, EqOuterWeights(out, (bound,)), product)
        return None
    prover = None
    if bound is not None and step.blocks is not None:
        rows = Rows.from_field(step.blocks[step.weight], 1 << len(out))
        weights = rows.bind(eq_table(out)).slice(0, len(bound))
        prover = ProductProver(weights, bound)
    n_vars = sum(log_shape(step.input_shape))
    point, product = sumcheck(channel, step.label, product, n_vars, 2, prover)
    weight, value = channel.send(step.label, None if prover is None else prover.finals, 2)
    channel.require_product(weight, value, product)
    channel.require_opening(step.weight, EqWeights([*out, *point]), weight)
    return TensorClaim([*image, *point], value)
