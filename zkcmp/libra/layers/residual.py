"""y = x + x', entry by entry, for tensors of one shape:

    y~(p) = x~(p) + x'~(p)

The prover sends x~(p), which leaves a claim on each. A tensor that is read twice gets two claims,
which claims.py makes one.
"""

from zkcmp.libra.channel import Channel
from zkcmp.libra.claims import TensorClaim
from zkcmp.libra.layers.step import Step


def reduce_add(channel: Channel, step: Step, claim: TensorClaim) -> tuple[TensorClaim, TensorClaim]:
    """Claims on x and x'; the step's values are those of x."""
    value = [step.input.evaluate(claim.point)] if channel.is_prover else None
    (first,) = channel.send(step.label, value, 1)
    return TensorClaim(claim.point, first), TensorClaim(claim.point, claim.form - first)
