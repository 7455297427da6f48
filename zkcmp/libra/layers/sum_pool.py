"""y[j, c, h, w] = Σ_{a < K, b < K'} x[j, c, s·h + a, s'·w + b]: average pooling, not yet divided.

    y~(r) = Σ_{i,k} u_i·v_k·x~(r_j, r_c, i, k),   u_i = Σ_h eq(r_h, h)·[0 ≤ i − s·h < K]

one sumcheck over the positions of the input with the public u ⊗ v, at whose end
u~(s)·v~(s')·x~(r_j, r_c, s, s') is the claim. Division by K·K' is left to the scale of the network,
as everywhere (model/onnx/graph.py).

Soundness error: 2·log(H·W)/r.
"""

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.rows import Rows
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.layers.step import Step
from zkcmp.libra.layers.windows import Windows, map_axis
from zkcmp.libra.multilinear.tables import Point, eq_table, evaluate, outer
from zkcmp.libra.multilinear.tensors import log_shape, pad_axes
from zkcmp.libra.sumcheck.protocol import ProductProver, sumcheck
from zkcmp.model.layers import SumPool


def reduce_sum_pool(
    channel: Channel, layer: SumPool, step: Step, claim: TensorClaim
) -> TensorClaim:
    """A claim on the input from one on the output."""
    image, maps, *positions = step.split(claim.point)
    windows = [
        Windows(size, kernel, stride, 0, n_positions)
        for size, kernel, stride, n_positions in zip(
            step.input_shape[1:], layer.kernel, layer.stride, step.output_shape[1:], strict=True
        )
    ]
    rows, columns = (_weights(w, p) for w, p in zip(windows, positions, strict=True))
    prover = None
    if channel.is_prover:
        table = step.input.bind_first_axis(eq_table(image))
        size = len(rows) * len(columns)
        bound = Rows.from_field(table, 1 << len(maps)).bind(eq_table(maps)).slice(0, size)
        prover = ProductProver(outer(rows, columns), bound)
    n_vars = log_shape(step.input_shape[1:])
    point, form = sumcheck(channel, step.label, claim.form, sum(n_vars), 2, prover)
    weight = evaluate(rows, point[: n_vars[0]]) * evaluate(columns, point[n_vars[0] :])
    # the challenges make the weight 0 with negligible probability
    return TensorClaim([*image, *maps, *point], form * pow(weight, -1, FR_MODULUS))


def _weights(windows: Windows, bound: Point) -> FrVector:
    """u, padded."""
    ones = FrVector.from_ints([1] * windows.kernel)
    table, shape = map_axis(ones, (windows.kernel,), 0, windows.by_input(), windows.weights(bound))
    return pad_axes(table, shape)
