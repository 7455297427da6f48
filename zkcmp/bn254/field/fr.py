"""Vectors over the scalar field Fr: the witness, polynomials, keystreams.

An `FrVector` of n scalars is one array of shape (LIMBS, n') uint64, limb k of element j at [k, j],
in Montgomery form x·R mod r below 2r, with n' the next multiple of 8 (padding elements are 0 or
unspecified and never read back). R and LIMBS depend on the lane body (body.py), so vectors are
never written to disk as they are: `to_words` gives (n, 4) uint64 little-endian canonical integers.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Union

import numpy as np

from zkcmp.bn254 import aligned
from zkcmp.bn254.field import fr_kernels as kernels
from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.threads import parallel_ranges
from zkcmp.errors import DecodeError

Words = np.ndarray
Operand = Union["FrVector", int]

_PAD = 8
_MODULUS_WORDS = np.array([(FR_MODULUS >> (64 * k)) & (2**64 - 1) for k in range(4)], np.uint64)


def padded(n: int) -> int:
    """n rounded up to whole groups of lanes."""
    return -(-max(n, 1) // _PAD) * _PAD


def ints_to_words(values: Iterable[int]) -> Words:
    """Non-negative integers below 2^256 to (n, 4) uint64 little-endian words."""
    # a bytearray, so that the array is writable: kernels then see one array type only
    blob = bytearray().join(v.to_bytes(32, "little") for v in values)
    return np.frombuffer(blob, np.uint64).reshape(-1, 4)


def words_to_ints(words: Words) -> list[int]:
    """(n, 4) uint64 little-endian words to integers."""
    blob = np.ascontiguousarray(words, dtype="<u8").tobytes()
    return [int.from_bytes(blob[i : i + 32], "little") for i in range(0, len(blob), 32)]


def below_modulus(words: Words, modulus_words: np.ndarray = _MODULUS_WORDS) -> np.ndarray:
    """Which of (n, 4) word records are below the modulus; bool array of shape (n,)."""
    less = np.zeros(len(words), bool)
    equal = np.ones(len(words), bool)
    for k in (3, 2, 1, 0):
        less |= equal & (words[:, k] < modulus_words[k])
        equal &= words[:, k] == modulus_words[k]
    return less


class FrVector:
    """n elements of Fr; operators work element by element, an int operand is broadcast."""

    __slots__ = ("data", "n")

    def __init__(self, data: np.ndarray, n: int):
        self.data, self.n = data, n

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"FrVector(n={self.n})"

    # --- making ---------------------------------------------------------------------------

    @classmethod
    def _empty(cls, n: int) -> "FrVector":
        return cls(aligned.empty((LIMBS, padded(n))), n)

    @classmethod
    def zeros(cls, n: int) -> "FrVector":
        return cls(aligned.zeros((LIMBS, padded(n))), n)

    @classmethod
    def from_ints(cls, values: Sequence[int] | np.ndarray) -> "FrVector":
        """Python integers of any size and sign, reduced mod r."""
        return cls._from_words_below(ints_to_words([int(v) % FR_MODULUS for v in values]))

    @classmethod
    def from_int64(cls, values: np.ndarray) -> "FrVector":
        """Signed 64-bit integers; a negative v becomes r − |v|."""
        flat = np.ascontiguousarray(values, np.int64).reshape(-1)
        magnitude = np.zeros((len(flat), 4), np.uint64)
        magnitude[:, 0] = np.where(flat < 0, -flat, flat).view(np.uint64)
        out = cls._from_words_below(magnitude)
        sign = np.zeros(out.data.shape[1], np.bool_)
        sign[: len(flat)] = flat < 0
        kernels.negate_where(out.data, sign, 0, out.data.shape[1] // LANES)
        return out

    @classmethod
    def from_words(cls, words: Words) -> "FrVector":
        """(n, 4) uint64 little-endian integers.

        Raises:
            DecodeError: when one is not below r.
        """
        words = np.ascontiguousarray(words, np.uint64)
        if words.ndim != 2 or words.shape[1] != 4:
            raise DecodeError(f"scalars must be (n, 4) words, got shape {words.shape}")
        bad = np.flatnonzero(~below_modulus(words))
        if len(bad):
            raise DecodeError(
                f"scalar {bad[0]} is not below the field modulus; it is not canonical"
            )
        return cls._from_words_below(words)

    @classmethod
    def _from_words_below(cls, words: Words) -> "FrVector":
        n = len(words)
        out = cls._empty(n)
        if padded(n) != n:
            words = np.concatenate([words, np.zeros((padded(n) - n, 4), np.uint64)])
        words = np.ascontiguousarray(words)
        _run(out.data, lambda i, j: kernels.from_words(words, out.data, i, j))
        return out

    @classmethod
    def random(cls, n: int) -> "FrVector":
        """Uniform scalars from the operating system's generator (`secrets`)."""
        return cls.from_ints([secrets.randbelow(FR_MODULUS) for _ in range(n)])

    @classmethod
    def powers(cls, base: int, n: int) -> "FrVector":
        """1, base, base², …, base^(n−1)."""
        width = min(padded(n), 1024)
        first, x = [], 1
        for _ in range(width):
            first.append(x)
            x = x * base % FR_MODULUS
        out = cls._empty(n)
        block = cls.from_ints(first)
        steps = -(-padded(n) // width)
        step, scale = [], 1
        for _ in range(steps):
            step.append(scale)
            scale = scale * x % FR_MODULUS
        scales = cls.from_ints(step)
        groups = out.data.shape[1] // LANES
        parallel_ranges(
            lambda i, j: kernels.outer_powers(block.data, scales.data, out.data, i, j), groups
        )
        return out

    @classmethod
    def concat(cls, parts: Sequence["FrVector"]) -> "FrVector":
        out = cls.zeros(sum(p.n for p in parts))
        at = 0
        for p in parts:
            out.data[:, at : at + p.n] = p.data[:, : p.n]
            at += p.n
        return out

    # --- reading --------------------------------------------------------------------------

    def to_words(self) -> Words:
        """(n, 4) uint64 little-endian canonical integers."""
        words = np.empty((self.data.shape[1], 4), np.uint64)
        _run(self.data, lambda i, j: kernels.to_words(self.data, words, i, j))
        return words[: self.n]

    def to_ints(self) -> list[int]:
        """Canonical integers in [0, r)."""
        return words_to_ints(self.to_words())

    def __getitem__(self, index: int) -> int:
        j = range(self.n)[index]
        return self.slice(j, j + 1).to_ints()[0]

    def equals(self, other: "FrVector") -> bool:
        return self.n == other.n and bool(np.array_equal(self.to_words(), other.to_words()))

    def sum(self) -> int:
        """The sum of all elements, canonical."""
        words = self.to_words()
        low, high = words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)
        total = 0
        for k in range(4):
            total += int(low[:, k].sum()) << (64 * k)
            total += int(high[:, k].sum()) << (64 * k + 32)
        return total % FR_MODULUS

    # --- shaping --------------------------------------------------------------------------

    def slice(self, start: int, stop: int) -> "FrVector":
        """A copy of elements start … stop − 1."""
        if not 0 <= start <= stop <= self.n:
            raise IndexError(f"slice {start}:{stop} of {self.n} scalars")
        out = FrVector.zeros(stop - start)
        out.data[:, : stop - start] = self.data[:, start:stop]
        return out

    def assign(self, start: int, values: "FrVector") -> None:
        """Overwrite elements start … start + len(values) − 1."""
        if not 0 <= start <= start + values.n <= self.n:
            raise IndexError(f"{values.n} scalars do not fit at {start} of {self.n}")
        self.data[:, start : start + values.n] = values.data[:, : values.n]

    def take(self, index: np.ndarray) -> "FrVector":
        """Elements at the given positions (1-D integer array)."""
        index = np.asarray(index)
        out = FrVector.zeros(len(index))
        np.take(self.data[:, : self.n], index, axis=1, out=out.data[:, : len(index)])
        return out

    def copy(self) -> "FrVector":
        return FrVector(self.data.copy(), self.n)

    # --- arithmetic -----------------------------------------------------------------------

    def _operand(self, other: Operand) -> "FrVector":
        if isinstance(other, FrVector):
            if other.n != self.n:
                raise ValueError(f"vectors of {self.n} and {other.n} scalars")
            return other
        return FrVector.from_ints([other] * 8)

    def _binary(self, other: Operand, kernel: Callable[..., Any]) -> "FrVector":
        operand, out = self._operand(other), FrVector._empty(self.n)
        step = 1 if isinstance(other, FrVector) else 0
        _run(out.data, lambda i, j: kernel(self.data, operand.data, step, out.data, i, j))
        return out

    def __add__(self, other: Operand) -> "FrVector":
        return self._binary(other, kernels.add_vectors)

    def __sub__(self, other: Operand) -> "FrVector":
        return self._binary(other, kernels.sub_vectors)

    def __mul__(self, other: Operand) -> "FrVector":
        return self._binary(other, kernels.mul_vectors)

    def __neg__(self) -> "FrVector":
        return FrVector.zeros(self.n) - self

    def scale(self, factor: int) -> "FrVector":
        return self * factor

    def pow7(self) -> "FrVector":
        """Seventh powers, MiMC7's round function."""
        out = FrVector._empty(self.n)
        _run(out.data, lambda i, j: kernels.pow7(self.data, out.data, i, j))
        return out

    def inverse(self) -> "FrVector":
        """1/x element by element; 0 stays 0."""
        out = FrVector._empty(self.n)
        _run(out.data, lambda i, j: kernels.inverse(self.data, out.data, i, j), grain=64)
        return out


def _run(data: np.ndarray, function: Callable[[int, int], None], grain: int = 1024) -> None:
    parallel_ranges(function, data.shape[1] // LANES, grain)


def montgomery_radix() -> int:
    """R of this process's lane body."""
    return 1 << BODY.radix_bits
