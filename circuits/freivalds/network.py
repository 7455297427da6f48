"""A network's arithmetic for all images of a test set, in the two rounds of mode `freivalds`.

    commit    every output that is needed image by image becomes committed wires, or a linear form
    enforce   sums over the images go through the layers, and every layer is checked on them

plan.py says which layer takes which form, the files of projections/ how each is proved.
"""

from functools import reduce

import numpy as np

from circuits.freivalds.plan import Check, Form, Plan, Step
from circuits.gadgets.square import square
from circuits.projections.constant_images import ConstantImages
from circuits.projections.first_layer import LinearForm
from circuits.projections.image_sums import CommittedTensor, ImagePowers
from circuits.projections.layer_checks import LayerSums, PoolCheck, layer_checks
from circuits.projections.moments import moment_aggregate, weight_products
from circuits.second_round import POSITION, FieldSignals, SecondRound
from circuits.signals import IntValues, Signals, private
from zkcmp.linear_combination import IntArray
from zkcmp.model.bounds import bounds
from zkcmp.model.layers import SumPool
from zkcmp.r1cs_builder import ConstraintSystem

Logits = Signals | LinearForm


class NetworkProof:
    """S4 but for the arg max. outputs: of every layer, (n, …) each; None while recording."""

    def __init__(
        self,
        system: ConstraintSystem,
        plan: Plan,
        images: ConstantImages,
        tensors: list[Signals],
        outputs: list[np.ndarray] | None,
    ):
        self.system, self.plan, self.outputs = system, plan, outputs
        self._bounds = bounds(plan.architecture)
        self._shapes = plan.architecture.shapes()
        self._weights: dict[int, tuple[Signals, Signals]] = {}
        remaining = iter(tensors)
        for index, layer in enumerate(plan.architecture.layers):
            if layer.tensors(""):
                self._weights[index] = next(remaining), next(remaining)
        self._images = images
        self._committed: dict[int, CommittedTensor] = {}
        self._products: dict[int, IntArray] = {}
        self._form: LinearForm | None = None
        self._last: Signals | None = None

    @property
    def form(self) -> LinearForm:
        """The first linear layer, where it is one."""
        if self._form is None:
            raise ValueError("the first linear layer is not a linear form")
        return self._form

    def commit(self) -> Logits:
        """The first round; returns the logits (n, n_classes)."""
        for step in self.plan.steps:
            self._commit_step(step, self.plan.architecture.layer_name(step.index))
        return self.form if self._last is None else self._last

    def _commit_step(self, step: Step, name: str) -> None:
        n, values = self.plan.n_images, self._values(step.index)
        if step.form is Form.CONSTANT:
            layer = self.plan.architecture.layers[step.index]
            if isinstance(layer, SumPool):
                self._images = self._images.pooled(layer, self._shapes[step.index])
            else:
                self._images = self._images.squared()
        elif step.form is Form.FORM:
            weight, bias = self._weights[step.index]
            shape = step.layer_shape
            self._form = LinearForm(self.system, self._images, shape, weight, bias, values)
        elif step.form is Form.COMMITTED:
            size = step.layer_shape.n_outputs
            self._keep(step, name, private(self.system, f"{name} outputs", (n, size), values))
        elif step.form is Form.WIRES:
            bound = self._bounds[step.index]
            if step.reads is Form.FORM:
                self._keep(step, name, self.form.square_wires(name, bound))
            elif self._last is not None:
                self._keep(step, name, square(self.system, name, self._last, bound))
        elif step.form is Form.BY_MOMENT:
            weight, bias = self._weights[self.plan.first.index]
            self._products[step.index] = weight_products(self.form, name, weight, bias)

    def _keep(self, step: Step, name: str, signals: Signals) -> None:
        self._last = signals
        self._committed[step.index] = CommittedTensor(name, signals.wires)

    def _values(self, index: int) -> IntValues | None:
        if self.outputs is None:
            return None
        return self.outputs[index].reshape(self.plan.n_images, -1)

    def enforce(self, second: SecondRound) -> None:
        """The second round."""
        if not self.plan.checked:
            return
        powers = ImagePowers(second, self.plan.n_images)
        places = None
        if self.plan.n_position_powers:
            places = second.powers(POSITION, self.plan.n_position_powers, "position powers")
        sums, last = None, None
        for step in self.plan.steps:
            name = self.plan.architecture.layer_name(step.index)
            if step.check is not Check.NONE:
                sums = self._check(step, name, powers, sums, places)
            elif step.form is Form.SUM and last is not None:
                sums = _all(self._committed[last.index].square_aggregate(powers, name))
            elif step.form is Form.BY_IMAGE:
                sums = _all(self.form.square_aggregate(powers, name))
            elif step.form is Form.BY_MOMENT:
                products = self._products[step.index]
                sums = _all(moment_aggregate(self.form, powers, name, products))
            last = step

    def _check(
        self,
        step: Step,
        name: str,
        powers: ImagePowers,
        sums: LayerSums | None,
        places: FieldSignals | None,
    ) -> LayerSums | None:
        """Checks a linear layer; returns its outputs' sums where the next layer reads them."""
        if sums is None:  # the first layer, on constants
            live = np.flatnonzero(self._images.live)
            constants = self._images.sums(
                powers.second, f"{name} pixels", powers.powers, live, None
            )
            sums = LayerSums(constants, live)
        committed = self._committed.get(step.index)
        if step.check is Check.WINDOWS:
            pool = PoolCheck(powers.second, name, step.layer_shape)
            if committed is None:
                return _all(pool.derived(sums))
            pool.windows(sums, committed.total(powers))
            return None
        checks = layer_checks(powers, name, step.layer_shape, *self._weights[step.index], sums)
        if committed is None:
            return _all(_joined([check.derived(own) for check, own in checks]))
        total, values = committed.total(powers), None
        if step.check is Check.PROJECTED:
            values = committed.total_values(powers)
        for group, (check, own) in enumerate(checks):
            size = check.shape.n_outputs
            outputs = total.take(np.arange(group * size, (group + 1) * size))
            if step.check is Check.PROJECTED and places is not None:
                known = None if values is None else values.slice(group * size, (group + 1) * size)
                check.projected(own, outputs, known, places)
            else:
                check.direct(own, outputs)
        return _all(committed.aggregate(powers)) if step.summed else None


def _joined(parts: list[FieldSignals]) -> FieldSignals:
    return reduce(FieldSignals.join, parts)


def _all(signals: FieldSignals) -> LayerSums:
    return LayerSums(signals, np.arange(len(signals)))
