"""Hand-made constraint systems for the Groth16 tests."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.r1cs import R1CS, Span, SparseMatrix

Row = dict[int, int]


def system(
    n_public: int, n_wires: int, rows: list[tuple[Row, Row, Row]], gadgets: list[Span] | None = None
) -> R1CS:
    """rows[j] = (a, b, c), each {wire: coefficient}."""
    coefficients = sorted({v for row in rows for part in row for v in part.values()} | {1})
    matrices = []
    for k in range(3):
        indptr, indices, ids = [0], [], []
        for row in rows:
            for wire, value in sorted(row[k].items()):
                indices.append(wire)
                ids.append(coefficients.index(value))
            indptr.append(len(indices))
        matrices.append(
            SparseMatrix(
                np.array(indptr, np.int64), np.array(indices, np.uint32), np.array(ids, np.uint32)
            )
        )
    return R1CS(
        n_public,
        n_wires,
        *matrices,
        coefficients,
        gadgets if gadgets is not None else [Span("all", 0, len(rows))],
    )


def cubic() -> tuple[R1CS, list[int]]:
    """y = x³ + x + 5 and an unconstrained public input u. Wires 1, y, u, x, x², x³."""
    rows = [
        ({3: 1}, {3: 1}, {4: 1}),
        ({4: 1}, {3: 1}, {5: 1}),
        ({5: 1, 3: 1, 0: 5}, {0: 1}, {1: 1}),
    ]
    gadgets = [Span("square", 0, 1), Span("cube", 1, 2), Span("output", 2, 3)]
    x = 3
    return system(2, 6, rows, gadgets), [1, x**3 + x + 5, 77, x, x * x, x**3]


def bits(n: int, value: int) -> tuple[R1CS, list[int]]:
    """n private bits sum up to one public value; the constant one is in every row."""
    rows: list[tuple[Row, Row, Row]] = [
        ({2 + k: 1}, {0: FR_MODULUS - 1, 2 + k: 1}, {}) for k in range(n)
    ]
    rows.append(({2 + k: 1 << k for k in range(n)}, {0: 1}, {1: 1}))
    return system(1, n + 2, rows), [1, value, *((value >> k) & 1 for k in range(n))]


PRODUCTS = [
    ({4: 1, 5: 1}, {4: 1, 6: 1}, {7: 1}),
    ({1: 1, 4: 1}, {2: 1, 4: 1}, {7: 1}),
]


def shuffled() -> R1CS:
    """The private x₁, x₂ are y₁, y₂ in some order: (x₁ + ρ)(x₂ + ρ) = (y₁ + ρ)(y₂ + ρ).

    Wires 1, y₁, y₂, u, ρ, x₁, x₂, p: u is a public input in no constraint, ρ the challenge, x₁ and
    x₂ are committed, p is the product on the left. True for every x if ρ is known before.
    """
    return replace(system(4, 8, PRODUCTS), n_challenges=1, n_committed=2)


def shuffled_witness(
    y: tuple[int, int], u: int, x: tuple[int, int], respond: Callable[[FrVector], list[int]]
) -> FrVector:
    """The honest prover's, whether x is y in some order or not."""
    (rho,) = respond(FrVector.from_ints(x))
    return FrVector.from_ints([1, *y, u, rho, *x, (x[0] + rho) * (x[1] + rho)])
