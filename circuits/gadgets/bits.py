"""Bits and exact ranges.

    boolean   b · b = b
    range     0 ≤ v < 2^n:  u = v − Σ_{i<n−1} b_i 2^i,  u · (u − 2^(n−1)) = 0

Only the n − 1 low bits are wires. The second line says that u is 0 or 2^(n−1), so u/2^(n−1) is the
top bit and v = Σ_{i<n} b_i 2^i: n constraints for n bits and no further one to recompose v.

A signed weight of width b is the range of w + 2^(b−1), that is −2^(b−1) ≤ w < 2^(b−1) exactly
(README, S3). For n ≤ 253 no sum of bits reaches r, so the integers meant are the residues.
"""

from typing import Any

import numpy as np

from circuits.signals import IntValues, Signals, private
from zkcmp.linear_combination import LinearCombination
from zkcmp.r1cs_builder import ConstraintSystem
from zkcmp.seal import CAPACITY_BITS


def bit_matrix(values: IntValues, n_bits: int) -> np.ndarray:
    """Bits 0 … n_bits − 1 of every value modulo 2^n_bits, uint8 of shape (n, n_bits)."""
    if n_bits == 0:
        return np.zeros((len(values), 0), np.uint8)
    n_bytes = -(-n_bits // 8)
    mask = (1 << n_bits) - 1
    blob = b"".join((int(v) & mask).to_bytes(n_bytes, "little") for v in values)
    octets = np.frombuffer(blob, np.uint8).reshape(len(values), n_bytes)
    return np.unpackbits(octets, axis=1, bitorder="little")[:, :n_bits]


def boolean(system: ConstraintSystem, gadget: str, bits: Signals) -> None:
    """Every wire is 0 or 1."""
    b = system.wires(bits.wires)
    system.enforce(gadget, b, b, b)


def enforce_range(
    system: ConstraintSystem,
    gadget: str,
    value: LinearCombination,
    n_bits: int,
    values: IntValues | None,
) -> None:
    """Every row of `value` lies in [0, 2^n_bits); `values` are the integers of the rows.

    Raises ValueError unless 1 ≤ n_bits ≤ 253.
    """
    if not 1 <= n_bits <= CAPACITY_BITS:
        raise ValueError(f"a range of {n_bits} bits; 1 to {CAPACITY_BITS} fit the field")
    n, low_bits = len(value), n_bits - 1
    low_values: Any = None if values is None else bit_matrix(values, low_bits)
    low = private(system, f"{gadget} bits", (n, low_bits), low_values)
    boolean(system, gadget, low)
    powers = system.table.ids_of([1 << i for i in range(low_bits)])
    recomposed = system.combination_of_ids(
        np.repeat(np.arange(n), low_bits), low.wires, np.tile(powers, n), n
    )
    top = value - recomposed
    system.enforce(gadget, top, top - (1 << low_bits), 0)


def enforce_signed(system: ConstraintSystem, gadget: str, signals: Signals, n_bits: int) -> None:
    """Every signal lies in [−2^(n_bits−1), 2^(n_bits−1)): exactly its declared signed width."""
    offset = 1 << (n_bits - 1)
    values = None if signals.values is None else signals.values.reshape(-1).astype(object) + offset
    enforce_range(system, gadget, system.wires(signals.wires) + offset, n_bits, values)
