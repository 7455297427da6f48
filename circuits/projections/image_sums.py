"""Tensors over n images, and their sums over the images with powers of a challenge as weights.

    ȳ_i = Σ_j u^j · y_ji

Linear layers commute with the sum, so one check of a layer on such sums (layer_checks.py)
holds it for all images: the difference of both sides is a polynomial in u of degree below n, with
coefficients fixed before u was drawn, and if one image is wrong it is not zero.

    t_ji = u^j · y_ji                    committed outputs y, a constraint an element
    Σ_j t_ji                             is a linear combination: no constraint
    Σ_j u^j · y_ji² = Σ_j t_ji · y_ji    squares need no wires of their own: a constraint an element

u^0 = 1, so the first image costs one constraint an element less. Full-size wires (u^j, t) are in A
and C only; B holds the committed integers.
"""

import numpy as np

from circuits.second_round import POWER, FieldSignals, SecondRound, grouped, row_sums
from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import IntArray, LinearCombination

GADGET = "image powers"


class ImagePowers:
    """u^0 … u^(n−1), and `total`, their sum U: the sum over the images of a bias of 1."""

    def __init__(self, second: SecondRound, n_images: int):
        self.second = second
        self.powers = second.powers(POWER, n_images, GADGET)
        values = self.powers.values
        known = None if values is None else FrVector.from_ints([values.sum()])
        self.total = second.private(1, f"{GADGET} sum", known)
        wires = second.system.wires
        every = wires(self.powers.wires).total()
        second.system.enforce(f"{GADGET} sum", wires(self.total.wires), 1, every)


class CommittedTensor:
    """Wires (n, size) that were committed to."""

    def __init__(self, name: str, wires: IntArray):
        self.name = name
        self.wires = wires.reshape(len(wires), -1)
        self._scaled: FieldSignals | None = None

    @property
    def size(self) -> int:
        return self.wires.shape[1]

    def scaled(self, powers: ImagePowers) -> FieldSignals:
        """t, image by image; the first image's are the committed wires."""
        if self._scaled is None:
            second, n = powers.second, len(self.wires)
            first = second.committed(self.wires[:1])
            index = np.repeat(np.arange(1, n), self.size)
            rest = second.product(
                f"{self.name} scaled",
                f"{self.name} scaled",
                powers.powers.take(index),
                second.committed(self.wires[1:]),
            )
            self._scaled = first.join(rest)
        return self._scaled

    def total(self, powers: ImagePowers) -> LinearCombination:
        """One row an element: Σ_j t_j."""
        wires = self.scaled(powers).wires.reshape(self.wires.shape)
        return grouped(powers.second.system, np.ascontiguousarray(wires.T))

    def total_values(self, powers: ImagePowers) -> FrVector | None:
        """The values of these rows."""
        values = self.scaled(powers).values
        return None if values is None else sum_images(values, self.size)

    def aggregate(self, powers: ImagePowers) -> FieldSignals:
        """Σ_j t_j as wires, a constraint an element."""
        second = powers.second
        out = second.private(self.size, f"{self.name} sums", self.total_values(powers))
        wires = second.system.wires(out.wires)
        second.system.enforce(f"{self.name} sums", wires, 1, self.total(powers))
        return out

    def square_aggregate(self, powers: ImagePowers, name: str) -> FieldSignals:
        """Σ_j t_j·y_j as wires; the last image's row makes the sum."""
        second = powers.second
        return add_up_images(
            second, name, self.scaled(powers), second.committed(self.wires), self.size
        )


def add_up_images(
    second: SecondRound, name: str, left: FieldSignals, right: FieldSignals, size: int
) -> FieldSignals:
    """Wires Σ_j left_j·right_j from wires ordered by image, n·size each."""
    values = left.times(right)
    system, wires = second.system, second.system.wires
    n, last = len(left) // size, len(left) - size
    products, out = image_sums(second, name, n, size, values)
    system.enforce(name, wires(left.wires[:last]), wires(right.wires[:last]), wires(products.wires))
    rest = closing(second, out, products.wires.reshape(n - 1, size))
    system.enforce(name, wires(left.wires[last:]), wires(right.wires[last:]), rest)
    return out


def image_sums(
    second: SecondRound, name: str, n: int, size: int, values: FrVector | None
) -> tuple[FieldSignals, FieldSignals]:
    """Wires for n·size terms ordered by image, but the last image's, and for their sums."""
    head = total = None
    if values is not None:
        head, total = values.slice(0, (n - 1) * size), sum_images(values, size)
    products = second.private((n - 1) * size, f"{name} terms", head)
    return products, second.private(size, f"{name} sums", total)


def closing(second: SecondRound, sums: FieldSignals, terms: IntArray) -> LinearCombination:
    """What is left of each sum after its terms (k, size)."""
    system = second.system
    return system.wires(sums.wires) + grouped(system, np.ascontiguousarray(terms.T), -1)


def sum_images(values: FrVector, size: int) -> FrVector:
    """Σ_j of values ordered by image, element by element."""
    n = len(values) // size
    members = np.arange(size)[:, None] + size * np.arange(n)
    return row_sums(np.full(size, n), members, values)
