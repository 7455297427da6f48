"""How each layer of a network is proved in mode `freivalds`.

    FORM        a first layer over constant images: linear in the weights, costs nothing
    COMMITTED   outputs are committed wires, checked against the inputs in the second round:
                DIRECT (a product a tap) or PROJECTED (over the positions of a convolution);
                those of a sum pool by WINDOWS, without products
    DERIVED     only the sum over the images is needed, and computed from the inputs' sum
    CONSTANT    squares and sum pools of constants
    WIRES       squares as committed wires: another square follows
    SUM         only Σ_j u^j·y_j² is needed, of committed y
    BY_IMAGE    the same of a linear form, image by image
    BY_MOMENT   the same from second moments of the images, at a cost that hardly depends on n

A first layer with groups or dilation is no FORM. A linear layer needs its outputs image by image
when a square or the arg max reads them. Where there is a choice, the option of the smallest weight
is taken, a constraint weighing as much as CONSTRAINT_WEIGHT matrix entries; ties go to the first.
Pixels are counted as if none were 0, so the plan depends on the architecture and on n alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from circuits.freivalds import cost
from circuits.lookups.plan import Demand, Tables, choose_tables
from circuits.second_round import GAMMA, POSITION, POWER
from circuits.size import Part
from circuits.window_shape import Reads, WindowShape, all_reads
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import logit_difference_bound
from zkcmp.model.layers import Conv, Dense, Flatten, Layer, Shape, Square, SumPool

CONSTRAINT_WEIGHT = 200


class Form(Enum):
    """What becomes of a layer's outputs."""

    FORM = "linear form"
    COMMITTED = "committed"
    DERIVED = "derived"
    CONSTANT = "constant"
    WIRES = "square wires"
    SUM = "sum of squares"
    BY_IMAGE = "sum of squares by image"
    BY_MOMENT = "sum of squares by moment"


class Check(Enum):
    """How the outputs of a linear layer are held to its inputs."""

    NONE = "none"
    DIRECT = "direct"
    PROJECTED = "projected"
    WINDOWS = "windows"


@dataclass(frozen=True)
class Step:
    """One layer; flatten layers have none.

    shape: of the linear layer, or of the one before a square (squares of pixels: None);
    reads: the form of what the layer reads, pixels being CONSTANT; summed: a linear layer follows
    the committed outputs, and reads their sum over the images.
    """

    index: int
    form: Form
    reads: Form
    shape: WindowShape | None
    check: Check = Check.NONE
    summed: bool = False

    @property
    def layer_shape(self) -> WindowShape:
        """The shape, where the step has one."""
        if self.shape is None:
            raise ValueError("squares of pixels have no linear layer before them")
        return self.shape


@dataclass(frozen=True)
class Plan:
    """The steps for n images, none for n = 0; the tables; the challenges in order of their wires.

    demands: the widths of the weights, a tensor each; margins: those of S4, not among them.
    """

    architecture: Architecture
    n_images: int
    steps: tuple[Step, ...]
    demands: tuple[Demand, ...]
    margins: Demand
    tables: Tables
    challenges: tuple[str, ...]

    @property
    def checked(self) -> list[Step]:
        """Linear layers that are checked in the second round."""
        return [step for step in self.steps if step.check is not Check.NONE]

    @property
    def has_moments(self) -> bool:
        """Whether second moments of the images are taken."""
        return any(step.form is Form.BY_MOMENT for step in self.steps)

    @property
    def n_position_powers(self) -> int:
        """Powers of the challenge for positions; 0 when no layer is projected over them."""
        projected = (s.layer_shape for s in self.steps if s.check is Check.PROJECTED)
        return max((shape.n_padded for shape in projected), default=0)

    @property
    def first(self) -> Step:
        """The linear layer that reads constants. Raises ValueError when there are no images."""
        for step in self.steps:
            if step.form is not Form.CONSTANT:
                return step
        raise ValueError("a plan for no images has no layers")


def make_plan(architecture: Architecture, n_images: int) -> Plan:
    """The plan for n images."""
    steps = _choose_steps(architecture, n_images) if n_images else ()
    demands = tuple(Demand(spec.bits, spec.size) for spec in architecture.tensors())
    margins = Demand(
        max(logit_difference_bound(architecture).bit_length(), 1),
        n_images * (architecture.n_classes - 1),
    )
    challenges = [GAMMA]
    if n_images > 1 and any(step.check is not Check.NONE for step in steps):
        challenges.append(POWER)
    if any(step.check is Check.PROJECTED for step in steps):
        challenges.append(POSITION)
    return Plan(
        architecture,
        n_images,
        steps,
        demands,
        margins,
        choose_tables((*demands, margins)),
        tuple(challenges),
    )


def _choose_steps(architecture: Architecture, n_images: int) -> tuple[Step, ...]:
    shapes = architecture.shapes()
    layers = [
        (index, layer, shapes[index])
        for index, layer in enumerate(architecture.layers)
        if not isinstance(layer, Flatten)
    ]
    steps: list[Step] = []
    while len(steps) < len(layers):
        options = _options(layers[len(steps) :], steps[-1] if steps else None)
        weights = [_weight(option, n_images) for option in options]
        steps += options[weights.index(min(weights))]
    return tuple(steps)


