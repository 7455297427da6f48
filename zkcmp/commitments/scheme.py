"""What the Libra backend asks of a commitment scheme: one claim about two vectors, hidden.

    V~(point) + <tail_weights, tail> = claim  (mod r)

for a vector V of 2^m values and a short vector, the tail, both committed before any challenge. V~
is V's multilinear extension, point[0] belonging to the top bit of an index (multilinear.py). The
commitment hides V and the tail; an opening shows that the claim is true and nothing else.

The caller absorbs `Scheme.digest` and the commitment before whatever point, weights and claim
depend on. `open` and `verify` absorb digest, commitment, point, weights and claim once more under
labels of their own, and each message of theirs before the challenge that answers it.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from zkcmp.bn254.field.fr import FrVector
from zkcmp.transcript import Transcript

MAX_TAIL = 128


class Commitment(Protocol):
    """Public; it hides what it commits to."""

    @property
    def n_vars(self) -> int: ...

    @property
    def tail_length(self) -> int: ...

    def to_bytes(self) -> bytes: ...


class Scheme(Protocol):
    """A commitment scheme with its parameters. What is Any is the scheme's own type."""

    @property
    def digest(self) -> bytes:
        """32 bytes that name the scheme, its sizes, and its generators or SRS."""
        ...

    def commit(self, values: FrVector, tail: FrVector) -> tuple[Any, Any]:
        """Commitment, and opening, which is secret, to 2^m values and at most MAX_TAIL more."""
        ...

    def commitment_bytes(self, n_vars: int, tail_length: int) -> int:
        """The size of every commitment to 2^n_vars values and a tail."""
        ...

    def decode(self, data: bytes) -> Any:
        """The inverse of a commitment's `to_bytes`, strict: raises DecodeError."""
        ...

    def open(
        self,
        opening: Any,
        transcript: Transcript,
        point: Sequence[int],
        tail_weights: Sequence[int],
        claim: int,
    ) -> bytes:
        """A proof of the claim. A false claim gets a proof too: one that does not verify."""
        ...

    def verify(
        self,
        commitment: Any,
        transcript: Transcript,
        point: Sequence[int],
        tail_weights: Sequence[int],
        claim: int,
        proof: bytes,
    ) -> None:
        """Raise DecodeError for malformed bytes, VerificationError for a claim not proved."""
        ...

    def proof_bytes(self, n_vars: int, tail_length: int) -> int:
        """The size of every proof about a commitment of these sizes."""
        ...


def absorb_claim(
    transcript: Transcript,
    digest: bytes,
    commitment: Commitment,
    point: Sequence[int],
    tail_weights: Sequence[int],
    claim: int,
) -> None:
    """What every scheme absorbs at the start of an opening. The integers are below r."""
    transcript.absorb(b"opening/scheme", digest)
    transcript.absorb(b"opening/commitment", commitment.to_bytes())
    transcript.absorb(b"opening/point", _integers(point))
    transcript.absorb(b"opening/tail-weights", _integers(tail_weights))
    transcript.absorb(b"opening/claim", _integers([claim]))


def _integers(values: Sequence[int]) -> bytes:
    return b"".join(v.to_bytes(32, "little") for v in values)
