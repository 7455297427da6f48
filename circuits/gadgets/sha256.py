"""SHA-256 of exactly 32 bytes, one compression block (S1). Source: FIPS 180-4, §4.1.2 and §6.2.

    xor   2a · b = a + b − o              one constraint a bit
    ch    e · (f − g) = o − g             one
    maj   ch(b ⊕ c, a, b)                 two, and b ⊕ c is the a ⊕ b of the round before
    sum   Σ terms = Σ_i 2^i bit_i         every bit boolean; see bits.py for the top one

Bits that are constants (padding, initial state, shifted-in zeros) are folded: an operation on a
known bit is linear and costs nothing. Plain reference: hashlib.
"""

from dataclasses import dataclass, field

import numpy as np

from circuits.gadgets.bits import bit_matrix, boolean
from circuits.signals import Signals, private
from zkcmp.linear_combination import LinearCombination
from zkcmp.r1cs_builder import ConstraintSystem
from zkcmp.sha256 import INITIAL_STATE, MASK, ROUND_CONSTANTS, WORD

GADGET = "sha256"


@dataclass(frozen=True)
class Word:
    """32 bits, least significant first.

    known: int8 (32,), the bit where it is a constant of the circuit and −1 elsewhere; values: uint8
    (32,), None while recording.
    """

    bits: LinearCombination
    known: np.ndarray
    values: np.ndarray | None = field(repr=False)

    def __repr__(self) -> str:
        return "Word()"  # values may be secret

    def rotate(self, k: int) -> "Word":
        """Rotated right by k bits."""
        index = (np.arange(WORD) + k) % WORD
        values = None if self.values is None else self.values[index]
        return Word(self.bits.take(index), self.known[index], values)


class Sha256:
    """The word operations over one constraint system."""

    def __init__(self, system: ConstraintSystem):
        self.system = system

    def constant(self, value: int) -> Word:
        bits = np.array([(value >> i) & 1 for i in range(WORD)])
        values = bits.astype(np.uint8) if self.system.with_values else None
        lc = self.system.constant(bits.astype(np.int64), WORD)
        return Word(lc.canonical(), bits.astype(np.int8), values)

    def from_signals(self, bits: Signals) -> Word:
        """32 wires that are already boolean."""
        values = None if bits.values is None else bits.values.astype(np.uint8)
        return Word(self.system.wires(bits.wires), np.full(WORD, -1, np.int8), values)

    def shift(self, x: Word, k: int) -> Word:
        """Shifted right by k bits; zeros come in."""
        inside = (np.arange(WORD) + k < WORD).astype(np.int64)
        y = x.rotate(k)
        known = np.where(inside == 1, y.known, 0).astype(np.int8)
        values = None if y.values is None else y.values * inside.astype(np.uint8)
        return Word((y.bits * inside).canonical(), known, values)

    def xor(self, x: Word, y: Word) -> Word:
        """One product a bit where neither is known."""
        free = np.flatnonzero((x.known < 0) & (y.known < 0))
        values = None if x.values is None or y.values is None else x.values ^ y.values
        # a known bit v turns the other bit z into v + (1 − 2v)·z; x is the known one if both are
        factor_y = np.where(x.known >= 0, 1 - 2 * x.known, 1).astype(np.int64)
        factor_x = np.where((x.known < 0) & (y.known >= 0), 1 - 2 * y.known, 1).astype(np.int64)
        linear = x.bits * factor_x + y.bits * factor_y
        both = (x.known >= 0) & (y.known >= 0)
        known = np.where(both, x.known ^ y.known, -1).astype(np.int8)
        out, rows = self._output("xor", free, values)
        a, b = x.bits.take(free), y.bits.take(free)
        self.system.enforce(GADGET, a * 2, b, a + b - out)
        return self._merge(linear, free, rows, known, values)

    def ch(self, e: Word, f: Word, g: Word) -> Word:
        """f where e is 1, g where it is 0."""
        free = np.flatnonzero((e.known < 0) & ((f.known < 0) | (g.known < 0)))
        values = None
        if e.values is not None and f.values is not None and g.values is not None:
            values = np.where(e.values == 1, f.values, g.values)
        chosen = np.where(e.known >= 0, e.known, 0).astype(np.int64)
        linear = f.bits * chosen + g.bits * (1 - chosen)
        # f and g known: g + e·(f − g) is linear in e
        step = np.where((e.known < 0) & (f.known >= 0) & (g.known >= 0), f.known - g.known, 0)
        linear = linear + e.bits * step.astype(np.int64)
        picked = np.where(e.known == 1, f.known, g.known)
        known = np.where((e.known >= 0) | (step == 0) & (f.known >= 0), picked, -1)
        known[free] = -1
        out, rows = self._output("choice", free, values)
        top = f.bits.take(free) - g.bits.take(free)
        self.system.enforce(GADGET, e.bits.take(free), top, out - g.bits.take(free))
        return self._merge(linear, free, rows, known.astype(np.int8), values)

    def _output(
        self, name: str, free: np.ndarray, values: np.ndarray | None
    ) -> tuple[LinearCombination, LinearCombination]:
        """New wires for the bits `free`: as len(free) rows, and as 32 rows."""
        chosen = None if values is None else values[free]
        out = private(self.system, f"{GADGET} {name}", (len(free),), chosen)
        as_word = self.system.combination(free, out.wires, None, WORD)
        return self.system.wires(out.wires), as_word

    def _merge(
        self,
        linear: LinearCombination,
        free: np.ndarray,
        rows: LinearCombination,
        known: np.ndarray,
        values: np.ndarray | None,
    ) -> Word:
        keep = np.ones(WORD, np.int64)
        keep[free] = 0
        return Word((linear * keep + rows).canonical(), known, values)

    def xor3(self, x: Word, y: Word, z: Word) -> Word:
        return self.xor(self.xor(x, y), z)

    def add(self, words: list[Word], constant: int) -> Word:
        """The sum modulo 2^32; constants must be passed in `constant`."""
        largest = constant + sum(_largest(w) for w in words)
        total = self.system.constant(constant, 1)
        for w in words:
            total = total + (w.bits * (1 << np.arange(WORD))).total()
        if all((w.known >= 0).all() for w in words):
            return self.constant(largest & MASK)
        n_bits = max(largest.bit_length(), WORD + 1)
        values = None
        if self.system.with_values:
            value = constant + sum(_value(w) for w in words)
            values = bit_matrix(np.array([value], object), n_bits)[0]
        # the last carry is left out: it is what remains, and must be 0 or 2^(n_bits − 1)
        low = n_bits - 1
        bits = private(
            self.system, f"{GADGET} sum", (low,), None if values is None else values[:low]
        )
        boolean(self.system, GADGET, bits)
        powers = [1 << i for i in range(low)]
        rest = total - self.system.combination(np.zeros(low, np.int64), bits.wires, powers, 1)
        self.system.enforce(GADGET, rest, rest - (1 << low), 0)
        return self.from_signals(bits.take(np.arange(WORD)))


