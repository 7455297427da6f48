"""How a deal's statement is proved: the buyer's choice, and the one line of text that says it.

    freivalds            Groth16 in two rounds, the test set a part of the circuit; the default
    full                 Groth16, every product of the network a constraint
    sampled U SEED       Groth16 with the paper's Sampling: NOT SOUND (docs/sampling.md)
    libra hyrax          sumchecks over a transparent commitment: nothing to set up or to audit
    libra zkvpd          sumchecks over a commitment with parameters, made by the buyer

U is a reduced fraction n/d, SEED 32 bytes in hexadecimal that the buyer draws once it has the
offer. The line is canonical: equal methods are equal lines. It is in the request, so the request's
digest covers it, and in the context of the proof once more.
"""

import re
import secrets
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

from zkcmp.errors import DecodeError

SEED_BYTES = 32
_SAMPLED = r"sampled (?P<n>[1-9][0-9]{0,32})/(?P<d>[1-9][0-9]{0,32}) (?P<seed>[0-9a-f]{64})"
PATTERN = rf"freivalds|full|{_SAMPLED}|libra (?P<commitment>hyrax|zkvpd)"


@dataclass(frozen=True)
class Method:
    """`sample` (U) and `seed` are of mode sampled, `commitment` of mode libra.

    A sampled method without its seed is what a user asks for; `drawn` completes it.
    """

    mode: str
    sample: Fraction | None = None
    seed: bytes = b""
    commitment: str = ""

    @property
    def backend(self) -> str:
        return "libra" if self.mode == "libra" else "groth16"

    @property
    def is_sound(self) -> bool:
        """Whether a verified proof says anything about the accuracy."""
        return self.mode != "sampled"

    @property
    def has_key_material(self) -> bool:
        """Whether the buyer makes keys or parameters, which the seller audits."""
        return self.commitment != "hyrax"

    @property
    def title(self) -> str:
        """For people: the line without the seed."""
        return self.line.rsplit(" ", 1)[0] if self.mode == "sampled" else self.line

    @property
    def line(self) -> str:
        """The canonical line."""
        if self.mode == "sampled" and self.sample is not None:
            u = self.sample
            return f"sampled {u.numerator}/{u.denominator} {self.seed.hex()}"
        return f"libra {self.commitment}" if self.mode == "libra" else self.mode

    @classmethod
    def from_line(cls, line: str) -> Self:
        """The inverse of `line`. Raises DecodeError for any other text."""
        match = re.fullmatch(PATTERN, line)
        if match is None:
            raise DecodeError("a request asks for a proof by a method that this tool does not know")
        if match["commitment"]:
            return cls("libra", commitment=match["commitment"])
        if not match["seed"]:
            return cls(line)
        u = Fraction(int(match["n"]), int(match["d"]))
        method = cls("sampled", u, bytes.fromhex(match["seed"]))
        if u > 1 or method.line != line:
            raise DecodeError("a selecting parameter is not a reduced fraction of at most 1")
        return method

    def drawn(self) -> Self:
        """The same with a fresh seed, where one is needed."""
        return replace(self, seed=secrets.token_bytes(SEED_BYTES)) if not self.is_sound else self

    def without_seed(self) -> Self:
        """What the user asked for."""
        return replace(self, seed=b"")


FREIVALDS = Method("freivalds")
FULL = Method("full")
HYRAX = Method("libra", commitment="hyrax")
ZKVPD = Method("libra", commitment="zkvpd")
