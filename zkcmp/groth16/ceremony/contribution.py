"""One contributor's shares of a trapdoor, and the proofs that the contributor knows them.

A ceremony's secret is a product x₁·x₂·…·x_n of which every contributor k draws one factor. A
`Record` is what a contributor publishes beside its file: a `Factor` for each secret of the phase.
The factor x, made over the digest v of everything before it, is

    share     [x]₁
    proof     x·R,  R = hash to G2 of (label, v, [x]₁)

and is checked with e([x]₁, R) = e(G1, x·R). The same pair (R, x·R) shows that a value P of the
ceremony was multiplied by x:  e(P', R) = e(P, x·R).

Source: Bowe, Gabizon, Miers, "Scalable multi-party computation for zk-SNARK parameters in the
random beacon model" (2017), §3: SameRatio, POK and CheckPOK. Binding R to v keeps a contributor
from reusing another's proof. That no beacon is needed at the end is Kohlweiss, Maller, Siim and
Volkhov, "Snarky ceremonies" (2021).

Refused: x = 0, which would fix the secret for ever, and x = 1, which contributes nothing. Decoding
refuses points outside the groups of order r, so a share has no small-order component either.
"""

import hashlib
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.encoding import (
    G1_BYTES,
    G2_BYTES,
    decode_g1,
    decode_g2,
    encode_g1,
    encode_g2,
)
from zkcmp.bn254.pairing.ate import pairing_product_is_one
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS, TWIST_B
from zkcmp.bn254.reference import G1, G2, fq2_add, fq2_mul, fq2_sqrt
from zkcmp.errors import DecodeError, VerificationError

Phase = Literal["powers", "key"]
PHASES: tuple[Phase, ...] = ("powers", "key")
POWER_LABELS = (b"tau", b"alpha", b"beta")
DELTA_LABELS = (b"delta", b"delta0")  # the second for circuits of two rounds only

_MAGIC, _VERSION = b"zkcmp-cr", 1
_HEAD = struct.Struct("<8sI32s32s")
_COFACTOR = 2 * FQ_MODULUS - FR_MODULUS
FACTOR_BYTES = G1_BYTES + G2_BYTES


def random_factor() -> int:
    """A secret factor: uniform, neither 0 nor 1."""
    return 2 + secrets.randbelow(FR_MODULUS - 2)


@lru_cache(maxsize=64)
def hash_to_g2(data: bytes) -> Any:
    """A point of G2 (plain integers) of which nobody knows the logarithm.

    Try and increment on x = (SHA-512(counter, 0, data), SHA-512(counter, 1, data)) mod p, then
    times the cofactor. The time depends on public data only.
    """
    for counter in range(256):
        halves = [
            hashlib.sha512(b"zkcmp hash to G2" + bytes([counter, k]) + data).digest()
            for k in range(2)
        ]
        x = int.from_bytes(halves[0], "big") % FQ_MODULUS, int.from_bytes(halves[1], "big")
        x = x[0], x[1] % FQ_MODULUS
        y = fq2_sqrt(fq2_add(fq2_mul(fq2_mul(x, x), x), TWIST_B))
        if y is not None:
            point = _clear_cofactor((x, min(y, G2.neg((x, y))[1])))
            if point is not None:
                return point
    raise VerificationError("hash to G2", "a point within 256 tries", "none")


def _clear_cofactor(point: Any) -> Any:
    """Cofactor times P; P need not have order r, so no reduction mod r."""
    out = None
    for bit in bin(_COFACTOR)[2:]:
        out = G2.double(out) if out is not None else None
        if bit == "1":
            out = G2.add(out, point)
    return out


@dataclass(frozen=True, eq=False)
class Factor:
    """The public record of a secret factor x: [x]₁, (1, 2, 4), and x·R, (1, 2, 2, 4)."""

    share: np.ndarray
    proof: np.ndarray

    def to_bytes(self) -> bytes:
        return encode_g1(self.share) + encode_g2(self.proof)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Factor":
        """Decode `FACTOR_BYTES` bytes. Raises DecodeError for anything but points of the groups."""
        return cls(decode_g1(data[:G1_BYTES]), decode_g2(data[G1_BYTES:]))

    def base(self, label: bytes, before: bytes) -> np.ndarray:
        """R, (1, 2, 2, 4)."""
        data = len(label).to_bytes(1, "big") + label + before + encode_g1(self.share)
        return g2.from_affine_ints([hash_to_g2(data)])

    def check(self, label: bytes, before: bytes) -> None:
        """Raise a VerificationError unless somebody knew x, and x is neither 0 nor 1."""
        name = label.decode()
        if not self.share.any():
            raise VerificationError(f"share of {name}", "a factor other than 0", "0")
        if np.array_equal(self.share, g1.generator()):
            raise VerificationError(f"share of {name}", "a factor other than 1", "1")
        if not same_ratio(g1.generator(), self.share, self.base(label, before), self.proof):
            raise VerificationError(f"share of {name}", "a proof of knowledge of it", "none")

    def multiplies(self, label: bytes, before: bytes, old: np.ndarray, new: np.ndarray) -> bool:
        """Whether new = x·old for two points of G1."""
        return same_ratio(old, new, self.base(label, before), self.proof)


def make_factor(x: int, label: bytes, before: bytes) -> Factor:
    """The record of x after the digest `before`."""
    share = g1.from_affine_ints([G1.mul(G1.generator, x)])
    base = g2.to_affine_ints(Factor(share, g2.generator()).base(label, before))[0]
    return Factor(share, g2.from_affine_ints([G2.mul(base, x)]))


def same_ratio(old: np.ndarray, new: np.ndarray, one: np.ndarray, x: np.ndarray) -> bool:
    """Whether new/old in G1 is x/one in G2: e(new, one) = e(old, x); none may be infinity."""
    if not all(point.any() for point in (old, new, one, x)):
        return False
    minus = g1.from_affine_ints([G1.neg(g1.to_affine_ints(new)[0])])
    return pairing_product_is_one([(minus, one), (old, x)])


@dataclass(frozen=True)
class Record:
    """One contribution: the transcript before it, the digest of its file, its factors."""

    before: bytes
    result: bytes
    factors: tuple[Factor, ...]

    @staticmethod
    def n_bytes(n_factors: int) -> int:
        return _HEAD.size + n_factors * FACTOR_BYTES

    def to_bytes(self) -> bytes:
        head = _HEAD.pack(_MAGIC, _VERSION, self.before, self.result)
        return head + b"".join(factor.to_bytes() for factor in self.factors)

    @classmethod
    def from_bytes(cls, data: bytes, n_factors: int) -> "Record":
        """Raises DecodeError unless these are the bytes of a record with so many factors."""
        if len(data) != cls.n_bytes(n_factors):
            raise DecodeError("a record of the wrong length; get it again")
        magic, version, before, result = _HEAD.unpack(data[: _HEAD.size])
        if magic != _MAGIC or version != _VERSION:
            raise DecodeError("not a record of a contribution; get it again")
        starts = range(_HEAD.size, len(data), FACTOR_BYTES)
        factors = tuple(Factor.from_bytes(data[i : i + FACTOR_BYTES]) for i in starts)
        return cls(before, result, factors)

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.to_bytes()).digest()

    def check(self, labels: Sequence[bytes], before: bytes, result: bytes) -> None:
        """Raise a VerificationError unless it follows `before` and is of the file `result`."""
        if self.before != before:
            raise VerificationError("record", "the transcript before it", "another")
        if self.result != result:
            raise VerificationError("record", "the digest of its file", "another")
        for label, factor in zip(labels, self.factors, strict=True):
            factor.check(label, before)
