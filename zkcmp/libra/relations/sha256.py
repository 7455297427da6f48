"""S1: E = SHA-256(k ‖ salt), one compression of 32 message bytes, over committed bits.

Committed is a table of 256 rows of 32 bits, low bit first (FIPS 180-4 §6.2.2):

    row W + t            message schedule W_t                          t = 0 … 63
    row A + 4 + t        a after round t; rows A … A + 3 are IV        t = −4 … 63
    row E + 4 + t        e after round t; rows E … E + 3 are IV
    row CARRY + …        carries: 3 bits a round for a and e each, 2 for W_t, 1 for a digest word

All entries are bits: Σ eq(τ, x)·(V(x)² − V(x)) = 0. In round t, as integers, Σ_i 2^i over a row,

    T1   = E[t−4] + Σ1(E[t−1]) + Ch(E[t−1], E[t−2], E[t−3]) + K_t + W_t
    A[t] = T1 + Σ0(A[t−1]) + Maj(A[t−1], A[t−2], A[t−3]) − 2^32·carry
    E[t] = A[t−4] + T1 − 2^32·carry
    W_t  = σ1(W_(t−2)) + W_(t−7) + σ0(W_(t−15)) + W_(t−16) − 2^32·carry,  t ≥ 16

These, the fixed rows (IV, padding of the message) and the eight digest words are combined with
powers of one challenge to

    <L, V> + Σ_{t, i} [ w_A·(Σ0 + Maj) + w_E·(Σ1 + Ch) + w_W·(σ0 + σ1) ] = constant

with public L, w. The sum is a sumcheck of degree 4 over (t, i) in which the rotated bits are tables
of their own, each an opening of V with permuted weights; XOR, Ch and Maj of the hidden values at
its end are 11 products. No sum of a row reaches 2^36: nothing wraps r, and carries are unique.

Soundness error: (13·4 + 11·4 + 695)/r.
"""

from dataclasses import dataclass, field

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.forms import Form, combine
from zkcmp.libra.multilinear.tables import eq_table, evaluate, log_size
from zkcmp.libra.requirements.opening import EqWeights, TableWeights
from zkcmp.libra.sumcheck.protocol import TableProver, sumcheck
from zkcmp.sha256 import (
    INITIAL_STATE,
    MASK,
    ROUND_CONSTANTS,
    ROUNDS,
    WORD,
    choose,
    lower_sigma0,
    lower_sigma1,
    majority,
    padded_block,
    upper_sigma0,
    upper_sigma1,
)

BITS = "sha256 bits"
LABEL = b"sha256"
SIZE = 256 * WORD
KEY_WORDS = 4
_W, _A, _E, _CARRY = 0, 64, 132, 200
_DIGEST_CARRIES = _CARRY * WORD + 8 * ROUNDS
_DEGREE = 4


@dataclass(frozen=True)
class _View:
    """Bits of the register `behind` rounds ago, rotated right by `rotate` (shifted if `shift`)."""

    register: int
    behind: int
    rotate: int = 0
    shift: bool = False

    def sources(self) -> np.ndarray:
        """Entry of V for every (t, i), −1 for a bit shifted in or a row before the first."""
        t, i = np.divmod(np.arange(ROUNDS * WORD), WORD)
        row = t - self.behind + (0 if self.register == _W else 4)
        bit = i + self.rotate
        source = (self.register + row) * WORD + bit % WORD
        return np.where((row < 0) | (self.shift & (bit >= WORD)), -1, source)

    def of(self, table: FrVector) -> FrVector:
        source = self.sources()
        present = FrVector.from_int64((source >= 0).astype(np.int64))
        return table.take(np.maximum(source, 0)) * present

    def weights(self, point: list[int]) -> TableWeights:
        """w with <w, V> = view~(point)."""
        source = self.sources()
        used = np.flatnonzero(source >= 0)
        out, table = FrVector.zeros(SIZE), eq_table(point)
        out.data[:, source[used]] = table.data[:, used]
        return TableWeights(out)


_VIEWS = {
    "Sigma0": [_View(_A, 1, r) for r in (2, 13, 22)],
    "Maj": [_View(_A, behind) for behind in (1, 2, 3)],
    "Sigma1": [_View(_E, 1, r) for r in (6, 11, 25)],
    "Ch": [_View(_E, behind) for behind in (1, 2, 3)],
    "sigma0": [_View(_W, 15, 7), _View(_W, 15, 18), _View(_W, 15, 3, True)],
    "sigma1": [_View(_W, 2, 17), _View(_W, 2, 19), _View(_W, 2, 10, True)],
}
_ALL_VIEWS = [view for views in _VIEWS.values() for view in views]


