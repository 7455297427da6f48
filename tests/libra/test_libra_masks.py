"""The three values that are shown of all products: each is masked by a pad that no other has alone.

That they change from proof to proof is not enough: with one pad in two of them, their difference
would tell the verifier about the products.
"""

import random
from collections.abc import Sequence

import pytest

from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.libra.conversation.channel import ProverChannel
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.requirements.products import N_MASKS, prove_products
from zkcmp.transcript import Transcript

X, Y, Z = range(N_MASKS)
N_PADS = 64


class Showing(ProverChannel):
    """Notes what is shown in the clear."""

    shown: list[int]

    def reveal(self, label: bytes, values: Sequence[int] | None, n: int) -> list[int]:
        self.shown = super().reveal(label, values, n)
        return self.shown


@pytest.fixture
def _fixed_challenges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is sent, the k-th challenge of a transcript is the same."""
    drawn: dict[Transcript, random.Random] = {}

    def challenge(self: Transcript, label: bytes) -> int:
        return drawn.setdefault(self, random.Random(1)).randrange(R)

    monkeypatch.setattr(Transcript, "challenge", challenge)


def shown(masks: dict[int, int], factors: tuple[int, int] = (3, 5)) -> list[int]:
    """A(r), B(r), C(r) for one product, all pads 0 but these."""
    channel = Showing(Transcript(b"masks"), [masks.get(k, 0) for k in range(N_PADS)])
    a, b = factors
    channel.require_product(Form.public(a), Form.public(b), Form.public(a * b))
    prove_products(channel)
    return channel.shown


def moved(masks: dict[int, int]) -> list[int]:
    """By how much pads change what is shown."""
    return [(x - y) % R for x, y in zip(shown(masks), shown({}), strict=True)]


@pytest.mark.usefixtures("_fixed_challenges")
def test_each_value_has_a_mask() -> None:
    first, second, third = moved({X: 1}), moved({Y: 1}), moved({Z: 1})
    is_moved = [[bool(x) for x in values] for values in (first, second, third)]
    assert is_moved == [[True, False, False], [False, True, False], [True, False, True]]
    assert third[0] == third[2]
    both = moved({X: 6, Y: 7, Z: 8})
    assert both == [
        (6 * a + 7 * b + 8 * c) % R for a, b, c in zip(first, second, third, strict=True)
    ]


@pytest.mark.usefixtures("_fixed_challenges")
def test_some_masks_turn_any_products_into_any_other() -> None:
    """What is shown of 3·5 under one choice of masks is shown of 7·11 under exactly one other."""
    first, second, third = moved({X: 1}), moved({Y: 1}), moved({Z: 1})
    seen = shown({X: 10, Y: 20, Z: 30})
    a, b, c = ((x - y) % R for x, y in zip(seen, shown({}, (7, 11)), strict=True))
    z = c * pow(third[2], -1, R) % R
    x = (a - z * third[0]) * pow(first[0], -1, R) % R
    y = b * pow(second[1], -1, R) % R
    assert shown({X: x, Y: y, Z: z}, (7, 11)) == seen
    assert (x, y, z) != (10, 20, 30)
