"""A Groth16 proof: A in G1, B in G2, C in G1; 128 bytes compressed, A ‖ B ‖ C.

One of two rounds has the commitment D in G1 besides; 160 bytes, A ‖ B ‖ C ‖ D.

Anyone can turn a proof into another one of the same statement (Groth16 is re-randomisable), so the
bytes of a proof identify nothing.
"""

from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.curve.encoding import decode_g1, decode_g2, encode_g1, encode_g2
from zkcmp.errors import DecodeError

PROOF_BYTES, TWO_ROUND_PROOF_BYTES = 128, 160


@dataclass(frozen=True, eq=False)
class Proof:
    """a, c, d: (1, 2, 4); b: (1, 2, 2, 4); affine points at rest (see point_arrays.py).

    d is None in a proof of one round.
    """

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Proof) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def to_bytes(self) -> bytes:
        d = b"" if self.d is None else encode_g1(self.d)
        return encode_g1(self.a) + encode_g2(self.b) + encode_g1(self.c) + d

    @classmethod
    def from_bytes(cls, data: bytes) -> "Proof":
        """The only decoding of 128 bytes, or of 160.

        Raises:
            DecodeError: wrong length, or an element that is not a canonical point of its group.
        """
        if len(data) not in (PROOF_BYTES, TWO_ROUND_PROOF_BYTES):
            raise DecodeError(
                f"a proof has {PROOF_BYTES} bytes, {TWO_ROUND_PROOF_BYTES} in two rounds, "
                f"got {len(data)}; get it again"
            )
        parts = []
        for name, decode, first, last in (
            ("A", decode_g1, 0, 32),
            ("B", decode_g2, 32, 96),
            ("C", decode_g1, 96, 128),
            ("D", decode_g1, 128, 160),
        ):
            if first == len(data):
                break
            try:
                parts.append(decode(data[first:last]))
            except DecodeError as error:
                raise DecodeError(f"proof element {name}: {error}") from error
        return cls(*parts)
