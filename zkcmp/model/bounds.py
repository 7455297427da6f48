"""Static bounds: how large any value of a network can get, from public sizes only.

    B_0 = 2^input_bits − 1
    conv, dense:  B' = fan_in · 2^(weight_bits−1) · B + 2^(bias_bits−1)
    sumpool:      B' = fan_in · B
    square:       B' = B²

No weight or image enters, so every party computes the same numbers. A bound covers each partial
sum of an accumulator too, in any order of summation (it sums absolute values). The statement is
about integers (README, S4); it is proved modulo r, which says the same only while
no accumulator and no difference of two logits reaches r/2.
"""

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.model.architecture import Architecture
from zkcmp.model.layers import Conv, Dense, Square, SumPool

_HINT = "this network could wrap the field; use fewer bits, smaller layers or fewer squares"


def bounds(architecture: Architecture) -> list[int]:
    """The largest absolute value every layer's output (and accumulator) can take."""
    bound = (1 << architecture.input_bits) - 1
    result = []
    for layer in architecture.layers:
        if isinstance(layer, Conv | Dense):
            bound = layer.fan_in * (bound << (layer.weight_bits - 1)) + (1 << (layer.bias_bits - 1))
        elif isinstance(layer, SumPool):
            bound *= layer.fan_in
        elif isinstance(layer, Square):
            bound = bound * bound
        result.append(bound)
    return result


def logit_difference_bound(architecture: Architecture) -> int:
    """The largest absolute difference of two logits: twice the last layer's bound."""
    return 2 * bounds(architecture)[-1]


def check_no_wrap(architecture: Architecture) -> None:
    """Raises VerificationError, naming the layer, when a value could reach r/2.

    Logit differences keep further away: with B the bit length of the largest one, D, a negative one
    must not look like a non-negative number of B bits either, so 2^B + D + 1 ≤ r.
    """
    limit = FR_MODULUS // 2  # r is odd: |v| ≤ limit are the values that differ modulo r
    for index, bound in enumerate(bounds(architecture)):
        if bound >= limit:
            _refuse(f"accumulators of {architecture.layer_name(index)}", bound)
    difference = logit_difference_bound(architecture)
    if (1 << difference.bit_length()) + difference + 1 > FR_MODULUS:
        _refuse(
            f"logit differences of {architecture.layer_name(len(architecture.layers) - 1)}",
            difference,
        )


def _refuse(where: str, bound: int) -> None:
    raise VerificationError(
        where, "values below r/2 (253 bits)", f"{bound.bit_length()} bits", _HINT
    )
