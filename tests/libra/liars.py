"""Provers that lie in what they send, each lie computed so that the checks after it are content.

A prover that runs the honest code on a false statement breaks some requirement at the end of a
sumcheck. A clever one adds a number to an element that it still has to send, so that this
requirement holds: if nothing else held the element, the false statement would be proved. `broken`
names the requirements that are left broken, and `mend` finds such a number. Pads and tail are
fixed, so all that precedes the first lie, the challenges too, is the same in every attempt.
"""

import random
from collections.abc import Callable, Sequence

import pytest
from clear_scheme import new_transcript, run

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.errors import VerificationError
from zkcmp.libra.conversation.channel import ProverChannel
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.multilinear.layout import Layout
from zkcmp.libra.requirements.opening import PADS, tail_length

N_PADS = 512


class LyingChannel(ProverChannel):
    """`lies`: what is added to an element, by its number. Notes what was sent and drawn."""

    def __init__(self, transcript, pads, lies):
        super().__init__(transcript, pads)
        self._lies = lies
        self.sends: list[range] = []
        self.drawn: list[int] = []

    def send(self, label: bytes, values: Sequence[int] | None, n: int) -> list[Form]:
        assert values is not None
        numbers = range(self.n_pads, self.n_pads + n)
        self.sends.append(numbers)
        lied = [v + self._lies.get(k, 0) for v, k in zip(values, numbers, strict=True)]
        return super().send(label, lied, n)

    def reveal(self, label: bytes, values: Sequence[int] | None, n: int) -> list[int]:
        """Lies about what is shown are numbered −1, −2, …."""
        assert values is not None
        return super().reveal(
            label, [v + self._lies.get(-1 - k, 0) for k, v in enumerate(values)], n
        )

    def challenge(self, label: bytes) -> int:
        self.drawn.append(super().challenge(label))
        return self.drawn[-1]

    def challenges(self, label: bytes, n: int) -> list[int]:
        return [self.challenge(label) for _ in range(n)]

    def use_pads(self, pads: Sequence[int]) -> None:
        """Of the sums after the reduction every element is honest."""
        super().use_pads(pads)
        self._lies = {}


class Liar:
    """One false statement, and the lies so far."""

    def __init__(self, reduction: Callable, tensors: dict[str, FrVector], seed: int = 0):
        self._reduction, self._tensors = reduction, tensors
        self._sizes = {name: len(values) for name, values in tensors.items()}
        layout = Layout({**self._sizes, PADS: N_PADS})
        rng = random.Random(seed)
        self._pads, self._tail = (
            FrVector.from_ints([rng.randrange(R) for _ in range(n)])
            for n in (N_PADS, tail_length(layout))
        )
        self._vector = layout.assemble({**tensors, PADS: self._pads})
        self.lies: dict[int, int] = {}

    def conversation(self, lies: dict[int, int] | None = None) -> LyingChannel:
        """The prover's side, without the proof of what was required."""
        lies = self.lies if lies is None else lies
        transcript = new_transcript(self._vector, self._tail)
        channel = LyingChannel(transcript, self._pads.to_ints(), lies)
        self._reduction(channel, self._tensors)
        return channel

    @property
    def sends(self) -> list[range]:
        """The numbers of the elements of each message."""
        return self.conversation().sends

    def _residuals(self, channel: LyingChannel) -> dict[str, int]:
        """By how much each requirement is missed."""
        out = {f"zero {k}": form.known for k, form in enumerate(channel.zeros)}
        for k, (a, b, c) in enumerate(channel.products):
            out[f"product {k}"] = a.known * b.known - c.known
        for k, claim in enumerate(channel.claims):
            opened = (claim.weights.table() * self._tensors[claim.block]).sum()
            out[f"opening {k} of {claim.block}"] = opened - claim.form.known
        return {name: value % R for name, value in out.items()}

    def broken(self) -> list[str]:
        """The requirements that do not hold."""
        return [name for name, v in self._residuals(self.conversation()).items() if v]

    def mend(self, requirement: str, *elements: int, degree: int = 1, last_times: int = 1) -> None:
        """Lie about the element so that the requirement, a polynomial of it, holds.

        Of several elements the last lie is `last_times` the others. No challenge may lie between
        the elements and what the requirement is made of.
        """
        factors = dict.fromkeys(elements, 1)
        factors[elements[-1]] = last_times

        def lies(x: int) -> dict[int, int]:
            return {**self.lies, **{k: factor * x % R for k, factor in factors.items()}}

        points = [
            self._residuals(self.conversation(lies(x)))[requirement] for x in range(degree + 1)
        ]
        self.lies = lies(root(interpolated(points)))

    def is_refused(self) -> None:
        """Prove and verify, with all lies."""

        def lying(transcript, pads):
            return LyingChannel(transcript, pads, self.lies)

        with pytest.raises(VerificationError):
            run(
                self._reduction,
                self._sizes,
                self._tensors,
                n_pads=N_PADS,
                pads=self._pads,
                tail=self._tail,
                make=lying,
            )


