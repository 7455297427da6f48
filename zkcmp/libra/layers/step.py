"""What a layer's reduction is given.

    reduce(channel, layer, step, claim) -> the claim on the layer's input, or None

None when all is led back to openings already. The claim given is on the layer's output (image,
axes…), each axis padded on its own and 0 outside the real shape. Of a public input both sides know
the tensor; of any other, only the prover does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from zkcmp.bn254.field.fr import FrVector
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.multilinear.tables import Point, below, evaluate, log_size
from zkcmp.libra.multilinear.tensors import Shape, Tensor, log_shape
from zkcmp.libra.requirements.opening import EqWeights


@dataclass(frozen=True, eq=False)
class Step:
    """One layer in one proof. Shapes are without the axis of images; `name` as in layer_name."""

    name: str
    n_images: int
    input_shape: Shape
    output_shape: Shape
    is_public: bool  # the input
    values: Tensor | None
    blocks: Mapping[str, FrVector] | None  # tensors committed to, on the prover's side

    def __repr__(self) -> str:
        return f"Step({self.name})"

    @property
    def label(self) -> bytes:
        return self.name.encode()

    @property
    def weight(self) -> str:
        """The block of the weight tensor."""
        return f"{self.name}.weight"

    @property
    def bias(self) -> str:
        """The block of the bias."""
        return f"{self.name}.bias"

    @property
    def input(self) -> Tensor:
        """The input's values. Raises ValueError where they are not known."""
        if self.values is None:
            raise ValueError("only the prover knows this tensor")
        return self.values

    def split(self, point: Point) -> list[Point]:
        """A point of the output: the part of the images, and that of each axis."""
        parts, at = [], 0
        for n in [log_size(self.n_images), *log_shape(self.output_shape)]:
            parts.append(point[at : at + n])
            at += n
        return parts


def open_bias(channel: Channel, step: Step, point: list[Point]) -> Form:
    """The bias' part of the output at a point: b~(o)·[image < n]·[position real].

    The first axis of the output is the bias' own; point as by `Step.split`.
    """
    image, out, *positions = point
    value = None if step.blocks is None else [evaluate(step.blocks[step.bias], out)]
    (form,) = channel.send(step.label, value, 1)
    channel.require_opening(step.bias, EqWeights(out), form)
    factor = below(step.n_images, image)
    for size, position in zip(step.output_shape[1:], positions, strict=True):
        factor *= below(size, position)
    return form * factor
