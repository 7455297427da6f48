"""S2: the ciphertext is the packed weights under MiMC7 in counter mode, by one zero-check.

Committed are the states R[i, b] of round i of block b (zkcmp/mimc7.py), i = 0 … 90, b = 0 … ℓ − 1:

    (P[i, b] + k + c_i)^7 = R[i, b],   P[0, b] = b,   P[i, b] = R[i − 1, b]                     (1)
    c_b = pack_b(w) + R[90, b] + k                                                              (2)

(1) is Σ E(i, b)·((P + k + c_i)^7 − R) = 0 with E = eq(τ, ·) on real entries and 0 elsewhere, one
sumcheck of degree 8. At its end P~ is an opening of R too, by the shifted weights eq(r_i, i + 1).
The seventh power of the hidden value u = P~ + k + c~ is four products. (2) is linear in everything
committed: it is combined over b with eq(σ, b).

Soundness error: (m + 8m)/r for (1), with m the number of variables, and log ℓ/r for (2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.sumcheck.cipher_kernels import cipher_round
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.forms import Form, combine
from zkcmp.libra.multilinear.sealed_tensor import EntryWeights, SealedTensor
from zkcmp.libra.multilinear.tables import Point, eq, eq_table, evaluate, log_size, outer
from zkcmp.libra.requirements.opening import EqWeights
from zkcmp.libra.sumcheck.fused import FusedProver
from zkcmp.libra.sumcheck.protocol import sumcheck
from zkcmp.mimc7 import CONSTANTS, ROUNDS
from zkcmp.model.network import Architecture
from zkcmp.seal import pack_layout

STATES = "mimc7 states"
ROUND_VARS = log_size(ROUNDS)
LABEL = b"mimc7"
_DEGREE = 8


def states_size(n_blocks: int) -> int:
    """Entries of the block of states: rounds × blocks, each padded."""
    return 1 << (ROUND_VARS + log_size(n_blocks))


def states(key: int, n_blocks: int) -> FrVector:
    """R, for all real rounds and blocks; zeros elsewhere."""
    width = 1 << log_size(n_blocks)
    out = FrVector.zeros(width << ROUND_VARS)
    r = FrVector.from_int64(np.arange(n_blocks))
    for i, c in enumerate(CONSTANTS):
        r = (r + (key + c) % FR_MODULUS).pow7()
        out.assign(i * width, r)
    return out


@dataclass(frozen=True)
class _StateBefore:
    """Weights w with <w, R> = Σ_{i ≥ 1} eq(round, i)·R~(i − 1, block)."""

    round_point: Point
    block_point: Point

    def _shifted(self) -> FrVector:
        rounds = eq_table(self.round_point)
        return FrVector.concat([rounds.slice(1, len(rounds)), FrVector.zeros(1)])

    def table(self) -> FrVector:
        return outer(self._shifted(), eq_table(self.block_point))

    def evaluate(self, point: Sequence[int]) -> int:
        inner = evaluate(self._shifted(), point[:ROUND_VARS])
        return inner * eq(self.block_point, point[ROUND_VARS:]) % FR_MODULUS


class CipherProver(FusedProver):
    """The round prover of E·(u⁷ − R)."""

    kernel = cipher_round


def prove_rounds(channel: Channel, n_blocks: int, key: Form, table: FrVector | None) -> None:
    """(1). `table` is R on the prover's side."""
    n_vars = log_size(n_blocks)
    tau = channel.challenges(LABEL, ROUND_VARS + n_vars)
    prover = None
    if table is not None:
        weights = outer(_real(tau[:ROUND_VARS], ROUNDS), _real(tau[ROUND_VARS:], n_blocks))
        prover = CipherProver(
            [weights, _inputs(table, n_vars, key.known), table],
            lambda v: v[0] * (v[1].pow7() - v[2]),
            _DEGREE,
        )
    point, claim = sumcheck(channel, LABEL, Form.public(0), len(tau), _DEGREE, prover)
    rounds, blocks = point[:ROUND_VARS], point[ROUND_VARS:]
    weight = evaluate(_real(tau[:ROUND_VARS], ROUNDS), rounds)
    weight = weight * evaluate(_real(tau[ROUND_VARS:], n_blocks), blocks) % FR_MODULUS
    first = eq_table(rounds)[0] * _counter(blocks)
    constant = evaluate(_constants(), rounds)
    values = None
    if prover is not None:
        _, at_input, at_state = prover.finals
        values = [at_state, at_input - first - key.known - constant]
    state, before = channel.send(LABEL, values, 2)
    channel.require_opening(STATES, EqWeights(point), state)
    channel.require_opening(STATES, _StateBefore(rounds, blocks), before)
    seventh = _seventh_power(channel, combine([(1, before), (1, key)]) + (first + constant))
    channel.require_zero(combine([(1, claim), (-weight, seventh), (weight, state)]))


