"""Ranges by lookup: every v_k lies in [0, 2^t) exactly when, for a random γ,

    Σ_k 1/(γ − v_k) = Σ_i m_i/(γ − i),   i = 0 … 2^t − 1

with m_i how often i occurs. Source: Haböck 2022, "Multivariate lookups based on logarithmic
derivatives", Lemma 5.

    inverse_k · (γ − v_k) = 1           a constraint a lookup
    h_i · (γ − i) = m_i                 a constraint an entry
    Σ inverse = Σ h                     one a table

Both sides are rational functions of γ, fixed once v and m are. A v_k outside the table is a pole
of the left side and not of the right one (it occurs fewer than r times), so the difference is not
zero, and it vanishes for at most K + 2^t − 1 values of γ with K lookups. That includes γ = i: there
m_i = 0 is forced. The v and m must therefore be committed to before γ is drawn; a prover who may
choose one multiplicity afterwards balances any sum (tests/circuits/test_lookup.py does).

Full-size wires (inverse, h) are in A only, where they cost G1 work and not G2.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from circuits.lookups.plan import Limb, Tables, split
from circuits.second_round import GAMMA, FieldSignals, SecondRound
from circuits.signals import IntValues, Signals, private
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.linear_combination import LinearCombination
from zkcmp.model.layers import TensorSpec
from zkcmp.r1cs_builder import ConstraintSystem

_WORD = 64


@dataclass(frozen=True)
class _Lookup:
    """A batch of values to be looked up in one table.

    rows: the values as linear combinations; small: the same as int64; field: as field elements
    once they are committed to. The last two are None and not called while recording.
    """

    gadget: str
    rows: LinearCombination
    small: np.ndarray | None = field(repr=False)
    field: Callable[[SecondRound], FrVector]


class Lookups:
    """The ranges of one statement.

    Use: ask for ranges, `commit_multiplicities`, then `enforce` in the second round.
    """

    def __init__(self, system: ConstraintSystem, tables: Tables):
        self.system = system
        self.tables = tables
        self._found: dict[int, list[_Lookup]] = {table: [] for table in tables}
        self._multiplicities: dict[int, Signals] = {}

    def enforce_widths(self, system: ConstraintSystem, spec: TensorSpec, weights: Signals) -> None:
        """Every weight of a tensor has exactly its declared signed width."""
        gadget, offset = f"range {spec.name}", 1 << (spec.bits - 1)
        wires = weights.wires.reshape(-1)
        *low, top = split(spec.bits, self.tables)
        shifted = None if weights.values is None else weights.known.reshape(-1) + offset
        rest, limbs = system.wires(wires) + offset, []
        for limb, small in zip(low, digits(shifted, low), strict=True):
            limbs.append(self._limb(gadget, limb, wires.shape, small))
            rest = rest - system.wires(limbs[-1].wires) * (1 << limb.offset)
        scale = pow(2, -top.offset, FR_MODULUS)

        def field(second: SecondRound) -> FrVector:
            value = second.committed(wires).known + offset
            for limb, digit in zip(low, limbs, strict=True):
                value = value - second.committed(digit.wires).known * (1 << limb.offset)
            return value * scale

        small = None if shifted is None else shifted >> top.offset
        self._look_up(gadget, top, rest if top.offset == 0 else rest * scale, small, field)

    def ranged(self, gadget: str, n: int, bits: int, values: IntValues | None) -> LinearCombination:
        """n new values in [0, 2^bits), as sums of limbs; `values` are taken modulo 2^bits."""
        limbs = split(bits, self.tables)
        total = self.system.constant(0, n)
        for limb, small in zip(limbs, digits(values, limbs), strict=True):
            digit = self._limb(gadget, limb, (n,), small)
            total = total + self.system.wires(digit.wires) * (1 << limb.offset)
        return total

    def _limb(
        self, gadget: str, limb: Limb, shape: tuple[int, ...], small: np.ndarray | None
    ) -> Signals:
        """New wires in [0, 2^limb.bits)."""
        digit = private(self.system, f"{gadget} limbs", shape, small)
        rows = self.system.wires(digit.wires)
        self._look_up(gadget, limb, rows, small, lambda second: second.committed(digit.wires).known)
        return digit

    def _look_up(
        self,
        gadget: str,
        limb: Limb,
        rows: LinearCombination,
        small: np.ndarray | None,
        field: Callable[[SecondRound], FrVector],
    ) -> None:
        for shift in limb.shifts:
            if shift == 0:
                self._found[limb.table].append(_Lookup(gadget, rows, small, field))
                continue
            moved = None if small is None else small << shift
            self._found[limb.table].append(
                _Lookup(gadget, rows * (1 << shift), moved, _times(field, 1 << shift))
            )

    def commit_multiplicities(self) -> None:
        """How often every entry of every table is looked up; the last thing committed to."""
        for table in self.tables:
            size, counts = 1 << table, None
            if self.system.with_values:
                counts = np.zeros(size, np.int64)
                for lookup in self._found[table]:
                    small = np.zeros(0, np.int64) if lookup.small is None else lookup.small
                    inside = small[(small >= 0) & (small < size)]
                    counts += np.bincount(inside, minlength=size)
            name = f"table of {table} bits multiplicities"
            self._multiplicities[table] = private(self.system, name, (size,), counts)

    def enforce(self, second: SecondRound) -> None:
        """The identity above, for every table."""
        gamma = second.challenge(GAMMA)
        for table in self.tables:
            inverses = [self._inverses(second, gamma, lookup) for lookup in self._found[table]]
            name = f"table of {table} bits"
            size = 1 << table
            counts = second.committed(self._multiplicities[table].wires)
            differences = values = None
            if gamma.values is not None:
                differences = FrVector.from_int64(-np.arange(size)) + gamma.values[0]
                values = counts.known * differences.inverse()
            terms = second.private(size, f"{name} terms", values)
            rows = self._gamma(gamma, size) - np.arange(size)
            wires = self.system.wires
            self.system.enforce(f"{name} terms", wires(terms.wires), rows, wires(counts.wires))
            found = wires(np.concatenate([inverse.wires for inverse in inverses]))
            self.system.enforce(name, found.total(), 1, wires(terms.wires).total())

    def _inverses(self, second: SecondRound, gamma: FieldSignals, lookup: _Lookup) -> FieldSignals:
        n, values = len(lookup.rows), None
        if gamma.values is not None:
            values = (-lookup.field(second) + gamma.values[0]).inverse()
        inverse = second.private(n, f"{lookup.gadget} inverses", values)
        difference = self._gamma(gamma, n) - lookup.rows
        self.system.enforce(lookup.gadget, self.system.wires(inverse.wires), difference, 1)
        return inverse

    def _gamma(self, gamma: FieldSignals, n: int) -> LinearCombination:
        return self.system.wires(np.repeat(gamma.wires, n))


def _times(field: Callable[[SecondRound], FrVector], factor: int) -> Callable[..., FrVector]:
    return lambda second: field(second) * factor


def digits(
    values: IntValues | None, limbs: tuple[Limb, ...] | list[Limb]
) -> list[np.ndarray | None]:
    """The limbs of integers modulo a power of two, int64, an array a limb."""
    if values is None or not limbs:
        return [None] * len(limbs)
    values = values.reshape(-1)
    if values.dtype != object:
        return [(values >> min(x.offset, 63)) & ((1 << x.bits) - 1) for x in limbs]
    n_words = (limbs[-1].offset + limbs[-1].bits) // _WORD + 2
    mask = (1 << (_WORD * n_words)) - 1
    blob = b"".join((int(v) & mask).to_bytes(8 * n_words, "little") for v in values)
    words = np.frombuffer(blob, "<u8").reshape(len(values), n_words)
    result: list[np.ndarray | None] = []
    for limb in limbs:
        word, shift = divmod(limb.offset, _WORD)
        low = words[:, word] >> np.uint64(shift)
        # a shift by a whole word is not defined, hence two
        high = (words[:, word + 1] << np.uint64(_WORD - 1 - shift)) << np.uint64(1)
        digit = (low | high) & np.uint64((1 << limb.bits) - 1)
        result.append(digit.astype(np.int64))
    return result
