"""Sparse matrices, the witness check and the digest of a constraint system."""

import os
import subprocess
import sys

import numpy as np
import pytest
from gadget_harness import changed, plain_rows, record_and_assign

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.r1cs import R1CS, SparseMatrix
from zkcmp.r1cs_builder import ConstraintSystem

EDGES = [0, 1, 2, FR_MODULUS - 1, FR_MODULUS - 2, 1 << 52, (1 << 208) - 1, 1 << 253]


def random_matrix(rng: np.random.Generator, lengths: list[int], n_wires: int, n_coefficients: int):
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    n = int(indptr[-1])
    return SparseMatrix(
        indptr,
        rng.integers(0, n_wires, n).astype(np.uint32),
        rng.integers(0, n_coefficients, n).astype(np.uint32),
    )


@pytest.mark.parametrize(
    "lengths",
    [
        [],
        [0],
        [1],
        [0, 0, 0],
        [1] * 7,
        [1] * 8,
        [1] * 9,
        [3, 0, 500, 1, 1, 2, 0, 9, 4, 4, 4, 33],
        [*range(40), 700, *([2] * 3000)],
    ],
)
def test_multiply_equals_plain_python(lengths):
    rng = np.random.default_rng(len(lengths))
    matrix = random_matrix(rng, lengths, 60, 20)
    coefficients = FrVector.from_ints([*EDGES, *(FrVector.random(12).to_ints())])
    z = FrVector.from_ints([*EDGES, *(FrVector.random(52).to_ints())])
    table, values = coefficients.to_ints(), z.to_ints()
    expected = [
        sum(table[k] * values[w] for w, k in matrix.row(i)) % FR_MODULUS
        for i in range(matrix.n_rows)
    ]
    assert matrix.multiply(coefficients, z).to_ints() == expected
    transposed = matrix.transpose(60)
    assert sorted((w, i, k) for i in range(matrix.n_rows) for w, k in matrix.row(i)) == sorted(
        (w, i, k) for w in range(60) for i, k in transposed.row(w)
    )