def bits(preimage: bytes) -> FrVector:
    """V for a message of 32 bytes."""
    rows = np.zeros(256, np.int64)
    carries = np.zeros(SIZE - _CARRY * WORD, np.int64)
    w = padded_block(preimage)
    a, e = INITIAL_STATE[3::-1], INITIAL_STATE[:3:-1]

    def carry(place: int, n_bits: int, total: int) -> int:
        for k in range(n_bits):
            carries[place + k] = total >> (WORD + k) & 1
        return total & MASK

    for t in range(ROUNDS):
        if t >= 16:
            total = lower_sigma1(w[t - 2]) + w[t - 7] + lower_sigma0(w[t - 15]) + w[t - 16]
            w.append(carry(8 * t + 6, 2, total))
        t1 = e[-4] + upper_sigma1(e[-1]) + choose(*e[:-4:-1]) + ROUND_CONSTANTS[t] + w[t]
        t2 = upper_sigma0(a[-1]) + majority(*a[:-4:-1])
        new_e = carry(8 * t + 3, 3, a[-4] + t1)
        a.append(carry(8 * t, 3, t1 + t2))
        e.append(new_e)
    for j, (word, initial) in enumerate(zip([*a[:-5:-1], *e[:-5:-1]], INITIAL_STATE, strict=True)):
        carry(8 * ROUNDS + j, 1, word + initial)
    rows[_W : _W + ROUNDS], rows[_A : _A + len(a)], rows[_E : _E + len(e)] = w, a, e
    table = (rows[:, None] >> np.arange(WORD)) & 1
    table = table.reshape(-1)
    table[_CARRY * WORD :] = carries
    return FrVector.from_int64(table)


def prove_hash(channel: Channel, digest: bytes, table: FrVector | None) -> None:
    """S1 for the committed bits. `table` is V on the prover's side."""
    _prove_bits(channel, table)
    equations = _Equations(channel.challenge(LABEL), digest)
    linear = _send_opening(channel, TableWeights(equations.linear), table)
    claim = Form.public(equations.constant) - linear
    weights = [equations.w_a, equations.w_e, equations.w_w]
    prover = None
    if table is not None:
        prover = TableProver([*weights, *(view.of(table) for view in _ALL_VIEWS)], _term, _DEGREE)
    point, claim = sumcheck(channel, LABEL, claim, log_size(ROUNDS * WORD), _DEGREE, prover)
    values = None if prover is None else prover.finals[3:]
    sent = channel.send(LABEL, values, len(_ALL_VIEWS))
    for view, form in zip(_ALL_VIEWS, sent, strict=True):
        channel.require_opening(BITS, view.weights(point), form)
    xor0, maj, xor1, ch, low0, low1 = (sent[3 * k : 3 * k + 3] for k in range(6))
    sums = [
        _xor3(channel, xor0) + _majority(channel, maj),
        _xor3(channel, xor1) + _choose(channel, ch),
        _xor3(channel, low0) + _xor3(channel, low1),
    ]
    terms = [(evaluate(w, point), total) for w, total in zip(weights, sums, strict=True)]
    channel.require_zero(combine([*terms, (-1, claim)]))


def require_key(channel: Channel, key: Form) -> None:
    """k is the first 16 bytes of the message, big-endian."""
    weights = FrVector.zeros(SIZE)
    powers = [1 << (WORD * (KEY_WORDS - 1 - j) + i) for j in range(KEY_WORDS) for i in range(WORD)]
    weights.assign(_W * WORD, FrVector.from_ints(powers))
    channel.require_opening(BITS, TableWeights(weights), key)


def _prove_bits(channel: Channel, table: FrVector | None) -> None:
    n_vars = log_size(SIZE)
    tau = channel.challenges(LABEL, n_vars)
    prover = None
    if table is not None:
        prover = TableProver([table], lambda v: v[0] * v[0] - v[0], 2, tau)
    point, claim = sumcheck(channel, LABEL, Form.public(0), n_vars, 2, prover, tau)
    (value,) = channel.send(LABEL, None if prover is None else prover.finals, 1)
    channel.require_opening(BITS, EqWeights(point), value)
    channel.require_product(value, value, claim + value)


def _send_opening(channel: Channel, weights: TableWeights, table: FrVector | None) -> Form:
    values = None if table is None else [(weights.values * table).sum()]
    (form,) = channel.send(LABEL, values, 1)
    channel.require_opening(BITS, weights, form)
    return form


