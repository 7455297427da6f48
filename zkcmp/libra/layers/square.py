"""y[x] = v[x]² for all entries x of a tensor:

    y~(τ) = Σ_x eq(τ, x)·v(x)²

one sumcheck of degree 2 with eq factored out. At its end v~(s) is sent, u, with u·u the claim.

Soundness error: 3·variables/r. A false u is caught where v is opened.
"""

from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.layers.step import Step
from zkcmp.libra.sumcheck.protocol import sumcheck
from zkcmp.libra.sumcheck.square_rounds import SquareProver
from zkcmp.model.layers import Square


def reduce_square(channel: Channel, layer: Square, step: Step, claim: TensorClaim) -> TensorClaim:
    """A claim on the input from one on the output."""
    prover = SquareProver(step.input, claim.point) if channel.is_prover else None
    n_vars = len(claim.point)
    point, squared = sumcheck(channel, step.label, claim.form, n_vars, 2, prover, claim.point)
    (value,) = channel.send(step.label, None if prover is None else [prover.final], 1)
    channel.require_product(value, value, squared)
    return TensorClaim(point, value)
