"""Hyrax: openings of true claims, and what a commitment hides."""

import os
import random
import secrets
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fixed_challenges import FixedChallenges
from hyrax_case import Case, elements
from proof_fields import INFINITY, split

from zkcmp.bn254.curve.encoding import encode_g1
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.row_msm import add_points
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.commitments.hyrax import Shape
from zkcmp.commitments.multilinear import eq_table
from zkcmp.errors import VerificationError

SHAPES = [(0, 3, 0), (0, 13, 1), (1, 3, 2), (3, 3, 0), (4, 3, 5), (6, 3, 1), (5, 4, 33), (4, 13, 7)]


@pytest.mark.parametrize(("n_vars", "column_bits", "tail_length"), SHAPES)
def test_true_claims_are_accepted(n_vars: int, column_bits: int, tail_length: int) -> None:
    case = Case(n_vars, column_bits, tail_length)
    assert (case.commitment.n_vars, case.commitment.tail_length) == (n_vars, tail_length)
    proof = case.open()
    assert len(proof) == case.scheme.proof_bytes(n_vars, tail_length)
    case.verify(proof)
    for wrong in (case.claim + 1, case.claim - 1, 0):
        with pytest.raises(VerificationError, match="dot-product proof"):
            case.verify(proof, claim=wrong)


def test_the_table_of_eq() -> None:
    point = [3, 5, 7]
    want = [
        (3 if i & 4 else -2) * (5 if i & 2 else -4) * (7 if i & 1 else -6) % R for i in range(8)
    ]
    assert eq_table(point).to_ints() == want
    assert eq_table([]).to_ints() == [1]


@pytest.mark.parametrize("kind", ["zeros", "bits", "bytes", "ones", "one full row"])
def test_special_values(kind: str) -> None:
    rng = random.Random(1)
    values = {
        "zeros": [0] * 64,
        "bits": [rng.randrange(2) for _ in range(64)],
        "bytes": [rng.randrange(-128, 128) for _ in range(64)],
        "ones": [1] * 64,
        "one full row": [0] * 8 + [rng.randrange(R) for _ in range(8)] + [1] * 48,
    }[kind]
    case = Case(6, 3, 4, values)
    case.verify(case.open())


def test_rows_of_full_length() -> None:
    """2^13 columns, with a row of bytes, one of zeros, and the longest tail."""
    rng = random.Random(2)
    values = [rng.randrange(-128, 128) for _ in range(1 << 13)] + [0] * (1 << 13)
    case = Case(14, 13, 128, values)
    proof = case.open()
    assert (len(elements(case)), len(proof)) == (3, 32 * 29)
    case.verify(proof)
    with pytest.raises(VerificationError):
        case.verify(proof, claim=case.claim + 1)


def test_corners_of_the_cube_give_the_values() -> None:
    case = Case(4, 3, 2)
    case.weights = [0, 0]
    for index in (0, 1, 8, 15):
        case.point = [index >> (3 - k) & 1 for k in range(4)]
        case.claim = case.values[index]
        case.verify(case.open())


def test_integers_are_taken_modulo_r() -> None:
    case = Case(4, 3, 2)
    proof = case.open(claim=case.claim - R)
    case.verify(proof, claim=case.claim + R, point=[p + R for p in case.point])


# --- what a commitment hides ------------------------------------------------------------------


def test_two_commitments_and_two_proofs_share_no_element() -> None:
    """Of the same values, with the same challenges of the verifier."""
    case = Case(5, 3, 3)
    again, opening = case.scheme.commit(case.values, case.tail)
    assert not set(elements(case)) & set(split(again.to_bytes()[3:]))
    assert not set(case.opening.blinders.to_ints()) & set(opening.blinders.to_ints())
    proofs = [
        case.scheme.open(case.opening, FixedChallenges(), case.point, case.weights, case.claim)
        for _ in range(2)
    ]
    first, second = (split(p) for p in proofs)
    assert not set(first) & set(second)


@pytest.mark.parametrize("values", [[0] * 16, [1] * 16], ids=["zeros", "ones"])
def test_equal_rows_look_different(values: list[int]) -> None:
    case = Case(4, 3, 0, values)
    points = case.commitment.points
    assert len(np.unique(points[:, 0], axis=0)) == len(points)
    assert INFINITY not in elements(case)


def test_a_small_value_cannot_be_guessed() -> None:
    """Every candidate's own commitment is known to all; the blinder hides which one it is."""
    secret = secrets.randbelow(16) - 8
    case = Case(3, 3, 0, [secret] * 8)
    bases = Shape(3, 3, 0).bases()
    candidates = [FrVector.from_int64(np.full(9, v)) for v in range(-8, 8)]
    for c in candidates:
        c.assign(0, FrVector.zeros(1))
    guesses = bases.commit([0] * 16, candidates)
    assert encode_g1(case.commitment.points[0]) not in [encode_g1(p) for p in guesses]
    # whoever has the blinder can tell: the test looks in the right place
    blinder = fixed_base_mul("g1", -case.opening.blinders.slice(0, 1))
    bare = encode_g1(add_points(case.commitment.points[:1], blinder))
    assert [encode_g1(p) for p in guesses].index(bare) == secret + 8


def test_secrets_are_not_shown() -> None:
    case = Case(3, 3, 2, [7] * 8)
    shown = repr(case.opening) + str(case.opening)
    assert "values" not in shown
    assert "blinders" not in shown
    assert "array" not in shown


# --- both bodies ------------------------------------------------------------------------------

VERIFY = """
import sys
from zkcmp.bn254.lanes.body import BODY
from zkcmp.commitments.hyrax import Hyrax
from zkcmp.transcript import Transcript
commitment, proof, *numbers = sys.argv[1:]
scheme, numbers = Hyrax(3), [int(x) for x in numbers]
c = scheme.decode(bytes.fromhex(commitment))
m, claim = c.n_vars, numbers.pop()
scheme.verify(c, Transcript(b"case"), numbers[:m], numbers[m:], claim, bytes.fromhex(proof))
print(BODY.name)
"""


def test_the_portable_body_verifies_it() -> None:
    """Generators, encodings and challenges do not depend on the machine."""
    case = Case(4, 3, 2)
    numbers = [str(x) for x in (*case.point, *case.weights, case.claim)]
    data = [case.commitment.to_bytes().hex(), case.open().hex()]
    done = subprocess.run(
        [sys.executable, "-c", VERIFY, *data, *numbers],
        env={**os.environ, "ZKCMP_LANES": "portable"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "portable", done.stderr[-2000:]
