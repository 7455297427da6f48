"""Hidden values: what a verifier knows of a message that was one-time padded.

A prover that would send x sends x̂ = x + P_i instead, P_i a uniformly random pad that it committed
to before the first challenge. The verifier then knows x as the form x̂ − P_i, and everything it
computes from such messages by public linear maps as

    constant + Σ_i weights[i]·P_i

so a check "linear map of messages = 0" becomes a linear equation in the committed pads, which is
proved without showing any of them (requirements/opening.py). The idea is that of "zero-knowledge
by a committed one-time pad" (Cramer, Damgård 1998; for sumcheck: Frigo, Shelat 2024, ePrint
2024/2010).

The prover's forms carry the value as well.
"""

from typing import Union

from zkcmp.bn254.params import FR_MODULUS


class Form:
    """An affine function of the pads; immutable. `value` is None on the verifier's side."""

    __slots__ = ("constant", "value", "weights")

    def __init__(
        self, constant: int, weights: dict[int, int] | None = None, value: int | None = None
    ):
        self.constant = constant % FR_MODULUS
        self.weights: dict[int, int] = {} if weights is None else weights
        self.value = value

    @classmethod
    def public(cls, value: int) -> "Form":
        """A value both sides know."""
        value %= FR_MODULUS
        return cls(value, None, value)

    @classmethod
    def sent(cls, padded: int, pad: int, value: int | None) -> "Form":
        """What was sent as `padded` = value + P_pad."""
        return cls(padded, {pad: FR_MODULUS - 1}, value)

    def __repr__(self) -> str:
        return f"Form({len(self.weights)} pads)"  # the value is secret

    @property
    def known(self) -> int:
        """The value. Raises ValueError on the verifier's side."""
        if self.value is None:
            raise ValueError("the verifier does not know this value")
        return self.value

    def __add__(self, other: Union["Form", int]) -> "Form":
        return combine([(1, self), (1, other if isinstance(other, Form) else Form.public(other))])

    def __sub__(self, other: Union["Form", int]) -> "Form":
        return combine([(1, self), (-1, other if isinstance(other, Form) else Form.public(other))])

    def __mul__(self, factor: int) -> "Form":
        return combine([(factor, self)])


def combine(terms: list[tuple[int, Form]]) -> Form:
    """Σ coefficient·form."""
    constant, weights = 0, dict[int, int]()
    value: int | None = 0
    for coefficient, form in terms:
        constant += coefficient * form.constant
        for pad, weight in form.weights.items():
            weights[pad] = (weights.get(pad, 0) + coefficient * weight) % FR_MODULUS
        if value is not None:
            value = None if form.value is None else (value + coefficient * form.value) % FR_MODULUS
    return Form(constant, weights, value)
