"""Runs a gadget both ways, and looks for wires that nothing pins down."""

from collections.abc import Callable

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.r1cs import R1CS
from zkcmp.r1cs_builder import ConstraintSystem


def record_and_assign(make: Callable[[ConstraintSystem, bool], None]) -> tuple[R1CS, FrVector]:
    """The system a gadget records and the witness it assigns; `make(system, with_values)`."""
    recording, assigning = ConstraintSystem(), ConstraintSystem(with_values=True)
    make(recording, False)
    make(assigning, True)
    return recording.build(), assigning.witness()


def violated_gadgets(r1cs: R1CS, witness: FrVector) -> set[str]:
    """Names of all gadgets with a violated constraint."""
    return {r1cs.gadget_of(int(row)) for row in r1cs.violated_rows(witness)}


def changed(witness: FrVector, wire: int, value: int) -> FrVector:
    """A copy with one wire set to another value."""
    out = witness.copy()
    out.assign(wire, FrVector.from_ints([value]))
    return out


def named_wires(r1cs: R1CS, name: str) -> np.ndarray:
    """Wire numbers allocated under a name."""
    ranges = [np.arange(s.first, s.last) for s in r1cs.wires if s.name == name]
    if not ranges:
        raise KeyError(name)
    return np.concatenate(ranges)


def plain_rows(r1cs: R1CS) -> list[list[dict[int, int]]]:
    """For each of a, b, c, every row as {wire: coefficient}."""
    return [
        [{w: r1cs.coefficients[k] for w, k in m.row(i)} for i in range(m.n_rows)]
        for m in r1cs.matrices
    ]


def free_wires(r1cs: R1CS, witness: FrVector, wires: range | None = None) -> list[str]:
    """Private wires that could change alone, to any value at all, with every constraint holding.

    Row i after z_j += δ differs by δ·(a·B_ij + b·A_ij − C_ij) + δ²·A_ij·B_ij, which has at most
    one root δ ≠ 0 or is zero throughout; j is free when the rows share a root. Exact, not sampled.
    """
    r = FR_MODULUS
    az, bz = (v.to_ints() for v in r1cs.products(witness)[:2])
    touching: dict[int, dict[int, list[int]]] = {}
    for k, rows in enumerate(plain_rows(r1cs)):
        for i, row in enumerate(rows):
            for wire, coefficient in row.items():
                touching.setdefault(wire, {}).setdefault(i, [0, 0, 0])[k] = coefficient
    free = []
    for j in wires or range(1 + r1cs.n_public, r1cs.n_wires):
        root: int | None = None  # None: any δ so far
        for i, (a, b, c) in touching.get(j, {}).items():
            linear, quadratic = (az[i] * b + bz[i] * a - c) % r, a * b % r
            if quadratic == 0 and linear == 0:
                continue
            here = -linear * pow(quadratic, -1, r) % r if quadratic else 0
            if here == 0 or (root is not None and root != here):
                break
            root = here
        else:
            free.append(f"wire {j}: {r1cs.wire_name(j)}")
    return free