def test_multiply_is_the_same_with_portable_lanes():
    command = [sys.executable, "-m", "pytest", "-q", "-k", "equals_plain_python", __file__]
    environment = {**os.environ, "ZKCMP_LANES": "portable"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_multiply_refuses_short_vectors():
    matrix = SparseMatrix(
        np.array([0, 1], np.int64), np.array([5], np.uint32), np.array([2], np.uint32)
    )
    with pytest.raises(ValueError, match="shorter"):
        matrix.multiply(FrVector.zeros(3), FrVector.zeros(5))
    with pytest.raises(ValueError, match="shorter"):
        matrix.multiply(FrVector.zeros(2), FrVector.zeros(6))


def cube(system: ConstraintSystem, with_values: bool, x: int = 3, name: str = "cube") -> None:
    """y = x³ + 5, x private, y public."""
    y = system.wires(system.public(1, "y", lambda: [x**3 + 5]))
    base = system.wires(system.private(1, "x", lambda: [x]))
    squared = system.wires(system.private(1, "x squared", lambda: [x * x]))
    system.enforce("square", base, base, squared)
    system.enforce(name, squared, base, y - 5)


def test_a_small_system_row_by_row():
    r1cs, witness = record_and_assign(cube)
    assert (r1cs.n_public, r1cs.n_wires, r1cs.n_constraints) == (1, 4, 2)
    a, b, c = plain_rows(r1cs)
    assert a == [{2: 1}, {3: 1}]
    assert b == [{2: 1}, {2: 1}]
    assert c == [{3: 1}, {0: FR_MODULUS - 5, 1: 1}]
    assert sorted(r1cs.coefficients) == [1, FR_MODULUS - 5]
    assert witness.to_ints() == [1, 32, 3, 9]
    r1cs.check(witness)


@pytest.mark.parametrize(("wire", "gadget"), [(1, "cube"), (2, "square"), (3, "square")])
def test_check_names_the_first_violated_gadget(wire, gadget):
    r1cs, witness = record_and_assign(cube)
    with pytest.raises(VerificationError, match="violated") as caught:
        r1cs.check(changed(witness, wire, 77))
    assert caught.value.where == gadget


def test_check_refuses_a_wrong_length_or_constant():
    r1cs, witness = record_and_assign(cube)
    with pytest.raises(VerificationError) as caught:
        r1cs.check(witness.slice(0, 3))
    assert caught.value.where == "witness length"
    with pytest.raises(VerificationError) as caught:
        r1cs.check(witness + witness)
    assert caught.value.where == "witness"


def test_digest_covers_everything():
    r1cs, _ = record_and_assign(cube)
    again, _ = record_and_assign(cube)
    assert r1cs.digest == again.digest

    def with_parts(**parts) -> R1CS:
        fields = {f: getattr(r1cs, f) for f in R1CS.__dataclass_fields__}
        return R1CS(**{**fields, **parts})

    renamed, _ = record_and_assign(lambda s, v: cube(s, v, name="other"))
    more = SparseMatrix(r1cs.a.indptr, r1cs.a.indices + np.uint32(1), r1cs.a.coefficient_ids)
    others = [
        renamed,
        with_parts(n_public=2),
        with_parts(n_wires=5),
        with_parts(coefficients=[c + 1 for c in r1cs.coefficients]),
        with_parts(a=r1cs.c),
        with_parts(a=more),
        with_parts(b=r1cs.c, c=r1cs.b),
        with_parts(wires=r1cs.wires[:-1]),
        with_parts(n_challenges=1),
        with_parts(n_committed=1),
    ]
    digests = {x.digest for x in others}
    assert len(digests) == len(others)
    assert r1cs.digest not in digests


def test_names_of_rows_and_wires():
    r1cs, _ = record_and_assign(cube)
    assert [r1cs.gadget_of(i) for i in range(3)] == ["square", "cube", "unnamed gadget"]
    assert [r1cs.wire_name(j) for j in range(4)] == ["constant one", "y", "x", "x squared"]
    assert r1cs.wire_name(4) == "unnamed wire"


def test_recording_and_assigning_are_kept_apart():
    with pytest.raises(ValueError, match="recorded constraints"):
        ConstraintSystem().witness()
    with pytest.raises(ValueError, match="collected a witness"):
        ConstraintSystem(with_values=True).build()


def test_uneven_batches_are_refused():
    system = ConstraintSystem()
    wires = system.wires(system.private(3, "w", list))
    with pytest.raises(ValueError, match="rows"):
        system.enforce("gadget", wires, wires.take(np.array([0, 1])), 0)


def weighed_sum(system: ConstraintSystem) -> None:
    """x·rho = y, where rho is drawn after x is fixed."""
    rho = system.challenges(1, "rho")
    x = system.private(1, "x", lambda: [3])
    system.commit()
    y = system.private(1, "y", lambda: [3 * system.challenge_values[0]])
    system.enforce("weighed sum", system.wires(x), system.wires(rho), system.wires(y))


def test_challenges_answer_the_committed_wires():
    recorded = ConstraintSystem()
    weighed_sum(recorded)
    r1cs = recorded.build()
    assert (r1cs.n_public, r1cs.n_challenges, r1cs.n_committed, r1cs.n_wires) == (1, 1, 1, 4)
    seen = []

    def respond(committed: FrVector) -> list[int]:
        seen.extend(committed.to_ints())
        return [7]

    assigned = ConstraintSystem(with_values=True, respond=respond)
    weighed_sum(assigned)
    assert seen == [3]
    assert assigned.witness().to_ints() == [1, 7, 3, 21]
    r1cs.check(assigned.witness())


def test_rounds_have_one_order():
    system = ConstraintSystem()
    system.private(1, "x", lambda: [1])
    with pytest.raises(ValueError, match="before every private wire"):
        system.challenges(1, "rho")
    with pytest.raises(ValueError, match="commits once"):
        system.commit()
    system = ConstraintSystem()
    system.challenges(1, "rho")
    with pytest.raises(ValueError, match="before challenges"):
        system.public(1, "late", lambda: [1])
    system.private(1, "x", lambda: [1])
    with pytest.raises(ValueError, match="must commit"):
        system.build()
    with pytest.raises(ValueError, match="not known"):
        _ = system.challenge_values
    system.commit()
    with pytest.raises(ValueError, match="commits once"):
        system.commit()
    assigned = ConstraintSystem(with_values=True, respond=lambda committed: [1, 2])
    assigned.challenges(1, "rho")
    assigned.private(1, "x", lambda: [1])
    with pytest.raises(ValueError, match="2 challenges for 1"):
        assigned.commit()
