"""Fiat–Shamir transcript over SHA-256: challenges that depend on everything absorbed before.

    state   ← SHA-256 of the frames so far, incrementally
    frame   = kind (1 byte) ‖ len(label) (u32 LE) ‖ label ‖ len(data) (u64 LE) ‖ data
    challenge = int(SHA-256(state ‖ 0) ‖ SHA-256(state ‖ 1), big-endian) mod r

Every part is length-prefixed, so two different sequences of calls never hash the same bytes. The
first frame is the domain: transcripts of different protocols share nothing. 512 bits reduced modulo
a 254-bit r are uniform to within 2^-258. A challenge is itself a frame: asking twice gives two
challenges, and prover and verifier must ask in the same order.

The caller absorbs version, statement and parameters before anything a prover chooses.
"""

import hashlib
import struct

from zkcmp.bn254.params import FR_MODULUS

_DOMAIN, _ABSORB, _CHALLENGE, _DIGEST = range(4)


class Transcript:
    """A running transcript; `domain` names protocol and version."""

    def __init__(self, domain: bytes):
        self._state = hashlib.sha256()
        self._frame(_DOMAIN, domain, b"")

    def _frame(self, kind: int, label: bytes, data: bytes) -> None:
        self._state.update(struct.pack("<BI", kind, len(label)) + label)
        self._state.update(struct.pack("<Q", len(data)))
        self._state.update(data)

    def absorb(self, label: bytes, data: bytes) -> None:
        """Make every later challenge depend on `data`; labels are constants of the protocol."""
        self._frame(_ABSORB, label, bytes(data))

    def challenge(self, label: bytes) -> int:
        """A field element that nobody could predict before the last absorbed message."""
        self._frame(_CHALLENGE, label, b"")
        state = self._state.digest()
        wide = hashlib.sha256(state + b"\0").digest() + hashlib.sha256(state + b"\1").digest()
        return int.from_bytes(wide, "big") % FR_MODULUS

    def digest(self) -> bytes:
        """32 bytes that identify everything absorbed so far; does not change the transcript."""
        final = self._state.copy()
        final.update(struct.pack("<B", _DIGEST))
        return final.digest()
