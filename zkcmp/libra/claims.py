"""Claims on a tensor's extension, and several of them as one.

    V~(p_t) = y_t for all t   ⇐   Σ_x (Σ_t λ^t·eq(p_t, x))·V(x) = Σ_t λ^t·y_t

one sumcheck, at whose end (Σ_t λ^t·eq(p_t, s))·V~(s) = y is a claim at one point again. The prover
first sums over each image, u_t[j] = Σ_i eq(p_t'', i)·V[j, i], so that the rounds over images are
about vectors of n entries, and then the rounds over the other axes about one row.

Soundness error: (claims − 1 + 2·variables)/r.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zkcmp.bn254.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.libra.channel import Channel
from zkcmp.libra.forms import Form, combine
from zkcmp.libra.sumcheck import Phases, ProductProver, RoundProver, SumProver, sumcheck
from zkcmp.libra.tables import Point, eq, eq_table, log_size
from zkcmp.libra.tensors import Shape, Tensor, log_shape


@dataclass(frozen=True)
class TensorClaim:
    """V~(point) = form, for a point of all axes of V in order."""

    point: Point
    form: Form


def merge_claims(
    channel: Channel,
    label: bytes,
    claims: Sequence[TensorClaim],
    shape: Shape,
    tensor: Tensor | None,
) -> TensorClaim:
    """One claim from at least one; `tensor` is the prover's, of the public shape."""
    if len(claims) == 1:
        return claims[0]
    factor = channel.challenge(label)
    powers = [pow(factor, t, FR_MODULUS) for t in range(len(claims))]
    points = [claim.point for claim in claims]
    total = combine([(c, claim.form) for c, claim in zip(powers, claims, strict=True)])
    prover = None
    if tensor is not None:
        prover = _prover(tensor, powers, points)
    point, form = sumcheck(channel, label, total, sum(log_shape(shape)), 2, prover)
    weight = sum(c * eq(p, point) for c, p in zip(powers, points, strict=True)) % FR_MODULUS
    # form = weight·V~(point); the challenges make the weight 0 with negligible probability
    return TensorClaim(point, form * pow(weight, -1, FR_MODULUS))


def _prover(tensor: Tensor, powers: list[int], points: list[Point]) -> Phases:
    n_first = log_size(tensor.shape[0])

    def over_images(_: Point) -> RoundProver:
        provers = []
        for power, point in zip(powers, points, strict=True):
            sums = FrVector.zeros(1 << n_first)
            sums.assign(0, tensor.dot_rows(eq_table(point[n_first:])))
            provers.append(ProductProver(eq_table(point[:n_first]) * power, sums))
        return SumProver(provers)

    def over_features(images: Point) -> RoundProver:
        weights = FrVector.zeros(1 << (tensor.n_vars - n_first))
        for power, point in zip(powers, points, strict=True):
            scale = power * eq(point[:n_first], images) % FR_MODULUS
            weights = weights + eq_table(point[n_first:]) * scale
        row = tensor.bind_first_axis(eq_table(images))
        return ProductProver(weights, row)

    return Phases([(n_first, over_images), (tensor.n_vars - n_first, over_features)])
