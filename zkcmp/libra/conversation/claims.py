"""A claim on a tensor's extension: what every layer turns into claims on what it was made from."""

from dataclasses import dataclass

from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.multilinear.tables import Point


@dataclass(frozen=True)
class TensorClaim:
    """V~(point) = form, for a point of all axes of V in order."""

    point: Point
    form: Form