def _options(layers: Sequence[tuple[int, Layer, Shape]], last: Step | None) -> list[list[Step]]:
    """Every way to go on after `last`: with one layer, or with a first one and its square."""
    index, layer, input_shape = layers[0]
    following = [type(other) for _, other, _ in layers[1:3]]
    reads = last.form if last else Form.CONSTANT
    if isinstance(layer, SumPool):
        return [[_pool_step(index, layer, input_shape, reads, following)]]
    if not isinstance(layer, Conv | Dense):
        form = Form.WIRES if following[0] is Square else Form.SUM
        if reads is Form.CONSTANT:
            form = Form.CONSTANT
        return [[Step(index, form, reads, last.shape if last else None)]]
    shape = WindowShape.of(layer, input_shape)
    checks = [Check.DIRECT] if shape.n_positions == 1 else [Check.DIRECT, Check.PROJECTED]
    if following and following[0] is not Square:
        derived = Step(index, Form.DERIVED, reads, shape, Check.DIRECT)
        kept = [Step(index, Form.COMMITTED, reads, shape, check, True) for check in checks]
        return [[derived], *([step] for step in kept)]
    committed = [Step(index, Form.COMMITTED, reads, shape, check) for check in checks]
    if reads is not Form.CONSTANT or not shape.is_plain:
        return [[step] for step in committed]
    first = Step(index, Form.FORM, reads, shape)
    if not following:
        return [[first], *([step] for step in committed)]
    after_form, after_wires = [Form.BY_IMAGE, Form.BY_MOMENT], Form.SUM
    if following[1] is Square:
        after_form, after_wires = [Form.WIRES], Form.WIRES
    elif shape.fan_in > cost.MAX_MOMENT_FAN_IN:
        after_form.pop()
    square = layers[1][0]
    return [
        *([first, Step(square, form, first.form, shape)] for form in after_form),
        *([step, Step(square, after_wires, step.form, shape)] for step in committed),
    ]


def _pool_step(
    index: int, layer: SumPool, input_shape: Shape, reads: Form, following: Sequence[type]
) -> Step:
    """A linear layer like others, but one that costs no products: of constants, constants."""
    shape = WindowShape.of(layer, input_shape)
    if reads is Form.CONSTANT:
        return Step(index, Form.CONSTANT, reads, shape)
    form = Form.COMMITTED if following[0] is Square else Form.DERIVED
    return Step(index, form, reads, shape, Check.WINDOWS)


def _weight(option: list[Step], n_images: int) -> int:
    part = cost.NOTHING
    for step in option:
        part += step_part(step, n_images, None)
        if step.check is Check.PROJECTED:
            part += cost.powers(step.layer_shape.n_padded)
    if option[-1].form is Form.FORM:  # the logits
        shape = option[-1].layer_shape
        part += cost.form_margins(shape, all_reads(shape, n_images, False))
    return CONSTRAINT_WEIGHT * part.n_constraints + part.n_entries


def step_part(step: Step, n: int, constants: Reads | None) -> Part:
    """What a step adds; constants: what the first linear layer reads, None for the most."""
    if step.form in (Form.CONSTANT, Form.FORM):
        return cost.NOTHING
    shape = step.layer_shape
    reads = constants
    if reads is None or step.reads not in (Form.CONSTANT, Form.FORM):
        reads = all_reads(shape, n, step.form is Form.BY_MOMENT)
    if step.form is Form.BY_IMAGE:
        return cost.form_square_by_image(shape, n, reads)
    if step.form is Form.BY_MOMENT:
        return cost.form_square_by_moment(shape, n, reads)
    if step.form is Form.WIRES and step.reads is Form.FORM:
        return cost.form_square_wires(shape, n, reads)
    if step.form is Form.WIRES:
        return cost.square_wires(shape.n_outputs, n)
    if step.form is Form.SUM:
        part = cost.square_aggregate(shape.n_outputs, n)
        return part + cost.scaled(shape.n_outputs, n) if step.reads is Form.WIRES else part
    return _checked_part(step, shape, n, reads)


def _checked_part(step: Step, shape: WindowShape, n: int, reads: Reads) -> Part:
    """A committed or a derived layer."""
    part = cost.NOTHING
    if step.reads is Form.CONSTANT:
        part += cost.constant_aggregate(reads)
    if step.form is Form.COMMITTED:
        part += Part(0, shape.n_outputs * n, 0) + cost.scaled(shape.n_outputs, n)
    if step.summed:
        part += cost.aggregate(shape.n_outputs, n)
    if step.check is Check.WINDOWS:
        return part + cost.pool_check(shape, n, step.form is Form.DERIVED)
    if step.check is Check.PROJECTED:
        return part + cost.projected_check(shape, n, reads)
    return part + cost.direct_check(shape, n, reads, step.form is Form.DERIVED)
