"""Layered circuits by Libra's sumcheck: a claim on a layer's outputs to two on its inputs.

For claims V_out~(p_t) = c_t, with E(z) = Σ_t λ^t·eq(p_t, z) and the wiring predicates add, mul,

    Σ_t λ^t·c_t = Σ_{x,y} add_E(x, y)·(V(x) + V(y)) + mul_E(x, y)·V(x)·V(y)

where add_E(x, y) is the sum of E(z) over the add gates (z, x, y), and mul_E likewise. Two phases,
each linear in the gates, with u the point of the first and v = V~(u):

    over x:  V(x)·P(x) + Q(x)       P(x) = Σ_muls E(z)·V(y) + Σ_adds E(z)
                                    Q(x) = Σ_adds E(z)·V(y)
    over y:  V(y)·S(y) + v·T(y)     S(y) = v·Σ_muls E(z)·eq(u, x) + T(y)
                                    T(y) = Σ_adds E(z)·eq(u, x)

At the end V~(u), V~(w) and their product are sent; the verifier evaluates the predicates at (u, w)
in time linear in the gates.

Source: Libra (Xie, Zhang, Zhang, Papamanthou, Song, ePrint 2019/317), §3; several claims by a
random combination, its §3.4. The caller absorbs the circuit's digest and opens what is left.
Soundness error: (claims − 1 + 4·in_vars)/r a layer.
"""

from collections.abc import Sequence

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.conversation.forms import combine
from zkcmp.libra.layered.circuit import Circuit, GateLayer
from zkcmp.libra.multilinear.tables import Point, eq_table
from zkcmp.libra.sumcheck.protocol import Phases, ProductProver, RoundProver, SumProver, sumcheck

LABEL = b"circuit"


def reduce_circuit(
    channel: Channel,
    circuit: Circuit,
    claims: Sequence[TensorClaim],
    values: list[FrVector] | None,
) -> list[TensorClaim]:
    """Claims on the outputs to claims on the inputs; `values` as of Circuit.evaluate."""
    for index in range(len(circuit.layers) - 1, -1, -1):
        inputs = None if values is None else values[index]
        claims = reduce_gates(channel, circuit.layers[index], claims, inputs)
    return list(claims)


def reduce_gates(
    channel: Channel, layer: GateLayer, claims: Sequence[TensorClaim], inputs: FrVector | None
) -> list[TensorClaim]:
    """One layer; `inputs` are the prover's."""
    factor = channel.challenge(LABEL) if len(claims) > 1 else 1
    powers = [pow(factor, t, FR_MODULUS) for t in range(len(claims))]
    total = combine([(c, claim.form) for c, claim in zip(powers, claims, strict=True)])
    outputs = FrVector.zeros(1 << layer.out_vars)
    for power, claim in zip(powers, claims, strict=True):
        outputs = outputs + eq_table(claim.point) * power
    prover = None if inputs is None else _GatesProver(layer, outputs, inputs)
    point, form = sumcheck(channel, LABEL, total, 2 * layer.in_vars, 2, prover)
    left, right = point[: layer.in_vars], point[layer.in_vars :]
    values = None
    if prover is not None:
        at_left, at_right = prover.finals
        values = [at_left, at_right, at_left * at_right]
    first, second, product = channel.send(LABEL, values, 3)
    channel.require_product(first, second, product)
    sums = _by_right(layer, outputs, left) if prover is None else prover.by_right(left)
    eq_right = eq_table(right)
    adds, muls = ((table * eq_right).sum() for table in sums)
    channel.require_zero(combine([(1, form), (-adds, first), (-adds, second), (-muls, product)]))
    return [TensorClaim(left, first), TensorClaim(right, second)]


def _by_right(layer: GateLayer, outputs: FrVector, left: Point) -> tuple[FrVector, FrVector]:
    """Σ E(z)·eq(u, x) over the add gates (z, x, y), and over the mul gates, for every y."""
    eq_left = eq_table(left)
    scatters = layer.adds_by_right, layer.muls_by_right
    adds, muls = (scatter.sums(outputs, eq_left) for scatter in scatters)
    return adds, muls


class _GatesProver:
    """Both phases for one layer."""

    def __init__(self, layer: GateLayer, outputs: FrVector, inputs: FrVector):
        self._layer, self._outputs, self._inputs = layer, outputs, inputs
        self._products: list[ProductProver] = []
        self._by_right: tuple[FrVector, FrVector] | None = None
        n = layer.in_vars
        self._phases = Phases([(n, self._over_left), (n, self._over_right)])

    def round_values(self) -> list[int]:
        return self._phases.round_values()

    def bind(self, r: int) -> None:
        self._phases.bind(r)

    def _over_left(self, _: Point) -> RoundProver:
        layer, inputs = self._layer, self._inputs
        added = layer.adds_by_left.sums(self._outputs, inputs)
        factors = layer.muls_by_left.sums(self._outputs, inputs)
        factors = factors + layer.adds_by_left.sums(self._outputs, _ones(len(inputs)))
        return self._with(ProductProver(inputs, factors), added)

    def _over_right(self, left: Point) -> RoundProver:
        value = self._products[0].finals[0]
        adds, muls = self.by_right(left)
        return self._with(ProductProver(self._inputs, muls * value + adds), adds * value)

    def by_right(self, left: Point) -> tuple[FrVector, FrVector]:
        """Made once, for the second phase and for the wiring predicates after it."""
        if self._by_right is None:
            self._by_right = _by_right(self._layer, self._outputs, left)
        return self._by_right

    def _with(self, product: ProductProver, linear: FrVector) -> RoundProver:
        self._products.append(product)
        return SumProver([product, ProductProver(_ones(len(linear)), linear)])

    @property
    def finals(self) -> list[int]:
        """V~ at both points, after the last round."""
        if not self._products:  # a layer of one input has no rounds
            return [self._inputs[0], self._inputs[0]]
        return [product.finals[0] for product in self._products]


def _ones(n: int) -> FrVector:
    return FrVector.from_ints([1]).take(np.zeros(n, np.int64))