# --- polynomials, coefficients low first ----------------------------------------------------------


class NoRootError(Exception):
    """The polynomial has none in the field: other pads make another polynomial."""


def interpolated(values: list[int]) -> list[int]:
    """The polynomial with these values at 0, 1, 2, …."""
    out = [0] * len(values)
    for i, value in enumerate(values):
        basis, scale = [1], 1
        for j in range(len(values)):
            if j != i:
                basis = _product(basis, [-j, 1])
                scale = scale * (i - j) % R
        factor = value * pow(scale, -1, R)
        out = [(x + factor * y) % R for x, y in zip(out, basis, strict=True)]
    return _trimmed(out)


def root(f: list[int]) -> int:
    """A root of f in the field, by Cantor and Zassenhaus. Raises NoRootError."""
    rng = random.Random(1)
    power = _power_mod([0, 1], R, f) if len(f) > 2 else []
    g = f if len(f) == 2 else _gcd(f, _trimmed(_sum(power, [0, R - 1])))
    if len(g) < 2:
        raise NoRootError
    while len(g) > 2:
        half = _power_mod([rng.randrange(R), 1], (R - 1) // 2, g)
        part = _gcd(g, _trimmed(_sum(half, [R - 1])))
        if 1 < len(part) < len(g):
            g = part
    return -g[0] * pow(g[1], -1, R) % R


def _trimmed(f: list[int]) -> list[int]:
    while f and f[-1] % R == 0:
        f = f[:-1]
    return [x % R for x in f]


def _sum(f: list[int], g: list[int]) -> list[int]:
    n = max(len(f), len(g))
    padded = ([*h, *[0] * (n - len(h))] for h in (f, g))
    return [(x + y) % R for x, y in zip(*padded, strict=True)]


def _product(f: list[int], g: list[int]) -> list[int]:
    out = [0] * (len(f) + len(g) - 1)
    for i, x in enumerate(f):
        for j, y in enumerate(g):
            out[i + j] = (out[i + j] + x * y) % R
    return out


def _remainder(f: list[int], g: list[int]) -> list[int]:
    f, inverse = _trimmed(f), pow(g[-1], -1, R)
    while len(f) >= len(g):
        factor, shift = f[-1] * inverse, len(f) - len(g)
        f = _trimmed(_sum(f, [*[0] * shift, *(-factor * x for x in g)]))
    return f


def _gcd(f: list[int], g: list[int]) -> list[int]:
    while g:
        f, g = g, _remainder(f, g)
    return f


def _power_mod(f: list[int], exponent: int, modulus: list[int]) -> list[int]:
    out = [1]
    for bit in bin(exponent)[2:]:
        out = _remainder(_product(out, out), modulus) or [0]
        if bit == "1":
            out = _remainder(_product(out, f), modulus) or [0]
    return _trimmed(out)