def _value(word: Word) -> int:
    if word.values is None:
        raise ValueError("values are not available while constraints are recorded")
    return sum(int(bit) << i for i, bit in enumerate(word.values))


def _largest(word: Word) -> int:
    return sum(1 << i for i in range(WORD) if word.known[i] != 0)


def compress_32_bytes(system: ConstraintSystem, message: list[Word]) -> list[Word]:
    """The eight digest words of a message of eight words, 32 bytes."""
    sha = Sha256(system)
    schedule = [*message, sha.constant(0x80000000), *([sha.constant(0)] * 6), sha.constant(256)]
    for t in range(16, 64):
        x, y = schedule[t - 15], schedule[t - 2]
        s0 = sha.xor3(x.rotate(7), x.rotate(18), sha.shift(x, 3))
        s1 = sha.xor3(y.rotate(17), y.rotate(19), sha.shift(y, 10))
        schedule.append(sha.add([schedule[t - 16], s0, schedule[t - 7], s1], 0))
    a, b, c, d, e, f, g, h = (sha.constant(v) for v in INITIAL_STATE)
    b_xor_c = sha.xor(b, c)
    for t in range(64):
        sum1 = sha.xor3(e.rotate(6), e.rotate(11), e.rotate(25))
        first = [h, sum1, sha.ch(e, f, g), schedule[t]]
        sum0 = sha.xor3(a.rotate(2), a.rotate(13), a.rotate(22))
        maj = sha.ch(b_xor_c, a, b)
        new_a, new_e, k = [*first, sum0, maj], [d, *first], ROUND_CONSTANTS[t]
        if t == 63:
            break
        b_xor_c = sha.xor(a, b)
        a, b, c, d, e, f, g, h = sha.add(new_a, k), a, b, c, sha.add(new_e, k), e, f, g
    # the last round's sums and the final addition of the initial state are one sum each
    words = [new_a, [a], [b], [c], new_e, [e], [f], [g]]
    constants = [k, 0, 0, 0, k, 0, 0, 0]
    return [
        sha.add(terms, (extra + start) & MASK)
        for terms, extra, start in zip(words, constants, INITIAL_STATE, strict=True)
    ]
