"""The conversation of prover and verifier, made non-interactive: one code path for both sides.

A reduction (sumcheck/, relations/, layers/) is written once. It asks the channel to send what a
prover computed, gets forms (forms.py) back, draws challenges, and states what must hold (proved by
requirements/):

    require_zero(form)              form = 0
    require_product(a, b, c)        a·b = c
    require_opening(block, w, y)    <w, V_block> = y, V the committed vector

On the prover's side the values are given, padded and written; on the verifier's they are read.
Every element is absorbed before the next challenge. What was required is proved at the end, all at
once; nothing is accepted before (prove.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError
from zkcmp.libra.conversation.forms import Form
from zkcmp.transcript import Transcript

ELEMENT_BYTES = 32


class Weights(Protocol):
    """A public linear functional on a block of 2^n values."""

    def table(self) -> FrVector:
        """All 2^n weights."""
        ...

    def evaluate(self, point: Sequence[int]) -> int:
        """Their multilinear extension at a point."""
        ...


@dataclass(frozen=True)
class Claim:
    """<weights, block> = form."""

    block: str
    weights: Weights
    form: Form


class Channel:
    """What prover and verifier have in common."""

    def __init__(self, transcript: Transcript):
        self.transcript = transcript
        self.n_pads = 0
        self.zeros: list[Form] = []
        self.products: list[tuple[Form, Form, Form]] = []
        self.claims: list[Claim] = []

    @property
    def is_prover(self) -> bool:
        raise NotImplementedError

    def challenge(self, label: bytes) -> int:
        return self.transcript.challenge(label)

    def challenges(self, label: bytes, n: int) -> list[int]:
        return [self.transcript.challenge(label) for _ in range(n)]

    def send(self, label: bytes, values: Sequence[int] | None, n: int) -> list[Form]:
        """n hidden field elements; `values` are the prover's, None for the verifier."""
        raise NotImplementedError

    def reveal(self, label: bytes, values: Sequence[int] | None, n: int) -> list[int]:
        """n field elements in the clear."""
        raise NotImplementedError

    def pads(self, n: int) -> list[Form]:
        """n unused pads themselves, as uniformly random hidden values."""
        raise NotImplementedError

    def require_zero(self, form: Form) -> None:
        self.zeros.append(form)

    def require_product(self, a: Form, b: Form, c: Form) -> None:
        self.products.append((a, b, c))

    def require_opening(self, block: str, weights: Weights, form: Form) -> None:
        self.claims.append(Claim(block, weights, form))

    def _next_pads(self, n: int) -> range:
        first, self.n_pads = self.n_pads, self.n_pads + n
        return range(first, self.n_pads)

    def _absorb(self, label: bytes, elements: Sequence[int]) -> None:
        self.transcript.absorb(label, b"".join(x.to_bytes(ELEMENT_BYTES, "big") for x in elements))


class ProverChannel(Channel):
    """Writes a proof. `pads` are secret and uniformly random, committed to beforehand."""

    def __init__(self, transcript: Transcript, pads: Sequence[int]):
        super().__init__(transcript)
        self._pads = pads
        self.proof = bytearray()

    @property
    def is_prover(self) -> bool:
        return True

    def use_pads(self, pads: Sequence[int]) -> None:
        """Go on with other pads, numbered from 0."""
        self._pads, self.n_pads = pads, 0

    def send(self, label: bytes, values: Sequence[int] | None, n: int) -> list[Form]:
        if values is None or len(values) != n:
            raise ValueError(f"{label.decode()}: {n} values are to be sent")
        numbers = self._take(n)
        padded = [(x + self._pads[i]) % FR_MODULUS for x, i in zip(values, numbers, strict=True)]
        self._write(label, padded)
        return [
            Form.sent(y, i, x % FR_MODULUS) for x, y, i in zip(values, padded, numbers, strict=True)
        ]

    def reveal(self, label: bytes, values: Sequence[int] | None, n: int) -> list[int]:
        if values is None or len(values) != n:
            raise ValueError(f"{label.decode()}: {n} values are to be sent")
        elements = [x % FR_MODULUS for x in values]
        self._write(label, elements)
        return elements

    def pads(self, n: int) -> list[Form]:
        return [Form(0, {i: 1}, self._pads[i]) for i in self._take(n)]

    def _take(self, n: int) -> range:
        numbers = self._next_pads(n)
        if numbers.stop > len(self._pads):
            raise ValueError("the statement needs more pads than were committed")
        return numbers

    def _write(self, label: bytes, elements: Sequence[int]) -> None:
        self._absorb(label, elements)
        self.proof += b"".join(x.to_bytes(ELEMENT_BYTES, "big") for x in elements)


class VerifierChannel(Channel):
    """Reads a proof; an element that is missing or not canonical is a DecodeError."""

    def __init__(self, transcript: Transcript, proof: bytes):
        super().__init__(transcript)
        self._proof, self._at = proof, 0

    @property
    def is_prover(self) -> bool:
        return False

    def use_pads(self) -> None:
        """Go on with other pads, numbered from 0."""
        self.n_pads = 0

    @property
    def rest(self) -> bytes:
        """What was not read yet."""
        return self._proof[self._at :]

    def send(self, label: bytes, values: Sequence[int] | None, n: int) -> list[Form]:
        elements = self._read(label, n)
        numbers = self._next_pads(n)
        return [Form.sent(y, i, None) for y, i in zip(elements, numbers, strict=True)]

    def reveal(self, label: bytes, values: Sequence[int] | None, n: int) -> list[int]:
        return self._read(label, n)

    def pads(self, n: int) -> list[Form]:
        return [Form(0, {i: 1}) for i in self._next_pads(n)]

    def _read(self, label: bytes, n: int) -> list[int]:
        end = self._at + n * ELEMENT_BYTES
        if end > len(self._proof):
            raise DecodeError(f"the proof ends inside the message {label.decode()!r}; get it again")
        elements = [
            int.from_bytes(self._proof[i : i + ELEMENT_BYTES], "big")
            for i in range(self._at, end, ELEMENT_BYTES)
        ]
        if any(x >= FR_MODULUS for x in elements):
            raise DecodeError(f"message {label.decode()!r} has a scalar that is not below r")
        self._at = end
        self._absorb(label, elements)
        return elements
