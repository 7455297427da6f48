"""Groth16 verifying keys, of one round and of two, and the check that points are points.

    paper                          here
    [α]₁, [β]₂, [γ]₂, [δ]₂         alpha_g1, beta_g2, gamma_g2, delta_g2
    [δ₀]₂                          delta0_g2         (0, 2, 2, 4) in a key of one round
    [K_i(τ)/γ]₁, i ≤ ℓ             gamma_abc_g1      K_i = βA_i + αB_i + C_i

In a key of two rounds the last n_challenges of the ℓ public wires are the challenges, which the
verifier computes itself (challenge.py); the caller gives the n_inputs before them.

    version 1    header; α, β, γ, δ; gamma_abc_g1
    version 2    header; n_challenges u32, not 0; α, β, γ, δ, δ₀; gamma_abc_g1
    header       "zkcmp-vk", version u32, circuit digest 32 bytes, ℓ u32 (little-endian)

Points are those at rest (point_arrays.py).
"""

import hashlib
import struct
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.field.fr import below_modulus, ints_to_words
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.errors import DecodeError

_FQ_WORDS = ints_to_words([FQ_MODULUS])[0]
_ADVICE = "the key is damaged or forged, refuse it"
_CHUNK = 1 << 16


def bad_points(points: np.ndarray) -> np.ndarray:
    """Positions of points that are not canonical, not in their group, or infinity."""
    good = below_modulus(points.reshape(-1, 4), _FQ_WORDS).reshape(len(points), -1).all(axis=1)
    good &= ~is_infinity(points)
    if points.ndim == 3:
        good &= g1.is_on_curve(points)
    else:
        good &= g2.is_on_curve(points)
        good &= g2.in_subgroup(points)
    return np.flatnonzero(~good)


def check_points(points: np.ndarray, name: str) -> None:
    """Raise a DecodeError unless all points are canonical, in their group, and none is infinity."""
    for start in range(0, len(points), _CHUNK):
        bad = bad_points(points[start : start + _CHUNK])
        if len(bad):
            raise DecodeError(f"{name}, point {start + int(bad[0])} is not in its group; {_ADVICE}")


def no_g2_points() -> np.ndarray:
    """What delta0_g2 is in a key of one round."""
    return np.zeros((0, 2, 2, 4), np.uint64)


@dataclass(frozen=True, eq=False)
class VerifyingKey:
    """alpha_g1: (1, 2, 4); beta_g2 … delta_g2: (1, 2, 2, 4); gamma_abc_g1: (ℓ+1, 2, 4).

    Two rounds: n_challenges > 0 and delta0_g2 (1, 2, 2, 4).
    """

    circuit_digest: bytes
    alpha_g1: np.ndarray
    beta_g2: np.ndarray
    gamma_g2: np.ndarray
    delta_g2: np.ndarray
    gamma_abc_g1: np.ndarray
    n_challenges: int = 0
    delta0_g2: np.ndarray = field(default_factory=no_g2_points)

    MAGIC = b"zkcmp-vk"
    VERSION, VERSION_TWO_ROUNDS = 1, 2
    _HEADER = struct.Struct("<8sI32sI")
    _CHALLENGES = struct.Struct("<I")

    def __post_init__(self) -> None:
        if len(self.delta0_g2) != int(self.two_rounds) or self.n_challenges > self.n_public:
            raise ValueError("delta_0 and challenges belong together, in a key of two rounds")

    @property
    def n_public(self) -> int:
        """ℓ, the challenges included."""
        return len(self.gamma_abc_g1) - 1

    @property
    def n_inputs(self) -> int:
        """How many public inputs a statement has; the challenges are not among them."""
        return self.n_public - self.n_challenges

    @property
    def two_rounds(self) -> bool:
        return self.n_challenges > 0

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: the identity of the key."""
        return hashlib.sha256(self.to_bytes()).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyingKey) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.digest)

    def to_bytes(self) -> bytes:
        """Header, then the points at rest (uncompressed, so that long keys decode quickly)."""
        version = self.VERSION_TWO_ROUNDS if self.two_rounds else self.VERSION
        header = self._HEADER.pack(self.MAGIC, version, self.circuit_digest, self.n_public)
        if self.two_rounds:
            header += self._CHALLENGES.pack(self.n_challenges)
        points = (self.alpha_g1, self.beta_g2, self.gamma_g2, self.delta_g2, self.delta0_g2)
        return header + b"".join(
            np.ascontiguousarray(p, "<u8").tobytes() for p in (*points, self.gamma_abc_g1)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "VerifyingKey":
        """The only decoding of the canonical bytes, every point checked.

        Raises:
            DecodeError: on anything else.
        """
        start = cls._HEADER.size
        if len(data) < start or not data.startswith(cls.MAGIC):
            raise DecodeError("this is not a verifying key; get it again")
        _, version, circuit, n_public = cls._HEADER.unpack(data[:start])
        if version not in (cls.VERSION, cls.VERSION_TWO_ROUNDS):
            raise DecodeError(
                f"verifying key of version {version}, this tool reads {cls.VERSION} and "
                f"{cls.VERSION_TWO_ROUNDS}; upgrade"
            )
        n_challenges, n_g2 = 0, 3
        if version == cls.VERSION_TWO_ROUNDS:
            n_challenges = int.from_bytes(data[start : start + cls._CHALLENGES.size], "little")
            start, n_g2 = start + cls._CHALLENGES.size, 4
            if not 0 < n_challenges <= n_public:
                raise DecodeError(f"a verifying key of impossible rounds; {_ADVICE}")
        if len(data) != start + 64 + 128 * n_g2 + 64 * (n_public + 1):
            raise DecodeError(f"a verifying key of the wrong length, {len(data)} bytes; {_ADVICE}")
        words = np.frombuffer(data, "<u8", offset=start).astype(np.uint64)
        g2_points = words[8 : 8 + 16 * n_g2].reshape(n_g2, 2, 2, 4)
        key = cls(
            circuit,
            words[:8].reshape(1, 2, 4),
            g2_points[0:1],
            g2_points[1:2],
            g2_points[2:3],
            words[8 + 16 * n_g2 :].reshape(-1, 2, 4),
            n_challenges,
            g2_points[3:],
        )
        check_points(key.alpha_g1, "verifying key alpha_g1")
        names = ("beta_g2", "gamma_g2", "delta_g2", "delta0_g2")[:n_g2]
        check_points(g2_points, f"verifying key {', '.join(names)}")
        check_points(key.gamma_abc_g1, "verifying key gamma_abc_g1")
        return key
