"""A Groth16 proof: A in G1, B in G2, C in G1; 128 bytes compressed, A ‖ B ‖ C.

Anyone can turn a proof into another one of the same statement (Groth16 is re-randomisable), so the
bytes of a proof identify nothing.
"""

from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.encoding import decode_g1, decode_g2, encode_g1, encode_g2
from zkcmp.errors import DecodeError

PROOF_BYTES = 128


@dataclass(frozen=True, eq=False)
class Proof:
    """a, c: (1, 2, 4); b: (1, 2, 2, 4); affine points at rest (see point_arrays.py)."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Proof) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def to_bytes(self) -> bytes:
        return encode_g1(self.a) + encode_g2(self.b) + encode_g1(self.c)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Proof":
        """The only decoding of 128 bytes.

        Raises:
            DecodeError: wrong length, or an element that is not a canonical point of its group.
        """
        if len(data) != PROOF_BYTES:
            raise DecodeError(f"a proof has {PROOF_BYTES} bytes, got {len(data)}; get it again")
        parts = []
        for name, decode, first, last in (
            ("A", decode_g1, 0, 32),
            ("B", decode_g2, 32, 96),
            ("C", decode_g1, 96, 128),
        ):
            try:
                parts.append(decode(data[first:last]))
            except DecodeError as error:
                raise DecodeError(f"proof element {name}: {error}") from error
        return cls(*parts)
