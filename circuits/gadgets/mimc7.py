"""MiMC7 in counter mode (S2), 364 constraints a block: four for each of 91 rounds.

    t_i = r_(i−1) + k + c_i        t_0 = counter + k
    t·t = x2,  x2·x2 = x4,  x4·x2 = x6,  x6·t = r_i
    in the last round            x6·t = ciphertext − plaintext − k

since E_k(counter) = r_90 + k and ciphertext = plaintext + E_k(counter). The plaintext is a linear
combination, so the encryption costs nothing beyond the cipher. Plain reference: zkcmp.mimc7.
"""

from collections.abc import Callable

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.linear_combination import IntArray, LinearCombination
from zkcmp.mimc7 import CONSTANTS
from zkcmp.r1cs_builder import ConstraintSystem

CONSTRAINTS_PER_BLOCK = 4 * len(CONSTANTS)


def counter_mode(
    system: ConstraintSystem,
    key_wire: IntArray,
    plaintext: LinearCombination,
    ciphertext: IntArray,
    key: int | None,
) -> None:
    """ciphertext_i = plaintext_i + E_k(i) for every block i.

    key_wire: one wire; plaintext: ℓ rows; ciphertext: ℓ wires; key: its value, None while
    recording.
    """
    n = len(plaintext)
    k = system.wires(np.repeat(key_wire, n))
    state = system.constant(list(range(n)), n)
    values = FrVector.from_int64(np.arange(n)) if key is not None else None
    for i, constant in enumerate(CONSTANTS):
        t = state + k + constant
        powers = _powers(values, key + constant) if values is not None and key is not None else None
        x2, x4, x6 = (
            system.wires(system.private(n, f"mimc7 round {i} {name}", _value(powers, j)))
            for j, name in enumerate(("square", "fourth power", "sixth power"))
        )
        system.enforce("mimc7 rounds", t, t, x2)
        system.enforce("mimc7 rounds", x2, x2, x4)
        system.enforce("mimc7 rounds", x4, x2, x6)
        if i + 1 < len(CONSTANTS):
            state = system.wires(system.private(n, f"mimc7 round {i} output", _value(powers, 3)))
            system.enforce("mimc7 rounds", x6, t, state)
            values = powers[3] if powers is not None else None
        else:
            system.enforce("ciphertext", x6, t, system.wires(ciphertext) - plaintext - k)


def _powers(state: FrVector, shift: int) -> tuple[FrVector, FrVector, FrVector, FrVector]:
    t = state + shift
    x2 = t * t
    x4 = x2 * x2
    x6 = x4 * x2
    return x2, x4, x6, x6 * t


def _value(powers: tuple[FrVector, ...] | None, j: int) -> Callable[[], FrVector]:
    def values() -> FrVector:
        if powers is None:
            raise ValueError("values are not available while constraints are recorded")
        return powers[j]

    return values