@dataclass
class _Equations:
    """All equations but the one on bits, combined with powers of a challenge."""

    challenge: int
    digest: bytes
    constant: int = 0
    _factor: int = 1
    _linear: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = ROUNDS * WORD
        w_a, w_e, w_w = [0] * n, [0] * n, [0] * n
        for t in range(ROUNDS):
            of_a = self._round_register(_A, t, 8 * t)
            of_e = self._round_register(_E, t, 8 * t + 3)
            self._add_row(_A + t, -of_e)  # a of round t − 4
            of_w = self._schedule(t) if t >= 16 else 0
            for i in range(WORD):
                w_a[WORD * t + i] = -of_a << i
                w_e[WORD * t + i] = -(of_a + of_e) << i
                w_w[WORD * t + i] = -of_w << i
        self.w_a, self.w_e, self.w_w = (FrVector.from_ints(w) for w in (w_a, w_e, w_w))
        self._fixed_rows()
        self._digest_words()
        weights = [0] * SIZE
        for place, weight in self._linear.items():
            weights[place] = weight
        self.linear = FrVector.from_ints(weights)

    def _advance(self) -> int:
        """The factor of the equation that is complete now."""
        factor = self._factor
        self._factor = factor * self.challenge % FR_MODULUS
        return factor

    def _add(self, place: int, weight: int) -> None:
        self._linear[place] = (self._linear.get(place, 0) + weight) % FR_MODULUS

    def _add_row(self, row: int, weight: int) -> None:
        for i in range(WORD):
            self._add(row * WORD + i, weight << i)

    def _add_carry(self, place: int, n_bits: int, weight: int) -> None:
        for k in range(n_bits):
            self._add(_CARRY * WORD + place + k, weight << (WORD + k))

    def _round_register(self, register: int, t: int, carries: int) -> int:
        """register[t] + 2^32·carry − T1 …, what is linear in it; returns the factor."""
        factor = self._advance()
        self._add_row(register + 4 + t, factor)
        self._add_carry(carries, 3, factor)
        self._add_row(_E + t, -factor)
        self._add_row(_W + t, -factor)
        self.constant += factor * ROUND_CONSTANTS[t]
        return factor

    def _schedule(self, t: int) -> int:
        factor = self._advance()
        self._add_row(_W + t, factor)
        self._add_carry(8 * t + 6, 2, factor)
        self._add_row(_W + t - 7, -factor)
        self._add_row(_W + t - 16, -factor)
        return factor

    def _fixed_rows(self) -> None:
        """IV and the padding of the message, bit by bit."""
        fixed = {_A + 3 - j: INITIAL_STATE[j] for j in range(4)}
        fixed |= {_E + 3 - j: INITIAL_STATE[4 + j] for j in range(4)}
        fixed |= {_W + 8 + j: word for j, word in enumerate(padded_block(bytes(32))[8:])}
        for row, word in fixed.items():
            for i in range(WORD):
                factor = self._advance()
                self._add(row * WORD + i, factor)
                self.constant += factor * (word >> i & 1)

    def _digest_words(self) -> None:
        """register + IV = digest word + 2^32·carry."""
        rows = [_A + 4 + ROUNDS - 1 - j for j in range(4)]
        rows += [_E + 4 + ROUNDS - 1 - j for j in range(4)]
        for j, row in enumerate(rows):
            factor = self._advance()
            self._add_row(row, factor)
            self._add(_DIGEST_CARRIES + j, -factor << WORD)
            word = int.from_bytes(self.digest[4 * j : 4 * j + 4], "big")
            self.constant += factor * (word - INITIAL_STATE[j])


# --- boolean functions of tables, and of hidden values ----------------------------------------


def _term(v: list[FrVector]) -> FrVector:
    w_a, w_e, w_w = v[:3]
    xor0, maj, xor1, ch, low0, low1 = (v[3 + 3 * k : 6 + 3 * k] for k in range(6))
    return (
        w_a * (_xor3_table(xor0) + _majority_table(maj))
        + w_e * (_xor3_table(xor1) + _choose_table(ch))
        + w_w * (_xor3_table(low0) + _xor3_table(low1))
    )


def _xor_table(x: FrVector, y: FrVector) -> FrVector:
    product = x * y
    return x + y - product - product


def _xor3_table(v: list[FrVector]) -> FrVector:
    return _xor_table(_xor_table(v[0], v[1]), v[2])


def _majority_table(v: list[FrVector]) -> FrVector:
    """ab + c·(a ⊕ b)."""
    return v[0] * v[1] + v[2] * _xor_table(v[0], v[1])


def _choose_table(v: list[FrVector]) -> FrVector:
    """e·(f − g) + g."""
    return v[0] * (v[1] - v[2]) + v[2]


def _product(channel: Channel, x: Form, y: Form) -> Form:
    values = [x.known * y.known] if channel.is_prover else None
    (product,) = channel.send(LABEL, values, 1)
    channel.require_product(x, y, product)
    return product


def _xor(channel: Channel, x: Form, y: Form) -> Form:
    return combine([(1, x), (1, y), (-2, _product(channel, x, y))])


def _xor3(channel: Channel, v: list[Form]) -> Form:
    return _xor(channel, _xor(channel, v[0], v[1]), v[2])


def _majority(channel: Channel, v: list[Form]) -> Form:
    a, b, c = v
    product = _product(channel, a, b)
    either = combine([(1, a), (1, b), (-2, product)])
    return product + _product(channel, c, either)


def _choose(channel: Channel, v: list[Form]) -> Form:
    e, f, g = v
    return _product(channel, e, f - g) + g