def _real(point: Point, n: int) -> FrVector:
    """eq(point, ·) on 0 … n − 1, zeros above."""
    table = eq_table(point)
    return FrVector.concat([table.slice(0, n), FrVector.zeros(len(table) - n)])


def _inputs(table: FrVector, n_vars: int, key: int) -> FrVector:
    """P + k + c_i on all entries, as the extension of each part has them."""
    width = 1 << n_vars
    before = FrVector.zeros(len(table))
    before.assign(0, FrVector.from_int64(np.arange(width)))
    before.assign(width, table.slice(0, len(table) - width))
    return before + _constants().take(np.arange(len(table)) >> n_vars) + key


def _constants() -> FrVector:
    return FrVector.from_ints([*CONSTANTS, *[0] * ((1 << ROUND_VARS) - ROUNDS)])


def _counter(point: Sequence[int]) -> int:
    """The extension of b ↦ b."""
    n = len(point)
    return sum(x << (n - 1 - k) for k, x in enumerate(point)) % FR_MODULUS


def _seventh_power(channel: Channel, u: Form) -> Form:
    """u^7 by u², u⁴, u⁶."""
    values = None
    if channel.is_prover:
        values = [pow(u.known, e, FR_MODULUS) for e in (2, 4, 6, 7)]
    second, fourth, sixth, seventh = channel.send(LABEL, values, 4)
    channel.require_product(u, u, second)
    channel.require_product(second, second, fourth)
    channel.require_product(fourth, second, sixth)
    channel.require_product(sixth, u, seventh)
    return seventh


def prove_ciphertext(
    channel: Channel,
    architecture: Architecture,
    tensors: Sequence[SealedTensor],
    ciphertext: FrVector,
    key: Form,
    secret: tuple[FrVector, list[FrVector]] | None,
) -> None:
    """(2). `secret` is R and the blocks of the weight tensors, on the prover's side.

    `tensors`: how each tensor is committed to; the order of weights is the same.
    """
    n_blocks = len(ciphertext)
    n_vars = log_size(n_blocks)
    sigma = channel.challenges(LABEL, n_vars)
    weights = _real(sigma, n_blocks)
    last = [ROUNDS - 1 >> (ROUND_VARS - 1 - k) & 1 for k in range(ROUND_VARS)]
    openings: list[tuple[str, EqWeights | EntryWeights]] = []
    constant = _inner(weights.slice(0, n_blocks), ciphertext)
    for run, tensor in zip(pack_layout(architecture), tensors, strict=True):
        place = np.arange(run.n_weights)
        powers = FrVector.from_ints([1 << (run.bits * t) for t in range(run.weights_per_block)])
        factors = weights.take(run.first_block + place // run.weights_per_block)
        factors = factors * powers.take(place % run.weights_per_block)
        constant -= factors.sum() << (run.bits - 1)
        openings.append((tensor.name, EntryWeights(tensor, factors)))
    values = None
    if secret is not None:
        table, blocks = secret
        states_part = _inner(_last_states(table, n_vars), eq_table(sigma))
        values = [states_part]
        values += [_inner(w.table(), t) for (_, w), t in zip(openings, blocks, strict=True)]
    openings.insert(0, (STATES, EqWeights([*last, *sigma])))
    sent = channel.send(LABEL, values, len(openings))
    for (block, weight), form in zip(openings, sent, strict=True):
        channel.require_opening(block, weight, form)
    total = combine([(1, form) for form in sent])
    channel.require_zero(combine([(1, total), (weights.sum(), key)]) - constant)


def _last_states(table: FrVector, n_vars: int) -> FrVector:
    return table.slice((ROUNDS - 1) << n_vars, ROUNDS << n_vars)


def _inner(x: FrVector, y: FrVector) -> int:
    return (x * y).sum()
